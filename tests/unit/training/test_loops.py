"""What all training loops share; the loop of the VAE against a plain PyTorch loop with PyTorch's loaders and generators."""

from functools import partial

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from gmlib.data import Batches
from gmlib.models import GAN, VAE, BernoulliDecoder, Classifier, MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.training import State, fit_classifier, fit_gan, fit_vae
from tests.unit.training.common import weights

EPOCHS = 5  # of four batches: 20 steps


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


ALL_LOOPS = pytest.mark.parametrize(
    ("fit", "make"), [(fit_vae, make_vae), (fit_gan, make_gan), (fit_classifier, Classifier)]
)


@pytest.mark.parametrize("kind", ["Batches", "DataLoader", "list"])
def test_a_vae_by_a_plain_loop(made_up, kind):
    vae, batches, rng = make_vae(), loader(kind, made_up, binarised=True), torch.Generator().manual_seed(2)
    state = fit_vae(vae, batches, epochs=EPOCHS, lr=1e-2, rng=rng)
    assert isinstance(state, State)

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
    expected = -torch.tensor(losses).view(EPOCHS, 4).mean(1)
    torch.testing.assert_close(torch.tensor(state.history.column("train_elbo")), expected, rtol=1e-4, atol=1e-4)
    assert expected[-1] > expected[0] + 20


@ALL_LOOPS
def test_without_a_generator_the_global_one_fixes_the_run(made_up, fit, make):
    trained = []
    for seed in (3, 3, 4):
        torch.manual_seed(0)
        model = make()
        torch.manual_seed(seed)
        fit(model, loader("list", made_up, binarised=False), epochs=1)
        trained.append(weights(model))
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])


def test_labels_are_needed_by_networks_with_classes_only(made_up, refused):
    unlabelled = [(x, None) for x, _ in loader("list", made_up, binarised=True)]
    assert fit_vae(make_vae(), unlabelled, epochs=1).step == 4
    with refused("without labels"):
        fit_gan(make_gan(10), unlabelled, epochs=1)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@ALL_LOOPS
def test_training_is_in_train_mode_and_validation_in_eval_mode(made_up, fit, make, ema):
    model, validated, in_training = make().eval(), [], set()  # in eval mode, as a trained run is
    for module in model.modules():
        module.register_forward_pre_hook(lambda module, _: in_training.add(module.training))

    def validate(model):
        network = getattr(model, "generator", model)
        validated.append((network, {module.training for module in model.modules()}))
        return {"validation_number": float(len(validated))}

    state = fit(model, loader("list", made_up, binarised=True), epochs=2, ema=ema, validate=validate)
    assert in_training == {True}
    assert [modes for _, modes in validated] == [{False}] * 2
    assert all(module.training for part in model.children() for module in part.modules())
    assert {network for network, _ in validated} == {next(iter(state.result().values()))}
    assert (validated[0][0] is getattr(model, "generator", model)) == (ema == 0)
    assert state.history.column("validation_number") == [1, 2]
    assert list(state.history.rows[0])[-1] == "validation_number"


@ALL_LOOPS
def test_a_model_without_gradients_and_a_negative_length_are_refused(made_up, refused, unchecked, fit, make):
    model, batches = make(), loader("list", made_up, binarised=True)
    for epochs in (-1, 1.5):
        with refused("got epochs"):
            fit(model, batches, epochs=epochs)
    with torch.no_grad(), refused("torch.no_grad"):
        fit(model, batches, epochs=1)
    with refused("frozen"):
        fit(model.requires_grad_(False), batches, epochs=1)


@ALL_LOOPS
def test_layers_in_eval_mode_before_training_stay_there(made_up, fit, make):
    model = make()
    frozen = next(module for module in model.modules() if isinstance(module, torch.nn.Linear)).eval()
    fit(model, loader("list", made_up, binarised=True), epochs=2, validate=lambda _: {})
    assert not frozen.training


def test_an_optimiser_is_a_class_or_a_partial_and_each_network_has_its_own(made_up):
    batches = loader("list", made_up, binarised=False)
    sgd = partial(torch.optim.SGD, momentum=0.5)
    state = fit_gan(make_gan(), batches, epochs=1, lr=1e-3, critic_lr=2e-3, optimiser=sgd)
    groups = {name: optimiser.param_groups[0] for name, optimiser in state.optimisers.items()}
    assert {name: (group["lr"], group["momentum"]) for name, group in groups.items()} == {
        "generator": (1e-3, 0.5),
        "critic": (2e-3, 0.5),
    }
    assert isinstance(fit_vae(make_vae(), batches, epochs=1).optimisers["vae"], torch.optim.Adam)
