"""Drawings of networks: one block per layer, with the size of its output."""

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
    """Return a description of each linear or convolutional layer, and the shape of its output for one image.

    The layers are in the order of a forward pass in eval mode; `inputs` are a batch of each argument of the network.
    """
    shapes: list[tuple[str, tuple[int, ...]]] = []

    def record(layer: nn.Module, _: Any, output: Tensor) -> None:
        shapes.append((_description(layer), tuple(output.shape[1:])))

    hooks = [module.register_forward_hook(record) for module in network.modules() if isinstance(module, LAYERS)]
    try:
        with eval_mode(network):
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def network_drawing(networks: dict[str, tuple[Any, ...]]) -> Figure:
    """Draw networks layer by layer: a block's height is that of the feature map, its depth grows with the channels.

    `networks` maps the title of each row to the network and a batch of each of its arguments, labels included.
    """
    with drawing(len(networks), height=2.3 * len(networks)) as (figure, axes):
        for ax, (title, (network, *inputs)) in zip(axes[:, 0], networks.items(), strict=True):
            blocks = [("", tuple(inputs[0].shape[1:])), *layer_shapes(network, *inputs)]
            largest = max(_channels_and_height(shape)[1] for _, shape in blocks)
            x = 0.0  # left edge of the next block
            for description, shape in blocks:
                channels, pixels = _channels_and_height(shape)
                # in units of the axes; the logarithm keeps the blocks of many channels narrow
                depth, height = 0.12 + 0.16 * math.log2(1 + channels), max(2.4 * pixels / largest, 0.12)
                if description:
                    ax.annotate("", (x + 1.25, 0), (x + 0.15, 0), arrowprops={"arrowstyle": "->", "color": INK})
                    ax.text(x + 0.7, 0.16, description, ha="center", va="bottom", fontsize=7.5)
                    x += 1.4
                _draw_block(ax, x, depth, height, COLOURS[1] if channels == 1 else COLOURS[0])
                ax.text(x + depth / 2, -height / 2 - 0.14, "×".join(map(str, shape)), ha="center", va="top", fontsize=8)
                x += depth + 0.3 * height
            ax.set_title(title, loc="left", fontsize=10)
            ax.set(xlim=(-0.4, x + 0.2), ylim=(-1.7, 2.1), aspect="equal")
            ax.axis("off")
    return figure


def _description(layer: Any) -> str:
    """Return the kind, kernel and stride of a layer as text."""
    if isinstance(layer, nn.Linear):
        return "linear"
    transposed = "transposed\n" if isinstance(layer, nn.ConvTranspose2d) else ""
    stride = f"\nstride {layer.stride[0]}" if layer.stride[0] > 1 else ""
    return f"{transposed}conv {layer.kernel_size[0]}×{layer.kernel_size[1]}{stride}"


def _channels_and_height(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return channels and height of a feature map; the numbers of a vector are channels of a single pixel."""
    return (shape[0], shape[1]) if len(shape) == 3 else (math.prod(shape), 1)


def _draw_block(ax: Axes, x: float, depth: float, height: float, colour: str) -> None:
    """Draw the front, top and side of a box in oblique projection."""
    shift, low, high = 0.3 * height, -height / 2, height / 2  # the back is shifted to the right and upwards
    front = [(x, low), (x + depth, low), (x + depth, high), (x, high)]
    top = [(x, high), (x + shift, high + shift), (x + depth + shift, high + shift), (x + depth, high)]
    side = [(x + depth, low), (x + depth + shift, low + shift), top[2], top[3]]
    for corners, alpha in ((front, 0.35), (top, 0.2), (side, 0.5)):
        ax.add_patch(Polygon(corners, facecolor=colour, alpha=alpha, edgecolor="none"))
        ax.add_patch(Polygon(corners, facecolor="none", edgecolor=INK, linewidth=0.6))
