"""The classifier that gmlib ships."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Generator

from gmlib.errors import InputError, one_line
from gmlib.isolated import Isolated
from gmlib.models.classifier import Classifier


@cache
def shipped_classifier() -> Classifier:
    """Load the classifier that gmlib ships, in whose features samples are compared.

    Returns:
        The network, float32 on the CPU, in eval mode.

    Raises:
        InputError: if its weights are missing or damaged.
    """
    path = Path(str(files("gmlib") / "weights" / "classifier.safetensors"))
    # cached for the whole process, so it must not depend on torch's settings at the first call
    with torch.inference_mode(mode=False), Isolated(Generator()):
        classifier = Classifier()
    try:
        classifier.load_state_dict({k.removeprefix("classifier."): v for k, v in load_file(path).items()})
    except (SafetensorError, OSError, RuntimeError) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected the shipped classifier: install gmlib again, "
            "or train it again with gmlib train classifier --profile full --out runs/full/classifier"
        ) from error
    return classifier.eval().requires_grad_(False)
