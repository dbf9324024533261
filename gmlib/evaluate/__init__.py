"""Measures: the same for every model."""

from gmlib.evaluate.classifier import Classifier, fit_classifier, shipped_classifier
from gmlib.evaluate.conditional import digits_covered, histogram_kl, label_accuracy, predict
from gmlib.evaluate.features import extract
from gmlib.evaluate.fidelity import fid, frechet_distance, kernel_distance, kid
from gmlib.evaluate.likelihood import (
    integrated_log_likelihood,
    log_likelihood,
    log_likelihood_by_label,
    mean_elbo,
    sum_out_labels,
)
from gmlib.evaluate.neighbours import coverage, density, density_coverage, manifold_overlap, precision_recall
from gmlib.evaluate.samples import measure_samples
from gmlib.evaluate.stacks import count_modes, read_stacks

__all__ = [
    "Classifier",
    "count_modes",
    "coverage",
    "density",
    "density_coverage",
    "digits_covered",
    "extract",
    "fid",
    "fit_classifier",
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
    "precision_recall",
    "predict",
    "read_stacks",
    "shipped_classifier",
    "sum_out_labels",
]
