"""A set of images in memory, and the binarisation of its pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from gmlib.errors import InputError
from gmlib.seeds import stream
from gmlib.shapes import Bytes, Image, Labels, whole


@dataclass(frozen=True, init=False, eq=False, repr=False)
class ImageDataset:
    """Grey 28 × 28 images as bytes, with their labels if there are any, and the names of the classes.

    `dataset[3]` and iteration return single images with their labels, so that `torch.utils.data.DataLoader(dataset)` works.
    `dataset[:100]` and `dataset[dataset.labels == 3]` return sets.
    """

    images: Bytes
    labels: Labels | None
    classes: tuple[str, ...]
    name: str

    def __init__(
        self,
        images: Tensor | np.ndarray,
        labels: Tensor | np.ndarray | None = None,
        classes: Sequence[str] | None = None,
        name: str = "own images",
    ) -> None:
        """Check and store the images, labels and names.

        Args:
            images: uint8 `(n, 1, 28, 28)` or `(n, 28, 28)`, a tensor or a numpy array; 0 is background and 255 is ink.
            labels: one integer per image, `(n,)`, from 0; kept as int64. None for images without labels.
            classes: one name per class; None names the classes "0", "1", … up to the largest label.
            name: dataset and split, as in "mnist5k/train"; it is written into the record of every run.

        Raises:
            InputError: if images, labels or names have another dtype, shape or range.
        """
        images = _checked_images(_tensor(images))
        labels = None if labels is None else _checked_labels(_tensor(labels), len(images))
        names = _class_names(classes, labels)
        for field, value in {"images": images, "labels": labels, "classes": names, "name": name}.items():
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        classes = f"{self.num_classes} classes" if self.labels is not None else "no labels"
        return f"ImageDataset({self.name!r}: {len(self)} images, {classes})"

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        """Return one image, or a set of some of the images.

        Args:
            index: a position; or a slice, a list of positions, or a tensor of positions or of booleans.

        Returns:
            For a position, the float image `(1, 28, 28)` in [0, 1] and its label as an int, or the image alone if the set
            has no labels. Otherwise an ImageDataset with the same name and classes.
        """
        position = whole(index)
        if position is None:
            return self._like(self.images[index], None if self.labels is None else self.labels[index])
        image = self.images[position].float() / 255
        return image if self.labels is None else (image, int(self.labels[position]))

    def _like(self, images: Tensor, labels: Tensor | None) -> "ImageDataset":
        """Return a set of other images with the same name and classes."""
        return ImageDataset(images, labels, None if labels is None else self.classes, self.name)

    def to(self, device: torch.device | str) -> "ImageDataset":
        """Return the same set, with images and labels on a device."""
        return self._like(self.images.to(device), None if self.labels is None else self.labels.to(device))

    def grey(self) -> Image:
        """Return the images as floats in [0, 1], `(n, 1, 28, 28)`."""
        return self.images.float() / 255

    def binarised(self, seed: int = 0) -> Image:
        """Draw each pixel once, with its grey value as the probability of ink, for evaluation.

        Args:
            seed: fixes the draw.

        Returns:
            `(n, 1, 28, 28)` of zeros and ones.

        Source: Salakhutdinov & Murray 2008, section 6.2.
        """
        return binarise(self.images, stream(seed, "binarised", self.images.device))

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 if the set has no labels."""
        return len(self.classes)

    @cached_property
    def digest(self) -> str:
        """A checksum of shape, images and labels: 16 hex digits that are the same on every device."""
        checksum = hashlib.sha256(str(tuple(self.images.shape)).encode())
        for tensor in (self.images, self.labels):
            checksum.update(b"none" if tensor is None else tensor.cpu().numpy().tobytes())
        return checksum.hexdigest()[:16]

    def require_labels(self) -> Labels:
        """Return the labels, int64 `(n,)`; raise InputError if the set has none."""
        if self.labels is None:
            raise InputError(
                f"got {self.name} without labels, expected one label per image: load the labels too, or choose "
                "a model and metrics that need none"
            )
        return self.labels


def _tensor(array: Any) -> Tensor:
    """Return a tensor as it is, and a numpy array as a tensor with its own memory."""
    return torch.from_numpy(np.array(array, order="C")) if isinstance(array, np.ndarray) else torch.as_tensor(array)


def _checked_images(images: Tensor) -> Tensor:
    """Return bytes of shape (n, 1, 28, 28)."""
    if images.dtype != torch.uint8 or images.shape[1:] not in ((28, 28), (1, 28, 28)):
        raise InputError(
            f"got images of {images.dtype} and shape {tuple(images.shape)}, expected torch.uint8 from 0 for background to 255 "
            "for ink, of shape (n, 1, 28, 28) or (n, 28, 28): scale floats with (255 * images).round().to(torch.uint8), and "
            "resize other images, as a folder of picture files is when it is loaded"
        )
    return images.unsqueeze(1) if images.ndim == 3 else images


def _checked_labels(labels: Tensor, n: int) -> Tensor:
    """Return n labels as int64."""
    integers = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if not integers or labels.shape != (n,):
        raise InputError(
            f"got labels of {labels.dtype} and shape {tuple(labels.shape)} for {n} images, expected integers of shape "
            f"({n},): give one label per image"
        )
    return labels.to(torch.int64)


def _class_names(classes: Sequence[str] | None, labels: Tensor | None) -> tuple[str, ...]:
    """Return one name per class; raise InputError for labels that have no name."""
    if labels is None:
        if classes is not None:
            raise InputError(
                f"got {len(classes)} class names for images without labels, expected both: give labels too"
            )
        return ()
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, -1)
    names = [str(i) for i in range(high + 1)] if classes is None else classes
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise InputError(f"got classes {names!r}, expected a list of names, such as ['a', 'b']: convert them with str")
    if low < 0 or high >= len(names):
        raise InputError(
            f"got labels from {low} to {high} with {len(names)} class names, expected labels from 0 to {len(names) - 1}: "
            "add the missing names, or number the classes 0, 1, 2, …"
        )
    return tuple(names)


def require_classes(dataset: ImageDataset) -> None:
    """Raise InputError if a class has no image, since metrics per class cannot be computed without one.

    Args:
        dataset: usually the test set.

    Raises:
        InputError: if the set has no labels, or a class has no image.
    """
    counts = torch.bincount(dataset.require_labels(), minlength=dataset.num_classes).tolist()
    empty = [name for name, count in zip(dataset.classes, counts, strict=True) if not count]
    if empty:
        raise InputError(
            f"got {dataset.name} without an image of class {', '.join(map(repr, empty))}, expected at least one image "
            f"of each of the {dataset.num_classes} classes: add images, or remove the class and its name"
        )


def binarise(images: Bytes, generator: Generator) -> Image:
    """Draw each pixel with its grey value as the probability of ink.

    A byte is compared with a uniform draw from 0 to 254, so that the probability is exactly value / 255.

    Args:
        images: uint8 `(n, 1, 28, 28)`, in any memory format.
        generator: random generator, on the device of the images.

    Returns:
        `(n, 1, 28, 28)` of zeros and ones.

    Raises:
        InputError: if the images have another dtype.
    """
    if images.dtype != torch.uint8:  # grey floats are below every threshold but 0, so that hardly a pixel would be ink
        raise InputError(
            f"got images of {images.dtype}, expected a tensor of torch.uint8 with ink at 255: give ImageDataset.images, or draw "
            "probabilities with torch.bernoulli"
        )
    # not empty_like, which takes the memory format of the images, and draws are written in the order of the memory
    thresholds = torch.empty(images.shape, dtype=torch.uint8, device=images.device)
    return (thresholds.random_(0, 255, generator=generator) < images).float()
