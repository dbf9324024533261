"""Experiments: train a recipe on a dataset, keep the run on disk, measure it."""
