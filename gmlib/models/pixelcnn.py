"""PixelCNN: masked convolutions, and the plain and the gated network that they form.

A network computes the logits of p(x) = Π p(x_i | x_1, …, x_{i-1}), over binary pixels in raster order. It may have one of two
conditions: a bias condition `(b, d)`, which is z and the one-hot label and changes the biases of each layer; or a spatial
condition `(b, k, h, w)`, a feature map made from z that each layer adds.

Sources: [a] van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks; [b] van den Oord et al. 2016,
Conditional Image Generation with PixelCNN Decoders.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Literal, NamedTuple, TypeVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.shapes import Image, require_image

Mask = Literal["A", "B"]  # A hides the kernel's centre, where the input is the image; B shows it, in all other layers
END = {"A": 0, "B": 1}  # first column offset, from the centre, that a mask hides in the kernel's own row
FeatureMap = Float[Tensor, "b _c _h _w"]
Condition = Float[Tensor, "b _d"] | FeatureMap
T = TypeVar("T")
Apply = Callable[["CausalLayer", Sequence[T]], T]  # (layer, inputs) -> output of the layer


class ShiftedConv2d(nn.Conv2d):
    """A convolution without bias whose kernel covers a rectangle of offsets: range(-3, 0) for the three rows above."""

    def __init__(self, inputs: int, outputs: int, rows: range, columns: range) -> None:
        """Build a kernel of these row and column offsets from the output pixel."""
        super().__init__(inputs, outputs, (len(rows), len(columns)), bias=False)
        self.rows, self.columns = rows, columns

    def forward(self, input: FeatureMap) -> FeatureMap:
        """Convolve `(b, inputs, h, w)` to `(b, outputs, h, w)`, with zeros beyond the edges."""
        # negative padding crops: a kernel that covers only rows above needs no row below
        padding = (-self.columns[0], self.columns[-1], -self.rows[0], self.rows[-1])
        return F.conv2d(F.pad(input, padding) if any(padding) else input, self.weight)


def conv1x1(inputs: int, outputs: int) -> ShiftedConv2d:
    """Return a 1×1 convolution without bias."""
    return ShiftedConv2d(inputs, outputs, range(1), range(1))


class MaskedConv2d(nn.Module):
    """A masked convolution without bias: its kernel covers the rows above, and the pixels to the left in its own row.

    A mask would multiply the rest of the kernel by zero. Here the two visible shifted_convolutions are two smaller convolutions.
    Source: [a], section 3.4.
    """

    def __init__(self, mask: Mask, inputs: int, outputs: int, kernel: int) -> None:
        """Build a kernel of so many rows and columns, an odd number of at least 3; mask B also covers its centre."""
        super().__init__()
        r = radius(kernel)
        self.above = ShiftedConv2d(inputs, outputs, range(-r, 0), range(-r, r + 1))
        self.left = ShiftedConv2d(inputs, outputs, range(1), range(-r, END[mask]))

    def forward(self, input: FeatureMap) -> FeatureMap:
        """Convolve `(b, inputs, h, w)` to `(b, outputs, h, w)`, with zeros beyond the edges."""
        return self.above(input) + self.left(input)


def radius(kernel: int) -> int:
    """Return the number of rows between a kernel's centre and its edge."""
    if kernel < 3 or kernel % 2 == 0:
        raise InputError(f"got a kernel of {kernel}, expected an odd number of at least 3, so that it has a centre")
    return kernel // 2


def shifted_convolutions(convolution: nn.Module) -> list[ShiftedConv2d]:
    """Return the shifted_convolutions of offsets that a kernel consists of."""
    return [module for module in convolution.modules() if isinstance(module, ShiftedConv2d)]


class Sizes(NamedTuple):
    """Sizes of the bias condition and channels of the spatial condition; 0 for none."""

    bias: int = 0
    spatial: int = 0


class GatedActivation(nn.Module):
    r"""The gated activation unit $\tanh(a) \odot \sigma(b)$, dropout, and a 1×1 convolution.

    Source: [b], equation 2 and figure 2; there without dropout.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        """Build a unit of so many output channels; dropout is the share of them that is set to 0 in training."""
        super().__init__()
        self.dropout = dropout
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Halve the channels of feature maps `(b, c, h, w)`, or of the pixels of a wavefront `(b, pixels, c)`."""
        dim = 1 if features.ndim == 4 else -1
        a, b = features.chunk(2, dim)
        gated = F.dropout(a.tanh() * b.sigmoid(), self.dropout, self.training)
        return self.conv(gated) if dim == 1 else F.linear(gated, self.conv.weight.flatten(1), self.conv.bias)


class CausalLayer(nn.Module):
    """A sum of convolutions, one per input, and of conditions and biases; then an activation and a residual connection."""

    def __init__(
        self,
        convolutions: Sequence[ShiftedConv2d | MaskedConv2d],
        channels: int,
        sizes: Sizes,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        residual: bool = False,
    ) -> None:
        """Build the layer; channels are those after the activation, and a residual connection adds the first input."""
        super().__init__()
        outputs = shifted_convolutions(convolutions[0])[0].out_channels
        self.channels, self.residual = channels, residual
        self.convolutions = nn.ModuleList(convolutions)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.spatial = conv1x1(sizes.spatial, outputs) if sizes.spatial else None
        self.condition = nn.Linear(sizes.bias, outputs, bias=False) if sizes.bias else None
        self.activation = activation()

    def biases(self, condition: Condition) -> Float[Tensor, "b o"]:
        """Return the bias of each image and channel; a spatial condition does not change it."""
        return self.bias.expand(len(condition), -1) + (self.condition(condition) if self.condition else 0.0)

    def forward(self, inputs: Sequence[FeatureMap], condition: Condition) -> FeatureMap:
        """Compute a feature map from one input per convolution."""
        features = reduce(torch.add, [conv(x) for conv, x in zip(self.convolutions, inputs, strict=True)])
        if self.spatial:
            features = features + self.spatial(condition)
        # biases are float32: the cast keeps feature maps in bfloat16 where convolutions compute in it
        features = features + self.biases(condition).to(features.dtype)[:, :, None, None]
        output = self.activation(features)
        return output + inputs[0] if self.residual else output


class GatedBlock(nn.Module):
    """One layer of the vertical stack, and one of the horizontal stack; with mask B both have residual connections.

    The vertical stack depends on rows above only. Its output at a pixel thus holds no pixel of that row, and a kernel with
    mask B may cover its own row on both sides. Source: [b], figure 2; there only the horizontal stack has a residual connection.
    """

    def __init__(
        self, mask: Mask, inputs: int, channels: int, kernel: int, rows_above: int, sizes: Sizes, dropout: float
    ) -> None:
        """Build both layers; the vertical kernel covers `rows_above` rows."""
        super().__init__()
        r, end = radius(kernel), END[mask]
        activation = partial(GatedActivation, channels, dropout)
        layer = partial(CausalLayer, channels=channels, sizes=sizes, activation=activation, residual=mask == "B")
        vertical = ShiftedConv2d(inputs, 2 * channels, range(-rows_above, end), range(-r, r + 1))
        horizontal = ShiftedConv2d(inputs, 2 * channels, range(1), range(-r, end))
        self.vertical = layer([vertical])
        self.horizontal = layer([horizontal, conv1x1(channels, 2 * channels)])


class CausalNetwork(nn.Module, ABC):
    """A network that computes the logit of each pixel from the pixels before it in raster order."""

    def __init__(self, bias_condition: int = 0, spatial_condition: int = 0) -> None:
        """Keep the sizes of the conditions."""
        super().__init__()
        self.sizes = Sizes(bias_condition, spatial_condition)

    @abstractmethod
    def connect(self, image: T, apply: Apply[T]) -> T:
        """Apply each layer to its inputs, and return the output of the last.

        `forward` passes feature maps through the layers; the fast sampler passes numbers of feature maps, to list which layer
        has which inputs.
        """

    def forward(self, x: Image, condition: Condition | None = None) -> FeatureMap:
        """Compute the logit of each pixel, given the pixels before it.

        Args:
            x: images `(b, 1, h, w)` in [0, 1].
            condition: a bias or a spatial condition; None for an unconditional network.

        Returns:
            Logits `(b, 1, h, w)`.

        Raises:
            InputError: if x is not a batch of images with one channel, or the condition does not fit.
        """
        require_image(x, (1, None, None))
        given = self.checked_condition(condition, x)
        return self.connect(x, lambda layer, inputs: layer(inputs, given))

    def checked_condition(self, condition: Condition | None, x: Image) -> Condition:
        """Return the condition, of size 0 for None, if it fits the network and has one row per image."""
        condition = x.new_zeros(len(x), 0) if condition is None else condition
        bias, channels = self.sizes
        axes, size = (4, channels) if channels else (2, bias)
        if condition.ndim != axes or tuple(condition.shape[:2]) != (len(x), size):
            expected = f"({len(x)}, {size}, h, w), a spatial" if channels else f"({len(x)}, {size}), a bias"
            found = tuple(condition.shape)
            raise InputError(f"got a condition of shape {found}, expected {expected} condition per image")
        return condition


class PixelCNN(CausalNetwork):
    """A stack of masked convolutions. Its receptive field has a blind spot, above and to the right. Source: [a], section 3."""

    def __init__(
        self,
        bias_condition: int = 0,
        spatial_condition: int = 0,
        *,
        channels: int = 64,
        layers: int = 7,
        kernel: int = 7,
        inner_kernel: int = 3,
    ) -> None:
        """Build the network.

        Args:
            bias_condition: size of z and one-hot label; 0 for none.
            spatial_condition: channels of the feature map made from z; 0 for none.
            channels: of every feature map.
            layers: masked convolutions; the first has mask A.
            kernel: of the first, an odd number of at least 3.
            inner_kernel: of the others.
        """
        super().__init__(bias_condition, spatial_condition)
        first = CausalLayer([MaskedConv2d("A", 1, channels, kernel)], channels, self.sizes)
        self.layers = cast(list[CausalLayer], nn.ModuleList([first]))
        for _ in range(layers - 1):
            inner = MaskedConv2d("B", channels, channels, inner_kernel)
            self.layers.append(CausalLayer([inner], channels, self.sizes, residual=True))
        self.logits = CausalLayer([conv1x1(channels, 1)], 1, Sizes(), activation=nn.Identity)
        self.to(memory_format=torch.channels_last)  # convolutions are faster

    def connect(self, image: T, apply: Apply[T]) -> T:
        """Connect the masked convolutions in a row; all but the first have residual connections."""
        h = image
        for layer in self.layers:
            h = apply(layer, [h])
        return apply(self.logits, [h])


class GatedPixelCNN(CausalNetwork):
    """Gated blocks of a vertical and a horizontal stack. Its receptive field has no blind spot. Source: [b], section 2."""

    def __init__(
        self,
        bias_condition: int = 0,
        spatial_condition: int = 0,
        *,
        channels: int = 64,
        layers: int = 7,
        kernel: int = 7,
        inner_kernel: int = 3,
        rows_above: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            bias_condition: size of z and one-hot label; 0 for none.
            spatial_condition: channels of the feature map made from z; 0 for none.
            channels: of every feature map.
            layers: gated blocks; the first has mask A.
            kernel: of the first, an odd number of at least 3.
            inner_kernel: of the others.
            rows_above: rows above that the vertical kernels of the others cover; None for half of the inner kernel.
            dropout: share of the gated features that is set to 0 in training.
        """
        super().__init__(bias_condition, spatial_condition)
        rows = radius(inner_kernel) if rows_above is None else rows_above
        first = GatedBlock("A", 1, channels, kernel, radius(kernel), self.sizes, dropout)
        self.blocks = cast(list[GatedBlock], nn.ModuleList([first]))
        for _ in range(layers - 1):
            self.blocks.append(GatedBlock("B", channels, channels, inner_kernel, rows, self.sizes, dropout))
        self.logits = CausalLayer([conv1x1(channels, 1)], 1, Sizes(), activation=nn.Identity)
        self.to(memory_format=torch.channels_last)  # convolutions are faster

    def connect(self, image: T, apply: Apply[T]) -> T:
        """Connect the blocks; the logits are computed from the horizontal stack."""
        v = h = image
        for block in self.blocks:
            v = apply(block.vertical, [v])
            h = apply(block.horizontal, [h, v])
        return apply(self.logits, [h])


def receptive_field(
    network: CausalNetwork, x: Image, row: int, column: int, condition: Condition | None = None
) -> Float[Tensor, "_h _w"]:
    r"""Return the receptive field of one pixel's logit $l_{rc}$, measured by gradients.

    $$\sum_n \left| \frac{\partial l_{rc}(x_n)}{\partial x_n} \right|$$

    Args:
        network: from images to logits.
        x: images `(n, 1, h, w)`; gradients depend on them.
        row: of the pixel.
        column: of the pixel.
        condition: as for the network.

    Returns:
        `(h, w)`, 0 at every pixel outside the receptive field.
    """
    x = x.detach().requires_grad_()
    return torch.autograd.grad(network(x, condition)[:, 0, row, column].sum(), x)[0].abs().sum((0, 1))
