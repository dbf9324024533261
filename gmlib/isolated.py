"""A block of code that is independent of torch's global state: its random generator, default dtype and default device."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.overrides import TorchFunctionMode

FLOATS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.linspace, torch.eye}
CONSTRUCTORS = FLOATS | {torch.tensor, torch.full, torch.arange, torch.randint, torch.randperm}
SAMPLERS = {
    *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.bernoulli, torch.multinomial),
    *(Tensor.bernoulli, Tensor.multinomial, Tensor.bernoulli_, Tensor.uniform_, Tensor.normal_, Tensor.random_),
    *(Tensor.exponential_, Tensor.geometric_, Tensor.log_normal_, Tensor.cauchy_),
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_),  # which torch hands over as a whole
}
LIKE: dict[Any, Callable[..., Tensor]] = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}
# how many axes of a tensor have a mask of their own, from the batch on: all, or the batch and the channels
DROPOUT: dict[Any, int | None] = {F.dropout: None, F.dropout1d: 2, F.dropout2d: 2, F.dropout3d: 2}
# what draws from the global generator, and takes no other
STUBBORN = {F.alpha_dropout, F.feature_alpha_dropout, F.rrelu, F.gumbel_softmax, torch.randint_like}


class Isolated(TorchFunctionMode):
    """A block in which this thread, and no other, draws from one generator and makes float32 tensors on the CPU.

    torch has one global random generator, one default dtype and one default device for all threads. Within the block what
    names none of its own takes these instead: dropout, `torch.randn`, the initial weights of a layer. So a cell that
    draws, seeds or sets a default while a network trains in a thread changes nothing there, and the training changes
    nothing in the cell. On the CPU the numbers are those of the global generator with the same seed.
    """

    def __init__(self, generator: Generator) -> None:
        """Prepare the block.

        Args:
            generator: source of the randomness of tensors on its device; others keep the global generator of theirs.
        """
        super().__init__()
        self.generator = generator
        self.paused = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, with this block's generator, dtype and device where it names none."""
        kwargs = dict(kwargs or {})
        if self.paused:
            return func(*args, **kwargs)
        if func in CONSTRUCTORS:
            if kwargs.get("device") is None:
                kwargs["device"] = "cpu"
            if func in FLOATS and kwargs.get("dtype") is None:
                kwargs["dtype"] = torch.float32
        if func in SAMPLERS and kwargs.get("generator") is None and self._draws_for(args, kwargs):
            kwargs["generator"] = self.generator
        if func in LIKE and self._draws_for(args, kwargs):
            like = args[0]
            given = {"dtype": like.dtype, "device": like.device, "generator": self.generator}
            return LIKE[func](like.shape, **given | {key: value for key, value in kwargs.items() if value is not None})
        if func in DROPOUT and self._draws_for(args, kwargs):
            return self._dropout(func, *args, **kwargs)
        if func in STUBBORN:
            return self._stubborn(func, *args, **kwargs)
        return func(*args, **kwargs)

    def _draws_for(self, args: Any, kwargs: Any) -> bool:
        """Return whether the numbers are wanted on the generator's device."""
        tensors = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        device = kwargs.get("device") or next((tensor.device for tensor in tensors), "cpu")
        return torch.device(device).type == self.generator.device.type

    def _dropout(
        self, func: Any, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """Drop numbers or channels as torch does on the CPU, with a mask in the order of the axes, for every memory format."""
        axes = DROPOUT[func]
        if not training or not 0 < p < 1 or (axes and input.ndim <= axes):
            return func(input, p, training, inplace)
        shape = input.shape if axes is None else (*input.shape[:axes], *[1] * (input.ndim - axes))
        kept = torch.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p, generator=self.generator)
        return input.mul_(kept.div_(1 - p)) if inplace else input * kept.div_(1 - p)

    def _stubborn(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Seed the global generators for one call, from this block's generator, and put them back."""
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (), generator=self.generator, device=self.generator.device)))
            return func(*args, **kwargs)

    def around(self, loop: Callable[..., Any]) -> Callable[..., Any]:
        """Put a training loop into the block, and leave what it calls along the way outside.

        Args:
            loop: takes `on_start`, `on_step` and `on_epoch`.

        Returns:
            The same loop.
        """

        def isolated(*args: Any, **kwargs: Any) -> Any:
            outside = {name: self._outside(kwargs.pop(name, None)) for name in ("on_start", "on_step", "on_epoch")}
            with self:
                return loop(*args, **outside, **kwargs)

        return isolated

    def _outside(self, callback: Callable[[Any], None] | None) -> Callable[[Any], None] | None:
        """Let a callback use torch's global state, as any code of the caller's does."""
        if callback is None:
            return None

        def called(state: Any) -> None:
            self.paused = True
            try:
                callback(state)
            finally:
                self.paused = False

        return called


def may_draw(network: nn.Module) -> bool:
    """Return whether a network may draw random numbers in training.

    Args:
        network: any.

    Returns:
        False if it is made of layers of torch and of gmlib alone, none of which is a dropout or the like.
    """
    for module in network.modules():
        known = type(module).__module__.startswith(("torch.nn.modules.", "gmlib."))
        if (
            not known
            or getattr(module, "dropout", False)
            or isinstance(module, nn.modules.dropout._DropoutNd | nn.RReLU)
        ):
            return True
    return False
