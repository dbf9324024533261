"""Several processes that train one model under torchrun: everything that uses torch.distributed.

Every process holds all data, networks and random generators in the same state. Each process works on its rows of every
batch, and gradients are averaged, so that any number of processes trains the same model on the same random numbers.
"""

import logging
import os
import signal
from collections.abc import Callable, Sequence
from threading import Timer
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gmlib.errors import InputError, one_line

log = logging.getLogger("gmlib")

LAUNCH = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
NOTICE = 5.0  # seconds after which a process reports that it waits for the others


class AloneError(InputError):
    """This process did not meet the others, so that each of them has to report the error."""


def world_size() -> int:
    """Return the number of processes that train together: 1 unless torchrun started more and they have met."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process; the process with number 0, which may be the only one, writes and prints."""
    return int(os.environ["RANK"]) if _launched() else 0


def _launched() -> bool:
    """Return whether torchrun started this process and others; some of its variables may be left from an earlier job."""
    return all(os.environ.get(name) for name in LAUNCH) and os.environ["WORLD_SIZE"] != "1"


def init(device: torch.device | str) -> torch.device:
    """Join the other processes, if torchrun started several, and return the device of this process."""
    device = torch.device(device)
    if not _launched():
        return device
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        place = f"process {rank()} of {os.environ['WORLD_SIZE']}"
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        advice = "start all of them with torchrun, or unset RANK and WORLD_SIZE to train in one process"
        notice = Timer(NOTICE, log.warning, (f"{place} waits for the others at {address}: {advice}",))
        notice.daemon = True
        notice.start()
        on_ctrl_c = signal.signal(signal.SIGINT, signal.SIG_DFL)  # torch waits in C++, where Python cannot react
        try:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        except (RuntimeError, ValueError) as error:
            raise AloneError(f"{place} did not meet the others at {address} ({one_line(error)}): {advice}") from error
        finally:
            notice.cancel()
            signal.signal(signal.SIGINT, on_ctrl_c)
    return device


def shutdown() -> None:
    """Leave the other processes, if there are any."""
    if world_size() > 1:
        dist.destroy_process_group()


def from_first(read: Callable[[], Any]) -> Any:
    """Return to every process what `read` returns in the first, or raise in every process the InputError that it raises."""
    found: list[Any] = [None, None]
    if rank() == 0:
        try:
            found[0] = read()
        except InputError as error:
            found[1] = error
    if world_size() > 1:
        dist.broadcast_object_list(found)
    if found[1] is not None:
        raise found[1]
    return found[0]


def require_divisible(batch_size: int) -> None:
    """Raise InputError for a batch that the processes cannot share equally."""
    if batch_size % world_size():
        raise InputError(
            f"got {world_size()} processes for a batch of {batch_size} images, expected a number that divides it: "
            "start another number with torchrun --nproc-per-node"
        )


def shard() -> Callable[[Tensor], Tensor]:
    """Return a function that takes this process's rows out of a batch."""
    count, mine = world_size(), rank()
    return lambda batch: batch.tensor_split(count)[mine] if count > 1 else batch


# random numbers


class BatchGenerator(Generator):
    """A random generator that draws for the batch of all processes; `draw` keeps this process's rows."""


def batch_generator(generator: Generator | None, device: Callable[[], torch.device]) -> Generator:
    """Return the generator of a training loop; without one, a new one is seeded from torch's global generator.

    Several processes get a `BatchGenerator` in the same state, a single process the generator itself.
    """
    if generator is not None and (world_size() == 1 or isinstance(generator, BatchGenerator)):
        return generator
    shared = BatchGenerator(device() if generator is None else generator.device)
    if generator is None:
        shared.manual_seed(int(torch.randint(2**62, (), device="cpu")))
    else:
        shared.set_state(generator.get_state())
    return shared


def draw(
    sampler: Callable[..., Tensor],
    shape: Sequence[int],
    generator: Generator | None,
    device: torch.device,
    dim: int = 0,
) -> Tensor:
    """Draw noise for this process's rows of a batch: the rows that a single process would have drawn.

    Args:
        sampler: torch.randn or torch.rand.
        shape: shape of the noise for this process.
        generator: source of randomness; a `BatchGenerator`, as in training, draws the rows of the other processes too.
        device: device of the noise.
        dim: the dimension of `shape` that indexes the batch.

    Returns:
        Noise of the shape, in float32.
    """
    count = world_size() if isinstance(generator, BatchGenerator) else 1
    whole = [size * count if i == dim else size for i, size in enumerate(shape)]
    noise = sampler(whole, generator=generator, device=device, dtype=torch.float32)  # not the default dtype
    return noise.chunk(count, dim)[rank() if count > 1 else 0]


# gradients and means


def average(numbers: Tensor) -> Tensor:
    """Return the mean over the processes of a tensor of any shape."""
    if world_size() == 1:
        return numbers
    total = numbers.clone()
    dist.all_reduce(total)
    return total / world_size()


def share_gradients(optimiser: Optimizer) -> None:
    """Average gradients over the processes before each step of an optimiser."""
    if world_size() > 1:
        optimiser.register_step_pre_hook(lambda *_: _average_gradients(optimiser))


def _average_gradients(optimiser: Optimizer) -> None:
    """Average the gradients that an optimiser uses next, in one reduction."""
    gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
    means = average(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    for gradient, mean in zip(gradients, means.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


# batch norm


class _Sum(torch.autograd.Function):
    """Sum over the processes. Its derivative is the same sum, so that it can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Sum the values."""
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum the gradients, since every process's loss depends on every process's rows."""
        return _Sum.apply(gradients[0].contiguous())


class GlobalBatchNorm(_BatchNorm):
    """Batch norm with the mean and variance of the batch of all processes; PyTorch's SyncBatchNorm needs GPUs."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions after the channels."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `(b, c, …)` by the batch in train mode, by the running statistics in eval mode."""
        if not self.training:
            return super().forward(input)
        dtype = input.dtype
        if dtype == torch.bfloat16:
            input = input.float()  # sums need float32
        over, shape = [0, *range(2, input.ndim)], (1, -1, *[1] * (input.ndim - 2))
        count = input.numel() // input.shape[1] * world_size()
        mean = _Sum.apply(input.sum(over)) / count
        centred = input - mean.view(shape)
        var = _Sum.apply((centred**2).sum(over)) / count
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(var.detach() * count / (count - 1), self.momentum)
        out = centred * (var + self.eps).rsqrt().view(shape) * self.weight.view(shape) + self.bias.view(shape)
        return out.to(dtype)


def sync_batch_norm(network: nn.Module) -> nn.Module:
    """Turn every batch norm of a network, in place, into one over all processes; return the network."""
    if world_size() > 1:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                cast(Any, module).__class__ = GlobalBatchNorm  # weights, statistics and settings stay
    return network
