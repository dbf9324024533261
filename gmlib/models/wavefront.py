"""Drawing an image pixel by pixel, computing only what is new, and at once all pixels that cannot see each other."""

from collections.abc import Iterable
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.errors import InputError
from gmlib.models.causal import PLANE, CausalNetwork, Condition
from gmlib.shapes import Image, Watch

PART = 256  # images that are drawn together: more take more memory, and no less time each


def leads(network: CausalNetwork) -> list[int]:
    """Say how many columns ahead of the pixel to be drawn each map must be computed, for others see to their right.

    Args:
        network: its maps.

    Returns:
        Columns, of the image (0) and of each map.
    """
    ahead = [0] * (len(network.maps) + 1)
    for number, each in reversed(network.numbered()):
        reached = [(source, layer.columns[-1]) for source, layer in each.looks() if source > 0 and 0 in layer.rows]
        for source, column in reached if each.skip is None else [*reached, (each.skip, 0)]:
            ahead[source] = max(ahead[source], ahead[number] + column)
    return ahead


def skew(network: CausalNetwork) -> int:
    r"""Say how many columns a row must lag behind the one above, so that all that it sees of that is there.

    $$s = \min \{ s \in \mathbb{N} : s \, r > \mathrm{reach}(r) \text{ for all } r \geq 1 \}$$

    where reach(r) is how many columns to the right a pixel sees, r rows above.

    Args:
        network: its maps.

    Returns:
        Columns.
    """
    ahead, lag = leads(network), 1
    for number, each in network.numbered():
        for source, layer in each.looks():
            if source == PLANE:
                continue  # it is there from the start
            # a pixel is drawn after all maps of its step, so that the image must be there a step before
            needed = ahead[number] + layer.columns[-1] - ahead[source] + (source == 0)
            lag = max([lag, *(-(-needed // -row) for row in layer.rows if row)])
    return lag


def draw_pixels(network: CausalNetwork, condition: Condition, uniforms: Image, watch: Watch = iter) -> Image:
    """Draw images of zeros and ones along a front: at step t, in every row i, the pixel of column t - skew · i.

    A pixel is 1 where its uniform is below its probability. Nothing is computed twice: each map keeps what it has, and
    a step adds the places that the new pixels need.

    Args:
        network: of the log-odds.
        condition: z and label `(b, d)`, where d may be 0; or a plane `(b, k, h, w)`.
        uniforms: `(b, 1, h, w)` in [0, 1).
        watch: passes on the steps that it is given, and may show how far it has come, as tqdm does.

    Returns:
        Images `(b, 1, h, w)`: the same that a full pass for each pixel would draw, but for uniforms that a probability
        equals to within float32's rounding.

    Raises:
        InputError: if condition and uniforms do not fit the network and each other.
    """
    _require_uniforms(network, condition, uniforms)
    height, width = uniforms.shape[2:]
    parts = list(zip(condition.split(PART), uniforms.split(PART), strict=True))
    count = width + skew(network) * (height - 1)
    steps = iter(watch(range(count * len(parts))))
    drawn = [_draw_part(network, *part, zip(range(count), steps, strict=False)) for part in parts]
    next(steps, None)  # so that what watches sees the end
    return torch.cat(drawn)


def _require_uniforms(network: CausalNetwork, condition: Condition, uniforms: Image) -> None:
    """Refuse uniforms that are none, and a condition of other images."""
    if uniforms.ndim != 4 or uniforms.shape[1] != 1 or not len(uniforms):
        raise InputError(
            f"got uniforms of shape {tuple(uniforms.shape)}, expected (batch, 1, h, w): one number in [0, 1) per pixel"
        )
    if uniforms.device.type == "cpu" and not 0 <= float(uniforms.min()) <= float(uniforms.max()) <= 1:
        raise InputError(
            f"got uniforms from {float(uniforms.min()):g} to {float(uniforms.max()):g}, expected [0, 1): use torch.rand"
        )
    network.require_condition(condition, len(uniforms))


@torch.inference_mode()
def _draw_part(
    network: CausalNetwork, condition: Condition, uniforms: Image, steps: Iterable[tuple[int, int]]
) -> Image:
    """Draw images that fit into memory together, while others count the steps of all."""
    n, _, height, width = uniforms.shape
    lag, ahead = skew(network), leads(network)
    layers = [layer for _, each in network.numbered() for _, layer in each.looks()]
    up = max(-layer.rows[0] for layer in layers)
    left, right = max(0, *(-layer.columns[0] for layer in layers)), max(0, *(layer.columns[-1] for layer in layers))

    def prepared(sheet: Tensor) -> Tensor:
        """Put zeros around, and the channels of a place side by side in memory."""
        return F.pad(sheet, (left, right, up, 0)).permute(0, 2, 3, 1).contiguous()

    sheets, chances = {0: prepared(torch.zeros_like(uniforms))}, prepared(uniforms)
    if condition.ndim == 4:
        sheets[PLANE] = prepared(condition)
    for number, each in network.numbered():
        sheets[number] = sheets[0].new_zeros(*sheets[0].shape[:3], each.channels)

    def front(sheet: Tensor, row: int, column: int, rows: int, length: int) -> Tensor:
        """View a run of numbers from each of some places, which lie a row lower and `lag` columns to the left in turn.

        Where images are narrower than the lag there is never more than one, and the distance to the next does not matter.
        """
        image, line, place, _ = sheet.stride()
        start = (up + row) * line + (left + column) * place
        return sheet.as_strided((n, rows, length), (image, max(0, line - lag * place), 1), start)

    plans = []
    for number, each in network.numbered():
        windows, weights = [], []
        for source, layer in each.looks():
            channels = sheets[source].shape[3]
            for k, row in enumerate(layer.rows):  # a row of the kernel lies in one piece
                windows.append((sheets[source], row, layer.columns[0], len(layer.columns) * channels))
                weights.append(layer.weight[:, :, k].permute(2, 1, 0).flatten(0, 1))
        plans.append((number, each, windows, torch.cat(weights), each.biases(condition)[:, None]))

    # before there is a pixel to be drawn, maps come up to where it will need them
    first_steps = ((step, None) for step in range(-max(ahead), 0))
    for step, _ in chain(first_steps, steps):
        for number, each, windows, weight, bias in plans:
            at = step + ahead[number]  # the column of row 0; row i is at column at - lag · i
            first, last = max(0, -((width - 1 - at) // lag)), min(height - 1, at // lag)
            place = first, at - lag * first, last - first + 1
            if place[2] > 0:
                seen = [front(s, place[0] + row, place[1] + column, place[2], size) for s, row, column, size in windows]
                skip = None if each.skip is None else front(sheets[each.skip], *place, each.channels)
                new = each.finish(torch.cat(seen, 2) @ weight + bias, skip, -1)
                front(sheets[number], *place, each.channels).copy_(new)
        if step < 0:
            continue
        # the last map is where the pixels are
        u = front(chances, *place, 1)
        front(sheets[0], *place, 1).copy_(u < front(sheets[len(network.maps)], *place, 1).sigmoid())
    return sheets[0][:, up:, left : left + width, 0].unsqueeze(1)


@torch.no_grad()
def draw_naively(network: CausalNetwork, condition: Condition, uniforms: Image, watch: Watch = iter) -> Image:
    """Draw the same images by a full pass for each pixel: what there is to be faster than.

    Args:
        network: of the log-odds.
        condition: z and label `(b, d)`, where d may be 0; or a plane `(b, k, h, w)`.
        uniforms: `(b, 1, h, w)` in [0, 1).
        watch: passes on the pixels that it is given, and may show how far it has come, as tqdm does.

    Returns:
        Images `(b, 1, h, w)` of zeros and ones.

    Raises:
        InputError: if condition and uniforms do not fit the network and each other.
    """
    _require_uniforms(network, condition, uniforms)
    x, width = torch.zeros_like(uniforms), uniforms.shape[3]
    for pixel in watch(range(uniforms[0, 0].numel())):
        row, column = divmod(pixel, width)
        likely = network(x, condition)[:, :, row, column].sigmoid()
        x[:, :, row, column] = (uniforms[:, :, row, column] < likely).to(x.dtype)
    return x
