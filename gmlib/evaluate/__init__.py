"""Measures: the same for every model."""

from gmlib.evaluate.likelihood import mean_elbo

__all__ = ["mean_elbo"]
