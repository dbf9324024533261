"""Fitting a recipe: the same seed gives the same run, and a folder lets it go on where it stopped."""

import json
import math
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from gmlib import ImageDataset, mnist, models, recipes, show, zoo
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.fit import fit_profile, training_loop
from gmlib.experiments.recipe import GANRecipe, plain
from gmlib.experiments.run import networks_of
from gmlib.identity import PARTS, identity
from gmlib.metrics import log_likelihood
from gmlib.models import VAE, DCCritic, DCGenerator, MLPCritic, NoLatent, PixelCNN, PixelDecoder
from gmlib.objectives import ELBO, IWAE, MINIMAX, NON_SATURATING, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY, Adversarial
from gmlib.seeds import stream
from gmlib.training import State, StopTraining
from gmlib.training.checkpoint import Folder
from tests.conftest import instead

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=4)


def weights(run) -> dict[str, torch.Tensor]:
    return run.model.state_dict()


def named(dataset, name: str) -> ImageDataset:
    return ImageDataset(dataset.images, dataset.labels, dataset.classes, name)


def equal(a, b) -> bool:
    left, right = weights(a), weights(b)
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_a_seed_fixes_the_run_and_the_global_generator_is_left_alone(few_digits):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = fit_profile(SHORT, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = fit_profile(SHORT, seed=3)
    assert equal(first, again)
    assert first.history == again.history
    assert not equal(first, fit_profile(SHORT, seed=4))


def test_a_run_knows_what_it_is(few_digits):
    run = fit_profile(SHORT, seed=3)
    assert isinstance(run.model, VAE)
    assert run.about["recipe"] == "vae"
    assert run.about["recipe_hash"] == SHORT.hash
    facts = {"epochs": 4, "seed": 3, "data": "mnist5k/train", "data_digest": few_digits.digest, "device": "cpu"}
    assert {key: run.about[key] for key in facts} == facts
    assert run.about["classes"] == [str(digit) for digit in range(10)]
    assert run.about["versions"]["torch"] == torch.__version__
    assert run.metrics == {}


def test_full_trains_longer_than_quick(few_digits):
    assert len(fit_profile(replace(SHORT, epochs=5), "full").history) == 5


def begun(recipe, digits, seed: int = 0, model=None) -> State:
    """The state of a run before its first step."""
    return training_loop(recipe, model or recipe.build(), digits, seed)(epochs=0)


def stop_after(epochs: int):
    def stop(state: State) -> None:
        if state.epoch == epochs:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("optimiser", [torch.optim.Adam, torch.optim.SGD])
def test_stopped_and_resumed_is_never_stopped(few_digits, always, tmp_path, optimiser):
    recipe = replace(SHORT, optimiser=optimiser, lr=1e-2 if optimiser is torch.optim.Adam else 1e-4)
    whole = fit_profile(recipe, seed=3, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit_profile(recipe, seed=3, out=tmp_path / "parts", on_epoch=stop_after(2))
    epochs = []
    resumed = fit_profile(
        recipe, seed=3, out=tmp_path / "parts", resume=True, on_epoch=lambda state: epochs.append(state.epoch)
    )
    assert epochs == [2, 3, 4]  # the last step of epoch 2 was kept, its row was not yet
    assert equal(whole, resumed)
    assert whole.history == resumed.history
    assert (tmp_path / "parts" / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()
    parts, never = (load_file(tmp_path / folder / "checkpoint-000000016.safetensors") for folder in ("parts", "whole"))
    assert parts.keys() == never.keys()
    assert all(torch.equal(parts[key], never[key]) for key in parts)
    assert equal(whole, fit_profile(recipe, seed=3, out=tmp_path / "parts", resume=True))  # nothing is left to do


@pytest.mark.parametrize("seed", [-1, 2**31, 10**20])
def test_a_seed_out_of_range(few_digits, refused, seed):
    with refused(f"got seed {seed}", "from 0 to 2,147,483,647"):
        fit_profile(SHORT, seed=seed)


def test_a_folder_that_holds_a_run(few_digits, tmp_path, refused):
    fit_profile(SHORT, out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with refused(f"{tmp_path} holds a run already", "--resume", "another --out"):
        fit_profile(SHORT, out=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("other", "seed", "key"),
    [
        (replace(recipes.VAE_NO_BN, batch_size=16, quick_epochs=4), 0, "recipe"),
        (replace(SHORT, lr=0.02), 0, "recipe_hash"),
        (replace(SHORT, quick_epochs=6), 0, "epochs"),
        (SHORT, 1, "seed"),
    ],
)
def test_a_checkpoint_of_another_run(few_digits, tmp_path, refused, other, seed, key):
    fit_profile(SHORT, out=tmp_path)
    with refused(f"is of {key} ", "resume with what it was started with"):
        fit_profile(other, seed=seed, out=tmp_path, resume=True)


def test_an_unknown_profile(refused):
    with refused("got profile 'quikc'", "expected quick or full", "did you mean 'quick'"):
        fit_profile(SHORT, "quikc")


def test_the_full_profile_needs_the_full_data(tmp_path, refused):
    with refused(f"got the data folder {tmp_path}", "four MNIST files"):
        fit_profile(SHORT, "full", root=tmp_path)


def test_quick_trains_on_the_embedded_digits_and_full_on_all(monkeypatch, made_up):
    asked = []

    def note(source, split, root=None):
        asked.append((split, source, root))
        return made_up

    monkeypatch.setattr("gmlib.experiments.fit.load", note)
    short = replace(SHORT, epochs=1, quick_epochs=1)
    fit_profile(short, "quick", root="folder")
    fit_profile(short, "full", root="folder")
    assert {(split, source) for split, source, _ in asked[:2]} == {("train", "mnist5k"), ("validation", "mnist5k")}
    assert {(split, source) for split, source, _ in asked[2:]} == {("train", "mnist"), ("validation", "mnist")}
    assert [root for _, _, root in asked] == [None, None, "folder", "folder"]


@pytest.mark.parametrize("classes", [0, 10])
def test_measure_names_the_metrics_after_their_data(monkeypatch, made_up, classes):
    """With draws and means against binarised and grey test digits, as many as there are of them."""
    asked, measured = [], []

    def note(source, split, root=None):
        asked.append((split, source))
        return named(made_up if source == "mnist" else made_up[:32], f"{source}/{split}")

    def measure_samples(samples, reference, floor, frequencies, labels=None, floor_labels=None, *, classifier):
        measured.append((samples, reference, floor, labels, floor_labels))
        assert frequencies.sum() == pytest.approx(1)
        return {"fid": 1.0, "fid_real": 0.5}

    monkeypatch.setattr("gmlib.experiments.evaluate.load", note)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", measure_samples)
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 3)
    recipe = replace(SHORT, conditional=classes > 0, finer_samples=7)
    model = recipe.build()
    metrics = evaluate_digits(recipe, model, full=True)
    names = ["test_elbo", "test_log_px", "kl", "n", "test_log_likelihood", "log_likelihood_samples"]
    names += ["fid", "fid_real", "mean_fid", "mean_fid_real", "test_log_likelihood_7"]
    names += ["test_log_likelihood_given_label", "bayes_accuracy"] if classes else []
    assert sorted(metrics) == sorted(names + [f"mnist5k_{name}" for name in names])
    assert set(asked) == {(split, source) for split in ("test", "train") for source in ("mnist", "mnist5k")}
    assert (metrics["n"], metrics["mnist5k_n"]) == (64, 32)
    for prefix in ("", "mnist5k_"):
        elbo = metrics[f"{prefix}test_log_px"] - metrics[f"{prefix}kl"]
        assert metrics[f"{prefix}test_elbo"] == pytest.approx(elbo, abs=2e-4)
    for (samples, reference, floor, labels, floor_labels), (test, binary) in zip(
        measured, [(made_up, True), (made_up, False), (made_up[:32], True), (made_up[:32], False)], strict=True
    ):
        assert torch.equal(reference, test.binarised() if binary else test.grey())
        assert len(samples) == len(floor) == len(test)
        assert all(bool(((x == 0) | (x == 1)).all()) is binary for x in (samples, floor))
        assert (labels is None) == (floor_labels is None) == (classes == 0)
    assert sorted(evaluate_digits(recipe, model)) == sorted(f"mnist5k_{name}" for name in names)


def test_a_checkpoint_of_another_device_or_precision(few_digits, tmp_path, refused, monkeypatch):
    """A generator's state cannot move between devices, so the run cannot either."""
    fit_profile(SHORT, out=tmp_path)
    with refused("is of precision 'float32'", "this run is of 'bfloat16'", "another --out"):
        fit_profile(SHORT, out=tmp_path, resume=True, precision="bfloat16")
    folder = Folder(tmp_path, {"device": "cuda"})
    with folder, refused("is of device 'cpu'", "this run is of 'cuda'", "another --out"):
        folder.open(begun(SHORT, few_digits), resume=True)


def test_bfloat16_computes_otherwise_but_sums_in_float32(few_digits):
    exact, rough = fit_profile(SHORT), fit_profile(SHORT, precision="bfloat16")
    assert rough.about["precision"] == "bfloat16"
    assert all(parameter.dtype == torch.float32 for parameter in rough.model.parameters())
    assert not equal(exact, rough)
    # eight bits of mantissa in the networks move the bound by less than a percent; sums of 784 in them would not
    for a, b in zip(exact.history.column("train_elbo"), rough.history.column("train_elbo"), strict=True):
        assert a == pytest.approx(b, rel=0.01)


def test_the_classifier_goes_on_bit_for_bit(few_digits, always, tmp_path):
    """Its weights do not lie in memory in the order of their dimensions, and fused optimisers mind that."""
    short = replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=3)
    whole = fit_profile(short, seed=3)

    def stop(state: State) -> None:
        if state.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_profile(short, seed=3, out=tmp_path, on_step=stop)
    resumed = fit_profile(short, seed=3, out=tmp_path, resume=True)
    assert resumed.history == whole.history
    assert equal(resumed, whole)


def test_a_run_that_is_stopped_ends_there_and_can_go_on(few_digits, tmp_path):
    whole = fit_profile(SHORT, seed=3)

    def stop(state: State) -> None:
        if (state.epoch, state.batches.position) == (1, 2):
            raise StopTraining

    for out in (None, tmp_path):
        run = fit_profile(SHORT, seed=3, out=out, on_step=stop)
        assert run.history.rows == whole.history.rows[:1]
        assert run.about["epochs"] == 1
        assert not run.model.training
        assert not equal(run, whole)
    assert equal(fit_profile(SHORT, seed=3, out=tmp_path, resume=True), whole)


def test_an_unknown_precision(refused):
    with refused("got precision 'float16'", "float32 or bfloat16"):
        fit_profile(SHORT, precision="float16")


def test_no_two_streams_of_a_run_draw_the_same_numbers(few_digits):
    """Order, binarisation, latents, weights and dropout once began with the same seed."""
    state = begun(SHORT, few_digits, 3)
    generators = [state.generator, state.batches.generator, *(stream(3, name) for name in ("weights", "dropout"))]
    first = [torch.rand(4, generator=generator).tolist() for generator in generators]
    assert len({tuple(numbers) for numbers in first}) == len(generators)
    again = begun(SHORT, few_digits, 4)
    assert torch.rand(4, generator=again.generator).tolist() not in first


def test_the_classifier_learns_made_up_digits(few_digits):
    short = replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=12)
    run = fit_profile(short, seed=1)
    assert run.history.column("validation_accuracy")[-1] > 0.8
    metrics = evaluate_digits(short, run.model)
    assert sorted(metrics) == ["mnist5k_n", "mnist5k_test_accuracy", "mnist5k_test_accuracy_binarised"]
    assert metrics["mnist5k_test_accuracy"] > 0.8


def test_the_likelihood_of_a_conditional_model_is_that_of_its_labels(monkeypatch):
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 20)
    test = mnist("test")[:60]
    instead(monkeypatch, test)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {})
    run = zoo.pretrained("cvae")
    found = evaluate_digits(recipes.CVAE, run.model)
    given = log_likelihood(run.model, test.binarised(), test.labels, samples=20).mean().item()
    assert found["mnist5k_test_log_likelihood_given_label"] == pytest.approx(given, abs=1)  # other draws
    worth = found["mnist5k_test_log_likelihood_given_label"] - found["mnist5k_test_log_likelihood"]
    assert 0 < worth <= math.log(10)
    assert found["mnist5k_bayes_accuracy"] > 0.8


def test_a_finer_estimate_takes_the_draws_that_the_recipe_asks_for(few_digits, monkeypatch):
    asked = []

    def note(vae, images, samples, watch):
        asked.append(samples)
        return torch.full((len(images),), float(-samples))

    monkeypatch.setattr("gmlib.metrics.models.log_likelihood", note)
    found = evaluate_digits(replace(SHORT, finer_samples=7), SHORT.build())
    assert asked == [5, 7]
    assert (found["mnist5k_test_log_likelihood"], found["mnist5k_test_log_likelihood_7"]) == (-5, -7)


def test_a_few_digits_tell_what_more_draws_gain(monkeypatch):
    """All digits by few draws, and what some of them gain by more, with its standard error."""
    test, sizes = mnist("test")[:50], {}
    instead(monkeypatch, test)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {})

    def estimate(vae, images, samples, watch):
        sizes[samples] = len(images)
        # far apart from digit to digit, and one of eleven gains 22 more than the others
        return images.flatten(1).sum(1) + samples + 22 * (torch.arange(len(images)) == 0) * (len(images) == 11)

    monkeypatch.setattr("gmlib.metrics.models.log_likelihood", estimate)
    found = evaluate_digits(replace(SHORT, likelihood_samples=3, finer_samples=7, finer_digits=11), SHORT.build())
    assert sizes == {3: 50, 7: 11}
    assert found["mnist5k_log_likelihood_samples"] == 3
    ink = test.binarised().sum().item() / 50
    assert found["mnist5k_test_log_likelihood"] == pytest.approx(ink + 3)
    assert found["mnist5k_test_log_likelihood_7"] == pytest.approx(ink + 7 + 2)
    assert found["mnist5k_test_log_likelihood_7_error"] == pytest.approx(2)  # of ten gains of 4 and one of 26
    exact = evaluate_digits(replace(SHORT, likelihood_samples=3, finer_samples=7), SHORT.build())
    assert "mnist5k_test_log_likelihood_7_error" not in exact  # of all digits


# the recipes of games

GAN = GANRecipe(name="gan", latent_dim=3, dropout=0.3, ema=0.9, lr=1e-3, batch_size=16, epochs=4, quick_epochs=3)


def test_a_setting_as_json_can_hold_it():
    assert plain(0.5) == 0.5
    assert plain((0.5, 0.9)) == (0.5, 0.9)
    assert plain(None) is None
    assert plain(torch.optim.Adam) == "Adam"
    assert plain(partial(DCGenerator, 5, width=16)) == {"DCGenerator": {"0": 5, "width": 16}}
    assert plain(MINIMAX.generator) == "generator_minimax"
    losses = {"critic": "critic_wasserstein", "generator": "generator_wasserstein"}
    assert plain(WASSERSTEIN_CLIPPED) == {"Adversarial": losses | {"clip": 0.01}}
    assert plain(WASSERSTEIN_PENALTY) == {"Adversarial": losses | {"penalty": "gradient_penalty", "weight": 10.0}}
    assert plain(IWAE()) == {"IWAE": {}} != plain(ELBO(beta=2.0)) == {"ELBO": {"beta": 2.0}}


def test_another_game_is_another_recipe_and_json_can_hold_it():
    assert "objective" not in GAN.differences()
    games = [
        *(NON_SATURATING, MINIMAX, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY),
        *(replace(WASSERSTEIN_CLIPPED, clip=0.02), replace(WASSERSTEIN_PENALTY, weight=1.0)),
    ]
    others = [replace(GAN, objective=game) for game in games]
    assert len({recipe.hash for recipe in others}) == len(games)
    assert others[0].hash == GAN.hash
    for recipe in others[1:]:
        there_and_back = json.loads(json.dumps(recipe.differences()))
        assert there_and_back["objective"] == plain(recipe.objective)


def test_a_new_field_of_the_game_with_a_neutral_default_changes_no_hash(monkeypatch):
    @dataclass(frozen=True)
    class Newer(Adversarial):
        smoothing: float = 0.0

    monkeypatch.setitem(PARTS, Newer, PARTS[Adversarial])
    newer = Newer(MINIMAX.critic, MINIMAX.generator)
    assert replace(GAN, objective=newer).hash == replace(GAN, objective=MINIMAX).hash
    assert replace(GAN, objective=replace(newer, smoothing=0.1)).hash != replace(GAN, objective=MINIMAX).hash


def test_every_setting_of_a_game_counts_and_what_ships_does_not():
    changed = {
        **{"latent_dim": 4, "critic": DCCritic, "objective": MINIMAX, "betas": (0.5, 0.999), "conditional": True},
        **{"batch_norm": True, "critic_norm": "layer", "dropout": 0.2, "n_critic": 5, "n_generator": 2},
        **{"generator": DCGenerator, "optimiser": torch.optim.AdamW, "warmup": True, "pack": 2},
        **{"decay": True, "ema": 0.0, "lr": 2e-3, "batch_size": 32},
    }
    hashes = {replace(GAN, **{name: value}).hash for name, value in changed.items()}
    assert len(hashes - {GAN.hash}) == len(changed)
    assert replace(GAN, epochs=5).hash == GAN.hash  # the length belongs to a run
    assert replace(GAN, ships_critic=False, quick_epochs=1) == GAN
    assert replace(GAN, ships_critic=False, quick_epochs=1).hash == GAN.hash


def test_each_network_has_its_optimiser_with_the_betas_of_the_recipe(few_digits):
    recipe = replace(GAN, betas=(0.1, 0.7), lr=3e-3)
    model = recipe.build()
    networks = networks_of(model)
    state = begun(recipe, few_digits, model=model)
    assert set(state.optimisers) == set(networks) == {"generator", "critic"}
    for name, optimiser in state.optimisers.items():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"])) == (3e-3, (0.1, 0.7))
        assert [id(p) for p in group["params"]] == [id(p) for p in networks[name].parameters()]
    assert not state.batches.binarised
    assert set(state.averages) == {"generator"}


def test_an_optimiser_without_betas(few_digits):
    recipe = replace(GAN, betas=None, optimiser=torch.optim.SGD)
    optimisers = begun(recipe, few_digits).optimisers
    assert {type(optimiser) for optimiser in optimisers.values()} == {torch.optim.SGD}


def test_a_recipe_builds_what_it_says():
    recipe = replace(GAN, batch_norm=True, critic_norm="batch", pack=2, latent_dim=7)
    generator, critic = networks_of(recipe.build()).values()

    def norms(network):
        return sum(isinstance(part, torch.nn.BatchNorm1d) for part in network.modules())

    assert (generator.latent_dim, critic.channels, norms(generator), norms(critic)) == (7, 2, 3, 3)
    plain_generator, plain_critic = networks_of(replace(GAN, conditional=True).build(num_classes=26)).values()
    assert (plain_generator.num_classes, plain_critic.num_classes) == (26, 26)
    assert (norms(plain_generator), norms(plain_critic)) == (0, 0)
    assert isinstance(plain_critic, MLPCritic)
    assert [part.p for part in plain_critic.modules() if isinstance(part, torch.nn.Dropout)] == [0.3] * 3
    assert not any(isinstance(part, torch.nn.Dropout) for part in replace(GAN, dropout=0.0).build().critic.modules())


def test_the_loop_plays_the_recipes_game(few_digits, monkeypatch):
    recipe, rates = replace(GAN, objective=WASSERSTEIN_CLIPPED, n_critic=3, n_generator=2, pack=2, decay=True), []
    recipe = replace(recipe, critic_lr=2e-3)
    run = fit_profile(
        recipe, seed=1, on_step=lambda s: rates.append([o.param_groups[0]["lr"] for o in s.optimisers.values()])
    )
    assert rates[0] == [1e-3, 2e-3] > rates[1] > rates[-1]
    assert run.history.column("generator_steps") == [2, 2, 4]
    bound = torch.tensor(0.01)
    assert max(p.abs().max() for p in run.model.critic.parameters()) == bound
    assert not any(module.training for module in run.model.modules())
    assert "validation_fid" in run.history.rows[0]
    monkeypatch.setattr("gmlib.training.gan.critic_lead", lambda steps: 5)
    leads = fit_profile(replace(GAN, warmup=True), seed=1).history.column("generator_steps")
    assert leads == [0, 1, 1]  # after the fifth and the tenth step of the critic


def test_a_run_of_a_gan_holds_the_average(few_digits):
    kept = []
    run = fit_profile(GAN, seed=1, on_epoch=lambda state: kept.append((state.averages, state.networks)))
    averages, networks = kept[-1]
    assert run.model.generator is averages["generator"]
    assert run.model.critic is networks["critic"]
    # the average took no gradients; as a run's network it can be trained further
    assert all(parameter.requires_grad for parameter in run.model.parameters())
    for ours, theirs in zip(run.model.generator.parameters(), networks["generator"].parameters(), strict=True):
        assert not torch.equal(ours, theirs)
    plain_run = fit_profile(
        replace(GAN, ema=0.0), seed=1, on_epoch=lambda state: kept.append((state.averages, state.networks))
    )
    assert plain_run.model.generator is kept[-1][1]["generator"]


CONVOLUTIONAL = replace(GAN, generator=partial(DCGenerator, width=8), critic=partial(DCCritic, width=8))


def test_convolutions_train_with_the_channels_of_a_pixel_side_by_side(few_digits):
    networks = begun(CONVOLUTIONAL, few_digits).networks
    weights = [p for network in networks.values() for p in network.parameters() if p.dim() == 4]
    assert len(weights) == 8
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


@pytest.mark.parametrize(
    "recipe",
    [GAN, CONVOLUTIONAL, replace(GAN, stack=2, pack=2)],
    ids=["mlp", "convolutional", "stacks"],
)
def test_a_gan_stopped_and_resumed_is_never_stopped(few_digits, always, tmp_path, recipe):
    """In the middle of a round, with dropout from the global generator."""
    recipe = replace(recipe, n_critic=3)
    whole = fit_profile(recipe, seed=3)

    def stop(state: State) -> None:
        if state.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_profile(recipe, seed=3, out=tmp_path, on_step=stop)
    resumed = fit_profile(recipe, seed=3, out=tmp_path, resume=True)
    assert resumed.history == whole.history
    assert equal(resumed, whole)


@pytest.mark.parametrize("classes", [0, 10])
def test_samples_of_a_gan_are_measured_grey_against_grey(monkeypatch, made_up, classes):
    """As many as there are test digits, of labels as frequent as in training; by a generator that ships alone."""
    measured, train = [], made_up[made_up.labels < 5]  # 34 images
    tests = {"mnist": made_up[:30], "mnist5k": made_up[30:50]}

    def measure_samples(samples, reference, floor, frequencies, labels=None, floor_labels=None, *, classifier):
        measured.append((samples, reference, floor, labels, floor_labels))
        assert torch.equal(frequencies, train.labels.bincount(minlength=10) / 34)
        return {"fid": 1.0}

    def load(source, split, root=None):
        return named(train if split == "train" else tests[source], f"{source}/{split}")

    monkeypatch.setattr("gmlib.experiments.evaluate.load", load)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", measure_samples)
    recipe = replace(GAN, conditional=classes > 0)
    generator = recipe.build().generator.eval()
    found = evaluate_digits(recipe, models.GAN(generator), full=True)
    assert found == {"n": 30, "fid": 1.0, "mnist5k_n": 20, "mnist5k_fid": 1.0}
    assert evaluate_digits(recipe, models.GAN(generator)) == {"mnist5k_n": 20, "mnist5k_fid": 1.0}
    for (samples, reference, floor, labels, floor_labels), test in zip(measured[:2], tests.values(), strict=True):
        n = len(test)
        assert torch.equal(reference, test.grey())
        assert len(floor) == n
        assert all((train.grey() == image).flatten(1).all(1).any() for image in floor)
        assert (labels is None) == (floor_labels is None) == (classes == 0)
        if classes:
            assert labels.max() < 5  # never one that training has not
            assert floor_labels.shape == (n,)
            assert torch.equal(floor[:, 0, :, 6:22].mean(2).gt(0.5).float().argmax(1), 2 * floor_labels)
        z = torch.randn(n, 3, generator=stream(0, "samples"))
        assert torch.equal(samples, generator(z, labels))


@pytest.mark.parametrize("latent_dim", [0, 2])
def test_a_decoder_of_pixels_is_one_field_away(few_digits, refused, tmp_path, latent_dim):
    recipe = replace(
        SHORT,
        name="vae",
        latent_dim=latent_dim,
        pixelcnn=partial(PixelCNN, channels=4, layers=2),
        objective=ELBO(kl_warmup=1),
    )
    run = fit_profile(recipe, seed=1)
    assert isinstance(run.model.decoder, PixelDecoder)
    assert isinstance(run.model.encoder, NoLatent) == (latent_dim == 0)
    assert all(row["validation_kl"] == 0 for row in run.history.rows) == (latent_dim == 0)
    draws = run.model.sample(3, generator=torch.Generator().manual_seed(0))
    assert sorted(draws.unique().tolist()) == [0, 1]
    with refused("got latents to decode", "use sample"):
        run.model.sample(3, mean=True)
    found = evaluate_digits(recipe, run.model, full=False)
    assert found["mnist5k_test_log_likelihood"] < 0
    assert not any("mean" in name for name in found)


def test_the_objective_of_a_vae_reaches_the_loop_and_the_hash(few_digits):
    others = [ELBO(beta=2.0), ELBO(kl_warmup=0.5), ELBO(free_nats=2.5), IWAE(), IWAE(6)]
    found = [replace(SHORT, objective=objective) for objective in (ELBO(), *others)]
    assert len({recipe.hash for recipe in found}) == len(found)
    assert found[0].hash == SHORT.hash
    for recipe in found:
        assert training_loop(recipe, recipe.build(), few_digits, 0).keywords["objective"] == recipe.objective
    assert list(fit_profile(replace(SHORT, objective=IWAE(2))).history.rows[0])[1] == "train_iwae"


def test_an_objective_of_a_readers_own_is_isolated_and_goes_by_its_name(few_digits):
    def own(vae, x, y, progress, generator):
        bound, parts = ELBO()(vae, x, y, progress, generator)
        return bound * (1 + 0.1 * torch.randn_like(bound)), parts

    recipe = replace(SHORT, objective=own)
    assert identity(recipe)["objective"].endswith("own")
    assert "own" in show(recipe).markdown
    torch.manual_seed(1)
    first = fit_profile(recipe, seed=3)
    torch.manual_seed(2)
    assert equal(first, fit_profile(recipe, seed=3))
    assert not equal(first, fit_profile(SHORT, seed=3))
