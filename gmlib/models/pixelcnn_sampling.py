"""Two samplers of a PixelCNN that draw the same images: pixel by pixel, and along wavefronts.

The sequential sampler passes the whole image through the network for each pixel. The fast one draws, at step t, the pixel of
column t - skew · i in every row i. These pixels do not depend on each other. It keeps all feature maps, and computes each of
their pixels once.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gmlib.models.pixelcnn import CausalLayer, CausalNetwork, Condition, ShiftedConv2d, rectangles
from gmlib.shapes import Image, require_image

BATCH = 100  # images that are sampled together: each needs about 4 MB for its feature maps


@torch.no_grad()
def sample_sequentially(network: CausalNetwork, uniforms: Image, condition: Condition | None = None) -> Image:
    """Sample pixel by pixel in raster order, with a full pass of the network for each.

    Args:
        network: from images to logits.
        uniforms: `(b, 1, h, w)` in [0, 1): a pixel is 1 where its uniform number is below its probability.
        condition: as for the network.

    Returns:
        Images `(b, 1, h, w)` of zeros and ones.

    Raises:
        InputError: if uniforms or condition do not fit the network and each other.
    """
    require_image(uniforms, (1, None, None))
    x, (height, width) = torch.zeros_like(uniforms), uniforms.shape[2:]
    for row in range(height):
        for column in range(width):
            p = network(x, condition)[:, :, row, column].sigmoid()
            x[:, :, row, column] = (uniforms[:, :, row, column] < p).to(x.dtype)
    return x


def sample_wavefront(network: CausalNetwork, uniforms: Image, condition: Condition | None = None) -> Image:
    """Sample along anti-diagonal wavefronts: step t draws, in every row i, the pixel of column t - skew · i.

    Args:
        network: from images to logits.
        uniforms: as for `sample_sequentially`.
        condition: as for the network.

    Returns:
        The images of `sample_sequentially`, except where a uniform number equals a probability to within float32's rounding.

    Raises:
        InputError: if uniforms or condition do not fit the network and each other.
    """
    require_image(uniforms, (1, None, None))
    condition = network.checked_condition(condition, uniforms)
    batches = zip(uniforms.split(BATCH), condition.split(BATCH), strict=True)
    return torch.cat([_sample_batch(network, *batch) for batch in batches])


class _Reads(NamedTuple):
    """A layer, and the feature maps that it reads by their numbers: 0 is the image, n the output of the n-th layer."""

    layer: CausalLayer
    inputs: list[tuple[int, ShiftedConv2d]]  # each with one rectangle of a kernel


def _layers(network: CausalNetwork) -> list[_Reads]:
    """Return the layers in the order in which they are computed."""
    found: list[_Reads] = []

    def record(layer: CausalLayer, numbers: Sequence[int]) -> int:
        pairs = zip(numbers, layer.convolutions, strict=True)
        found.append(_Reads(layer, [(n, part) for n, convolution in pairs for part in rectangles(convolution)]))
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

    Args:
        network: from images to logits.

    Returns:
        s, at least 1.
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
        """Return a view of adjacent pixels at an offset from each pixel of a wavefront: `(b, rows, columns · c)`."""
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
def _sample_batch(network: CausalNetwork, uniforms: Image, condition: Condition) -> Image:
    """Return sampled images that fit into memory together."""
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

    # before step 0, which draws the first pixel, feature maps are computed up to where that pixel needs them
    for step in range(-max(ahead), width + lag * (height - 1)):
        for compute, output, columns in zip(computed, canvases[1:], ahead[1:], strict=True):
            place = wavefront(step + columns)
            if place.rows > 0:
                output.at(place).copy_(compute(place))
        place = wavefront(step)
        if place.rows > 0:
            canvases[0].at(place).copy_(chances.at(place) < canvases[-1].at(place).sigmoid())
    return canvases[0].inside.permute(0, 3, 1, 2)
