"""Ways from one point to another: through latents, or through images."""

from numbers import Integral

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
        InputError: if start and end are no floats of one shape, dtype and device, or there are fewer than two steps.
    """
    _require_ends(start, end, steps)
    along = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    along = along.reshape(-1, *[1] * (start.ndim - 1))
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), along).flatten(0, 1)


def interpolate_spherical(
    start: Float[Tensor, "n d"], end: Float[Tensor, "n d"], steps: int = 6
) -> Float[Tensor, "m d"]:
    r"""Go in equal angles along the great circle from one latent to another, both ends included.

    $$z_t = \frac{\sin((1 - t)\, \omega)}{\sin \omega} \, z_0 + \frac{\sin(t\, \omega)}{\sin \omega} \, z_1, \qquad \cos\omega = \frac{z_0^\top z_1}{\|z_0\| \|z_1\|}$$

    Gaussian latents of many dimensions lie near a sphere, which a straight line leaves: half way it is shorter by a factor of
    about the square root of 2. This way stays at the lengths that the generator has seen.

    Args:
        start: where each way begins, `(n, d)`.
        end: where it ends, of the same shape.
        steps: s, points on each way; 6 are steps of 0.2.

    Returns:
        The points, way by way, `(n · steps, d)`.

    Raises:
        InputError: if start and end are no latents of one shape, dtype and device, point in opposite directions or have no
            length, or there are fewer than two steps.

    Source: Shoemake 1985; for latents White 2016, section 2.1.
    """
    _require_ends(start, end, steps)
    if start.ndim != 2:
        raise InputError(
            f"got points of shape {tuple(start.shape)}, expected latents (n, d): use interpolate for images"
        )
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1, eps=0.0)
    if not (cosine > -1 + 1e-6).all():
        raise InputError(
            "got a start and an end that point in opposite directions or have no length, expected two directions: "
            "no great circle is the one between them"
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
    """Refuse ends that do not belong together."""
    if start.shape != end.shape or not start.ndim:
        raise InputError(
            f"got a start of shape {tuple(start.shape)} and an end of shape {tuple(end.shape)}, "
            "expected the same shape (n, ...): one end for each start, of the same model"
        )
    if start.dtype != end.dtype or start.device != end.device or not start.is_floating_point():
        raise InputError(
            f"got a start of {start.dtype} on {start.device} and an end of {end.dtype} on {end.device}, "
            "expected floats of one dtype on one device: convert them with .to()"
        )
    if not isinstance(steps, Integral) or steps < 2:
        raise InputError(f"got {steps} steps, expected at least 2: the two ends")
