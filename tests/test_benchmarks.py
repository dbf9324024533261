"""The arithmetic of the benchmark where the answer is known, and its committed results, which must fit the recipes."""

import json
import sys
from dataclasses import replace
from itertools import count

import pytest
import torch

from benchmarks import against_jax, factors, growth, sampling, timing
from benchmarks.__main__ import RESULTS, SECTIONS, chosen
from benchmarks.factors import PLAIN, learning_critic, slow_binarise, slow_log_prob
from benchmarks.loops import critic_steps, ours
from benchmarks.machine import flops_per_image
from benchmarks.report import NOT_YET, report, training_rows
from benchmarks.timing import Effort, spread
from benchmarks.usual import UsualStack, usual, usual_loader
from gmlib import recipes, zoo
from gmlib.data import binarise
from gmlib.models import PixelCNN
from gmlib.objectives import bernoulli_log_prob
from gmlib.training.gan import score_both


@pytest.fixture
def ticking(monkeypatch):
    """A clock that advances by one second at each reading."""
    seconds = count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(seconds)))


# measuring


def test_ratios_are_taken_round_by_round():
    """The machine is half as fast in the second round, for both."""
    assert spread([8.0, 4.0, 9.0], [4.0, 2.0, 3.0]) == {"ratio": 2, "lowest": 2, "highest": 3}


def test_things_are_measured_in_turn_after_a_round_that_warms_up():
    seen = []

    def measure(name):
        seen.append(name)
        return float(len(seen))

    found = Effort(rounds=2).in_turn({name: lambda name=name: measure(name) for name in "ab"})
    assert seen == list("ababab")
    assert found == {"a": [3, 5], "b": [4, 6]}


@pytest.mark.usefixtures("ticking")
def test_rates_are_images_a_second():
    steps = []
    rates = Effort(seconds=10, rounds=2).rates({"a": steps.append, "b": steps.append}, batch_size=64, multiple=5)
    assert steps == [5, 5] + [50] * 6  # a round of five steps lasts a second
    assert rates == {"a": [3200, 3200], "b": [3200, 3200]}


# the share of the peak


def test_flops_of_a_step_are_those_of_its_products():
    """784-100-4 and 2-100-784: one product forwards, two backwards; the image needs no gradient."""
    products = 784 * 100 + 100 * 4 + 2 * 100 + 100 * 784
    assert flops_per_image(recipes.VAE) == 2 * (3 * products - 784 * 100)


def test_flops_of_a_gan_are_those_of_critic_and_generator_steps():
    """Five critic steps sample five times, and one generator step follows."""
    one = flops_per_image(replace(recipes.WGAN_MLP, n_critic=1))
    five = flops_per_image(recipes.WGAN_MLP)
    critic = 784 * 1024 + 1024 * 512 + 512 * 256 + 256
    generator = 100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784
    critic_step = 2 * (2 * (3 * critic - 784 * 1024) + generator)  # real and fake
    generator_step = 2 * (2 * critic + 3 * generator - 100 * 256)  # the critic only passes gradients on
    assert one == critic_step + generator_step
    assert five == critic_step + generator_step / 5


# the usual loop does the same


@pytest.mark.parametrize(
    "recipe",
    [
        recipes.CVAE,
        replace(recipes.VAE_STRONG, hidden=8, batch_size=16),
        recipes.CGAN,
        recipes.GAN_MINIMAX,
        recipes.WGAN_MLP,
        recipes.WGAN_GP_MLP,
        replace(recipes.DCGAN, batch_size=4),
        replace(recipes.STACKED_PACGAN, batch_size=4),
    ],
    ids=lambda recipe: recipe.name,
)
def test_every_kind_of_recipe_trains_in_both_loops(recipe):
    for advance in (ours(recipe), usual(recipe)):
        advance(critic_steps(recipe))


def test_steps_go_on_where_they_stopped():
    steps = []
    advance = ours(recipes.VAE, then=lambda state: steps.append(state.step))
    advance(2)
    advance(3)
    assert steps == [1, 2, 3, 4, 5]


def test_the_usual_loader_yields_the_digits(made_up):
    images, labels = map(torch.cat, zip(*usual_loader(made_up, 16), strict=True))
    assert sorted(labels.tolist()) == sorted(made_up.labels.tolist())
    assert images.sum() == pytest.approx(made_up.grey().sum().item(), rel=1e-5)
    stacks, _ = next(iter(usual_loader(made_up, 7, stack=3)))
    assert stacks.shape == (7, 3, 28, 28)


def test_masked_kernels_have_the_receptive_field_of_cropped_ones():
    """More weights, and no pixel depends on itself or on later ones."""
    count = sum(parameter.numel() for parameter in PixelCNN(0, channels=8, layers=3).parameters())
    usual_count = sum(p.numel() for name, p in UsualStack(8, 3).named_parameters() if "weight" in name)
    assert usual_count > count
    x = torch.rand(1, 1, 28, 28, requires_grad=True)
    UsualStack(8, 3)(x, None)[0, 0, 5, 5].backward()
    seen = x.grad[0, 0] != 0
    assert seen[:5].any()
    assert not seen[5, 5:].any()
    assert not seen[6:].any()


# the optimisations change speed, and nothing else


def test_the_slow_ways_return_the_same(made_up):
    x, logits = made_up.grey().round(), torch.randn(64, 1, 28, 28)
    torch.testing.assert_close(slow_log_prob(x, logits), bernoulli_log_prob(x, logits))
    ink = [draw(made_up.images, torch.Generator().manual_seed(0)).mean().item() for draw in (slow_binarise, binarise)]
    assert ink[0] == pytest.approx(ink[1], abs=0.01)
    critic = recipes.GAN.build().critic.eval()
    for ours_, theirs in zip(
        score_both(critic, x, 1 - x, None), factors.two_passes(critic, x, 1 - x, None), strict=True
    ):
        torch.testing.assert_close(ours_, theirs)


def test_a_critic_that_is_not_frozen_accumulates_gradients():
    frozen, learning = (flops_of(advance) for advance in (ours(recipes.GAN), learning_critic(recipes.GAN)))
    assert learning > frozen


def flops_of(advance):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        advance(1)
    return counter.get_total_flops()


def test_every_optimisation_trains_both_ways(monkeypatch):
    small = {"batch_size": 4}
    monkeypatch.setattr(
        factors, "PLAIN", replace(PLAIN, pixelcnn=lambda *_: PixelCNN(0, channels=4, layers=2), **small)
    )
    monkeypatch.setattr(recipes, "DCGAN_PLAIN", replace(recipes.DCGAN_PLAIN, **small))
    rows = factors.measure(Effort(seconds=0, rounds=1))
    assert all(row["ratio"] > 0 for row in rows)
    assert len({(row["decision"], row["recipe"]) for row in rows}) == len(rows)


# JAX


def test_without_jax_there_is_a_dash_and_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "benchmarks.jax_loops", raising=False)
    monkeypatch.delattr("benchmarks.jax_loops", raising=False)
    rows = against_jax.measure(Effort(seconds=0, rounds=1))
    assert [row["recipe"] for row in rows] == ["vae", "gan"]
    text = report({"jax": rows})
    assert "| vae | – | – | – |" in text
    assert f"– vae, gan: {against_jax.ABSENT}" in text


def test_jax_computes_the_same_loss_and_the_same_scores():
    pytest.importorskip("jax")
    from benchmarks import jax_loops

    vae = recipes.VAE.build().train()
    x, eps = torch.rand(32, 1, 28, 28).round(), torch.randn(32, 2)
    mu, logvar = vae.encoder(x)
    log_px = vae.decoder.log_prob(x, mu + (0.5 * logvar).exp() * eps)
    loss = (0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1) - log_px).mean()
    parts = {"encoder": vae.encoder, "decoder": vae.decoder.logits}
    kinds, weights = ({name: jax_loops.layers_and_weights(part)[i] for name, part in parts.items()} for i in range(2))
    theirs = jax_loops.negative_elbo(kinds, weights, x.flatten(1).numpy(), eps.numpy())
    assert float(theirs) == pytest.approx(loss.item(), rel=1e-5)

    critic = recipes.GAN.build().critic.eval()
    scores = jax_loops.apply(*jax_loops.layers_and_weights(critic), (2 * x.flatten(1) - 1).numpy())
    torch.testing.assert_close(torch.tensor(scores.tolist())[:, 0], critic(x), rtol=1e-4, atol=1e-5)


# the table and the committed results


def test_a_recipe_that_was_not_measured_has_a_row_with_the_reason():
    rows = training_rows([{"recipe": "gan", "images/s": 7}])
    assert [row["recipe"] for row in rows] == list(recipes.ALL)
    text = report({"about": {"date": "", "machine": "", "threads": 1, "shared": True}, "training": rows[:10]})
    assert "| gan | 7 |" in text
    assert "| vae | – |" in text
    assert text.endswith(f"stacked_wgan_gp: {NOT_YET}")
    assert "shared with other work" in text


def test_sections_and_recipes_run_by_name():
    assert list(chosen([])) == list(SECTIONS)
    assert list(chosen(["growth", "vae"])) == ["growth", "training"]
    with pytest.raises(SystemExit, match="pytorch"):
        chosen(["pytorch"])


@pytest.fixture(scope="module")
def results():
    return json.loads(RESULTS.read_text())


def test_results_are_complete(results):
    assert list(results) == ["about", *SECTIONS]
    networks = {(row["network"], row["images"]) for row in results["sampling"]}
    assert networks == {(name, count) for name in sampling.decoders() for count in sampling.PASSES}
    assert results["growth"]["vae by digits"]["here"][0] == list(growth.DIGITS)
    for lines in results["growth"].values():
        assert len(lines) == 2
        assert all(len(xs) == len(ys) > 3 for xs, ys in lines.values())
    assert all(row["ratio"] > 0 and row["lowest"] <= row["ratio"] <= row["highest"] for row in results["factors"])


def test_results_are_of_the_recipes_as_they_are(results):
    """A recipe may be newer than the results, which shows as a dash; one that is gone or renamed may not stay."""
    for section in ("training", "drawing"):
        measured = [row["recipe"] for row in results[section]]
        assert measured == [name for name in recipes.ALL if name in measured]
    assert all(row["images/s"] for row in results["drawing"] if zoo.is_shipped(row["recipe"]))
    for row in results["training"]:
        assert 0 < row["of float32 peak"] < 1
        assert 0 < row["of bfloat16 peak"] < 1
        assert row["lowest"] <= row["ratio"] <= row["highest"]


@pytest.mark.parametrize("name", ["vae", "gan", "wgan_gp", "pixel_vae"])
def test_the_work_an_image_is_that_of_the_recipe_as_it_is(results, name):
    """If a network has changed since, the benchmark has to be run again."""
    (row,) = (row for row in results["training"] if row["recipe"] == name)
    assert flops_per_image(replace(recipes.by_name(name), batch_size=2)) / 1e6 == pytest.approx(
        row["MFLOP an image"], rel=1e-3, abs=0.01
    )
