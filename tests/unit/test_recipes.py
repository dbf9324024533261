"""The catalogue: how recipes relate to each other, the sizes of their networks, and that each recipe trains."""

import math
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

import gmlib
from gmlib import recipes, zoo
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import GANRecipe, Recipe, VAERecipe
from gmlib.recipes import ALL
from gmlib.training.gan import critic_steps, warmup_critic_steps

VAES = [name for name, recipe in ALL.items() if isinstance(recipe, VAERecipe)]
GANS = [name for name, recipe in ALL.items() if isinstance(recipe, GANRecipe)]
SHIPPED = [name for name in ALL if zoo.is_shipped(name)]


def differences(recipe: Recipe) -> set[str]:
    """The settings in which a recipe differs from its parent."""
    assert recipe.parent
    ours, theirs = recipe.settings(), recipe.parent.settings()
    return {name for name in ours if ours[name] != theirs[name]}


# the catalogue


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_has_its_name_its_description_and_a_parent_in_the_catalogue(name):
    recipe = ALL[name]
    assert recipe.name == name
    assert recipe.about
    assert recipe.paper
    assert recipes.by_name(name) is recipe
    if recipe.parent:
        assert ALL[recipe.parent.name] is recipe.parent
        assert differences(recipe)
        assert recipe.about != recipe.parent.about


def test_every_recipe_of_the_page_is_in_the_catalogue_once():
    written = [recipe for recipe in vars(recipes).values() if isinstance(recipe, Recipe)]
    assert [*ALL.values(), recipes.CLASSIFIER] == written


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        *(("vae_no_bn", "batch_norm"), ("conv_vae", "encoder"), ("conv_vae_deconv", "decoder")),
        *(("gan_minimax", "objective"), ("dcgan_plain", "objective"), ("stacked_pacgan", "pack")),
        *((f"{parent}_critic_bn", "critic_norm") for parent in ("gan", "dcgan", "wgan_gp")),
    ],
)
def test_an_ablation_changes_one_setting(name, setting):
    assert differences(ALL[name]) == {setting}


def test_conditional_recipes_take_the_number_of_classes_from_the_data():
    for recipe in ALL.values():
        sizes = [recipe.build(num_classes=n).num_classes for n in (10, 26)]
        assert sizes == ([10, 26] if recipe.settings()["conditional"] else [0, 0])


# networks: sizes worked out by hand

VAE_ENCODER = 784 * 100 + 200 + 100 * 4 + 4  # batch norm has a scale and a shift, and its layer no bias
VAE_DECODER = 2 * 100 + 200 + 100 * 784 + 784
GENERATOR = (100 * 256 + 256) + (256 * 512 + 512) + (512 * 1024 + 1024) + (1024 * 784 + 784)
CRITIC = (784 * 1024 + 1024) + (1024 * 512 + 512) + (512 * 256 + 256) + (256 + 1)
DC_GENERATOR = (100 * 256 * 16 + 512) + (256 * 128 * 9 + 256) + (128 * 64 * 16 + 128) + (64 * 16 + 1)
HALF_GENERATOR = (100 * 128 * 16 + 256) + (128 * 64 * 9 + 128) + (64 * 32 * 16 + 64) + (32 * 16 + 1)
DC_CRITIC = (16 * 32 + 32) + (32 * 64 * 16 + 64) + (64 * 128 * 9 + 128) + (128 * 16 + 1)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("vae", VAE_ENCODER + VAE_DECODER),
        ("cvae", VAE_ENCODER + 10 * 100 + VAE_DECODER + 10 * 100),
        ("cgan", GENERATOR + 10 * 256 + CRITIC + 10 * 1024),
        ("cdcgan", DC_GENERATOR + 10 * 256 * 16 + DC_CRITIC + 10 * 32 * 16),
        ("wgan", HALF_GENERATOR + DC_CRITIC + 64 + 128),
        ("stacked_pacgan", DC_GENERATOR + 2 * (64 * 16 + 1) + DC_CRITIC + 5 * 32 * 16),
    ],
)
def test_parameters_are_those_worked_out_by_hand(name, count):
    assert gmlib.parameters(ALL[name].build()) == count


# training


@pytest.mark.parametrize("name", GANS)
def test_a_quick_run_has_enough_generator_steps(name):
    """Also with several critic steps per generator step and with a warm-up of the critic."""
    recipe = ALL[name]
    left = recipe.quick_epochs * (4000 // (recipe.batch_size * recipe.stack))
    lead, rounds = warmup_critic_steps(left) if recipe.warmup else 0, 0
    while (left := left - critic_steps(rounds, recipe.n_critic, lead)) >= 0:
        rounds += 1
    assert rounds * recipe.n_generator >= 240


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_trains_and_samples(name, few_digits):
    stack = getattr(ALL[name], "stack", 1)
    recipe = replace(ALL[name], batch_size=16 if stack == 1 else 4, quick_epochs=2)
    warned = name in GANS and recipe.critic_norm == "batch" and recipe.objective.penalty
    with pytest.warns(UserWarning, match="batch norm under gradient_penalty") if warned else nullcontext():
        run = fit_profile(recipe, "quick", seed=1)
    assert run.history.column("epoch") == [1, 2]
    for row in run.history.rows:
        lost = [key for key, value in row.items() if value is None or not math.isfinite(value)]
        # with several critic steps per generator step, an epoch of four batches may have no generator step
        assert lost == (["generator_loss"] if row.get("generator_steps") == 0 else [])
    if name in VAES:
        assert run.history.column("validation_elbo")[-1] > run.history.column("validation_elbo")[0]
    labels = torch.arange(5) if run.model.num_classes else None
    assert not any(module.training for module in run.model.modules())
    samples = run.model.sample(5, labels, generator=torch.Generator().manual_seed(0))
    assert samples.shape == (5, stack, 28, 28)
    assert name in GANS or set(samples.unique().tolist()) <= {0.0, 1.0}


# what ships


@pytest.mark.parametrize("name", [name for name in SHIPPED if getattr(ALL[name], "latent_dim", 0)])
def test_in_eval_mode_an_output_does_not_depend_on_the_other_images_of_the_batch(name):
    """Batch norm uses its running statistics."""
    model = zoo.pretrained(name).model
    labels = torch.arange(12) % 10 if model.num_classes else None

    def first_rows(function, given: torch.Tensor) -> None:
        parts = [function(given[:n], None if labels is None else labels[:n]) for n in (3, 12)]
        few, many = (part if isinstance(part, torch.Tensor) else torch.cat(part, dim=1) for part in parts)
        torch.testing.assert_close(few, many[:3], rtol=1e-4, atol=1e-5)

    with torch.no_grad():
        if name in VAES:
            first_rows(model.encoder, gmlib.mnist("test")[:12].binarised())
        else:
            first_rows(model.decode, torch.randn(12, model.latent_dim, generator=torch.Generator().manual_seed(0)))
