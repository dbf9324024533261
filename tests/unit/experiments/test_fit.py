"""Training a recipe: the same seed gives the same run, and an interrupted run continues bit for bit."""

import time
from dataclasses import replace
from functools import partial

import pytest
import torch

from gmlib import ImageDataset, recipes, show
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.fit import fit, fit_profile, training_loop
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import Run
from gmlib.identity import identity
from gmlib.metrics.scorer import Scorer
from gmlib.models import VAE, Classifier, DCCritic, DCGenerator, NoLatent, PixelCNN, PixelDecoder
from gmlib.objectives import ELBO, IWAE, NON_SATURATING, WASSERSTEIN_CLIPPED
from gmlib.seeds import stream
from gmlib.training import History, State, StopTraining
from tests.unit.training.common import differences

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=4)
GAN = GANRecipe(name="gan", latent_dim=3, dropout=0.3, ema=0.9, lr=1e-3, batch_size=16, epochs=4, quick_epochs=3)
CONVOLUTIONAL = replace(GAN, generator=partial(DCGenerator, width=8), critic=partial(DCCritic, width=8))


def equal(a, b) -> bool:
    left, right = a.model.state_dict(), b.model.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def first_state(recipe, digits, seed: int = 0) -> State:
    """The state of a run before its first step."""
    return training_loop(recipe, recipe.build(), digits, seed)(epochs=0)


def interrupt_at_step(step: int):
    def interrupt(state: State) -> None:
        if state.step == step:
            raise KeyboardInterrupt

    return interrupt


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
    run = fit_profile(SHORT, seed=3, on_step=lambda _: time.sleep(0.01))  # 16 steps
    assert isinstance(run.model, VAE)
    entries = {
        "recipe": "vae",
        "recipe_hash": SHORT.hash,
        "epochs": 4,
        "seed": 3,
        "precision": "float32",
        "device": "cpu",
    }
    entries |= {"data": "mnist5k/train", "data_digest": few_digits.digest, "classes": [*map(str, range(10))]}
    assert {key: run.record[key] for key in entries} == entries
    assert run.record["versions"]["torch"] == torch.__version__
    assert run.record["processes"] == 1
    assert run.record["seconds"] > 0.15
    assert run.record["images"] == 4 * 64
    assert run.metrics == {}


@pytest.mark.parametrize("optimiser", [torch.optim.Adam, torch.optim.SGD])
def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(few_digits, always, tmp_path, optimiser):
    recipe = replace(SHORT, optimiser=optimiser, lr=1e-2 if optimiser is torch.optim.Adam else 1e-4)
    whole = fit_profile(recipe, seed=3, out=tmp_path / "whole")

    def interrupt(state: State) -> None:
        if state.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_profile(recipe, seed=3, out=tmp_path / "parts", on_epoch=interrupt)
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
    "recipe",
    [
        GAN,  # with dropout
        replace(CONVOLUTIONAL, stack=2, pack=2),
        replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=3),  # fused optimisers depend on the order in memory
    ],
    ids=["mlp", "stacks", "classifier"],
)
def test_a_run_interrupted_between_two_critic_steps_resumes_bit_for_bit(few_digits, always, tmp_path, recipe):
    recipe = replace(recipe, n_critic=3) if isinstance(recipe, GANRecipe) else recipe
    whole = fit_profile(recipe, seed=3)
    with pytest.raises(KeyboardInterrupt):
        fit_profile(recipe, seed=3, out=tmp_path, on_step=interrupt_at_step(5))
    resumed = fit_profile(recipe, seed=3, out=tmp_path, resume=True)
    assert resumed.history == whole.history
    assert equal(resumed, whole)


def test_a_run_is_made_longer_from_before_its_cooldown(few_digits, always, tmp_path, refused):
    """The longer run is bit for bit one that was long from the start."""
    recipe = replace(GAN, cooldown=0.5)
    assert recipe.constant_epochs(5) == 2
    fit_profile(replace(recipe, quick_epochs=4), seed=3, out=tmp_path)
    longer = replace(recipe, quick_epochs=6)
    resumed = fit_profile(longer, seed=3, out=tmp_path, resume=True)
    whole = fit_profile(longer, seed=3)
    assert resumed.history == whole.history
    assert equal(resumed, whole)
    assert sorted(path.name for path in tmp_path.glob("checkpoint*"))[-1] == "checkpoint-before-cooldown.pt"
    with refused("cannot continue from the checkpoint", "is of epochs 6, this run is of 2"):
        fit_profile(replace(recipe, quick_epochs=2), seed=3, out=tmp_path, resume=True)
    (tmp_path / "checkpoint-before-cooldown.pt").unlink()
    with refused("is of epochs 6, this run is of 8", "can be made longer only from before its cooldown"):
        fit_profile(replace(recipe, quick_epochs=8), seed=3, out=tmp_path, resume=True)


@pytest.mark.parametrize("changed", [{"decay": True}, {"critic_decay": True}, {"warmup": True}, {"cooldown": 0.0}])
def test_a_run_whose_length_matters_at_once_is_not_made_longer(few_digits, always, tmp_path, refused, changed):
    recipe = replace(GAN, **({"cooldown": 0.5} | changed))
    assert recipe.constant_epochs(5) == 0
    with pytest.raises(KeyboardInterrupt):
        fit_profile(recipe, out=tmp_path, on_step=interrupt_at_step(1))
    with refused("is of epochs 3, this run is of 4"):
        fit_profile(replace(recipe, quick_epochs=4), out=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("profile", "options", "word"),
    [
        ("quikc", {}, "profile"),
        ("quick", {"seed": -1}, "seed"),
        ("quick", {"precision": "float16"}, "precision"),
        ("quick", {"device": "gpu"}, "device"),
        ("quick", {"scorer": Scorer(Classifier(), "letters", "0")}, "scorer"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(few_digits, refused, profile, options, word):
    with refused("got ", word):
        fit_profile(SHORT, profile, **options)


@pytest.mark.parametrize("recipe", [replace(SHORT, conditional=True), recipes.CLASSIFIER])
def test_missing_labels_are_refused_where_they_are_needed(made_up, refused, recipe):
    with refused("without labels"):
        fit(recipe, ImageDataset(made_up.images, None, name="own"), epochs=1)


def test_the_default_length_depends_on_the_number_of_images(made_up, monkeypatch):
    recipe = replace(SHORT, quick_epochs=1, epochs=2)
    monkeypatch.setattr("gmlib.experiments.fit.MIN_IMAGES_FOR_FULL_PROFILE", 65)
    assert fit(recipe, made_up).record["epochs"] == 1
    monkeypatch.setattr("gmlib.experiments.fit.MIN_IMAGES_FOR_FULL_PROFILE", 64)
    run = fit(recipe, made_up)
    assert (run.record["epochs"], len(run.history)) == (2, 2)
    assert "validation_elbo" not in run.history.rows[0]


def test_quick_trains_on_the_embedded_digits_and_full_on_all(monkeypatch, made_up):
    loaded = []

    def load(source, split, root=None):
        loaded.append((split, source, root))
        return made_up

    monkeypatch.setattr("gmlib.experiments.fit.load", load)
    for profile in ("quick", "full"):
        fit_profile(replace(SHORT, epochs=1, quick_epochs=1), profile, root="folder")
    assert loaded == [
        *(("train", "mnist5k", None), ("validation", "mnist5k", None)),
        *(("train", "mnist", "folder"), ("validation", "mnist", "folder")),
    ]


def test_a_chapters_run_is_on_the_cpu_wherever_it_was_trained(few_digits, monkeypatch):
    class Elsewhere(torch.nn.Linear):
        """A model that is not on the CPU until it is asked to be."""

        moved = False

        def cpu(self):
            self.moved = True
            return self

    model, devices = Elsewhere(1, 1), []

    def train(recipe, *digits, device, **options):
        devices.append(device)
        return Run(recipe, model, History(), {}, {})

    monkeypatch.setattr("gmlib.experiments.fit.fit", train)
    assert fit_profile(SHORT, device="mps").model is model
    assert devices == ["mps"]
    assert model.moved


def test_bfloat16_changes_the_networks_outputs_and_sums_in_float32(few_digits):
    exact, rough = fit_profile(SHORT), fit_profile(SHORT, precision="bfloat16")
    assert rough.record["precision"] == "bfloat16"
    assert all(parameter.dtype == torch.float32 for parameter in rough.model.parameters())
    assert not equal(exact, rough)
    # eight bits of mantissa in the networks move the bound by less than a percent; sums of 784 in them would not
    for a, b in zip(exact.history.column("train_elbo"), rough.history.column("train_elbo"), strict=True):
        assert a == pytest.approx(b, rel=0.01)


def test_a_run_that_is_stopped_ends_there_and_can_continue(few_digits, tmp_path):
    whole = fit_profile(SHORT, seed=3)

    def stop(state: State) -> None:
        if (state.epoch, state.batches.position) == (1, 2):
            raise StopTraining

    for out in (None, tmp_path):
        run = fit_profile(SHORT, seed=3, out=out, on_step=stop)
        assert run.history.rows == whole.history.rows[:1]
        assert run.record["epochs"] == 1
        assert not run.model.training
        assert not equal(run, whole)
    assert equal(fit_profile(SHORT, seed=3, out=tmp_path, resume=True), whole)


def test_no_two_streams_of_a_run_draw_the_same_numbers(few_digits):
    state = first_state(SHORT, few_digits, 3)
    generators = [state.rng, state.batches.generator, *(stream(3, name) for name in ("weights", "dropout"))]
    first = [torch.rand(4, generator=generator).tolist() for generator in generators]
    assert len({tuple(numbers) for numbers in first}) == len(generators)
    other_seed = first_state(SHORT, few_digits, 4)
    assert torch.rand(4, generator=other_seed.rng).tolist() not in first


def test_a_classifier_is_trained_and_measured(few_digits):
    short = replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=12)
    run = fit_profile(short, seed=1)
    assert run.history.column("validation_accuracy")[-1] > 0.8
    metrics = evaluate_digits(short, run.model)
    assert sorted(metrics) == ["mnist5k_n", "mnist5k_test_accuracy", "mnist5k_test_accuracy_binarised"]
    assert metrics["mnist5k_test_accuracy"] > 0.8


# the settings of a recipe reach its loop


def test_each_network_has_its_optimiser_with_the_betas_of_the_recipe(few_digits):
    state = first_state(replace(CONVOLUTIONAL, betas=(0.1, 0.7), lr=3e-3), few_digits)
    assert set(state.optimisers) == set(state.networks) == {"generator", "critic"}
    for name, optimiser in state.optimisers.items():
        (group,) = optimiser.param_groups
        assert (group["lr"], tuple(group["betas"])) == (3e-3, (0.1, 0.7))
        assert [id(p) for p in group["params"]] == [id(p) for p in state.networks[name].parameters()]
    assert not state.batches.binarised
    assert set(state.averages) == {"generator"}
    weights = [p for network in state.networks.values() for p in network.parameters() if p.dim() == 4]
    assert len(weights) == 8
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    optimisers = first_state(replace(GAN, betas=None, optimiser=torch.optim.SGD), few_digits).optimisers
    assert {type(optimiser) for optimiser in optimisers.values()} == {torch.optim.SGD}


def test_the_settings_of_a_gan_reach_its_loop(few_digits, monkeypatch):
    recipe, rates = replace(GAN, objective=WASSERSTEIN_CLIPPED, n_critic=3, n_generator=2, pack=2, decay=True), []
    run = fit_profile(
        replace(recipe, critic_lr=2e-3),
        seed=1,
        on_step=lambda s: rates.append([o.param_groups[0]["lr"] for o in s.optimisers.values()]),
    )
    assert rates[0] == [1e-3, 2e-3] > rates[1] > rates[-1]
    assert run.history.column("generator_steps") == [2, 2, 4]
    assert max(p.abs().max() for p in run.model.critic.parameters()) == torch.tensor(0.01)
    assert not any(module.training for module in run.model.modules())
    assert "validation_fid" in run.history.rows[0]
    monkeypatch.setattr("gmlib.training.gan.warmup_critic_steps", lambda steps: 5)
    leads = fit_profile(replace(GAN, warmup=True), seed=1).history.column("generator_steps")
    assert leads == [0, 1, 1]  # after the fifth and the tenth step of the critic


def test_a_run_whose_critic_is_dead_says_so(few_digits):
    """A bound of 1e-6 makes every score the same; with none, digits of bars and noise are easily told apart."""
    recipe = replace(GAN, objective=replace(WASSERSTEIN_CLIPPED, clip=1e-6), dropout=0.0, quick_epochs=4)
    dead, alive = (fit_profile(each, seed=1) for each in (recipe, replace(recipe, objective=NON_SATURATING)))
    assert "it has died" in dead.history.critic_died()
    assert "it has died" in show(dead.history).markdown
    assert alive.history.critic_died() == ""
    assert "has died" not in show(alive.history).markdown
    assert dead.history.column("validation_auc")[-1] < 0.55 < alive.history.column("validation_auc")[-1]


@pytest.mark.parametrize("ema", [0.9, 0.0])
def test_a_run_of_a_gan_holds_the_average_of_the_generator(few_digits, ema):
    states = []
    run = fit_profile(replace(GAN, ema=ema), seed=1, on_epoch=states.append)
    networks, averages = states[-1].networks, states[-1].averages
    assert run.model.generator is (averages if ema else networks)["generator"]
    assert run.model.critic is networks["critic"]
    assert all(parameter.requires_grad for parameter in run.model.parameters())  # also those of the average
    assert ema == 0 or not torch.equal(next(run.model.generator.parameters()), next(networks["generator"].parameters()))


@pytest.mark.parametrize("latent_dim", [0, 2])
def test_an_autoregressive_decoder_is_one_field_away(few_digits, refused, latent_dim):
    pixelcnn = partial(PixelCNN, channels=4, layers=2)
    recipe = replace(SHORT, latent_dim=latent_dim, pixelcnn=pixelcnn, objective=ELBO(kl_warmup=1))
    run = fit_profile(recipe, seed=1)
    assert isinstance(run.model.decoder, PixelDecoder)
    assert isinstance(run.model.encoder, NoLatent) == (latent_dim == 0)
    assert all(row["validation_kl"] == 0 for row in run.history.rows) == (latent_dim == 0)
    draws = run.model.sample(3, generator=torch.Generator().manual_seed(0))
    assert sorted(draws.unique().tolist()) == [0, 1]
    with refused("autoregressive decoder"):
        run.model.sample(3, mean=True)
    metrics = evaluate_digits(recipe, run.model)
    assert metrics["mnist5k_test_log_likelihood"] < 0
    assert not any("mean" in name for name in metrics)


def test_the_objective_of_a_vae_reaches_the_loop(few_digits):
    recipe = replace(SHORT, objective=IWAE(6))
    assert training_loop(recipe, recipe.build(), few_digits, 0).keywords["objective"] == IWAE(6)
    assert list(fit_profile(recipe).history.rows[0])[1] == "train_iwae"


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
