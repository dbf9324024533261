"""Datasets of 28 × 28 grey images in memory, by name or from files, and shuffled mini-batches of them."""

from gmlib.data.batches import Batches, join_channels
from gmlib.data.dataset import ImageDataset, binarise, require_classes
from gmlib.data.idx import read_idx
from gmlib.data.known import KNOWN, known_folder
from gmlib.data.loading import SPLITS, load, mnist

__all__ = [
    "KNOWN",
    "SPLITS",
    "Batches",
    "ImageDataset",
    "binarise",
    "join_channels",
    "known_folder",
    "load",
    "mnist",
    "read_idx",
    "require_classes",
]
