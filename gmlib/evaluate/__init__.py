"""Measures: the same for every model."""

from gmlib.evaluate.classifier import shipped_classifier
from gmlib.evaluate.conditional import digits_covered, histogram_kl, label_accuracy, predict
from gmlib.evaluate.features import extract
from gmlib.evaluate.fidelity import fid, frechet_distance, kernel_distance, kid
from gmlib.evaluate.latents import posterior_means
from gmlib.evaluate.likelihood import (
    integrated_log_likelihood,
    log_likelihood,
    log_likelihood_by_label,
    mean_elbo,
    sum_out_labels,
)
from gmlib.evaluate.neighbours import coverage, density, density_coverage, manifold_overlap, precision_recall
from gmlib.evaluate.samples import measure_samples
from gmlib.evaluate.scorer import Scorer, shipped_scorer
from gmlib.evaluate.stacks import count_modes, read_stacks
from gmlib.evaluate.validation import validate_classifier, validate_gan, validate_vae

__all__ = [
    "Scorer",
    "count_modes",
    "coverage",
    "density",
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
