"""Networks that see only pixels drawn before: maps that look at rectangles of earlier maps."""

from collections.abc import Sequence
from functools import partial, reduce
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.shapes import Image, require_gradients, require_image, require_whole

Sheet = Float[Tensor, "b _c _h _w"]  # a map of many channels, with values of any size


class ShiftedConv2d(nn.Conv2d):
    """A convolution without bias that sees a rectangle of places, given by their offsets from the one that it computes."""

    def __init__(self, inputs: int, outputs: int, rows: range, columns: range) -> None:
        """Build the layer.

        Args:
            inputs: channels of what it sees.
            outputs: channels of what it computes.
            rows: offsets of the rows that it sees: range(-3, 0) for the three above.
            columns: offsets of the columns.
        """
        super().__init__(inputs, outputs, (len(rows), len(columns)), bias=False)
        self.rows = rows
        self.columns = columns

    def forward(self, input: Sheet) -> Sheet:
        """Convolve; beyond the edges there are zeros.

        Args:
            input: a map `(b, inputs, h, w)`.

        Returns:
            A map `(b, outputs, h, w)`.
        """
        # negative padding crops: what looks at the rows above alone needs no row below
        around = (-self.columns[0], self.columns[-1], -self.rows[0], self.rows[-1])
        return F.conv2d(F.pad(input, around) if any(around) else input, self.weight)


Look = tuple[int, ShiftedConv2d]  # number of an earlier map, 0 for the image, and the layer that looks at it
Condition = (
    Float[Tensor, "b _d"] | Sheet
)  # z and label: as numbers, which biases hear of, or as a plane, which maps look at
PLANE = -1  # the plane's number


def here(source: int, inputs: int, outputs: int) -> Look:
    """Look at one place: the own.

    Args:
        source: number of the map.
        inputs: its channels.
        outputs: channels of what is computed.

    Returns:
        The look.
    """
    return source, ShiftedConv2d(inputs, outputs, range(1), range(1))


def of_plane(channels: int, outputs: int) -> list[Look]:
    """Look at the plane that z has become.

    Args:
        channels: of the plane; 0 if there is none.
        outputs: channels of what is computed.

    Returns:
        One look, or none.
    """
    return [here(PLANE, channels, outputs)] if channels else []


def masked(source: int, inputs: int, outputs: int, kernel: int, *, centre: bool) -> list[Look]:
    """Look at what a masked convolution sees: all of the kernel's rows above, and of its own row what is to the left.

    The masks of the paper are A, without the centre, for the image, and B, with it, for every other map.

    Args:
        source: number of the map.
        inputs: its channels.
        outputs: channels of what is computed.
        kernel: rows and columns of the kernel, an odd number from 3 on.
        centre: whether it sees its own place.

    Returns:
        Two looks, which together are the part of the kernel that a mask leaves.

    Raises:
        InputError: if the kernel has no centre.

    Source: van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks, section 3.4.
    """
    r = require_odd(kernel) // 2
    above = ShiftedConv2d(inputs, outputs, range(-r, 0), range(-r, r + 1))
    left = ShiftedConv2d(inputs, outputs, range(1), range(-r, 1 if centre else 0))
    return [(source, above), (source, left)]


def require_odd(kernel: int) -> int:
    """Refuse a kernel without a centre, or without neighbours.

    Args:
        kernel: rows and columns.

    Returns:
        The same.

    Raises:
        InputError: if it is even, or below 3.
    """
    if kernel < 3 or kernel % 2 == 0:
        raise InputError(
            f"got a kernel of {kernel}, expected an odd number from 3 on: the pixel that is computed is its centre"
        )
    return kernel


class Map(nn.Module):
    """One map of a causal network: sums what it sees and a bias, applies a nonlinearity, and may have a skip connection."""

    def __init__(
        self,
        looks: Sequence[Look],
        condition: int,
        *,
        gated: bool = False,
        mixed: bool = False,
        skip: int | None = None,
        linear: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """Build the map.

        Args:
            looks: at earlier maps.
            condition: numbers of z and of the label that the bias hears of; 0 for none.
            gated: whether half of the channels gate the other half; otherwise there is a ReLU.
            mixed: whether a 1×1 convolution follows.
            skip: number of a map that is added at the end, or None.
            linear: whether the sum stays as it is, as logits do.
            dropout: share of its numbers that are 0 in training, before they are mixed.
        """
        super().__init__()
        self.sources = [source for source, _ in looks]
        self.layers = nn.ModuleList(layer for _, layer in looks)
        outputs = looks[0][1].out_channels
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.condition = nn.Linear(condition, outputs, bias=False) if condition else None
        self.gated, self.linear, self.skip, self.dropout = gated, linear, skip, dropout
        self.channels = outputs // 2 if gated else outputs
        self.mix = nn.Conv2d(self.channels, self.channels, 1) if mixed else None

    def looks(self) -> list[Look]:
        """Say what it sees.

        Returns:
            Numbers of earlier maps, each with the layer that looks at it.
        """
        return list(zip(self.sources, cast(list[ShiftedConv2d], list(self.layers)), strict=True))

    def biases(self, condition: Condition) -> Float[Tensor, "b o"]:
        """Give the bias of each image.

        Args:
            condition: z and label `(b, d)`, or a plane `(b, k, h, w)`, which a bias does not hear of.

        Returns:
            `(b, outputs)`.
        """
        heard = self.condition(condition) if self.condition else 0.0
        return self.bias.expand(len(condition), -1) + heard

    def finish(self, seen: Tensor, skip: Tensor | None, dim: int) -> Tensor:
        r"""Turn the sum into the map: as it is, by a ReLU, or with one half of the channels as gates of the other.

        $$\max(0, a) \quad\text{or}\quad \tanh(a) \cdot \sigma(b)$$

        Args:
            seen: the sum, bias and all.
            skip: what is added at the end, or None.
            dim: where the channels are: 1 in whole maps, -1 in places of one.

        Returns:
            The map's channels, in the same layout.

        Source: van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, equation 2.
        """
        if self.gated:
            a, b = seen.chunk(2, dim)
            h = a.tanh() * b.sigmoid()
        else:
            h = seen if self.linear else seen.relu()
        h = F.dropout(h, self.dropout, self.training)
        if self.mix:
            h = self.mix(h) if dim == 1 else F.linear(h, self.mix.weight.flatten(1), self.mix.bias)
        return h if skip is None else h + skip


class CausalNetwork(nn.Module):
    """Maps in the order in which they are computed, from the image to the logits."""

    def __init__(self, maps: Sequence[Map]) -> None:
        """Join maps.

        Args:
            maps: numbers 1 and on, where 0 is the image; the last has one channel.
        """
        super().__init__()
        self.maps = nn.ModuleList(maps)
        # the channels of a place side by side in memory: convolutions run faster
        self.to(memory_format=torch.channels_last)

    def numbered(self) -> list[tuple[int, Map]]:
        """List the maps.

        Returns:
            Number and map, from 1 on.
        """
        return list(enumerate(cast(list[Map], list(self.maps)), 1))

    def all_maps(self, x: Image, condition: Condition) -> dict[int, Sheet]:
        """Compute every map of whole images.

        Args:
            x: images `(b, 1, h, w)`.
            condition: z and label `(b, d)`, where d may be 0; or a plane `(b, k, h, w)`.

        Returns:
            The images, all maps, and the plane if there is one, each `(b, c, h, w)`, by their numbers.
        """
        found = {0: x} | ({PLANE: condition} if condition.ndim == 4 else {})
        for number, each in self.numbered():
            seen = reduce(torch.add, [layer(found[source]) for source, layer in each.looks()])
            # biases are float32: added first, they would make all of it float32 where layers compute in bfloat16
            seen = seen + each.biases(condition).to(seen.dtype)[:, :, None, None]
            found[number] = each.finish(seen, None if each.skip is None else found[each.skip], 1)
        return found

    def require_condition(self, condition: Condition, count: int) -> None:
        """Refuse what the maps cannot be conditioned on.

        Args:
            condition: z and label, or a plane.
            count: images that it is for.

        Raises:
            InputError: if its shape is neither `(count, d)` with the d numbers of the biases nor `(count, k, h, w)` with the k
                channels of the plane.
        """
        maps = [each for _, each in self.numbered()]
        numbers = max((each.condition.in_features for each in maps if each.condition), default=0)
        channels = max(
            (layer.in_channels for each in maps for source, layer in each.looks() if source == PLANE), default=0
        )
        axes, size = (4, channels) if channels else (2, numbers)
        if condition.ndim != axes or tuple(condition.shape[:2]) != (count, size):
            expected = f"({count}, {size}, h, w), a plane" if channels else f"({count}, {size}), z and label"
            raise InputError(f"got a condition of shape {tuple(condition.shape)}, expected {expected} of each image")

    def forward(self, x: Image, condition: Condition) -> Sheet:
        """Give the log-odds of each pixel, given those before it in reading order.

        Args:
            x: images `(b, 1, h, w)`.
            condition: z and label `(b, d)`, where d may be 0; or a plane `(b, k, h, w)`.

        Returns:
            Logits `(b, 1, h, w)`.

        Raises:
            InputError: if x is no batch of images of one channel, or the condition does not fit.
        """
        require_image(x, (1, None, None), self)
        self.require_condition(condition, len(x))
        return self.all_maps(x, condition)[len(self.maps)]


def receptive_field(
    network: CausalNetwork, x: Image, row: int, column: int, condition: Condition | None = None
) -> Float[Tensor, "_h _w"]:
    r"""Measure how much the log-odds of one pixel hear of every other, by gradients.

    $$\sum_n \left| \frac{\partial l_{rc}(x_n)}{\partial x_n} \right|$$

    Args:
        network: its maps.
        x: images `(n, 1, h, w)`: what is heard of differs from one to the next.
        row: of the pixel.
        column: of the pixel.
        condition: z and label `(n, d)`, or a plane; None for a network that hears of none.

    Returns:
        `(h, w)`, 0 at every pixel that is not heard of.

    Raises:
        InputError: if there is no such pixel, what comes in does not fit, or gradients are off.
    """
    require_gradients()
    require_image(x, (1, None, None), network)
    if not (0 <= row < x.shape[2] and 0 <= column < x.shape[3]):
        raise InputError(
            f"got row {row} and column {column} for images of {x.shape[2]} × {x.shape[3]}, expected a pixel of theirs"
        )
    x = x.detach().requires_grad_()
    logits = network(x, x.new_zeros(len(x), 0) if condition is None else condition)
    return torch.autograd.grad(logits[:, 0, row, column].sum(), x)[0].abs().sum((0, 1))


def plain_stack(
    condition: int, plane: int = 0, *, channels: int = 64, layers: int = 7, kernel: int = 7, inner: int = 3
) -> CausalNetwork:
    """Stack masked convolutions, each on top of the one before: what is above and to the right stays partly unseen.

    Args:
        condition: numbers of z and of the label that each bias hears of; 0 for none.
        plane: channels of a plane that each map looks at; 0 for none.
        channels: of every map.
        layers: maps before the logits.
        kernel: of the first, an odd number.
        inner: kernel of the others.

    Returns:
        The network.

    Source: van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks, section 3.
    """
    require_whole(1, channels=channels, layers=layers)
    maps = [Map([*masked(0, 1, channels, kernel, centre=False), *of_plane(plane, channels)], condition)]
    for last in range(1, layers):
        looks = [*masked(last, channels, channels, inner, centre=True), *of_plane(plane, channels)]
        maps.append(Map(looks, condition, skip=last))
    return CausalNetwork([*maps, Map([here(layers, channels, 1)], 0, linear=True)])


def gated_stacks(
    condition: int,
    plane: int = 0,
    *,
    channels: int = 64,
    layers: int = 7,
    kernel: int = 7,
    inner: int = 3,
    above: int | None = None,
    dropout: float = 0.0,
) -> CausalNetwork:
    """Keep two stacks: a vertical one that sees all rows above, and a horizontal one that sees it, and what is to the left.

    Args:
        condition: numbers of z and of the label that each bias hears of; 0 for none.
        plane: channels of a plane that each map looks at; 0 for none.
        channels: of every map.
        layers: maps of each stack.
        kernel: of the first ones, an odd number.
        inner: kernel of the others.
        above: rows above that each of the vertical others sees; None takes half of the kernel.
        dropout: share of each map's numbers that are 0 in training, before they are mixed.

    Returns:
        The network, its maps vertical and horizontal in turn.

    Source: van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, section 2; there the vertical
    stack has no skip connections, and nothing is dropped.
    """
    require_whole(1, channels=channels, layers=layers)
    require_whole(0, above=0 if above is None else above)
    r, s, both = require_odd(kernel) // 2, require_odd(inner) // 2, 2 * channels
    gate = partial(Map, condition=condition, gated=True, mixed=True, dropout=dropout)
    up = 0, ShiftedConv2d(1, both, range(-r, 0), range(-r, r + 1))
    left = 0, ShiftedConv2d(1, both, range(1), range(-r, 0))
    maps = [gate([up, *of_plane(plane, both)])]
    maps.append(gate([left, here(1, channels, both), *of_plane(plane, both)]))
    for vertical in range(1, 2 * layers - 1, 2):
        horizontal = vertical + 1
        # a vertical map holds rows above alone, so that what it sees of its own row has no pixel of that row in it
        up = vertical, ShiftedConv2d(channels, both, range(-(s if above is None else above), 1), range(-s, s + 1))
        left = horizontal, ShiftedConv2d(channels, both, range(1), range(-s, 1))
        maps.append(gate([up, *of_plane(plane, both)], skip=vertical))
        maps.append(gate([left, here(len(maps), channels, both), *of_plane(plane, both)], skip=horizontal))
    return CausalNetwork([*maps, Map([here(2 * layers, channels, 1)], 0, linear=True)])
