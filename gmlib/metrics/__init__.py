"""Metrics, the same for every model."""

from gmlib.metrics.classifier import shipped_classifier
from gmlib.metrics.features import extract
from gmlib.metrics.frechet import fid, frechet_distance, kernel_distance, kid
from gmlib.metrics.labels import digits_covered, histogram_kl, label_accuracy, predict
from gmlib.metrics.latents import posterior_means
from gmlib.metrics.likelihood import (
    integrated_log_likelihood,
    log_likelihood,
    log_likelihood_by_label,
    mean_elbo,
    sum_out_labels,
)
from gmlib.metrics.neighbours import density_coverage, manifold_overlap, precision_recall
from gmlib.metrics.samples import measure_samples
from gmlib.metrics.scorer import Scorer, shipped_scorer
from gmlib.metrics.stacked_mnist import count_modes, read_stacks
from gmlib.metrics.validation import validate_classifier, validate_gan, validate_vae

__all__ = [
    "Scorer",
    "count_modes",
    "density_coverage",
    "digits_covered",
    "extract",
    "fid",
    "frechet_distance",
    "histogram_kl",
    "integrated_log_likelihood",
    "kernel_distance",
    "kid",
    "label_accuracy",
    "log_likelihood",
    "log_likelihood_by_label",
    "manifold_overlap",
    "mean_elbo",
    "measure_samples",
    "posterior_means",
    "precision_recall",
    "predict",
    "read_stacks",
    "shipped_classifier",
    "shipped_scorer",
    "sum_out_labels",
    "validate_classifier",
    "validate_gan",
    "validate_vae",
]
