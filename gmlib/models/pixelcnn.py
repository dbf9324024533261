"""PixelCNN: masked convolutions, and two networks made of them, one plain and one gated.

A network computes the logits of p(x) = Π p(x_i | x_1, …, x_{i-1}) for binary pixels in raster order. It is unconditional, or has
one of two conditions. A bias condition `(b, d)`, which is z and the one-hot label, changes the biases of each layer. A spatial
condition `(b, k, h, w)` is a feature map made from z. Each layer passes it through a 1×1 convolution and adds the result.

Sources: van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks ("PixelRNN" below); van den Oord et al.
2016, Conditional Image Generation with PixelCNN Decoders ("Gated PixelCNN" below).
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

# Mask A hides the centre of the kernel: in the first layer, whose input is the image. Mask B shows it: in all later layers.
Mask = Literal["A", "B"]
FeatureMap = Float[Tensor, "b _c _h _w"]
Condition = Float[Tensor, "b _d"] | FeatureMap
T = TypeVar("T")
# a function (layer, inputs) -> output; T is a feature map, or the index of one: see `CausalNetwork.connect`
Apply = Callable[["CausalLayer", Sequence[T]], T]


class ShiftedConv2d(nn.Conv2d):
    """A convolution without bias whose kernel need not be centred: rows range(-3, 0) are the three rows above the pixel."""

    def __init__(self, inputs: int, outputs: int, rows: range, columns: range) -> None:
        """Build a kernel that covers these row and column offsets from the output pixel."""
        super().__init__(inputs, outputs, (len(rows), len(columns)), bias=False)
        self.rows, self.columns = rows, columns

    def forward(self, input: FeatureMap) -> FeatureMap:
        """Convolve `(b, inputs, h, w)` to `(b, outputs, h, w)`, with zeros beyond the edges."""
        # negative padding crops: a kernel that covers only rows above the pixel does not use the last row of the image
        padding = (-self.columns[0], self.columns[-1], -self.rows[0], self.rows[-1])
        return F.conv2d(F.pad(input, padding) if any(padding) else input, self.weight)


def conv1x1(inputs: int, outputs: int) -> ShiftedConv2d:
    """Return a 1×1 convolution without bias."""
    return ShiftedConv2d(inputs, outputs, range(1), range(1))


class MaskedConv2d(nn.Module):
    """A masked convolution without bias: a sum of two, over the rows above and over the pixels to the left in the same row.

    The usual code multiplies the hidden part of a square kernel by zero. Here the hidden part is not computed at all.
    Source: PixelRNN, section 3.4.
    """

    def __init__(self, mask: Mask, inputs: int, outputs: int, kernel: int) -> None:
        """Build a square kernel, whose size is an odd number of at least 3; inputs and outputs are numbers of channels."""
        super().__init__()
        r = radius(kernel)
        self.above = ShiftedConv2d(inputs, outputs, range(-r, 0), range(-r, r + 1))
        self.left = ShiftedConv2d(inputs, outputs, range(1), columns_to_the_left(mask, r))

    def forward(self, input: FeatureMap) -> FeatureMap:
        """Convolve `(b, inputs, h, w)` to `(b, outputs, h, w)`, with zeros beyond the edges."""
        return self.above(input) + self.left(input)


def radius(kernel: int) -> int:
    """Return the number of rows between a kernel's centre and its edge."""
    if kernel < 3 or kernel % 2 == 0:
        raise InputError(f"got a kernel of {kernel}, expected an odd number of at least 3, so that it has a centre")
    return kernel // 2


def columns_to_the_left(mask: Mask, radius: int) -> range:
    """Return the column offsets that a mask shows in the kernel's middle row."""
    return range(-radius, 0) if mask == "A" else range(-radius, 1)


def shifted_convolutions(convolution: nn.Module) -> list[ShiftedConv2d]:
    """Return the parts of a convolution: itself if it is shifted, both of its terms if it is masked."""
    return [module for module in convolution.modules() if isinstance(module, ShiftedConv2d)]


class ConditionSizes(NamedTuple):
    """Size of the bias condition, and channels of the spatial condition; 0 for none."""

    bias: int = 0
    spatial: int = 0


class GatedActivation(nn.Module):
    r"""The gated activation $\tanh(f) \odot \sigma(g)$ of two halves of the channels, dropout, and a 1×1 convolution.

    Source: Gated PixelCNN, equation 2 and figure 2; there without dropout.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        """Build a unit from 2 · channels to channels; dropout is the share of activations set to 0 in training."""
        super().__init__()
        self.dropout = dropout
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Halve the channels of feature maps `(b, c, h, w)`, or of single pixels `(b, pixels, c)` in the fast sampler."""
        dim = 1 if features.ndim == 4 else -1
        f, g = features.chunk(2, dim)
        gated = F.dropout(f.tanh() * g.sigmoid(), self.dropout, self.training)
        return self.conv(gated) if dim == 1 else F.linear(gated, self.conv.weight.flatten(1), self.conv.bias)


class CausalLayer(nn.Module):
    """One convolution per input, their sum with condition and biases, an activation, and perhaps a residual connection."""

    def __init__(
        self,
        convolutions: Sequence[ShiftedConv2d | MaskedConv2d],
        channels: int,
        sizes: ConditionSizes,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        residual: bool = False,
    ) -> None:
        """Build a layer with this number of output channels; a residual connection adds the first input to the output."""
        super().__init__()
        conv_channels = shifted_convolutions(convolutions[0])[0].out_channels  # a gated activation halves them
        self.channels, self.residual = channels, residual
        self.convolutions = nn.ModuleList(convolutions)
        self.bias = nn.Parameter(torch.zeros(conv_channels))
        self.spatial = conv1x1(sizes.spatial, conv_channels) if sizes.spatial else None
        self.condition_bias = nn.Linear(sizes.bias, conv_channels, bias=False) if sizes.bias else None
        self.activation = activation()

    def biases(self, condition: Condition) -> Float[Tensor, "b o"]:
        """Return the bias of each image and channel; a spatial condition does not change it."""
        return self.bias.expand(len(condition), -1) + (self.condition_bias(condition) if self.condition_bias else 0.0)

    def forward(self, inputs: Sequence[FeatureMap], condition: Condition) -> FeatureMap:
        """Compute a feature map from one input per convolution."""
        features = reduce(torch.add, [conv(x) for conv, x in zip(self.convolutions, inputs, strict=True)])
        if self.spatial:
            features = features + self.spatial(condition)
        # biases are float32: the cast keeps feature maps in bfloat16 where convolutions compute in it
        features = features + self.biases(condition).to(features.dtype)[:, :, None, None]
        output = self.activation(features)
        return output + inputs[0] if self.residual else output


class GatedLayers(nn.Module):
    """A layer of the vertical stack and one of the horizontal stack, which `GatedPixelCNN.connect` applies in turn.

    The output of a vertical layer in row r depends only on image rows above r. The next vertical layer may therefore use the
    whole row r of this output, and still depends on no pixel of image row r. With mask B both layers have a residual connection.
    Source: Gated PixelCNN, figure 2; there only the horizontal stack has residual connections.
    """

    def __init__(
        self,
        mask: Mask,
        inputs: int,
        channels: int,
        kernel: int,
        rows_above: int,
        sizes: ConditionSizes,
        dropout: float,
    ) -> None:
        """Build both layers; the vertical kernel covers `rows_above` rows, and with mask B also its own row."""
        super().__init__()
        r = radius(kernel)
        activation = partial(GatedActivation, channels, dropout)
        layer = partial(CausalLayer, channels=channels, sizes=sizes, activation=activation, residual=mask == "B")
        rows = range(-rows_above, 0 if mask == "A" else 1)
        vertical = ShiftedConv2d(inputs, 2 * channels, rows, range(-r, r + 1))
        horizontal = ShiftedConv2d(inputs, 2 * channels, range(1), columns_to_the_left(mask, r))
        self.vertical = layer([vertical])
        self.horizontal = layer([horizontal, conv1x1(channels, 2 * channels)])


class CausalNetwork(nn.Module, ABC):
    """A network that computes the logit of each pixel from the pixels before it in raster order."""

    def __init__(self, bias_condition: int = 0, spatial_condition: int = 0) -> None:
        """Keep the sizes of the conditions."""
        super().__init__()
        self.sizes = ConditionSizes(bias_condition, spatial_condition)

    @abstractmethod
    def connect(self, image: T, apply: Apply[T]) -> T:
        """Apply each layer to its inputs, and return the output of the last.

        In `forward` the inputs are feature maps, which `apply` passes through the layer. In the fast sampler they are indices of
        feature maps, and `apply` only records the indices of each layer's inputs.
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
        checked = self.checked_condition(condition, x)
        return self.connect(x, lambda layer, inputs: layer(inputs, checked))

    def checked_condition(self, condition: Condition | None, x: Image) -> Condition:
        """Return the condition, `(b, 0)` for None; raise InputError unless it fits the network and the images."""
        condition = x.new_zeros(len(x), 0) if condition is None else condition
        bias, channels = self.sizes
        expected = (len(x), channels, *x.shape[2:]) if channels else (len(x), bias)
        if condition.shape != expected:
            raise InputError(
                f"got a condition of shape {tuple(condition.shape)}, expected {expected}: give one condition per image"
            )
        return condition


class PixelCNN(CausalNetwork):
    """A stack of masked convolutions. Its receptive field has a blind spot above to the right. Source: PixelRNN, section 3."""

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
            bias_condition: length of z and the one-hot label together; 0 for no bias condition.
            spatial_condition: channels of the feature map made from z; 0 for no spatial condition.
            channels: channels of every feature map.
            layers: number of masked convolutions; the first has mask A.
            kernel: kernel size of the first layer, an odd number of at least 3.
            inner_kernel: kernel size of the other layers.
        """
        super().__init__(bias_condition, spatial_condition)
        first = CausalLayer([MaskedConv2d("A", 1, channels, kernel)], channels, self.sizes)
        self.layers = cast(list[CausalLayer], nn.ModuleList([first]))
        for _ in range(layers - 1):
            inner = MaskedConv2d("B", channels, channels, inner_kernel)
            self.layers.append(CausalLayer([inner], channels, self.sizes, residual=True))
        self.logits = CausalLayer([conv1x1(channels, 1)], 1, ConditionSizes(), activation=nn.Identity)
        self.to(memory_format=torch.channels_last)  # convolutions are faster

    def connect(self, image: T, apply: Apply[T]) -> T:
        """Connect the masked convolutions one after the other."""
        h = image
        for layer in self.layers:
            h = apply(layer, [h])
        return apply(self.logits, [h])


class GatedPixelCNN(CausalNetwork):
    """Two stacks of gated layers. Its receptive field has no blind spot. Source: Gated PixelCNN, section 2."""

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
            bias_condition: length of z and the one-hot label together; 0 for no bias condition.
            spatial_condition: channels of the feature map made from z; 0 for no spatial condition.
            channels: channels of every feature map.
            layers: number of layers of each stack; the first has mask A.
            kernel: kernel size of the first layer, an odd number of at least 3.
            inner_kernel: kernel size of the other layers.
            rows_above: number of rows above the pixel that the vertical kernels of all layers but the first cover; None for (inner_kernel - 1) / 2.
            dropout: share of the gated activations that is set to 0 in training.
        """
        super().__init__(bias_condition, spatial_condition)
        rows = radius(inner_kernel) if rows_above is None else rows_above
        first = GatedLayers("A", 1, channels, kernel, radius(kernel), self.sizes, dropout)
        other = partial(GatedLayers, "B", channels, channels, inner_kernel, rows, self.sizes, dropout)
        self.blocks = cast(list[GatedLayers], nn.ModuleList([first, *(other() for _ in range(layers - 1))]))
        self.logits = CausalLayer([conv1x1(channels, 1)], 1, ConditionSizes(), activation=nn.Identity)
        self.to(memory_format=torch.channels_last)  # convolutions are faster

    def connect(self, image: T, apply: Apply[T]) -> T:
        """Connect both stacks, layer by layer; the logits are computed from the horizontal stack."""
        v = h = image  # vertical and horizontal stack
        for layers in self.blocks:
            v = apply(layers.vertical, [v])
            h = apply(layers.horizontal, [h, v])
        return apply(self.logits, [h])


def receptive_field(
    network: CausalNetwork, x: Image, row: int, column: int, condition: Condition | None = None
) -> Float[Tensor, "_h _w"]:
    r"""Return the receptive field of one pixel's logit $l_{rc}$, measured by gradients.

    $$\sum_n \left| \frac{\partial l_{rc}(x_n)}{\partial x_n} \right|$$

    Args:
        network: computes the logit of each pixel.
        x: images `(n, 1, h, w)`; gradients depend on them.
        row: row of the pixel.
        column: column of the pixel.
        condition: bias or spatial condition of the network, or None.

    Returns:
        `(h, w)`, 0 at every pixel outside the receptive field.
    """
    x = x.detach().requires_grad_()
    return torch.autograd.grad(network(x, condition)[:, 0, row, column].sum(), x)[0].abs().sum((0, 1))
