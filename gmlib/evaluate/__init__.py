"""Measures: the same for every model."""

from gmlib.evaluate.likelihood import log_likelihood, mean_elbo

__all__ = ["log_likelihood", "mean_elbo"]
