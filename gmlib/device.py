"""Devices: where networks are trained."""

import torch

from gmlib.errors import InputError


def choose_device(name: torch.device | str) -> torch.device:
    """Turn the name of a device into one that this machine has.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1" or "mps"; "auto" takes a GPU if there is one.

    Returns:
        The device.

    Raises:
        InputError: if there is no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    try:
        device = torch.device(name)
        known = available.get(device.type, False)
        there = known and (device.type != "cuda" or (device.index or 0) < torch.cuda.device_count())
    except (RuntimeError, TypeError):  # no name of a device
        there = False
    if not there:
        kinds = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise InputError(f"got device {str(name)!r}, expected auto or one that this machine has ({kinds})")
    return device
