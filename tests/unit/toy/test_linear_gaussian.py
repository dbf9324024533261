"""The linear-Gaussian model against scipy, conditioning by hand, quadrature and scikit-learn's probabilistic PCA."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from gmlib import InputError
from gmlib.toy import LinearGaussian, climb


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def model() -> LinearGaussian:
    return LinearGaussian(randn(4, 2, seed=1), randn(4, seed=2), 0.8)


@pytest.fixture
def x() -> torch.Tensor:
    return 2 * randn(5, 4, seed=3)


def joint_covariance(model: LinearGaussian) -> np.ndarray:
    """Return the covariance of (z, x), which is a linear map of the independent (z, eps)."""
    d, p = model.weight.shape[1], len(model.bias)
    mixing = np.block([[np.eye(d), np.zeros((d, p))], [model.weight.numpy(), model.noise_sd * np.eye(p)]])
    return mixing @ mixing.T


def conditional(model: LinearGaussian, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of p(z|x) by conditioning the joint Gaussian."""
    covariance = joint_covariance(model)
    d = model.weight.shape[1]
    gain = covariance[:d, d:] @ np.linalg.inv(covariance[d:, d:])
    return (x - model.bias).numpy() @ gain.T, covariance[:d, :d] - gain @ covariance[d:, :d]


def test_log_prob_is_that_of_scipy(model, x):
    covariance = joint_covariance(model)[2:, 2:]
    expected = multivariate_normal(model.bias.numpy(), covariance).logpdf(x.numpy())
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-12)


def test_posterior_is_the_joint_gaussian_conditioned(model, x):
    mean, covariance = conditional(model, x)
    np.testing.assert_allclose(model.posterior(x).mean, mean, rtol=1e-11)
    np.testing.assert_allclose(model.posterior(x).covariance, covariance, rtol=1e-11, atol=1e-14)


def test_expected_log_px_is_the_integral(model, x):
    mu, logvar = randn(5, 2, seed=4), randn(5, 2, seed=5)
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)  # exact up to degree 7, and the integrand has 2
    expected = np.zeros(5)
    for i, j in itertools.product(range(4), repeat=2):
        z = mu.numpy() + np.exp(0.5 * logvar.numpy()) * np.array([nodes[i], nodes[j]])
        mean = z @ model.weight.numpy().T + model.bias.numpy()
        expected += weights[i] * weights[j] / (2 * math.pi) * norm(mean, model.noise_sd).logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(model.expected_log_px(x, mu, logvar), expected, rtol=1e-12)


def test_elbo_is_the_likelihood_minus_the_divergence_from_the_posterior(model, x):
    mu, logvar = randn(5, 2, seed=4), randn(5, 2, seed=5)
    posterior = MultivariateNormal(*map(torch.from_numpy, conditional(model, x)))
    gap = kl_divergence(MultivariateNormal(mu, torch.diag_embed(logvar.exp())), posterior)
    evidence = multivariate_normal(model.bias.numpy(), joint_covariance(model)[2:, 2:]).logpdf(x.numpy())
    np.testing.assert_allclose(model.elbo(x, mu, logvar), evidence - gap.numpy(), rtol=1e-11)
    assert (gap > 0.1).all()


def test_a_single_row_is_used_for_all_points(model, x):
    mu, logvar = randn(5, 2, seed=4), randn(5, 2, seed=5)

    def log_weights(*tensors: torch.Tensor) -> torch.Tensor:
        return model.log_weights(*tensors, 3, torch.Generator().manual_seed(9))

    for tensors in itertools.product((x, x[:1]), (mu, mu[:1]), (logvar, logvar[:1])):
        n = max(map(len, tensors))
        for function in (model.elbo, model.expected_log_px, log_weights):
            expected = function(*(tensor.expand(n, -1) for tensor in tensors))
            torch.testing.assert_close(function(*tensors), expected)


def test_maximum_likelihood_fixes_signs_and_omits_eigenvalues_below_the_noise(model):
    points = model.sample(50, torch.Generator().manual_seed(6))
    for signs in itertools.product((1.0, -1.0), repeat=4):  # for some of these, the signs of LAPACK's vectors differ
        weight = LinearGaussian.maximum_likelihood(points * torch.tensor(signs, dtype=points.dtype), 2, 0.5).weight
        assert (weight.gather(0, weight.abs().argmax(0, keepdim=True)) > 0).all()
        lengths = weight.norm(dim=0)
        assert lengths[0] > lengths[1] > 0
    variances = np.linalg.eigvalsh(np.cov(points.numpy(), rowvar=False, bias=True))[::-1]
    noise_sd = float(np.sqrt((variances[0] + variances[1]) / 2))
    weight = LinearGaussian.maximum_likelihood(points, 2, noise_sd).weight
    np.testing.assert_allclose((weight**2).sum(0), [variances[0] - noise_sd**2, 0], atol=1e-12)


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_maximum_likelihood_is_that_of_probabilistic_pca(latent_dim):
    points = LinearGaussian(randn(6, 3, seed=1), randn(6, seed=2), 0.5).sample(80, torch.Generator().manual_seed(3))
    mean = points.mean(0)
    # scikit-learn divides a covariance by n - 1, maximum likelihood by n; it also estimates the noise
    oracle = PCA(latent_dim).fit((mean + (points - mean) * math.sqrt(79 / 80)).numpy())
    best = LinearGaussian.maximum_likelihood(points, latent_dim, math.sqrt(oracle.noise_variance_))
    lengths = best.weight.norm(dim=0)
    np.testing.assert_allclose(best.bias, oracle.mean_, rtol=1e-12)
    np.testing.assert_allclose(lengths**2, oracle.explained_variance_ - oracle.noise_variance_, rtol=1e-10)
    np.testing.assert_allclose((best.weight / lengths).T.abs(), np.abs(oracle.components_), rtol=0, atol=1e-10)
    np.testing.assert_allclose(best.log_prob(points), oracle.score_samples(points.numpy()), rtol=1e-10)


def test_climb_ends_at_maximum_likelihood_and_at_the_posterior():
    points = LinearGaussian(randn(2, 1, seed=1), randn(2, seed=2), 0.5).sample(200, torch.Generator().manual_seed(3))
    found = climb(points, 1, 0.5)
    best = LinearGaussian.maximum_likelihood(points, 1, 0.5)
    posterior = best.posterior(points)
    sign = (found.model.weight * best.weight).sum().sign()
    torch.testing.assert_close(sign * found.model.weight, best.weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.model.bias, best.bias, atol=1e-4, rtol=0)
    torch.testing.assert_close(sign * found.mu, posterior.mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.logvar.exp(), posterior.covariance, atol=1e-4, rtol=0)
    assert len(found.objective) == len(found.log_px) == 400
    assert all(below <= above + 1e-12 for below, above in zip(found.objective, found.log_px, strict=True))
    top = best.log_prob(points).mean().item()
    assert found.objective[-1] == pytest.approx(top, abs=1e-6)
    assert max(found.log_px) <= top + 1e-12


def test_climb_with_beta_ends_at_the_weight_of_a_larger_noise():
    points = LinearGaussian(randn(2, 1, seed=1), randn(2, seed=2), 0.5).sample(200, torch.Generator().manual_seed(3))
    found = climb(points, 1, 0.5, beta=2.0)
    noisier = LinearGaussian.maximum_likelihood(points, 1, 0.5 * 2**0.5)
    assert noisier.weight.norm() > 0.1
    assert found.model.weight.norm().item() == pytest.approx(noisier.weight.norm().item(), abs=1e-4)


def test_log_weights_are_the_joint_density_over_q(model, x):
    mu, logvar = randn(5, 2, seed=4), randn(5, 2, seed=5)
    log_w = model.log_weights(x, mu, logvar, 3, torch.Generator().manual_seed(9))
    eps = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64).numpy()
    z = mu.numpy() + np.exp(0.5 * logvar.numpy()) * eps
    both = multivariate_normal(np.r_[np.zeros(2), model.bias.numpy()], joint_covariance(model))
    pairs = np.concatenate([z, np.broadcast_to(x.numpy(), (3, 5, 4))], axis=-1)
    q = norm(mu.numpy(), np.exp(0.5 * logvar.numpy())).logpdf(z).sum(-1)
    np.testing.assert_allclose(log_w, both.logpdf(pairs) - q, rtol=1e-11, atol=1e-11)


def test_samples_have_the_mean_and_covariance_of_the_model(model):
    n = 100_000
    x = model.sample(n, torch.Generator().manual_seed(6))
    covariance = joint_covariance(model)[2:, 2:]
    variance = np.diag(covariance)
    assert (np.abs((x.mean(0) - model.bias).numpy()) < 5 * np.sqrt(variance / n)).all()
    # the variance of a sample covariance of Gaussians is (c_ii c_jj + c_ij^2) / n
    sigma = np.sqrt((np.outer(variance, variance) + covariance**2) / n)
    assert (np.abs(np.cov(x.numpy(), rowvar=False) - covariance) < 5 * sigma).all()
    assert torch.equal(x, model.sample(n, torch.Generator().manual_seed(6)))
    assert not torch.equal(x, model.sample(n, torch.Generator().manual_seed(7)))


def test_log_weights_are_precise_for_a_very_narrow_q():
    model = LinearGaussian(torch.ones(3, 1, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), 0.5)
    x, mu = torch.ones(1, 3, dtype=torch.float64), torch.full((1, 1), 0.7, dtype=torch.float64)
    found = model.log_weights(x, mu, torch.full_like(mu, -120.0), 20, torch.Generator().manual_seed(1))
    eps = torch.randn(20, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_q = -0.5 * (math.log(2 * math.pi) - 120 + eps**2).sum(2)
    log_joint = Normal(mu, 0.5).log_prob(x).sum(1) + Normal(torch.zeros_like(mu), 1.0).log_prob(mu).sum(1)
    torch.testing.assert_close(found, log_joint - log_q, rtol=0, atol=1e-9)


@pytest.mark.usefixtures("unchecked")
def test_tensors_that_would_broadcast_are_refused():
    """Without a check, one column of x would be used for all columns, and one of mu for both latents."""
    weight, bias = torch.ones(3, 2, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    model = LinearGaussian(weight, bias, 0.5)
    x, mu = torch.zeros(4, 3, dtype=torch.float64), torch.zeros(4, 2, dtype=torch.float64)
    for wrong in (x[:, :1], x[0], x[None]):
        for function in (model.log_prob, model.posterior):
            with pytest.raises(InputError, match="x of shape"):
                function(wrong)
    for wrong in ((x[:, :1], mu, mu), (x, mu[:, :1], mu), (x, mu, mu[:, :1]), (x, mu[:3], mu), (x[:3], mu, mu)):
        for function in (model.expected_log_px, model.elbo, lambda *q: model.log_weights(*q, 2, torch.Generator())):
            with pytest.raises(InputError, match="shape"):
                function(*wrong)
    with pytest.raises(InputError, match="bias"):
        LinearGaussian(weight, bias[:, None], 0.5)
