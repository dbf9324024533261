"""Shuffled mini-batches, and images joined along their channels."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from gmlib.data.dataset import ImageDataset, binarise
from gmlib.errors import InputError
from gmlib.parallel import require_divisible, shard
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels


def join_channels(x: Shaped[Tensor, "b c h w"], m: int) -> Shaped[Tensor, "b_m mc h w"]:
    """Join every m consecutive images into one image, along its channels.

    Args:
        x: images `(b, c, h, w)`.
        m: number of images to join, a divisor of b.

    Returns:
        `(b / m, m c, h, w)`.

    Raises:
        InputError: if x is not a batch of images.

    Source: Lin, Khetan, Fanti & Oh 2018 for PacGAN, whose critic takes m joined images; Metz, Poole, Pfau & Sohl-Dickstein 2017
        for stacked MNIST, whose images are m joined digits.
    """
    if x.ndim != 4:
        raise InputError(
            f"got images of shape {tuple(x.shape)} to join, expected (b, c, h, w): unsqueeze(1) adds the channel"
        )
    return x.unflatten(0, (-1, m)).flatten(1, 2)


class Batches:
    """An infinite stream of shuffled mini-batches; each iteration yields one epoch. Its position can be saved and restored.

    The images stay in memory as bytes, and each batch is scaled or binarised when it is yielded. Every image comes at most
    once per epoch, in an order that depends only on the seed and the epoch. A last batch that is not full is dropped: its
    images would have a larger weight, and batch norm cannot use a single image.
    """

    def __init__(
        self, dataset: ImageDataset, batch_size: int, *, binarised: bool, stack: int = 1, seed: int = 0
    ) -> None:
        """Prepare the batches of epoch 0.

        Args:
            dataset: the images; batches are on its device.
            batch_size: images per batch.
            binarised: whether pixels are drawn anew for each batch (for likelihoods) or stay grey.
            stack: number of digits that are joined into one image, each as one channel.
            seed: fixes the order and the binarisation.

        Raises:
            InputError: if an epoch has no batch, or a batch cannot be divided equally among the processes.
        """
        if not 1 <= batch_size * stack <= len(dataset):
            raise InputError(
                f"got batch size {batch_size} in stacks of {stack} for {len(dataset)} images of {dataset.name}, expected 1 to "
                f"{len(dataset)} images per batch: choose a smaller batch or more data"
            )
        require_divisible(batch_size)
        self.dataset = dataset
        self.batch_size = batch_size
        self.stack = stack
        self.binarised = binarised
        self.seed = seed
        self.epoch = 0
        self.position = 0  # batches of this epoch that have been yielded
        self.generator = stream(seed, "binarisation", dataset.images.device)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return len(self.dataset) // (self.batch_size * self.stack)

    def __iter__(self) -> Iterator[tuple[Image, Labels | None]]:
        """Yield the rest of this epoch, then move on to the next epoch.

        Yields:
            Images `(b, stack, 28, 28)` in [0, 1]; and labels `(b,)`, those of the first channels, or None if the set has no
            labels. Each of several processes gets its own rows of the batch.
        """
        images, labels, rows_of_this_process = self.dataset.images, self.dataset.labels, shard()
        shuffle = stream(self.seed, f"order of epoch {self.epoch}")
        order = torch.randperm(len(images), generator=shuffle, device="cpu").to(images.device)
        for index in order.split(self.batch_size * self.stack)[self.position : len(self)]:
            self.position += 1
            batch = join_channels(images.index_select(0, index), self.stack)
            x = binarise(batch, self.generator) if self.binarised else batch.float() / 255
            y = None if labels is None else rows_of_this_process(labels[index[:: self.stack]])
            yield rows_of_this_process(x), y
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the stream: epoch, batches yielded, and the generator's state."""
        return {"epoch": self.epoch, "position": self.position, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a position that `state_dict` returned."""
        self.epoch, self.position = state["epoch"], state["position"]
        self.generator.set_state(state["generator"])
