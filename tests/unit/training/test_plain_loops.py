"""The training loops against plain PyTorch loops, with loaders and generators of PyTorch; and what all loops share."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from gmlib.data import Batches
from gmlib.models import GAN, VAE, BernoulliDecoder, Classifier, MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.training import State, fit_classifier, fit_gan, fit_vae

EPOCHS = 5  # of four batches: 20 steps
LOADERS = ["Batches", "DataLoader", "list"]


def loader(kind: str, digits, *, binarised: bool):
    images = digits.binarised() if binarised else digits.grey()
    if kind == "Batches":
        return Batches(digits, 16, binarised=binarised, seed=1)
    if kind == "list":
        return list(zip(images.split(16), digits.labels.split(16), strict=True))
    order = torch.Generator().manual_seed(1)
    return DataLoader(TensorDataset(images, digits.labels), 16, shuffle=True, drop_last=True, generator=order)


def make_vae() -> VAE:
    torch.manual_seed(0)
    return VAE(MLPEncoder(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))


def make_gan(classes: int = 0) -> GAN:
    torch.manual_seed(0)
    return GAN(MLPGenerator(8, classes, hidden=16), MLPCritic(classes, hidden=16, dropout=0.0))


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("kind", LOADERS)
def test_a_vae_by_a_plain_loop(made_up, kind):
    vae, batches, rng = make_vae(), loader(kind, made_up, binarised=True), torch.Generator().manual_seed(2)
    state = fit_vae(vae, batches, epochs=EPOCHS, lr=1e-2, generator=rng)
    assert isinstance(state, State)
    found = state.history.column("train_elbo")

    model, batches, rng = make_vae(), loader(kind, made_up, binarised=True), torch.Generator().manual_seed(2)
    adam, losses = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for _ in range(EPOCHS):
        for x, _y in batches:
            mu, logvar = model.encoder(x)
            z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=rng)
            logits = model.decoder.logits(z)
            log_px = -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))
            kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
            loss = (kl - log_px).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
    assert len(losses) == 20
    epochs = torch.tensor(losses).view(EPOCHS, 4).mean(1)
    torch.testing.assert_close(torch.tensor(found), -epochs, rtol=1e-4, atol=1e-4)
    assert found[-1] > found[0] + 20


@pytest.mark.parametrize("kind", LOADERS)
def test_a_gan_by_a_plain_loop(made_up, kind):
    gan, batches, rng = make_gan(), loader(kind, made_up, binarised=False), torch.Generator().manual_seed(2)
    adam = partial(torch.optim.Adam, betas=(0.5, 0.999))
    history = fit_gan(gan, batches, epochs=EPOCHS, lr=1e-3, optimiser=adam, generator=rng).history

    model, batches, rng = make_gan(), loader(kind, made_up, binarised=False), torch.Generator().manual_seed(2)
    generator, critic = model.generator, model.critic
    of_g, of_d = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999)) for net in (generator, critic))
    losses, bce = [], torch.nn.functional.binary_cross_entropy_with_logits
    for _ in range(EPOCHS):
        for x, _y in batches:
            fake = generator(torch.randn(len(x), 8, generator=rng)).detach()
            real, made = critic(x), critic(fake)
            loss_d = bce(real, torch.ones_like(real)) + bce(made, torch.zeros_like(made))
            of_d.zero_grad()
            loss_d.backward()
            of_d.step()
            made = critic(generator(torch.randn(len(x), 8, generator=rng)))
            loss_g = bce(made, torch.ones_like(made))
            of_g.zero_grad()
            loss_g.backward()
            of_g.step()
            losses.append([loss_d.item(), loss_g.item()])
    assert len(losses) == 20
    epochs = torch.tensor(losses).view(EPOCHS, 4, 2).mean(1)
    found = torch.tensor([history.column("critic_loss"), history.column("generator_loss")]).T
    torch.testing.assert_close(found, epochs, rtol=1e-4, atol=1e-4)


def test_networks_batches_and_a_length_are_enough(made_up):
    for fit, model in ((fit_vae, make_vae), (fit_gan, make_gan)):
        found = []
        for seed in (3, 3, 4):
            net = model()
            torch.manual_seed(seed)
            fit(net, loader("list", made_up, binarised=True), epochs=1)
            found.append(net)
        assert same_weights(found[0], found[1])
        assert not same_weights(found[0], found[2])


LOOPS = ((fit_vae, make_vae), (fit_gan, make_gan), (fit_classifier, Classifier))


def test_labels_reach_networks_with_classes_only(made_up, refused):
    given = []
    for classes in (0, 10):
        gan = make_gan(classes)
        gan.generator.register_forward_pre_hook(lambda module, inputs: given.append(inputs[1]))
        fit_gan(gan, loader("DataLoader", made_up, binarised=False), epochs=1)
    assert given[:8] == [None] * 8
    assert all(labels.shape == (16,) for labels in given[8:])
    without = [(x, None) for x, _ in loader("list", made_up, binarised=True)]
    assert fit_vae(make_vae(), without, epochs=1).step == 4
    with refused("without labels"):
        fit_gan(make_gan(10), without, epochs=1)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize(("fit", "make"), LOOPS)
def test_training_is_in_train_mode_and_validation_in_eval_mode(made_up, fit, make, ema):
    model, seen, in_training = make().eval(), [], set()  # in eval mode, as a trained run is

    def validate(model):
        seen.append((id(getattr(model, "generator", model)), {module.training for module in model.modules()}))
        return {"validation_number": float(len(seen))}

    for module in model.modules():
        module.register_forward_pre_hook(lambda module, _: in_training.add(module.training))
    own = id(getattr(model, "generator", model))
    state = fit(model, loader("list", made_up, binarised=True), epochs=2, ema=ema, validate=validate)
    assert in_training == {True}
    assert [modes for _, modes in seen] == [{False}] * 2
    assert all(module.training for part in model.children() for module in part.modules())
    assert {number for number, _ in seen} == {id(next(iter(state.result().values())))}
    assert (seen[0][0] == own) == (ema == 0)
    assert state.history.column("validation_number") == [1, 2]
    assert list(state.history.rows[0])[-1] == "validation_number"


@pytest.mark.parametrize(("fit", "make"), LOOPS)
def test_what_cannot_be_trained(made_up, refused, unchecked, fit, make):
    model, batches = make(), loader("list", made_up, binarised=True)
    before = [weight.clone() for weight in model.parameters()]
    for wrong in ({"epochs": -1}, {"epochs": 1.5}, {"lr": -1e-2}, {"lr": float("nan")}):
        (name,) = wrong
        with refused(f"got {name}"):
            fit(model, batches, **{"epochs": 1} | wrong)
    with torch.no_grad(), refused("torch.no_grad"):
        fit(model, batches, epochs=1)
    with refused("frozen"):
        fit(model.requires_grad_(False), batches, epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(("fit", "make"), LOOPS)
def test_layers_in_eval_mode_before_training_stay_there(made_up, fit, make):
    model = make()
    frozen = next(module for module in model.modules() if isinstance(module, torch.nn.Linear)).eval()
    fit(model, loader("list", made_up, binarised=True), epochs=2, validate=lambda _: {})
    assert not frozen.training


def test_a_saved_state_is_loaded_before_the_first_step(made_up):
    def start():
        return make_gan(), Batches(made_up, 16, binarised=False, seed=1), torch.Generator().manual_seed(2)

    def play(gan, batches, rng, **options) -> State:
        return fit_gan(gan, batches, epochs=3, lr=1e-3, n_critic=3, ema=0.9, decay=True, generator=rng, **options)

    saved, whole = [], start()
    expected = play(
        *whole, on_step=lambda state: saved.append(deepcopy(state.state_dict())) if state.step == 5 else None
    )
    parts = start()
    with torch.no_grad():
        next(parts[0].parameters()).zero_()
    found = play(*parts, on_start=lambda state: state.load_state_dict(saved[0]))
    assert found.step == 12
    assert found.history == expected.history
    assert same_weights(parts[0], whole[0])
    assert same_weights(found.averages["generator"], expected.averages["generator"])


def test_an_optimiser_is_a_class_or_a_partial_and_each_network_has_its_own(made_up):
    batches = loader("list", made_up, binarised=False)
    state = fit_gan(
        make_gan(), batches, epochs=1, lr=1e-3, critic_lr=2e-3, optimiser=partial(torch.optim.SGD, momentum=0.5)
    )
    groups = {name: optimiser.param_groups[0] for name, optimiser in state.optimisers.items()}
    assert {name: (group["lr"], group["momentum"]) for name, group in groups.items()} == {
        "generator": (1e-3, 0.5),
        "critic": (2e-3, 0.5),
    }
    assert isinstance(fit_vae(make_vae(), batches, epochs=1).optimisers["vae"], torch.optim.Adam)
