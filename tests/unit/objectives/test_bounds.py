"""`ELBO` and `IWAE`: the bound that each returns, and refused arguments."""

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


def test_the_elbo_is_the_difference_of_its_terms(vae, x):
    bound, parts = ELBO()(vae, x, None, 0.7, rng())
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
def test_the_weight_of_the_kl_rises_linearly_during_warm_up(vae, x, objective, progress, weight):
    bound, parts = objective(vae, x, None, progress, rng())
    torch.testing.assert_close(bound, parts["log_px"] - weight * parts["kl"].mean())
    assert torch.equal(parts["kl"], vae(x, generator=rng())[1])  # the recorded KL divergence is not weighted


def test_free_nats_replace_a_smaller_kl(vae, x):
    bound, parts = ELBO(beta=2.0, free_nats=1000.0)(vae, x, None, 0.5, rng())
    torch.testing.assert_close(bound, parts["log_px"] - 2000.0)


def test_iwae_is_the_bound_of_the_log_weights(vae, x):
    bound, parts = IWAE(7)(vae, x, None, 0.5, rng())
    assert torch.equal(bound, iwae_bound(vae.log_weights(x, samples=7, generator=rng())))
    assert list(parts) == ["iwae"]
    assert parts["iwae"] is bound


def test_labels_change_the_bound():
    networks = MLPEncoder(2, 3, hidden=8, batch_norm=False), MLPDecoder(2, 3, hidden=8, batch_norm=False)
    vae, x = VAE(networks[0], BernoulliDecoder(networks[1])), torch.zeros(3, 1, 28, 28)
    for objective in (ELBO(), IWAE(2)):
        (first, _), (second, _) = (objective(vae, x, torch.full((3,), y), 0.0, rng()) for y in (0, 1))
        assert not torch.equal(first, second)


def test_defaults():
    assert ELBO() == ELBO(1.0, 0.0, 0.0)
    assert IWAE() == IWAE(5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("objective", "name", "value"),
    [
        (ELBO, "beta", -1.0),
        (ELBO, "beta", math.nan),
        (ELBO, "kl_warmup", -0.1),
        (ELBO, "kl_warmup", 2.0),
        (ELBO, "free_nats", -1.0),
        (IWAE, "samples", 0),
        (IWAE, "samples", 2.5),
    ],
)
def test_arguments_out_of_range_are_refused(objective, name, value):
    with pytest.raises(InputError, match=name):
        objective(**{name: value})
