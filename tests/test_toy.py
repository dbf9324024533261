"""The linear-Gaussian model against scipy, conditioning by hand and quadrature."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from gmlib.toy import LinearGaussian


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def model() -> LinearGaussian:
    return LinearGaussian(randn(4, 2, seed=1), randn(4, seed=2), 0.8)


@pytest.fixture
def x() -> torch.Tensor:
    return 2 * randn(5, 4, seed=3)


def joint(model: LinearGaussian) -> np.ndarray:
    """Covariance of (z, x): each x is a linear map of the independent (z, eps)."""
    d, p = model.weight.shape[1], len(model.bias)
    mixing = np.block(
        [[np.eye(d), np.zeros((d, p))], [model.weight.numpy(), model.noise * np.eye(p)]],
    )
    return mixing @ mixing.T


def test_log_prob_is_that_of_scipy(model, x):
    covariance = joint(model)[2:, 2:]
    expected = multivariate_normal(model.bias.numpy(), covariance).logpdf(x.numpy())
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-12)


def test_posterior_is_the_joint_gaussian_conditioned(model, x):
    covariance = joint(model)
    gain = covariance[:2, 2:] @ np.linalg.inv(covariance[2:, 2:])
    mean, spread = model.posterior(x)
    np.testing.assert_allclose(mean, (x - model.bias).numpy() @ gain.T, rtol=1e-11)
    np.testing.assert_allclose(spread, covariance[:2, :2] - gain @ covariance[2:, :2], rtol=1e-11, atol=1e-14)


def test_expected_log_px_is_the_integral(model, x):
    mu, logvar = randn(5, 2, seed=4), randn(5, 2, seed=5)
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)  # exact up to degree 7, and the integrand has 2
    expected = np.zeros(5)
    for i, j in itertools.product(range(4), repeat=2):
        z = mu.numpy() + np.exp(0.5 * logvar.numpy()) * np.array([nodes[i], nodes[j]])
        mean = z @ model.weight.numpy().T + model.bias.numpy()
        expected += weights[i] * weights[j] / (2 * math.pi) * norm(mean, model.noise).logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(model.expected_log_px(x, mu, logvar), expected, rtol=1e-12)


def test_log_weights_are_joint_over_proposal(model, x):
    mu, logvar = randn(5, 2, seed=4), randn(5, 2, seed=5)
    log_w = model.log_weights(x, mu, logvar, 3, torch.Generator().manual_seed(9))
    eps = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64).numpy()
    z = mu.numpy() + np.exp(0.5 * logvar.numpy()) * eps
    both = multivariate_normal(np.r_[np.zeros(2), model.bias.numpy()], joint(model))
    pairs = np.concatenate([z, np.broadcast_to(x.numpy(), (3, 5, 4))], axis=-1)
    q = norm(mu.numpy(), np.exp(0.5 * logvar.numpy())).logpdf(z).sum(-1)
    np.testing.assert_allclose(log_w, both.logpdf(pairs) - q, rtol=1e-11, atol=1e-11)


def test_samples_have_the_mean_and_covariance_of_the_model(model):
    n = 100_000
    x = model.sample(n, torch.Generator().manual_seed(6))
    covariance = joint(model)[2:, 2:]
    variance = np.diag(covariance)
    assert (np.abs((x.mean(0) - model.bias).numpy()) < 5 * np.sqrt(variance / n)).all()
    # the variance of a sample covariance of Gaussians is (c_ii c_jj + c_ij^2) / n
    sigma = np.sqrt((np.outer(variance, variance) + covariance**2) / n)
    assert (np.abs(np.cov(x.numpy(), rowvar=False) - covariance) < 5 * sigma).all()
    assert torch.equal(x, model.sample(n, torch.Generator().manual_seed(6)))
    assert not torch.equal(x, model.sample(n, torch.Generator().manual_seed(7)))
