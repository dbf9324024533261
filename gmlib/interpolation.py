"""Interpolation between latents or images: along a straight line, or along a great circle."""

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError


def interpolate(start: Float[Tensor, "n ..."], end: Float[Tensor, "n ..."], steps: int = 6) -> Float[Tensor, "m ..."]:
    r"""Return points in equal steps along the straight line from one point to another, both ends included.

    $$z_t = (1 - t) \, z_0 + t \, z_1, \qquad t = 0, \tfrac{1}{s - 1}, \dots, 1$$

    Args:
        start: where each path begins, such as latents `(n, d)` or images `(n, c, h, w)`.
        end: where it ends, of the same shape.
        steps: s, points on each path; with 6 points t advances by 0.2.

    Returns:
        The points, path by path, `(n · steps, …)`: a grid of `steps` columns shows one path per row.

    Raises:
        InputError: if start and end have different shapes, or there are fewer than two steps.
    """
    _require_ends(start, end, steps)
    along = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    along = along.reshape(-1, *[1] * (start.ndim - 1))
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), along).flatten(0, 1)


def interpolate_spherical(
    start: Float[Tensor, "n d"], end: Float[Tensor, "n d"], steps: int = 6
) -> Float[Tensor, "m d"]:
    r"""Return points in equal angles along the great circle from one latent to another, both ends included.

    $$z_t = \frac{\sin((1 - t)\, \omega)}{\sin \omega} \, z_0 + \frac{\sin(t\, \omega)}{\sin \omega} \, z_1, \qquad \cos\omega = \frac{z_0^\top z_1}{\|z_0\| \|z_1\|}$$

    Gaussian latents of many dimensions lie near a sphere. A straight line leaves the sphere: its midpoint is shorter by a
    factor of about the square root of 2. The great circle keeps the length of the latents with which the generator was
    trained.

    Args:
        start: where each path begins, `(n, d)`.
        end: where it ends, of the same shape.
        steps: s, points on each path; with 6 points t advances by 0.2.

    Returns:
        The points, path by path, `(n · steps, d)`.

    Raises:
        InputError: if start and end are not latents of one shape, point in opposite directions or have length 0, or there are
            fewer than two steps.

    Source: Shoemake 1985; for latents White 2016, section 2.1.
    """
    _require_ends(start, end, steps)
    if start.ndim != 2:
        raise InputError(
            f"got points of shape {tuple(start.shape)}, expected latents (n, d): use interpolate for images"
        )
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1, eps=0.0)
    if not (cosine > -1 + 1e-6).all():  # also where it is NaN
        raise InputError(
            "got a start and an end that point in opposite directions or have length 0, expected two directions: "
            "there is no single great circle between them"
        )
    angle = cosine.clamp(max=1).acos().view(-1, 1, 1)
    along = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).view(-1, 1)
    # where both point the same way the weights are those of the straight line: sin(t w) / sin(w) -> t
    far = angle > 1e-3
    sine = torch.where(far, angle.sin(), 1.0)
    left = torch.where(far, ((1 - along) * angle).sin() / sine, 1 - along)
    right = torch.where(far, (along * angle).sin() / sine, along)
    return (left * start.unsqueeze(1) + right * end.unsqueeze(1)).flatten(0, 1)


def _require_ends(start: Tensor, end: Tensor, steps: int) -> None:
    """Raise InputError if shapes differ, which would broadcast, or with one step, which would omit the end."""
    if start.shape != end.shape:
        raise InputError(
            f"got a start of shape {tuple(start.shape)} and an end of shape {tuple(end.shape)}, "
            "expected the same shape (n, ...): give one end per start, of the same model"
        )
    if steps < 2:
        raise InputError(f"got {steps} steps, expected at least 2: the two ends")
