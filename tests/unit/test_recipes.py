"""Every experiment on one page: what it is, what differs, what it weighs, and that it runs."""

import hashlib
import json
import math
from contextlib import nullcontext
from dataclasses import fields, make_dataclass, replace

import pytest
import torch

import gmlib
from gmlib import recipes, zoo
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import GANRecipe, VAERecipe
from gmlib.objectives import critic_wasserstein
from gmlib.recipes import ALL, VAE, VAE_NO_BN
from gmlib.training.gan import critic_lead, critic_steps

# 784 -> hidden -> mean and log-variance; latent -> hidden -> 784; batch norm has a scale and a shift, and needs no bias
MLP_DECODER = 2 * 100 + 200 + 100 * 784 + 784
CONV_ENCODER = (9 * 8 + 16) + (9 * 8 * 8 + 16) + (8 * 784 * 100 + 200) + (100 * 4 + 4)
DECONV = (2 * 100 + 200) + (100 * 32 * 49 + 32 * 49) + (16 * 32 * 16 + 32) + (16 * 16 + 1)
MLP_GENERATOR = (100 * 256 + 256) + (256 * 512 + 512) + (512 * 1024 + 1024) + (1024 * 784 + 784)
MLP_CRITIC = (784 * 1024 + 1024) + (1024 * 512 + 512) + (512 * 256 + 256) + (256 + 1)
DC_GENERATOR = (100 * 256 * 16 + 512) + (256 * 128 * 9 + 256) + (128 * 64 * 16 + 128) + (64 * 16 + 1)
HALF_GENERATOR = (100 * 128 * 16 + 256) + (128 * 64 * 9 + 128) + (64 * 32 * 16 + 64) + (32 * 16 + 1)
DC_CRITIC = (16 * 32 + 32) + (32 * 64 * 16 + 64) + (64 * 128 * 9 + 128) + (128 * 16 + 1)
STACKED = DC_GENERATOR + 2 * (64 * 16 + 1) + DC_CRITIC + 2 * 32 * 16
PLANE = (32 * 256 + 512) + (256 * 64 * 49 + 64 * 49) + (16 * 64 * 32 + 64) + (16 * 32 * 16 + 16)
STRIDED_ENCODER = (16 * 32 + 64) + (16 * 32 * 64 + 128) + (64 * 49 * 256 + 512) + (256 * 64 + 64)


def two_stacks(channels: int, layers: int, *, rows: int, spatial: int) -> int:
    """Weights of two gated stacks: of the first block, of kernel 7, of the others, of kernel 3, and of the logits."""
    mix, each = channels**2 + channels, 2 * channels
    first = each * (3 * 7 + spatial + 1) + each * (3 + channels + spatial + 1) + 2 * mix
    other = each * (3 * (rows + 1) * channels + spatial + 1) + each * (3 * channels + spatial + 1) + 2 * mix
    return first + (layers - 1) * other + channels + 1


PARAMETERS = {
    "vae": (784 * 100 + 200 + 100 * 4 + 4) + MLP_DECODER,
    "vae_no_bn": (784 * 100 + 100 + 100 * 4 + 4) + (2 * 100 + 100 + 100 * 784 + 784),
    "conv_vae": CONV_ENCODER + MLP_DECODER,
    "conv_vae_deconv": CONV_ENCODER + DECONV,
    "cvae": ((784 + 10) * 100 + 200 + 100 * 4 + 4) + ((2 + 10) * 100 + 200 + 100 * 784 + 784),
    "vae_strong": (784 * 512 + 1024 + 512 * 512 + 1024 + 512 * 100 + 100)
    + (50 * 512 + 1024 + 512 * 512 + 1024 + 512 * 784 + 784),
    "pixel_vae": STRIDED_ENCODER + PLANE + two_stacks(32, layers=7, rows=1, spatial=16),
    "pixel_cvae": STRIDED_ENCODER + 16 * 10 * 32 + PLANE + 10 * 256 + two_stacks(32, layers=7, rows=1, spatial=16),
    "pixel_cnn": two_stacks(64, layers=8, rows=2, spatial=0),
    "gan": MLP_GENERATOR + MLP_CRITIC,
    "gan_minimax": MLP_GENERATOR + MLP_CRITIC,
    "gan_critic_bn": MLP_GENERATOR + MLP_CRITIC + 1024 + 512 + 256,
    "cgan": MLP_GENERATOR + 10 * 256 + MLP_CRITIC + 10 * 1024,
    "dcgan": DC_GENERATOR + DC_CRITIC,
    "dcgan_plain": DC_GENERATOR + DC_CRITIC,
    "dcgan_critic_bn": DC_GENERATOR + DC_CRITIC + 64 + 128,
    "cdcgan": DC_GENERATOR + 10 * 256 * 16 + DC_CRITIC + 10 * 32 * 16,
    "wgan_mlp": MLP_GENERATOR + MLP_CRITIC,
    "wgan_gp_mlp": MLP_GENERATOR + MLP_CRITIC,
    "wgan": HALF_GENERATOR + DC_CRITIC + 64 + 128,
    "wgan_gp": HALF_GENERATOR + DC_CRITIC,
    "wgan_gp_critic_bn": HALF_GENERATOR + DC_CRITIC + 64 + 128,
    "wgan_report": DC_GENERATOR + DC_CRITIC + 64 + 128,
    "wgan_gp_report": DC_GENERATOR + DC_CRITIC + 64 + 128,
    "stacked_dcgan": STACKED,
    "stacked_dcgan_r1": STACKED,
    "stacked_dcgan_behind": STACKED,
    "stacked_pacgan": STACKED + 3 * 32 * 16,
    "stacked_wgan_gp": HALF_GENERATOR + 2 * (32 * 16 + 1) + DC_CRITIC + 2 * 32 * 16,
}
GAME = ("objective", "optimiser", "betas", "lr")
PARENTS = {  # what differs from the parent, descriptions aside
    "vae_no_bn": ("vae", {"batch_norm"}),
    "conv_vae": ("vae", {"encoder"}),
    "conv_vae_deconv": ("conv_vae", {"decoder"}),
    "cvae": ("vae", {"conditional"}),
    "vae_strong": ("vae", {"hidden", "latent_dim", "objective", "lr"}),
    "pixel_vae": (
        "vae",
        {"encoder", "pixelcnn", "spatial_condition", "hidden", "latent_dim", "lr", "objective", "ema", "epochs"},
    ),
    "pixel_cvae": ("pixel_vae", {"conditional"}),
    "pixel_cnn": ("pixel_vae", {"pixelcnn", "spatial_condition", "latent_dim", "objective", "epochs"}),
    "gan_minimax": ("gan", {"objective"}),
    "gan_critic_bn": ("gan", {"critic_norm"}),
    "cgan": ("gan", {"conditional"}),
    "dcgan": (
        "gan",
        {
            "generator",
            "critic",
            "objective",
            "batch_norm",
            "dropout",
            "lr",
            "betas",
            "decay",
            "batch_size",
            "epochs",
        },
    ),
    "dcgan_plain": ("dcgan", {"objective"}),
    "dcgan_critic_bn": ("dcgan_plain", {"critic_norm"}),
    "cdcgan": ("dcgan", {"conditional"}),
    "wgan_mlp": ("gan", {*GAME, "dropout", "n_critic", "warmup", "epochs"}),
    "wgan_gp_mlp": ("wgan_mlp", {*GAME, "warmup"}),
    "wgan": ("dcgan_plain", {*GAME, "generator", "batch_size", "critic_norm", "decay", "epochs"}),
    "wgan_gp": ("wgan", {*GAME, "critic_norm", "n_critic", "epochs"} - {"lr"}),
    "wgan_gp_critic_bn": ("wgan_gp", {"critic_norm"}),
    "wgan_report": ("dcgan_plain", {"objective", "critic_norm", "lr", "betas", "decay", "epochs"}),
    "wgan_gp_report": ("wgan_report", {"objective"}),
    "stacked_dcgan": ("dcgan_plain", {"stack", "epochs"}),
    "stacked_dcgan_r1": ("stacked_dcgan", {"objective"}),
    "stacked_dcgan_behind": ("stacked_dcgan", {"n_generator", "epochs"}),
    "stacked_pacgan": ("stacked_dcgan_behind", {"pack"}),
    "stacked_wgan_gp": ("wgan_gp", {"stack", "epochs"}),
}
VAES = [name for name, recipe in ALL.items() if isinstance(recipe, VAERecipe)]
GANS = [name for name, recipe in ALL.items() if isinstance(recipe, GANRecipe)]


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_recipes_go_by_their_names():
    assert set(ALL) >= {"vae", "vae_no_bn"}
    for name, recipe in ALL.items():
        assert recipe.name == name
        assert recipe.about
        assert recipe.paper
        assert recipes.by_name(name) is recipe
    assert len({recipe.hash for recipe in ALL.values()}) == len(ALL)


@pytest.mark.parametrize(("given", "meant"), [("vea", "'vae'"), ("vae-no-bn", "'vae_no_bn'"), ("VAE_NO_BN", None)])
def test_an_unknown_recipe(refused, given, meant):
    parts = [f"got recipe {given!r}", "expected one of vae, vae_no_bn"] + ([f"did you mean {meant}"] if meant else [])
    with refused(*parts):
        recipes.by_name(given)


@pytest.mark.parametrize("name", PARENTS)
def test_a_recipe_differs_from_its_parent_in_few_fields(name):
    parent, differs = PARENTS[name]
    assert ALL[name].parent is ALL[parent]
    ours, parents = ALL[name].settings(), ALL[parent].settings()
    assert {field for field in parents if ours[field] != parents[field]} == differs
    assert {"vae", "gan", *PARENTS} == set(ALL)


def test_a_conditional_recipe_takes_its_classes_from_the_data_and_differs_in_nothing_else():
    conditional = {name for name, recipe in ALL.items() if recipe.settings().get("conditional")}
    assert conditional == {"cvae", "cgan", "cdcgan", "pixel_cvae"}
    for name in conditional:
        parent, differs = PARENTS[name]
        assert differs == {"conditional"}
        assert [ALL[name].build(num_classes=n).num_classes for n in (10, 26)] == [10, 26]
        assert ALL[name].quick_epochs == ALL[parent].quick_epochs


def test_vae_no_bn_is_the_vae_without_batch_norm():
    assert VAE_NO_BN.quick_epochs == VAE.quick_epochs
    kinds = [type(module) for module in VAE.build().modules()]
    assert kinds.count(torch.nn.BatchNorm1d) == 2
    assert torch.nn.BatchNorm1d not in [type(module) for module in VAE_NO_BN.build().modules()]


def test_the_vae_is_the_reports():
    settings = VAE.settings()
    expected = {"hidden": 100, "latent_dim": 2, "conditional": False, "batch_norm": True, "lr": 1e-2}
    assert {name: settings[name] for name in expected} == expected
    assert settings["optimiser"] is torch.optim.Adam


# the hash


def test_hash_is_that_of_the_ids():
    plain = VAERecipe(hidden=3, latent_dim=2, lr=0.5, batch_size=4, epochs=1, quick_epochs=1)
    required = '{"batch size": 4, "hidden layers": 3, "latent size": 2, "learning rate": 0.5}'
    assert plain.hash == hashlib.sha256(required.encode()).hexdigest()
    text = required.replace("{", '{"batch norm": true, ', 1)
    assert replace(plain, batch_norm=True).hash == hashlib.sha256(text.encode()).hexdigest()


def test_hash_and_comparison_leave_out_what_describes():
    described = replace(VAE, name="x", about="y", paper="z", departures=(), quick_epochs=1)
    assert described == VAE
    assert described.hash == VAE.hash
    assert replace(VAE, epochs=3).hash == VAE.hash  # the length belongs to a run


def test_hash_and_comparison_change_with_each_setting():
    def other(value):
        if isinstance(value, tuple):
            return (*value, 7)
        if isinstance(value, bool):
            return not value
        if isinstance(value, float):
            return value / 2 + 0.25
        return value * 2 + 1 if isinstance(value, int) else torch.nn.Identity

    changed = {name: replace(VAE, **{name: other(value)}) for name, value in VAE.settings().items()}
    described = {"name", "about", "paper", "departures", "quick_epochs", "precision", "parent"}
    described |= {"likelihood_samples", "finer_samples", "finer_digits"}
    assert set(changed) == {f.name for f in fields(VAERecipe)} - described
    hashes = {recipe.hash for name, recipe in changed.items() if name != "epochs"}
    assert len(hashes) == len(changed) - 1
    assert VAE.hash not in hashes
    assert VAE not in changed.values()


def test_a_new_field_with_a_neutral_default_changes_no_hash():
    grown = make_dataclass("Grown", [("dropout", float, 0.0)], bases=(VAERecipe,), frozen=True, kw_only=True)
    ours = {f.name: getattr(VAE, f.name) for f in fields(VAE)}
    assert grown(**ours).hash == VAE.hash
    assert grown(**ours, dropout=0.3).hash != VAE.hash


# networks


@pytest.mark.parametrize("name", ALL)
def test_parameters_are_pinned(name):
    assert sum(p.numel() for p in ALL[name].build().parameters()) == PARAMETERS[name]
    assert PARAMETERS["vae"] == 158_588


@pytest.mark.parametrize("name", ALL)
def test_build_depends_on_its_generator_only(name):
    def built(seed: int | None) -> torch.nn.Module:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return ALL[name].build(generator)

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = built(5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(first, built(5))
    assert not same(first, built(6))
    assert same(built(None), built(None))


@pytest.mark.parametrize("name", GANS)
def test_a_quick_run_moves_its_generator(name):
    """Neither five critic steps a round nor a warm-up may leave it where it began."""
    recipe = ALL[name]
    left = recipe.quick_epochs * (4000 // (recipe.batch_size * recipe.stack))
    lead, rounds = critic_lead(left) if recipe.warmup else 0, 0
    while (left := left - critic_steps(rounds, recipe.n_critic, lead)) >= 0:
        rounds += 1
    assert rounds * recipe.n_generator >= 240


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_runs_in_seconds(name, few_digits):
    stack = getattr(ALL[name], "stack", 1)
    recipe = replace(ALL[name], batch_size=16 if stack == 1 else 4, quick_epochs=3)
    under_penalty = name in GANS and recipe.critic_norm and recipe.objective.penalty
    assert bool(under_penalty) == (name in {"wgan_gp_critic_bn", "wgan_gp_report"})
    with pytest.warns(UserWarning, match="batch norm under gradient_penalty") if under_penalty else nullcontext():
        run = fit_profile(recipe, "quick", seed=1)
    assert run.history.column("epoch") == [1, 2, 3]
    for row in run.history.rows:
        lost = [key for key, value in row.items() if value is None or not math.isfinite(value)]
        # five critic steps a round, and a hundred of a warm-up, may leave an epoch of four batches without a round
        assert lost == (["generator_loss"] if row.get("generator_steps") == 0 else [])
    if name in VAES:
        assert run.history.column("validation_elbo")[-1] > run.history.column("validation_elbo")[0]
    labels = torch.arange(5) if run.model.num_classes else None
    assert not any(module.training for module in run.model.modules())
    assert run.model.sample(5, labels, generator=torch.Generator().manual_seed(0)).shape == (5, stack, 28, 28)


# what is shipped


@pytest.mark.parametrize("name", ALL)
def test_shipped_runs_load(name):
    if not zoo.is_shipped(name):
        pytest.skip(f"no full run of {name} is shipped")
    run = zoo.pretrained(name)
    assert run.recipe is ALL[name]
    assert run.about["profile"] == "full"
    assert len(run.history) == ALL[name].epochs == run.about["epochs"]
    labels = torch.arange(4) if run.model.num_classes else None
    draws = run.model.sample(4, labels, generator=torch.Generator().manual_seed(0))
    assert (set(draws.unique().tolist()) == {0.0, 1.0}) == (name in VAES)


def test_every_recipe_is_shipped_but_those_that_fail_on_purpose():
    # what becomes of these, claims show over seeds
    fail = {"gan_critic_bn", "dcgan_critic_bn"}
    in_training = {"dcgan_plain", "wgan_gp_critic_bn", "stacked_dcgan_r1", "stacked_wgan_gp"}
    assert {name for name in ALL if not zoo.is_shipped(name)} == fail | in_training


@pytest.mark.parametrize("name", [name for name in VAES if zoo.is_shipped(name) and ALL[name].latent_dim])
def test_an_image_is_encoded_alike_in_any_company(name):
    """In eval mode no image sees the others of its batch; in training mode batch norm shows them."""
    run = zoo.pretrained(name)
    digits = gmlib.mnist("test")[:12]
    labels = digits.labels if run.model.num_classes else None
    x = digits.binarised()

    def encode(rows: slice) -> torch.Tensor:
        return torch.cat(run.model.encoder(x[rows], None if labels is None else labels[rows]), dim=1)

    with torch.no_grad():
        together = encode(slice(12))
        torch.testing.assert_close(encode(slice(3)), together[:3], rtol=1e-4, atol=1e-5)
        run.model.train()
        moved = (encode(slice(3)) - together[:3]).abs().max().item()
    assert (moved > 0.01) == ALL[name].settings()["batch_norm"]


def test_a_recipe_that_is_not_shipped(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    command = "gmlib train vae --profile full --out runs/full/vae"
    with refused(f"no full run of vae is shipped ({tmp_path / 'vae.json'} is not there)", command):
        zoo.pretrained("vae")
    with refused("got recipe 'vea'", "did you mean 'vae'"):
        zoo.pretrained("vea")


def test_claims_are_looked_up_by_number(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    for damaged in (None, '[{"id": ', "[{}]", "3"):
        if damaged:
            (tmp_path / "claims.json").write_text(damaged)
        with refused(f"cannot read {tmp_path / 'claims.json'}", "make claims"):
            zoo.claim("C02")
    (tmp_path / "claims.json").write_text(json.dumps([{"id": "C02", "effect": 1.5}, {"id": "C05", "effect": 2.5}]))
    assert zoo.claim("C05") == {"id": "C05", "effect": 2.5}
    with refused("got claim 'C99'", "C02, C05"):
        zoo.claim("C99")


@pytest.mark.parametrize("name", GANS)
def test_a_sample_is_drawn_alike_in_any_company(name):
    """A generator with batch norm judges by its running statistics once it is trained."""
    if not zoo.is_shipped(name):
        pytest.skip(f"no full run of {name} is shipped")
    run = zoo.pretrained(name)
    z = torch.randn(12, run.model.latent_dim, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 10 if run.model.num_classes else None
    together = run.model.decode(z, labels)
    alone = run.model.decode(z[:3], None if labels is None else labels[:3])
    torch.testing.assert_close(alone, together[:3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GANS)
def test_a_run_keeps_its_critic_where_the_recipe_says_so(name):
    if not zoo.is_shipped(name):
        pytest.skip(f"no full run of {name} is shipped")
    run = zoo.pretrained(name)
    if ALL[name].ships_critic:
        assert run.model.critic(
            torch.zeros(2, ALL[name].stack, 28, 28), torch.arange(2) if run.model.num_classes else None
        ).shape == (2,)
    else:
        with pytest.raises(AttributeError, match="without its critic"):
            run.model.critic  # noqa: B018


@pytest.mark.parametrize("name", recipes.ALL)
def test_departures_state_the_settings_as_they_are(name):
    """The text of a departure is written by hand, so it is held to the fields that it speaks of."""
    recipe = recipes.ALL[name]
    ours = {departure.what: departure.ours for departure in recipe.departures}
    assert ours["epochs"] == f"{recipe.epochs} ({recipe.quick_epochs} on the embedded digits)"
    if name in GANS:
        assert ours.get("Adam's betas") == (recipe.betas and "{} and {}".format(*recipe.betas))
        assert ours.get("optimiser", "Adam") == recipe.optimiser.__name__
        assert ours.get("critic steps", "1 ")[0] == str(recipe.n_critic)
        assert ("100 in each of the first 25" in ours.get("critic steps", "")) == recipe.warmup
        if recipe.objective.critic is critic_wasserstein:  # the report's had a norm
            assert ("batch norm in the critic" in ours) != (recipe.critic_norm == "batch")
        assert ("clipping" in ours) == (recipe.objective.clip not in (None, 0.01))
        assert f"at {recipe.objective.clip}," in ours.get("clipping", f"at {recipe.objective.clip},")
        assert ("penalty" in ours) == bool(recipe.objective.penalty)
        assert f"of weight {recipe.objective.weight:g}" in ours.get("penalty", "of weight 0")
        assert ours["average"] == f"of the generator's weights, {recipe.ema} a step"
        assert ("learning rate" in ours) == (recipe.lr != recipes.GAN.lr)
    if "learning rate" in ours:
        assert float(ours["learning rate"].split(",")[0]) == recipe.lr
        assert ("half a cosine" in ours["learning rate"]) == recipe.decay
    if name in VAES and recipe.pixelcnn:
        sizes = recipe.pixelcnn.keywords
        assert f"two stacks of {sizes['layers']} layers of {sizes['channels']} channels" in ours["model"]
        assert (f"{recipe.latent_dim} latents" in ours["model"]) == bool(recipe.latent_dim)
    elif "model" in ours:
        layers = {len(recipe.hidden): recipe.hidden[0]}
        assert (
            ours["model"]
            == f"{recipe.latent_dim} latents, two layers of {layers[2]}, the bound of {recipe.objective.samples} draws"
        )
