"""A network drawn from its layers: the size of each output, in true proportions."""

import math
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor, nn

from gmlib.figures.style import COLOURS, INK, drawing
from gmlib.mode import eval_mode

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@torch.no_grad()
def layer_shapes(network: nn.Module, *inputs: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Run a network once, in eval mode, and return the output shape of each linear or convolutional layer.

    Args:
        network: any; its mode is restored.
        *inputs: a batch of each of its arguments.

    Returns:
        In the order of the forward pass: a description of the layer, and the shape of its output for one image.
    """
    found: list[tuple[str, tuple[int, ...]]] = []

    def note(layer: nn.Module, _: Any, output: Tensor) -> None:
        found.append((_described(layer), tuple(output.shape[1:])))

    hooks = [module.register_forward_hook(note) for module in network.modules() if isinstance(module, LAYERS)]
    try:
        with eval_mode(network):
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def network_drawing(networks: dict[str, tuple[Any, ...]]) -> Figure:
    """Draw networks layer by layer: a block is as high as the feature map, and deeper the more channels it has.

    Args:
        networks: title of each row to the network and a batch of each of its arguments, labels included.

    Returns:
        The figure.
    """
    with drawing(len(networks), height=2.3 * len(networks)) as (figure, axes):
        for ax, (title, (network, *inputs)) in zip(axes[:, 0], networks.items(), strict=True):
            blocks = [("", tuple(inputs[0].shape[1:])), *layer_shapes(network, *inputs)]
            largest = max(_size(shape)[1] for _, shape in blocks)
            x = 0.0
            for words, shape in blocks:
                channels, edge = _size(shape)
                depth, height = 0.12 + 0.16 * math.log2(1 + channels), max(2.4 * edge / largest, 0.12)
                if words:
                    ax.annotate("", (x + 1.25, 0), (x + 0.15, 0), arrowprops={"arrowstyle": "->", "color": INK})
                    ax.text(x + 0.7, 0.16, words, ha="center", va="bottom", fontsize=7.5)
                    x += 1.4
                _draw_block(ax, x, depth, height, COLOURS[1] if channels == 1 else COLOURS[0])
                ax.text(x + depth / 2, -height / 2 - 0.14, "×".join(map(str, shape)), ha="center", va="top", fontsize=8)
                x += depth + 0.3 * height
            ax.set_title(title, loc="left", fontsize=10)
            ax.set(xlim=(-0.4, x + 0.2), ylim=(-1.7, 2.1), aspect="equal")
            ax.axis("off")
    return figure


def _described(layer: Any) -> str:
    """Return the kind, kernel and stride of a layer in words."""
    if isinstance(layer, nn.Linear):
        return "linear"
    transposed = "transposed\n" if isinstance(layer, nn.ConvTranspose2d) else ""
    stride = f"\nstride {layer.stride[0]}" if layer.stride[0] > 1 else ""
    return f"{transposed}conv {layer.kernel_size[0]}×{layer.kernel_size[1]}{stride}"


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return channels and height of a feature map; a vector counts as many channels of one pixel."""
    return (shape[0], shape[1]) if len(shape) == 3 else (math.prod(shape), 1)


def _draw_block(ax: Axes, x: float, depth: float, height: float, colour: str) -> None:
    """Draw the front, top and side of a box in oblique projection."""
    lean, low, high = 0.3 * height, -height / 2, height / 2
    front = [(x, low), (x + depth, low), (x + depth, high), (x, high)]
    top = [(x, high), (x + lean, high + lean), (x + depth + lean, high + lean), (x + depth, high)]
    side = [(x + depth, low), (x + depth + lean, low + lean), top[2], top[3]]
    for corners, alpha in ((front, 0.35), (top, 0.2), (side, 0.5)):
        ax.add_patch(Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="none"))
        ax.add_patch(Polygon(corners, facecolor="none", edgecolor=INK, linewidth=0.6))
