"""What the tests share: one thread, made-up digits, and a check of an error's sentence."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import jaxtyping
import pytest
import torch

os.environ.setdefault("MPLBACKEND", "Agg")
torch.set_num_threads(1)  # bit-for-bit comparisons hold for a fixed number of threads

LONG = ("test_zoo.py", "test_recipes.py", "test_cli.py")

Refused = Callable[..., AbstractContextManager[None]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files, so that no worker is alone with one at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture
def refused() -> Refused:
    """A block that has to end in gmlib's own error: one line of text, with all of these parts in it."""
    from gmlib import InputError

    @contextmanager
    def check(*parts: str) -> Iterator[None]:
        with pytest.raises(InputError) as caught:
            yield
        text = str(caught.value)
        assert "\n" not in text
        assert [part for part in parts if part not in text] == [], text

    return check


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switch the shape checks of jaxtyping off, as they are for a reader, so that gmlib's own sentence is heard."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def made_up():
    """64 made-up digits: a bar of ink whose height in the image tells the label."""
    from gmlib import ImageDataset

    labels = torch.arange(64) % 10
    images = torch.full((64, 1, 28, 28), 8, dtype=torch.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 2 * label : 2 * label + 8, 6:22] = 240
    return ImageDataset(images, labels, name="made-up/train")


def instead(monkeypatch, dataset) -> None:
    """Let every set that is loaded by its name be this one, under the name that was asked for."""
    from gmlib import ImageDataset

    def load(source, split, root=None, **_):
        return ImageDataset(dataset.images, dataset.labels, dataset.classes or None, f"{source}/{split}")

    for place in ("experiments.fit", "experiments.evaluate", "measuring"):
        monkeypatch.setattr(f"gmlib.{place}.load", load)


@pytest.fixture
def few_digits(made_up, monkeypatch):
    """Let recipes train and measure on the made-up digits, under the name of every known set, with few draws.

    In place of the classifier's features stands the mean ink, since FID wants more images than features.
    """
    instead(monkeypatch, made_up)
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 5)
    monkeypatch.setattr(
        "gmlib.metrics.validation.fid", lambda samples, reference, _: float((samples - reference).square().mean())
    )
    monkeypatch.setattr(
        "gmlib.metrics.models.measure_samples",
        lambda samples, reference, floor, *_, **__: {
            "fid": round(1000 * float((samples.mean() - reference.mean()) ** 2), 4),
            "fid_real": round(1000 * float((floor.mean() - reference.mean()) ** 2), 4),
        },
    )
    return made_up


@pytest.fixture
def always(monkeypatch):
    """A checkpoint after each step."""
    from gmlib.training.checkpoint import Folder

    monkeypatch.setattr(Folder, "save_if_due", Folder.save)
