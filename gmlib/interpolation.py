"""Ways from one point to another: through latents, or through images."""

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError


def interpolate(start: Float[Tensor, "n ..."], end: Float[Tensor, "n ..."], steps: int = 6) -> Float[Tensor, "m ..."]:
    r"""Go in equal steps along the straight line from one point to another, both ends included.

    $$z_t = (1 - t) \, z_0 + t \, z_1, \qquad t = 0, \tfrac{1}{s - 1}, \dots, 1$$

    Args:
        start: where each way begins, such as latents `(n, d)` or images `(n, c, h, w)`.
        end: where it ends, of the same shape.
        steps: s, points on each way; 6 are steps of 0.2.

    Returns:
        The points, way by way, `(n · steps, …)`: a grid of `steps` columns shows a way a row.

    Raises:
        InputError: if start and end differ in shape, or there are fewer than two steps.
    """
    if start.shape != end.shape:
        raise InputError(
            f"got a start of shape {tuple(start.shape)} and an end of shape {tuple(end.shape)}, "
            "expected the same shape: one end for each start, of the same model"
        )
    if steps < 2:
        raise InputError(f"got {steps} steps, expected at least 2: the two ends")
    along = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    along = along.reshape(-1, *[1] * (start.ndim - 1))
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), along).flatten(0, 1)
