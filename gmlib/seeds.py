"""Random numbers: one seed a run, and from it a stream of its own for every purpose."""

import hashlib

import torch
from torch import Generator

from gmlib.errors import InputError
from gmlib.numbers import whole


def require_seed(seed: int) -> int:
    """Return a seed as a Python number, and refuse one that not every generator takes.

    Args:
        seed: a whole number, of Python, numpy or torch.

    Returns:
        The Python number that it equals: seeds go into hashes and into JSON.

    Raises:
        InputError: if it is not a whole number, negative or above 2³¹ - 1.
    """
    number = whole(seed)
    if number is None or not 0 <= number < 2**31:
        raise InputError(f"got seed {seed!r}, expected a whole number from 0 to 2,147,483,647: choose another")
    return number


def require_device(generator: Generator | None, device: torch.device) -> None:
    """Refuse a generator that cannot draw on a device.

    Args:
        generator: to draw with, or None.
        device: where the numbers are wanted.

    Raises:
        InputError: if it is on another kind of device.
    """
    if generator is not None and generator.device.type != device.type:
        raise InputError(
            f"got a generator on {generator.device} for tensors on {device}, expected one on {device}: "
            f"make it with torch.Generator({device.type!r})"
        )


def substream(seed: int, purpose: str) -> int:
    """Give the seed of one purpose, such that no two purposes and no two runs draw the same numbers.

    Args:
        seed: of the run.
        purpose: such as "latents".

    Returns:
        A whole number below 2⁶³: the head of the sha256 of both.

    Raises:
        InputError: as for `require_seed`.
    """
    return int.from_bytes(hashlib.sha256(f"{purpose} {require_seed(seed)}".encode()).digest()[:8], "big") >> 1


def stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> Generator:
    """Begin the stream of one purpose.

    Args:
        seed: of the run.
        purpose: such as "latents".
        device: where the numbers are drawn.

    Returns:
        A fresh generator.
    """
    return Generator(device).manual_seed(substream(seed, purpose))
