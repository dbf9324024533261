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
    """Return the classifier of MNIST that gmlib ships, float32 on the CPU, in eval mode; FID compares its features."""
    path = Path(str(files("gmlib") / "weights" / "classifier.safetensors"))
    # the network is kept for the whole process, so it must not depend on torch's modes and defaults at the first call
    with torch.inference_mode(mode=False), Isolated(Generator()):
        classifier = Classifier()
    try:
        classifier.load_state_dict(
            {name.removeprefix("classifier."): weight for name, weight in load_file(path).items()}
        )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected the shipped classifier: install gmlib again, "
            "or train it again with gmlib train classifier --profile full --out runs/full/classifier"
        ) from error
    return classifier.eval().requires_grad_(False)
