"""Two samplers of a PixelCNN that draw the same images: pixel by pixel, and along wavefronts.

A wavefront is an anti-diagonal of pixels that can be drawn in parallel, because none of them depends on another. At step t it
has one pixel in each row i, in column t - s · i, where the whole number s is the skew. With s = 3, two rows of five pixels are
drawn at these steps::

    row 0:  0 1 2 3 4
    row 1:  3 4 5 6 7

Step 4 draws the last pixel of row 0, and the second pixel of row 1. The latter may depend on columns 0 to 3 of row 0, which were
drawn at earlier steps. Thus 8 steps replace 10 passes of the network. For 28×28 pixels, 28 + 27 · s steps replace 784 passes.

A step computes each feature map at one wavefront only. All other values that it needs are there from earlier steps. Feature
maps are flat: their rows follow each other in memory. In the example, the indices are 0 to 4 in row 0 and 5 to 9 in row 1, so
that step 4 draws pixels 4 and 6. With n pixels per row, the pixels of a wavefront are n - s apart, which is a slice with this
stride. Their neighbours, r rows and c columns further, are the same slice moved by r · n + c.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.models.pixelcnn import CausalLayer, CausalNetwork, Condition, FeatureMap, ShiftedConv2d, shifted_convolutions
from gmlib.shapes import Image, require_image

Inputs = list[tuple[int, ShiftedConv2d]]  # the index of each feature map, and the convolution that takes it as input
BATCH = 100  # images that are sampled together: the feature maps of one image take about 4 MB


@torch.no_grad()
def sample_sequentially(network: CausalNetwork, uniforms: Image, condition: Condition | None = None) -> Image:
    """Sample pixel by pixel in raster order, with a full pass of the network for each pixel.

    Args:
        network: computes the logit of each pixel.
        uniforms: `(b, 1, h, w)` in [0, 1): a pixel is 1 where its uniform number is below its probability.
        condition: bias or spatial condition of the network, or None.

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
    """Sample along wavefronts: step t draws, in every row i, the pixel of column t - skew · i.

    Args:
        network: computes the logit of each pixel.
        uniforms: `(b, 1, h, w)` in [0, 1): a pixel is 1 where its uniform number is below its probability.
        condition: bias or spatial condition of the network, or None.

    Returns:
        The images of `sample_sequentially`, except where a uniform number equals a probability to within float32's rounding.

    Raises:
        InputError: if uniforms or condition do not fit the network and each other.
    """
    require_image(uniforms, (1, None, None))
    condition = network.checked_condition(condition, uniforms)
    batches = zip(uniforms.split(BATCH), condition.split(BATCH), strict=True)
    return torch.cat([_sample_batch(network, *batch) for batch in batches])


def _layers(network: CausalNetwork) -> list[tuple[CausalLayer, Inputs]]:
    """Return all layers in order, each with its inputs. The image has index 0, the output of the n-th layer index n."""
    layers: list[tuple[CausalLayer, Inputs]] = []

    # `connect` calls this in place of each layer, with the indices of its inputs; it returns the index of the output
    def record(layer: CausalLayer, indices: Sequence[int]) -> int:
        pairs = zip(indices, layer.convolutions, strict=True)
        layers.append((layer, [(i, part) for i, conv in pairs for part in shifted_convolutions(conv)]))
        return len(layers)

    network.connect(0, record)
    return layers


class _Dependency(NamedTuple):
    """A pixel of feature map `output` depends on feature map `source`, at this row offset and up to this column offset."""

    output: int
    source: int
    row: int
    column: int


def _dependencies(network: CausalNetwork) -> list[_Dependency]:
    """Return the dependencies of all feature maps, in the order in which the feature maps are computed."""
    dependencies = []
    for output, (layer, inputs) in enumerate(_layers(network), 1):
        dependencies += [
            _Dependency(output, source, row, conv.columns[-1]) for source, conv in inputs for row in conv.rows
        ]
        if layer.residual:
            dependencies.append(_Dependency(output, inputs[0][0], 0, 0))
    return dependencies


def columns_ahead(network: CausalNetwork) -> list[int]:
    """Return, for each feature map, how many columns to the right of the drawn pixels a step computes it; map 0 is the image.

    This is 0 unless a later layer depends on columns to the right in the same row. Only layers of the vertical stack do. They
    remain causal, since each row of their input depends only on the image rows above that row.
    """
    dependencies = _dependencies(network)
    ahead = [0] * (dependencies[-1].output + 1)
    for output, source, row, column in reversed(dependencies):
        if row == 0:
            ahead[source] = max(ahead[source], ahead[output] + column)
    return ahead


def skew(network: CausalNetwork) -> int:
    r"""Return by how many columns the drawing of each row must lag behind that of the row above.

    Let an output feature map depend on a source feature map r ≥ 1 rows above and up to c columns to the right, and let a be the
    number of columns that a feature map is computed ahead of the drawn pixels (`columns_ahead`). Then s is the smallest whole
    number with, for all such dependencies,

    $$s \, r \geq a_\text{output} + c - a_\text{source} + d$$

    where d is 1 if the source is the image, whose pixels are drawn at the end of a step, and otherwise 0.

    Args:
        network: computes the logit of each pixel.

    Returns:
        s, at least 1.
    """
    ahead, least = columns_ahead(network), 1
    for output, source, row, column in _dependencies(network):
        if row < 0:
            # the image (source 0) is drawn at the end of each step, and is an input from the next step on
            columns = ahead[output] + column - ahead[source] + (source == 0)
            least = max(least, ceil(columns / -row))
    return least


@torch.inference_mode()
def _sample_batch(network: CausalNetwork, uniforms: Image, condition: Condition) -> Image:
    """Return the sampled images of one batch."""
    s, ahead, layers = skew(network), columns_ahead(network), _layers(network)
    _, _, height, width = uniforms.shape
    kernels = [conv for _, inputs in layers for _, conv in inputs]
    pad = max(abs(offset) for conv in kernels for offset in (*conv.rows, *conv.columns))
    length = max(width + 2 * pad, s + 1)  # of a padded row; above s, so that the stride is positive
    stride = length - s  # between the pixels of a wavefront

    def flat(values: FeatureMap) -> Tensor:
        """Return a feature map `(b, c, h, w)` as `(b, pixels, c)`, with zeros above and beside it."""
        return F.pad(values, (pad, length - width - pad, pad, 0)).flatten(2).mT.contiguous()

    channels = [1, *(layer.channels for layer, _ in layers)]
    maps = [flat(uniforms.new_zeros(len(uniforms), count, height, width)) for count in channels]
    flat_uniforms, flat_condition = flat(uniforms), flat(condition) if condition.ndim == 4 else None

    def wavefront(step: int) -> range:
        """Return the indices of a wavefront's pixels in a flat feature map."""
        rows = [row for row in range(height) if 0 <= step - s * row < width]
        origin = pad * length + pad + step  # where the line of the wavefront meets row 0, possibly outside of the image
        return range(origin + stride * rows[0], origin + stride * (rows[-1] + 1), stride) if rows else range(0)

    def at(values: Tensor, pixels: range, offset: int = 0) -> Tensor:
        """Return the view `(b, pixels, c)` of a flat feature map, at an offset from each pixel of a wavefront."""
        return values[:, pixels.start + offset : pixels.stop + offset : pixels.step]

    def at_wavefronts(layer: CausalLayer, inputs: Inputs) -> Callable[[range], Tensor]:
        """Return a function that computes the layer's output at a wavefront, by one product of matrices."""
        sources = [(maps[source], conv) for source, conv in inputs]
        if layer.spatial and flat_condition is not None:
            sources.append((flat_condition, layer.spatial))
        neighbours = [(values, row * length + c) for values, conv in sources for row in conv.rows for c in conv.columns]
        weight = torch.cat([conv.weight.permute(2, 3, 1, 0).flatten(0, 2) for _, conv in sources])
        bias, residual = layer.biases(condition)[:, None], maps[inputs[0][0]]

        def compute(pixels: range) -> Tensor:
            features = torch.cat([at(values, pixels, offset) for values, offset in neighbours], 2)
            output = layer.activation(features @ weight + bias)
            return output + at(residual, pixels) if layer.residual else output

        return compute

    computations = [at_wavefronts(layer, inputs) for layer, inputs in layers]

    # before step 0, which draws the first pixel, feature maps are computed up to the columns that this pixel depends on
    for step in range(-max(ahead), width + s * (height - 1)):
        for values, compute, columns in zip(maps[1:], computations, ahead[1:], strict=True):
            if pixels := wavefront(step + columns):
                at(values, pixels).copy_(compute(pixels))
        if pixels := wavefront(step):
            at(maps[0], pixels).copy_(at(flat_uniforms, pixels) < at(maps[-1], pixels).sigmoid())
    return maps[0].unflatten(1, (-1, length))[:, pad:, pad : pad + width].permute(0, 3, 1, 2)
