"""A block of code that is independent of torch's global state: its random generator, default dtype and default device."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.overrides import TorchFunctionMode

# functions that make tensors of the default dtype
FLOATS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.linspace, torch.eye}
# functions that make tensors on the default device
CONSTRUCTORS = FLOATS | {torch.tensor, torch.full, torch.arange, torch.randint, torch.randperm}
# functions that draw from the global generator unless they are given another one
SAMPLERS = {
    *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.bernoulli, torch.multinomial),
    *(Tensor.bernoulli, Tensor.multinomial, Tensor.bernoulli_, Tensor.uniform_, Tensor.normal_, Tensor.random_),
    *(Tensor.exponential_, Tensor.geometric_, Tensor.log_normal_, Tensor.cauchy_),
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_),  # the mode sees these calls, not those within them
}
# functions without an argument for a generator, each mapped to one that has it and makes the same draws
LIKE: dict[Any, Callable[..., Tensor]] = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}
# number of leading axes along which the mask of dropout varies: 2 for batch and channels, None for all axes
DROPOUT: dict[Any, int | None] = {F.dropout: None, F.dropout1d: 2, F.dropout2d: 2, F.dropout3d: 2}
# functions that draw from the global generator, and have no argument for another one
GLOBAL_ONLY = {F.alpha_dropout, F.feature_alpha_dropout, F.rrelu, F.gumbel_softmax, torch.randint_like}


class Isolated(TorchFunctionMode):
    """A `with` block in which the current thread has its own random generator, and float32 and the CPU as defaults.

    torch has one global random generator, one default dtype and one default device for all threads. Within the block,
    functions that are given none of these use the block's: dropout, `torch.randn`, the initial weights of a layer. So a
    notebook cell that draws, seeds or sets a default does not change a network that trains in another thread, and the
    training does not change the cell's numbers. On the CPU the draws equal those of the global generator with the same seed.
    """

    def __init__(self, generator: Generator) -> None:
        """Set the random generator, for tensors on its device; draws on other devices use their global generator."""
        super().__init__()
        self.generator = generator
        self.paused = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, with this block's generator, dtype and device if it is given none."""
        kwargs = dict(kwargs or {})
        if self.paused:
            return func(*args, **kwargs)
        if func in CONSTRUCTORS:
            if kwargs.get("device") is None:
                kwargs["device"] = "cpu"
            if func in FLOATS and kwargs.get("dtype") is None:
                kwargs["dtype"] = torch.float32
        if func in SAMPLERS and kwargs.get("generator") is None and self._on_own_device(args, kwargs):
            kwargs["generator"] = self.generator
        if func in LIKE and self._on_own_device(args, kwargs):
            like = args[0]
            options = {"dtype": like.dtype, "device": like.device, "generator": self.generator}
            options |= {key: value for key, value in kwargs.items() if value is not None}
            return LIKE[func](like.shape, **options)
        if func in DROPOUT and self._on_own_device(args, kwargs):
            return self._dropout(func, *args, **kwargs)
        if func in GLOBAL_ONLY:
            return self._with_global(func, *args, **kwargs)
        return func(*args, **kwargs)

    def _on_own_device(self, args: Any, kwargs: Any) -> bool:
        """Return whether a function with these arguments draws on the device of this block's generator."""
        tensors = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        device = kwargs.get("device") or next((tensor.device for tensor in tensors), "cpu")
        return torch.device(device).type == self.generator.device.type

    def _dropout(
        self, func: Any, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """Apply dropout with this block's generator; the mask does not depend on the memory format, and on the CPU it is torch's."""
        axes = DROPOUT[func]
        if not training or not 0 < p < 1:
            return func(input, p, training, inplace)
        if axes and input.ndim <= axes:  # without a batch
            return self._with_global(func, input, p, training, inplace)
        shape = input.shape if axes is None else (*input.shape[:axes], *[1] * (input.ndim - axes))
        kept = torch.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p, generator=self.generator)
        return input.mul_(kept.div_(1 - p)) if inplace else input * kept.div_(1 - p)

    def _with_global(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function with global generators that are seeded from this block's, and restore them."""
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (), generator=self.generator, device=self.generator.device)))
            return func(*args, **kwargs)

    def around(self, loop: Callable[..., Any]) -> Callable[..., Any]:
        """Return a training loop that runs within the block, except its callbacks, which use torch's global state."""

        def isolated(*args: Any, on_start: Any = None, on_step: Any = None, on_epoch: Any = None, **kwargs: Any) -> Any:
            callbacks = {"on_start": on_start, "on_step": on_step, "on_epoch": on_epoch}
            with self:
                return loop(*args, **{name: self._outside(each) for name, each in callbacks.items()}, **kwargs)

        return isolated

    def _outside(self, callback: Callable[[Any], None] | None) -> Callable[[Any], None]:
        """Return a callback during which the block is paused."""

        def paused(state: Any) -> None:
            self.paused = True
            try:
                if callback:
                    callback(state)
            finally:
                self.paused = False

        return paused


def may_draw(network: nn.Module) -> bool:
    """Return whether a network may draw random numbers in training: it has dropout or RReLU, or a layer of another package."""
    return any(
        not type(module).__module__.startswith(("torch.nn.modules.", "gmlib."))
        or getattr(module, "dropout", False)
        or isinstance(module, nn.modules.dropout._DropoutNd | nn.RReLU)
        for module in network.modules()
    )
