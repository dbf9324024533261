"""Differences from the report: our side is that of the recipe, and no difference is left out."""

import re
from dataclasses import replace

import pytest

from audit import departures
from audit.departures import DEPARTURES, OURS
from gmlib import objectives, recipes
from gmlib.training.gan import critic_steps, warmup_critic_steps

OF_THE_REPORT = (
    "vae",
    "conv_vae",
    "cvae",
    "pixel_vae",
    "gan",
    "cgan",
    "dcgan",
    "cdcgan",
    "wgan_report",
    "wgan_gp_report",
)


def ours(recipe) -> dict[str, str]:
    """The column "ours" of the table, by the column "what"."""
    header, _, *lines = departures(recipe).markdown.splitlines()
    assert header == "| what | the report's | ours | why |"
    rows = [line.strip("| ").split(" | ") for line in lines]
    return {what: own for what, _, own, _ in rows}


def test_every_entry_is_of_a_recipe_and_every_recipe_of_the_report_has_one():
    assert set(OF_THE_REPORT) <= DEPARTURES.keys() <= recipes.ALL.keys()
    assert {each.what for found in DEPARTURES.values() for each in found} == OURS.keys()
    for found in DEPARTURES.values():
        assert len({each.what for each in found}) == len(found)
        assert all(each.theirs and each.why for each in found)


@pytest.mark.parametrize(
    ("what", "recipe", "text"),
    [
        ("learning rate", replace(recipes.VAE, lr=0.25), "0.25, cosine decay to 0"),
        ("learning rate", replace(recipes.VAE, decay=False), "0.01, constant"),
        ("epochs", replace(recipes.VAE, epochs=7, quick_epochs=3), "7 (3 on the embedded digits)"),
        ("optimiser", recipes.WGAN, "RMSprop"),
        ("Adam's betas", replace(recipes.GAN, betas=(0.25, 0.75)), "0.25 and 0.75"),
        ("weight averaging", replace(recipes.GAN, ema=0.5), "exponential moving average, decay 0.5 per step"),
        ("latent dimension", replace(recipes.VAE_STRONG, latent_dim=9), "9"),
        ("hidden layers", replace(recipes.VAE_STRONG, hidden=(3, 4)), "3 and 4"),
        ("objective", replace(recipes.VAE_STRONG, objective=objectives.IWAE(7)), "importance-weighted bound with 7 draws"),
        ("KL warm-up", replace(recipes.PIXEL_VAE, objective=objectives.ELBO(kl_warmup=0.3)), "over the first 30% of training"),
        ("PixelCNN", recipes.PIXEL_VAE, "7 gated layers of 32 channels"),
        ("PixelCNN", recipes.PIXEL_CNN, "8 gated layers of 64 channels; vertical kernels cover 2 rows above"),
        ("spatial condition", recipes.PIXEL_VAE, "16 channels"),
        ("encoder's channels", recipes.CONV_VAE, "8 and 8"),
        ("generator's channels", recipes.WGAN, "128, 64, 32"),
        ("critic steps", replace(recipes.WGAN_GP, n_critic=3), "3 per generator step"),
        ("generator steps", replace(recipes.STACKED_PACGAN, n_generator=4), "4 per critic step"),
        ("penalty", recipes.DCGAN, "R1, weight 0.01"),
        ("penalty", replace(recipes.DCGAN, objective=objectives.NON_SATURATING), "none"),
        ("penalty", recipes.WGAN_GP, "gradient penalty, weight 10"),
        ("weight clipping", recipes.WGAN, "at 0.03"),
        ("critic's norm", replace(recipes.WGAN_GP, critic_norm="layer"), "layer norm"),
        ("critic's norm", recipes.WGAN_GP, "none"),
        ("critic's dropout", replace(recipes.WGAN_MLP, dropout=0.2), "0.2"),
        ("critic's dropout", recipes.WGAN_MLP, "none"),
        ("digits per image", replace(recipes.STACKED_DCGAN, stack=2), "2, one per channel"),
    ],
)  # fmt: skip
def test_our_side_is_computed_from_the_recipe(what, recipe, text):
    assert ours(recipe)[what] == text


def test_the_warm_up_of_a_critic_is_the_one_that_trains():
    text = ours(recipes.WGAN_MLP)["critic steps"]
    n, lead, first, every = map(int, re.findall(r"\d+", text))
    assert (n, lead) == (recipes.WGAN_MLP.n_critic, warmup_critic_steps(10**6))
    rounds = [critic_steps(i, n, lead) == lead for i in range(2 * every + 1)]
    assert rounds == [i < first or i % every == 0 for i in range(2 * every + 1)]


@pytest.mark.parametrize("name", DEPARTURES)
def test_no_difference_is_left_out(name):
    """Of the settings that the report states, or that its papers do not have."""
    recipe, found = recipes.ALL[name], ours(recipes.ALL[name])
    assert "epochs" in found
    assert ("weight averaging" in found) == (recipe.ema > 0)
    rate = 1e-2 if hasattr(recipe, "hidden") else recipes.GAN.lr
    assert ("learning rate" in found) == ((recipe.lr, recipe.decay) != (rate, False))
    if hasattr(recipe, "critic"):
        assert ("Adam's betas" in found) == (recipe.betas is not None)
        assert ("optimiser" in found) == (recipe.betas is None)
        assert ("penalty" in found) == (recipe.objective.penalty is not None)
        assert ("weight clipping" in found) == (recipe.objective.clip not in (None, 0.01))
        assert ("generator steps" in found) == (recipe.n_generator != 1)
        assert ("digits per image" in found) == (recipe.stack != 1)
        assert recipe.n_critic == 1 or "critic steps" in found


def test_a_recipe_that_is_not_compared(refused):
    with refused("'my_vae'", "compared"):
        departures(replace(recipes.VAE, name="my_vae"))
