"""Variational objectives as data: which bound each one returns, and which arguments are refused."""

import math

import pytest
import torch

from gmlib.errors import InputError
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.objectives import ELBO, IWAE, iwae_bound


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@pytest.fixture
def vae() -> VAE:
    torch.manual_seed(0)
    return VAE(MLPEncoder(2, hidden=8, batch_norm=False), BernoulliDecoder(MLPDecoder(2, hidden=8, batch_norm=False)))


@pytest.fixture
def x() -> torch.Tensor:
    return (torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(1)) < 0.3).float()


@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_the_elbo_is_the_difference_of_its_terms(vae, x, progress):
    bound, parts = ELBO()(vae, x, None, progress, rng())
    log_px, kl = vae(x, generator=rng())
    assert list(parts) == ["log_px", "kl"]
    assert torch.equal(parts["log_px"], log_px)
    assert torch.equal(parts["kl"], kl)
    assert torch.equal(bound, log_px - kl)


@pytest.mark.parametrize(
    ("objective", "progress", "weight"),
    [
        (ELBO(beta=4.0), 0.0, 4.0),
        (ELBO(kl_warmup=0.5), 0.0, 0.0),
        (ELBO(kl_warmup=0.5, beta=3.0), 0.25, 1.5),
        (ELBO(kl_warmup=0.5, beta=3.0), 0.5, 3.0),
        (ELBO(kl_warmup=0.5, beta=3.0), 0.9, 3.0),
        (ELBO(beta=0.0), 1.0, 0.0),
    ],
)
def test_the_weight_of_the_kl_rises_over_its_share_of_the_run(vae, x, objective, progress, weight):
    bound, parts = objective(vae, x, None, progress, rng())
    torch.testing.assert_close(bound, parts["log_px"] - weight * parts["kl"].mean())
    assert torch.equal(parts["kl"], vae(x, generator=rng())[1])  # what is noted is not weighted


def test_free_nats_cost_nothing(vae, x):
    bound, parts = ELBO(beta=2.0, free_nats=1000.0)(vae, x, None, 0.5, rng())
    torch.testing.assert_close(bound, parts["log_px"] - 2000.0)


def test_several_draws_give_the_importance_weighted_bound(vae, x):
    bound, parts = IWAE(7)(vae, x, None, 0.5, rng())
    assert torch.equal(bound, iwae_bound(vae.log_weights(x, samples=7, generator=rng())))
    assert list(parts) == ["iwae"]
    assert parts["iwae"] is bound


def test_labels_reach_the_networks():
    networks = MLPEncoder(2, 3, hidden=8, batch_norm=False), MLPDecoder(2, 3, hidden=8, batch_norm=False)
    vae, x = VAE(networks[0], BernoulliDecoder(networks[1])), torch.zeros(3, 1, 28, 28)
    for objective in (ELBO(), IWAE(2)):
        (a, _), (b, _) = (objective(vae, x, torch.full((3,), y), 0.0, rng()) for y in (0, 1))
        assert not torch.equal(a, b)


def test_objectives_are_values():
    assert ELBO() == ELBO(1.0, 0.0, 0.0) != ELBO(beta=2.0)
    assert IWAE() == IWAE(5) != IWAE(6)
    assert len({ELBO(), ELBO(beta=2.0), IWAE(), IWAE(5)}) == 3


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("make", [ELBO, IWAE])
def test_arguments_out_of_their_range(make):
    wrong = {ELBO: [("beta", -1.0), ("beta", math.nan), ("kl_warmup", -0.1), ("kl_warmup", 2), ("free_nats", -1.0)]}
    for name, value in wrong.get(make, [("samples", 0), ("samples", 2.5)]):
        with pytest.raises(InputError, match=name):
            make(**{name: value})
