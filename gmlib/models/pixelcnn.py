"""PixelCNN: masked convolutions, the plain and the gated network, and two samplers that draw the same images.

A network computes the logits of p(x) = Π p(x_i | x_1, …, x_{i-1}), over binary pixels in raster order. Each logit depends on
earlier pixels only. The network may have one of two conditions: a bias condition `(b, d)`, which is z and the one-hot label
and changes the biases of each layer; or a spatial condition `(b, k, h, w)`, a feature map made from z that each layer adds.

Sources: [a] van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks; [b] van den Oord et al. 2016,
Conditional Image Generation with PixelCNN Decoders.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from itertools import chain
from typing import Literal, NamedTuple, TypeVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.shapes import Image, Watch, require_gradients, require_image, require_whole

BATCH = 100  # images that are sampled together: each needs about 4 MB for its feature maps

Mask = Literal["A", "B"]  # A hides the kernel's centre, where the input is the image; B shows it, in all other layers
FeatureMap = Float[Tensor, "b _c _h _w"]
Condition = Float[Tensor, "b _d"] | FeatureMap
T = TypeVar("T")
Apply = Callable[["CausalLayer", Sequence[T]], T]  # (layer, inputs) -> output of the layer


class ShiftedConv2d(nn.Conv2d):
    """A convolution without bias whose kernel covers a rectangle of offsets from the output pixel."""

    def __init__(self, inputs: int, outputs: int, rows: range, columns: range) -> None:
        """Build a kernel of these row and column offsets: range(-3, 0) for the three rows above."""
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

    A mask would multiply the rest of the kernel by zero. Here the two visible rectangles are two smaller convolutions.
    Source: [a], section 3.4.
    """

    def __init__(self, mask: Mask, inputs: int, outputs: int, kernel: int) -> None:
        """Build a kernel of so many rows and columns, an odd number of at least 3; mask B also covers its centre."""
        super().__init__()
        r, end = _radius(kernel), _end(mask)
        self.above = ShiftedConv2d(inputs, outputs, range(-r, 0), range(-r, r + 1))
        self.left = ShiftedConv2d(inputs, outputs, range(1), range(-r, end))

    def forward(self, input: FeatureMap) -> FeatureMap:
        """Convolve `(b, inputs, h, w)` to `(b, outputs, h, w)`, with zeros beyond the edges."""
        return self.above(input) + self.left(input)


def _radius(kernel: int) -> int:
    """Return how far a kernel reaches from its centre."""
    if kernel < 3 or kernel % 2 == 0:
        raise InputError(
            f"got a kernel of {kernel}, expected an odd number of at least 3: its centre is the pixel that is predicted"
        )
    return kernel // 2


def _end(mask: Mask) -> int:
    """Return the first column offset, from the centre, that a mask hides in the kernel's own row."""
    if mask not in ("A", "B"):
        raise InputError(f"got mask {mask!r}, expected 'A' (hides the kernel's centre) or 'B' (shows it)")
    return 1 if mask == "B" else 0


def _rectangles(convolution: nn.Module) -> list[ShiftedConv2d]:
    """Return the rectangles that a kernel covers."""
    return [part for part in convolution.modules() if isinstance(part, ShiftedConv2d)]


class Sizes(NamedTuple):
    """The sizes of the conditions: numbers of z and one-hot label, and channels of the feature map made from z; 0 for none."""

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
    """A sum of convolutions, conditions and biases; then an activation, and perhaps a residual connection."""

    def __init__(
        self,
        convolutions: Sequence[ShiftedConv2d | MaskedConv2d],
        channels: int,
        sizes: Sizes,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        residual: bool = False,
    ) -> None:
        """Build the layer.

        Args:
            convolutions: one per input, all with the same number of output channels.
            channels: of the layer's output, after the activation.
            sizes: of the conditions.
            activation: makes the activation.
            residual: whether the first input is added to the output.
        """
        super().__init__()
        outputs = _rectangles(convolutions[0])[0].out_channels
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
        r, end = _radius(kernel), _end(mask)
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
        """Connect the layers: apply each to its inputs, and return the output of the last.

        `forward` passes feature maps through the layers. The fast sampler passes the numbers of feature maps, to learn which
        layer has which inputs.
        """

    def forward(self, x: Image, condition: Condition | None = None) -> FeatureMap:
        """Compute the logit of each pixel, given the pixels before it.

        Args:
            x: images `(b, 1, h, w)`.
            condition: a bias or a spatial condition; None for an unconditional network.

        Returns:
            Logits `(b, 1, h, w)`.

        Raises:
            InputError: if x is not a batch of images with one channel, or the condition does not fit.
        """
        require_image(x, (1, None, None), self)
        given = _checked(self, condition, x)
        return self.connect(x, lambda layer, inputs: layer(inputs, given))


def _checked(network: CausalNetwork, condition: Condition | None, x: Tensor) -> Condition:
    """Return the condition, of size 0 for None, if it fits the network and has one row per image."""
    condition = x.new_zeros(len(x), 0) if condition is None else condition
    bias, channels = network.sizes
    axes, size = (4, channels) if channels else (2, bias)
    if condition.ndim != axes or tuple(condition.shape[:2]) != (len(x), size):
        expected = f"({len(x)}, {size}, h, w), a spatial" if channels else f"({len(x)}, {size}), a bias"
        raise InputError(f"got a condition of shape {tuple(condition.shape)}, expected {expected} condition per image")
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
        require_whole(1, channels=channels, layers=layers)
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
        rows = _radius(inner_kernel) if rows_above is None else rows_above
        require_whole(1, channels=channels, layers=layers)
        require_whole(0, rows_above=rows)
        first = GatedBlock("A", 1, channels, kernel, _radius(kernel), self.sizes, dropout)
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
    r"""Measure the receptive field of one pixel's logit $l_{rc}$, by gradients.

    $$\sum_n \left| \frac{\partial l_{rc}(x_n)}{\partial x_n} \right|$$

    Args:
        network: from images to logits.
        x: images `(n, 1, h, w)`; gradients depend on them.
        row: of the pixel.
        column: of the pixel.
        condition: as for the network.

    Returns:
        `(h, w)`, 0 at every pixel outside the receptive field.

    Raises:
        InputError: if there is no such pixel, x or the condition does not fit, or gradients are off.
    """
    require_gradients()
    require_image(x, (1, None, None), network)
    if not (0 <= row < x.shape[2] and 0 <= column < x.shape[3]):
        raise InputError(
            f"got row {row} and column {column} for images of {x.shape[2]} × {x.shape[3]}, expected a pixel inside them"
        )
    x = x.detach().requires_grad_()
    return torch.autograd.grad(network(x, condition)[:, 0, row, column].sum(), x)[0].abs().sum((0, 1))


@torch.no_grad()
def sample_sequentially(
    network: CausalNetwork, uniforms: Image, condition: Condition | None = None, watch: Watch = iter
) -> Image:
    """Sample pixel by pixel in raster order, with a full pass of the network for each.

    Args:
        network: from images to logits.
        uniforms: `(b, 1, h, w)` in [0, 1): a pixel is 1 where its uniform number is below its probability.
        condition: as for the network.
        watch: passes on the pixels that it is given, and may show progress, as tqdm does.

    Returns:
        Images `(b, 1, h, w)` of zeros and ones.

    Raises:
        InputError: if uniforms or condition do not fit the network and each other.
    """
    condition = _checked(network, condition, _checked_uniforms(uniforms))
    x, width = torch.zeros_like(uniforms), uniforms.shape[3]
    for pixel in watch(range(uniforms[0, 0].numel())):
        row, column = divmod(pixel, width)
        p = network(x, condition)[:, :, row, column].sigmoid()
        x[:, :, row, column] = (uniforms[:, :, row, column] < p).to(x.dtype)
    return x


def sample_wavefront(
    network: CausalNetwork, uniforms: Image, condition: Condition | None = None, watch: Watch = iter
) -> Image:
    """Sample along anti-diagonal wavefronts: step t draws, in every row i, the pixel of column t - skew · i.

    The pixels of a wavefront do not depend on each other, so they are drawn at once. Feature maps are kept: a step computes
    them only at the pixels that later steps read and no earlier step has computed.

    Args:
        network: from images to logits.
        uniforms: as for `sample_sequentially`.
        condition: as for the network.
        watch: passes on the steps that it is given, and may show progress, as tqdm does.

    Returns:
        The images of `sample_sequentially`, except where a uniform number equals a probability to within float32's rounding.

    Raises:
        InputError: if uniforms or condition do not fit the network and each other.
    """
    condition = _checked(network, condition, _checked_uniforms(uniforms))
    height, width = uniforms.shape[2:]
    batches = list(zip(uniforms.split(BATCH), condition.split(BATCH), strict=True))
    count = width + skew(network) * (height - 1)
    steps = iter(watch(range(count * len(batches))))
    sampled = [_sample_batch(network, *batch, zip(range(count), steps, strict=False)) for batch in batches]
    next(steps, None)  # so that watch sees the end
    return torch.cat(sampled)


def _checked_uniforms(uniforms: Image) -> Image:
    """Return the uniform numbers if they are one in [0, 1) per pixel."""
    if uniforms.ndim != 4 or uniforms.shape[1] != 1 or not len(uniforms):
        raise InputError(
            f"got uniforms of shape {tuple(uniforms.shape)}, expected (batch, 1, h, w): one number in [0, 1) per pixel"
        )
    if uniforms.device.type == "cpu" and not 0 <= float(uniforms.min()) <= float(uniforms.max()) <= 1:
        raise InputError(
            f"got uniforms from {float(uniforms.min()):g} to {float(uniforms.max()):g}, expected [0, 1): use torch.rand"
        )
    return uniforms


class _Reads(NamedTuple):
    """A layer, and the feature maps that it reads by their numbers: 0 is the image, n the output of the n-th layer."""

    layer: CausalLayer
    inputs: list[tuple[int, ShiftedConv2d]]  # each with one rectangle of a kernel


def _layers(network: CausalNetwork) -> list[_Reads]:
    """List the layers in the order in which they are computed."""
    found: list[_Reads] = []

    def record(layer: CausalLayer, numbers: Sequence[int]) -> int:
        pairs = zip(numbers, layer.convolutions, strict=True)
        found.append(_Reads(layer, [(n, part) for n, conv in pairs for part in _rectangles(conv)]))
        return len(found)

    network.connect(0, record)
    return found


def columns_ahead(network: CausalNetwork) -> list[int]:
    """Return how many columns ahead of the pixel to be drawn each feature map must be computed; number 0 is the image.

    A layer that reads columns to the right in its own row needs its input there. Rows above are ahead by `skew` anyway.
    """
    layers = _layers(network)
    ahead = [0] * (len(layers) + 1)
    for number, (layer, inputs) in reversed(list(enumerate(layers, 1))):
        columns = [(source, conv.columns[-1]) for source, conv in inputs if source > 0 and 0 in conv.rows]
        for source, column in [*columns, (inputs[0][0], 0)] if layer.residual else columns:
            ahead[source] = max(ahead[source], ahead[number] + column)
    return ahead


def skew(network: CausalNetwork) -> int:
    r"""Return by how many columns each row must lag behind the row above.

    $$s = \min \{ s \in \mathbb{N} : s \, r > \mathrm{reach}(r) \text{ for all } r \geq 1 \}$$

    where reach(r) is how many columns to the right the receptive field extends, r rows above.
    """
    ahead, lag = columns_ahead(network), 1
    for number, (_, inputs) in enumerate(_layers(network), 1):
        for source, conv in inputs:
            # a pixel is drawn after all feature maps of its step, so it is there for the next step only
            needed = ahead[number] + conv.columns[-1] - ahead[source] + (source == 0)
            lag = max([lag, *(-(-needed // -row) for row in conv.rows if row)])
    return lag


class _Wavefront(NamedTuple):
    """Pixels of consecutive rows, each `skew` columns to the left of the one above; row and column are of the first."""

    row: int
    column: int
    rows: int


class _Canvas:
    """A feature map that is filled along wavefronts: zeros around it, and the channels of a pixel adjacent in memory."""

    def __init__(self, images: Image, channels: int, *, left: int, right: int, up: int, lag: int) -> None:
        """Make a canvas of so many channels for images, with zeros to the left, to the right and above."""
        n, _, height, width = images.shape
        self.values = images.new_zeros(n, up + height, left + width + right, channels)
        self.inside = self.values[:, up:, left : left + width]
        image, self.line, self.pixel, _ = self.values.stride()
        # in images narrower than the lag a wavefront has one pixel, and the stride between pixels is not used
        self.strides = image, max(0, self.line - lag * self.pixel), 1
        self.start = up * self.line + left * self.pixel

    def at(self, place: _Wavefront, row: int = 0, column: int = 0, columns: int = 1) -> Tensor:
        """View `columns` adjacent pixels at an offset from each pixel of a wavefront: `(b, rows, columns · c)`."""
        start = self.start + (place.row + row) * self.line + (place.column + column) * self.pixel
        return self.values.as_strided((len(self.values), place.rows, columns * self.pixel), self.strides, start)


def _at_wavefronts(
    reads: _Reads, canvases: list[_Canvas], spatial: list[_Canvas], condition: Condition
) -> Callable[[_Wavefront], Tensor]:
    """Return a function that computes a layer's output at the pixels of a wavefront, by one product of matrices."""
    layer, residual = reads.layer, canvases[reads.inputs[0][0]]
    inputs = [(canvases[n], conv) for n, conv in reads.inputs]
    inputs += [(canvas, layer.spatial) for canvas in spatial if layer.spatial]
    windows = [(canvas, row, conv.columns[0], len(conv.columns)) for canvas, conv in inputs for row in conv.rows]
    kernels = [conv.weight.permute(2, 3, 1, 0).flatten(0, 2) for _, conv in inputs]
    weight, bias = torch.cat(kernels), layer.biases(condition)[:, None]

    def compute(place: _Wavefront) -> Tensor:
        features = torch.cat([canvas.at(place, *window) for canvas, *window in windows], 2)
        output = layer.activation(features @ weight + bias)
        return output + residual.at(place) if layer.residual else output

    return compute


@torch.inference_mode()
def _sample_batch(
    network: CausalNetwork, uniforms: Image, condition: Condition, steps: Iterable[tuple[int, int]]
) -> Image:
    """Sample images that fit into memory together."""
    _, _, height, width = uniforms.shape
    layers, ahead, lag = _layers(network), columns_ahead(network), skew(network)
    kernels = [conv for reads in layers for _, conv in reads.inputs]
    left, right = max(0, *(-conv.columns[0] for conv in kernels)), max(0, *(conv.columns[-1] for conv in kernels))
    up = max(-conv.rows[0] for conv in kernels)
    canvas = partial(_Canvas, uniforms, left=left, right=right, up=up, lag=lag)

    def filled(values: Tensor) -> _Canvas:
        found = canvas(values.shape[1])
        found.inside.copy_(values.permute(0, 2, 3, 1))
        return found

    chances = filled(uniforms)
    spatial = [filled(condition)] if condition.ndim == 4 else []
    canvases = [canvas(1), *(canvas(reads.layer.channels) for reads in layers)]
    computed = [_at_wavefronts(reads, canvases, spatial, condition) for reads in layers]

    def wavefront(column: int) -> _Wavefront:
        """Return the pixels of a wavefront that are inside the image; in row 0 it is at this column."""
        first, last = max(0, -((width - 1 - column) // lag)), min(height - 1, column // lag)
        return _Wavefront(first, column - lag * first, last - first + 1)

    # before the first pixel is drawn, feature maps are computed up to where it needs them
    first_steps = ((step, None) for step in range(-max(ahead), 0))
    for step, _ in chain(first_steps, steps):
        for compute, output, columns in zip(computed, canvases[1:], ahead[1:], strict=True):
            place = wavefront(step + columns)
            if place.rows > 0:
                output.at(place).copy_(compute(place))
        place = wavefront(step)
        if place.rows > 0:
            canvases[0].at(place).copy_(chances.at(place) < canvases[-1].at(place).sigmoid())
    return canvases[0].inside.permute(0, 3, 1, 2)
