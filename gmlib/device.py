"""Devices: where networks are trained."""

import contextlib

import torch

from gmlib.errors import InputError


def choose_device(name: torch.device | str) -> torch.device:
    """Return the device of this name, or for "auto" a GPU if there is one; raise InputError if this machine lacks it."""
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    kinds = [kind for kind, count in counts.items() if count]
    with contextlib.suppress(RuntimeError, TypeError):  # torch does not know this name
        device = torch.device(kinds[0] if name == "auto" else name)
        if (device.index or 0) < counts.get(device.type, 0):
            return device
    raise InputError(f"got device {str(name)!r}, expected auto or one that this machine has: {', '.join(kinds)}")
