"""Data-parallel training by several processes under torchrun: everything that uses torch.distributed.

Every process holds all data, and the same networks and random generators in the same state. Each process computes the
gradients of its rows of every batch, and the gradients are averaged. So any number of processes trains the same model on
the same random numbers.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gmlib.errors import InputError, one_line

TORCHRUN_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class AloneError(InputError):
    """This process is not connected to the others, so it prints its error itself; otherwise process 0 prints for all."""


def world_size() -> int:
    """Return the number of processes that train together: 1 unless torchrun started more and they are connected."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process. Process 0, which may be the only one, writes files and prints."""
    return int(os.environ["RANK"]) if _started_by_torchrun() else 0


def _started_by_torchrun() -> bool:
    """Return whether torchrun started this process and others: all its variables are set, not only some left by an earlier job."""
    return all(os.environ.get(name) for name in TORCHRUN_VARIABLES) and os.environ["WORLD_SIZE"] != "1"


def init(device: torch.device) -> torch.device:
    """Connect to the other processes, if torchrun started several, and return the device of this process."""
    if not _started_by_torchrun():
        return device
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        process = f"process {rank()} of {os.environ['WORLD_SIZE']}"
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        try:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        except (RuntimeError, ValueError) as error:
            advice = "start all of them with torchrun, or unset RANK and WORLD_SIZE to train in one process"
            raise AloneError(f"{process} did not meet the others at {address} ({one_line(error)}): {advice}") from error
    return device


def shutdown() -> None:
    """Disconnect from the other processes, if there are any."""
    if world_size() > 1:
        dist.destroy_process_group()


def from_first(read: Callable[[], Any]) -> Any:
    """Call `read` in the first process; return its result, or raise its InputError, in every process."""
    result: list[Any] = [None]
    if rank() == 0:
        try:
            result[0] = read()
        except InputError as error:
            result[0] = error
    if world_size() > 1:
        dist.broadcast_object_list(result)
    if isinstance(result[0], InputError):
        raise result[0]
    return result[0]


def require_divisible(batch_size: int) -> None:
    """Raise InputError for a batch that the processes cannot share equally."""
    if batch_size % world_size():
        raise InputError(
            f"got {world_size()} processes for a batch of {batch_size} images, expected a number that divides it: "
            "start another number with torchrun --nproc-per-node"
        )


def shard() -> Callable[[Tensor], Tensor]:
    """Return a function that takes this process's rows out of a batch."""
    count, index = world_size(), rank()
    return lambda batch: batch.tensor_split(count)[index] if count > 1 else batch


# random numbers


class SharedRng(Generator):
    """A random generator with which `draw` draws for the batch of all processes and keeps this process's rows."""


def shared_rng(generator: Generator | None, device: torch.device) -> Generator:
    """Return the random generator of a training loop; without one, seed a new one from torch's global generator.

    A single process gets the generator as it is; several processes get a `SharedRng` with a copy of its state.
    """
    if generator is not None and (world_size() == 1 or isinstance(generator, SharedRng)):
        return generator
    shared = SharedRng(device if generator is None else generator.device)
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
        generator: random generator; with a `SharedRng`, as in training, the rows of the other processes are drawn too.
        device: device of the noise.
        dim: the dimension of `shape` that indexes the batch.

    Returns:
        Noise of the shape, in float32.
    """
    count = world_size() if isinstance(generator, SharedRng) else 1
    batch_shape = [size * count if i == dim else size for i, size in enumerate(shape)]
    noise = sampler(batch_shape, generator=generator, device=device, dtype=torch.float32)
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

    def average_gradients(*_: object) -> None:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        means = average(torch.cat([gradient.flatten() for gradient in gradients]))  # one reduction for all weights
        for gradient, mean in zip(gradients, means.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    if world_size() > 1:
        optimiser.register_step_pre_hook(average_gradients)


# batch norm


class _Sum(torch.autograd.Function):
    """Sum over the processes. Its backward pass is this function too, so it can be differentiated twice, as a penalty needs."""

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
        axes, shape = [0, *range(2, input.ndim)], (1, -1, *[1] * (input.ndim - 2))  # all axes but the channels
        count = input.numel() // input.shape[1] * world_size()
        mean = _Sum.apply(input.sum(axes)) / count
        centred = input - mean.view(shape)
        var = _Sum.apply((centred**2).sum(axes)) / count
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(var.detach() * count / (count - 1), self.momentum)
        out = centred * (var + self.eps).rsqrt().view(shape) * self.weight.view(shape) + self.bias.view(shape)
        return out.to(dtype)


def sync_batch_norm(network: nn.Module) -> nn.Module:
    """Turn every batch norm of a network, in place, into one over the batch of all processes; return the network."""
    if world_size() > 1:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                cast(Any, module).__class__ = GlobalBatchNorm  # weights and statistics stay
    return network
