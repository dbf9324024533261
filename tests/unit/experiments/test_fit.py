"""Fitting a recipe: the same seed gives the same run, and a folder lets it go on where it stopped."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from gmlib import ImageDataset, recipes, show
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.fit import fit, fit_profile, training_loop
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import networks_of
from gmlib.identity import identity
from gmlib.metrics.scorer import Scorer
from gmlib.models import VAE, Classifier, DCCritic, DCGenerator, NoLatent, PixelCNN, PixelDecoder
from gmlib.objectives import ELBO, IWAE, WASSERSTEIN_CLIPPED
from gmlib.seeds import stream
from gmlib.training import State, StopTraining
from tests.unit.training.common import differences

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=4)


def equal(a, b) -> bool:
    left, right = a.model.state_dict(), b.model.state_dict()
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


def test_a_record_states_how_the_run_was_made(few_digits):
    run = fit_profile(SHORT, seed=3)
    assert isinstance(run.model, VAE)
    assert run.about["recipe"] == "vae"
    assert run.about["recipe_hash"] == SHORT.hash
    facts = {"epochs": 4, "seed": 3, "data": "mnist5k/train", "data_digest": few_digits.digest, "device": "cpu"}
    assert {key: run.about[key] for key in facts} == facts
    assert run.about["classes"] == [str(digit) for digit in range(10)]
    assert run.about["versions"]["torch"] == torch.__version__
    assert run.metrics == {}


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
    parts, never = (torch.load(tmp_path / folder / "checkpoint-000000016.pt")["state"] for folder in ("parts", "whole"))
    assert differences(parts, never) == []
    assert equal(whole, fit_profile(recipe, seed=3, out=tmp_path / "parts", resume=True))  # nothing is left to do


@pytest.mark.parametrize(
    ("profile", "options", "word"),
    [
        ("quikc", {}, "profile"),
        ("quick", {"seed": -1}, "seed"),
        ("quick", {"seed": 2**31}, "seed"),
        ("quick", {"precision": "float16"}, "precision"),
        ("quick", {"device": "gpu"}, "device"),
        ("quick", {"scorer": Scorer(Classifier(), "letters", "0")}, "scorer"),
    ],
)
def test_what_cannot_be_fitted_is_refused(few_digits, refused, profile, options, word):
    with refused(f"got {'a ' if word == 'scorer' else ''}{word}"):
        fit_profile(SHORT, profile, **options)


@pytest.mark.parametrize("recipe", [replace(SHORT, conditional=True), recipes.CLASSIFIER])
def test_labels_are_needed_by_what_depends_on_them(made_up, refused, recipe):
    with refused("without labels"):
        fit(recipe, ImageDataset(made_up.images, None, name="own"), epochs=1)


def test_the_default_length_depends_on_the_number_of_images(made_up, monkeypatch):
    recipe = replace(SHORT, quick_epochs=1, epochs=2)
    assert fit(recipe, made_up).about["epochs"] == 1
    monkeypatch.setattr("gmlib.experiments.fit.SMALL", 64)
    run = fit(recipe, made_up)
    assert (run.about["epochs"], len(run.history)) == (2, 2)
    assert "validation_elbo" not in run.history.rows[0]


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


# GANs

GAN = GANRecipe(name="gan", latent_dim=3, dropout=0.3, ema=0.9, lr=1e-3, batch_size=16, epochs=4, quick_epochs=3)


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


def test_the_settings_of_a_gan_reach_its_loop(few_digits, monkeypatch):
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
    monkeypatch.setattr("gmlib.training.gan.warmup_critic_steps", lambda steps: 5)
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


def test_the_objective_of_a_vae_reaches_the_loop(few_digits):
    for objective in (ELBO(beta=2.0), IWAE(6)):
        recipe = replace(SHORT, objective=objective)
        assert training_loop(recipe, recipe.build(), few_digits, 0).keywords["objective"] == objective
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
