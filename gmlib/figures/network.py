"""A network drawn from itself: what each layer gives, in its true proportions."""

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.figures.style import COLOURS, INK, drawing
from gmlib.mode import eval_mode

LAYERS = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@torch.no_grad()
def planes(network: nn.Module, *inputs: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Run a network once and note what each of its weighted layers gives.

    Args:
        network: is put into eval mode for it, and back.
        *inputs: a batch of what it takes.

    Returns:
        In order of running: the layer in words, and the shape of what it gives for one image.

    Raises:
        InputError: if the network has no weighted layer.
    """
    seen: list[tuple[str, tuple[int, ...]]] = []

    def note(module: nn.Module, _: Any, output: Tensor) -> None:
        seen.append((_words(module), tuple(output.shape[1:])))

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, LAYERS)]
    try:
        with eval_mode(network):
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise InputError(
            f"got a {type(network).__name__} without a linear or convolutional layer, expected one: nothing to draw"
        )
    return seen


def network_drawing(networks: dict[str, tuple[Any, ...]]) -> Figure:
    """Draw networks layer by layer: a plane's edge is its height, a block's depth its channels.

    Args:
        networks: title to the network and what it takes, a batch of each argument; labels may be among them.

    Returns:
        The figure, a network a row.
    """
    with drawing(len(networks), height=2.3 * len(networks)) as (figure, axes):
        for ax, (title, (network, *inputs)) in zip(axes[:, 0], networks.items(), strict=True):
            blocks = [("", tuple(inputs[0].shape[1:])), *planes(network, *inputs)]
            largest = max(_size(shape)[1] for _, shape in blocks)
            x = 0.0
            for words, shape in blocks:
                channels, edge = _size(shape)
                depth, height = 0.12 + 0.16 * math.log2(1 + channels), max(2.4 * edge / largest, 0.12)
                if words:
                    ax.annotate("", (x + 1.25, 0), (x + 0.15, 0), arrowprops={"arrowstyle": "->", "color": INK})
                    ax.text(x + 0.7, 0.16, words, ha="center", va="bottom", fontsize=7.5)
                    x += 1.4
                _block(ax, x, depth, height, COLOURS[1] if channels == 1 else COLOURS[0])
                ax.text(x + depth / 2, -height / 2 - 0.14, "×".join(map(str, shape)), ha="center", va="top", fontsize=8)
                x += depth + 0.3 * height
            ax.set_title(title, loc="left", fontsize=10)
            ax.set(xlim=(-0.4, x + 0.2), ylim=(-1.7, 2.1), aspect="equal")
            ax.axis("off")
    return figure


def _words(layer: Any) -> str:
    """Say what a layer does."""
    if isinstance(layer, nn.Linear):
        return "linear"
    turned = "transposed\n" if isinstance(layer, nn.ConvTranspose2d) else ""
    stride = f"\nstride {layer.stride[0]}" if layer.stride[0] > 1 else ""
    return f"{turned}conv {layer.kernel_size[0]}×{layer.kernel_size[1]}{stride}"


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Give channels, and height of the plane: a vector is many channels of one pixel."""
    return (shape[0], shape[1]) if len(shape) == 3 else (math.prod(shape), 1)


def _block(ax: Any, x: float, depth: float, height: float, colour: str) -> None:
    """Draw a box: its front is as wide as it has channels, its side as high as the plane."""
    lean = 0.3 * height
    front = [(x, -height / 2), (x + depth, -height / 2), (x + depth, height / 2), (x, height / 2)]
    top = [
        (x, height / 2),
        (x + lean, height / 2 + lean),
        (x + depth + lean, height / 2 + lean),
        (x + depth, height / 2),
    ]
    side = [(x + depth, -height / 2), (x + depth + lean, -height / 2 + lean), top[2], top[3]]
    for corners, alpha in ((front, 0.35), (top, 0.2), (side, 0.5)):
        ax.add_patch(Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="none"))
        ax.add_patch(Polygon(corners, facecolor="none", edgecolor=INK, linewidth=0.6))
