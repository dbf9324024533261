"""Devices: where networks are trained."""

import torch

from gmlib.errors import InputError


def choose_device(name: torch.device | str) -> torch.device:
    """Return the device of this name, or for "auto" a GPU if there is one; raise InputError if this machine lacks it."""
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    present = [kind for kind, count in counts.items() if count]
    try:
        device = torch.device(present[0] if name == "auto" else name)
        there = (device.index or 0) < counts.get(device.type, 0)
    except (RuntimeError, TypeError):  # not the name of a device
        there = False
    if not there:
        raise InputError(f"got device {str(name)!r}, expected auto or one that this machine has: {', '.join(present)}")
    return device
