"""Random numbers: one seed per run, and from it a separate stream for every purpose."""

import hashlib

import torch
from torch import Generator

from gmlib.errors import InputError
from gmlib.shapes import whole


def require_seed(seed: int) -> int:
    """Return a seed as a Python integer; raise InputError for one that is not a whole number or out of range."""
    number = whole(seed)
    if number is None or not 0 <= number < 2**31:
        raise InputError(f"got seed {seed!r}, expected a whole number from 0 to 2,147,483,647: choose another")
    return number


def substream(seed: int, purpose: str) -> int:
    """Return the seed of one purpose, such as "latents": 63 bits of the sha256 of the purpose and the run's seed."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {require_seed(seed)}".encode()).digest()[:8], "big") >> 1


def stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> Generator:
    """Return a new random generator on a device, for one purpose of a run with this seed."""
    return Generator(device).manual_seed(substream(seed, purpose))
