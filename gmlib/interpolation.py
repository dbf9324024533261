"""Interpolation between latents or images: along a straight line, or along a great circle."""

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.shapes import require_shape, require_whole


def interpolate(start: Float[Tensor, "n ..."], end: Float[Tensor, "n ..."], steps: int = 6) -> Float[Tensor, "m ..."]:
    r"""Return points in equal steps along straight lines, both ends included.

    $$z_t = (1 - t) \, z_0 + t \, z_1, \qquad t = 0, \tfrac{1}{s - 1}, \dots, 1$$

    Args:
        start: first point of each line, such as latents `(n, d)` or images `(n, c, h, w)`.
        end: last point of each line, of the same shape.
        steps: s, the number of points on each line, at least 2.

    Returns:
        The points, line by line, `(n · steps, …)`: an image grid of `steps` columns shows one line per row.
    """
    if start.shape != end.shape:
        raise InputError(
            f"got a start of shape {tuple(start.shape)} and an end of shape {tuple(end.shape)}, expected the same shape: "
            "give one end per start"
        )
    require_whole(2, steps=steps)
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    t = t.reshape(-1, *[1] * (start.ndim - 1))
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), t).flatten(0, 1)


def interpolate_spherical(
    start: Float[Tensor, "n d"], end: Float[Tensor, "n d"], steps: int = 6
) -> Float[Tensor, "m d"]:
    r"""Return points in equal angles along the great circle from one latent to another, both ends included.

    $$z_t = \frac{\sin((1 - t)\, \omega)}{\sin \omega} \, z_0 + \frac{\sin(t\, \omega)}{\sin \omega} \, z_1, \qquad \cos\omega = \frac{z_0^\top z_1}{\|z_0\| \|z_1\|}$$

    The length of a Gaussian latent of many dimensions d is close to the square root of d. The midpoint of the straight line
    between two such latents is shorter by a factor of about the square root of 2; points on the great circle are not.

    Args:
        start: first latent of each path, `(n, d)`.
        end: last latent of each path, of the same shape.
        steps: the number of points on each path, at least 2.

    Returns:
        The points, path by path, `(n · steps, d)`.

    Raises:
        InputError: if a start and its end point in opposite directions, or one of them has length 0.

    Source: Shoemake 1985; for latents White 2016, section 2.1.
    """
    require_shape("n d", start=start, end=end)
    require_whole(2, steps=steps)
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1, eps=0.0)
    if not (cosine > -1 + 1e-6).all():  # also where it is NaN
        raise InputError(
            "got a start and an end that point in opposite directions or have length 0, expected two directions: "
            "there is no single great circle between them"
        )
    angle = cosine.clamp(max=1).acos().view(-1, 1, 1)
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).view(-1, 1)
    # for small angles, where sin(angle) may be 0, the limits sin(t · angle) / sin(angle) -> t are used
    regular = angle > 1e-3
    sine = torch.where(regular, angle.sin(), 1.0)
    start_weight = torch.where(regular, ((1 - t) * angle).sin() / sine, 1 - t)
    end_weight = torch.where(regular, (t * angle).sin() / sine, t)
    return (start_weight * start.unsqueeze(1) + end_weight * end.unsqueeze(1)).flatten(0, 1)
