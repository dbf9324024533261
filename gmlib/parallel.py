"""Several processes that train one model, and nothing where there is one: all that knows of torch.distributed.

Every process holds the whole data, the networks and the random generators in the same state; each works on its rows of
every batch, and gradients are averaged. So any number of processes trains the same model on the same random numbers.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gmlib.errors import InputError, one_line
from gmlib.seeds import require_device

log = logging.getLogger("gmlib")


LAUNCH = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
NOTICE = 5  # seconds until a process says that it waits for the others
WAIT = 300  # seconds until it gives up, unless GMLIB_WAIT sets another number


class AloneError(InputError):
    """This process has not met the others, so that each of them has to say what is wrong."""


def world_size() -> int:
    """Return the number of processes that train together.

    Returns:
        1 unless torchrun started more and they have met.
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process among those that train together.

    Returns:
        0 for the first, which alone writes and prints, and for a process that trains alone.
    """
    try:
        launched = _launched()
    except AloneError:
        return 0
    return launched["RANK"] if launched else 0


def _launched() -> dict[str, int]:
    """Return torchrun's numbers if it started this process and others beside it, else nothing; refuse impossible ones."""
    given = {name: os.environ.get(name, "") for name in LAUNCH}
    if not all(given.values()) or given["WORLD_SIZE"] == "1":
        return {}  # no torchrun, or what an earlier job left in the environment
    try:
        numbers = {name: int(value) for name, value in given.items() if name != "MASTER_ADDR"}
        possible = 0 <= numbers["RANK"] < numbers["WORLD_SIZE"] and numbers["LOCAL_RANK"] >= 0
        possible = possible and 0 < numbers["MASTER_PORT"] < 65536
    except ValueError:
        possible = False
    if not possible:
        found = ", ".join(f"{name}={value}" for name, value in given.items())
        raise AloneError(
            f"got {found} in the environment, expected whole numbers with RANK below WORLD_SIZE and MASTER_PORT up to 65535: start "
            "several processes with torchrun, or unset RANK and WORLD_SIZE to train in one"
        )
    return numbers


def init(device: torch.device | str) -> torch.device:
    """Join the other processes, if torchrun started several: over NCCL on GPUs, over gloo elsewhere.

    Args:
        device: where to train; "cuda" becomes this process's own GPU.

    Returns:
        The device of this process.

    Raises:
        InputError: if the numbers in the environment are impossible, or the other processes do not come.
    """
    device = torch.device(device)
    if launched := _launched():
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", launched["LOCAL_RANK"])
            torch.cuda.set_device(device)
        if not dist.is_initialized():
            _join("nccl" if device.type == "cuda" else "gloo")
    return device


def _join(backend: str) -> None:
    """Meet the other processes; say so if that takes long, and give up in the end.

    torch waits in a thread, so that Ctrl-C is answered meanwhile.
    """
    wait, failed = _wait(), []

    def meet() -> None:
        try:
            dist.init_process_group(backend)
        except Exception as error:  # of any kind: the main thread has to know
            failed.append(error)

    thread = Thread(target=meet, daemon=True)
    thread.start()
    started, told = time.monotonic(), False
    place = f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}"
    address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    while thread.is_alive() and time.monotonic() - started < wait:
        thread.join(0.05)
        if not told and time.monotonic() - started > min(NOTICE, wait / 2):
            log.warning("%s waits for the others at %s, for %g s at most (GMLIB_WAIT sets this)", place, address, wait)
            told = True
    if thread.is_alive() or failed:
        reason = one_line(failed[0]) if failed else f"nobody came within {wait:g} s"
        raise AloneError(
            f"{place} has not met the others at {address} ({reason}): start all of them with torchrun, or unset RANK and WORLD_SIZE "
            "to train in one process"
        )


def _wait() -> float:
    """Return how many seconds to wait for the other processes."""
    text = os.environ.get("GMLIB_WAIT") or str(WAIT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise AloneError(f"got GMLIB_WAIT={text}, expected seconds above 0: how long to wait for the other processes")
    return seconds


def shutdown() -> None:
    """Leave the other processes, if there are any."""
    if world_size() > 1:
        dist.destroy_process_group()


def shard() -> Callable[[Tensor], Tensor]:
    """Give what takes this process's rows out of a batch for all.

    Returns:
        A function of a tensor whose first dimension is the batch; the whole of it where there is one process.
    """
    count, mine = world_size(), rank()
    return lambda batch: batch.tensor_split(count)[mine] if count > 1 else batch


class BatchGenerator(Generator):
    """A random generator that draws for the batch of all processes; `draw` keeps this process's rows."""


def draw(
    sampler: Callable[..., Tensor],
    shape: Sequence[int],
    generator: Generator | None,
    device: torch.device,
    dim: int = 0,
) -> Tensor:
    """Draw noise for this process's rows of a batch, the same rows that one process would have drawn for it.

    Args:
        sampler: torch.randn or torch.rand.
        shape: of the noise for this process.
        generator: source of randomness; where it is a `BatchGenerator`, as in training, the others' rows are drawn too.
        device: where the noise is wanted.
        dim: the dimension of `shape` that runs over the batch.

    Returns:
        Noise of the shape.

    Raises:
        InputError: if the generator is on another device.
    """
    require_device(generator, device)
    count = world_size() if isinstance(generator, BatchGenerator) else 1
    whole = [size * count if i == dim else size for i, size in enumerate(shape)]
    noise = sampler(whole, generator=generator, device=device, dtype=torch.float32)  # not the default dtype
    return noise.chunk(count, dim)[rank() if count > 1 else 0]


def batch_generator(generator: Generator | None, device: Callable[[], torch.device]) -> Generator:
    """Return a generator for the batch of all processes.

    Args:
        generator: of the caller; None seeds a new one from torch's global generator.
        device: returns where the new one draws.

    Returns:
        The same generator where there is one process, otherwise a `BatchGenerator` in the same state.
    """
    if generator is not None and (world_size() == 1 or isinstance(generator, BatchGenerator)):
        return generator
    shared = BatchGenerator(device() if generator is None else generator.device)
    if generator is None:
        shared.manual_seed(int(torch.randint(2**62, (), device="cpu")))
    else:
        shared.set_state(generator.get_state())
    return shared


def share_gradients(optimiser: Optimizer) -> None:
    """Average gradients over the processes before each step of an optimiser; nothing changes where there is one.

    Args:
        optimiser: of the parameters whose gradients are averaged in place.
    """
    if world_size() > 1:
        optimiser.register_step_pre_hook(lambda *_: _average_gradients(optimiser))


def _average_gradients(optimiser: Optimizer) -> None:
    """Average the gradients that an optimiser is about to use, in one reduction."""
    gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
    means = average(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    for gradient, mean in zip(gradients, means.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def average(numbers: Tensor) -> Tensor:
    """Return the mean of numbers over the processes.

    Args:
        numbers: means over this process's rows, of any shape; they stay as they are.

    Returns:
        The means over the whole batch; the same tensor where there is one process.
    """
    if world_size() == 1:
        return numbers
    total = numbers.clone()
    dist.all_reduce(total)
    return total / world_size()


def broadcast(content: bytes | None, error: InputError | None = None) -> bytes | None:
    """Give every process what the first one has read, or the error that it met.

    Args:
        content: of the first process; what the others pass is not looked at.
        error: of the first process.

    Returns:
        The first one's bytes, or None if it passed None.

    Raises:
        InputError: on every process, if the first one passed an error.
    """
    if world_size() == 1:
        if error is not None:
            raise error
        return content
    content = _broadcast_bytes(content if error is None else None)
    refusal = _broadcast_bytes(None if error is None else str(error).encode())
    if refusal is not None:
        raise error or InputError(refusal.decode())
    return content


def _broadcast_bytes(content: bytes | None) -> bytes | None:
    """Send the first process's bytes, or None, to all."""
    device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
    length = torch.tensor([-1 if content is None else len(content)], device=device)
    dist.broadcast(length, 0)
    if length.item() < 0:
        return None
    data = torch.empty(int(length), dtype=torch.uint8, device=device)
    if rank() == 0:
        data.copy_(torch.frombuffer(bytearray(content or b""), dtype=torch.uint8))
    dist.broadcast(data, 0)
    return data.cpu().numpy().tobytes()


class _Sum(torch.autograd.Function):
    """Sum over the processes; its derivative is the same sum, so it can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Sum."""
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum the gradients, for every process's loss depends on every process's rows."""
        return _Sum.apply(gradients[0].contiguous())


class GlobalBatchNorm(_BatchNorm):
    """Batch norm whose mean and variance are those of the batch of all processes (Ioffe & Szegedy 2015).

    PyTorch's SyncBatchNorm does the same on GPUs only.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of dimensions after the channels."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise by the batch in training, by the running statistics otherwise.

        Args:
            input: `(b, c, …)`.

        Returns:
            The same shape.
        """
        if not self.training or world_size() == 1:
            return super().forward(input)
        kind = input.dtype
        if kind in (torch.bfloat16, torch.float16):  # sums are not for half precision
            input = input.float()
        over = [0, *range(2, input.ndim)]
        shape = (1, -1, *[1] * (input.ndim - 2))
        count = input.numel() // input.shape[1] * world_size()
        mean = _Sum.apply(input.sum(over)) / count
        centred = input - mean.view(shape)
        var = _Sum.apply((centred**2).sum(over)) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.detach(), momentum)
            self.running_var.lerp_(var.detach() * count / (count - 1), momentum)
        out = centred * (var + self.eps).rsqrt().view(shape)
        out = out if self.weight is None else out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(kind)


def sync_batch_norm(network: nn.Module) -> nn.Module:
    """Let every batch norm of a network see the batch of all processes; nothing changes where there is one.

    Args:
        network: changed in place; names, weights and buffers stay.

    Returns:
        The network.
    """
    if world_size() == 1:
        return network
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            shared = GlobalBatchNorm(
                child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
            )
            for own, theirs in zip(shared.parameters(), child.parameters(), strict=True):
                own.data = theirs.data
                own.requires_grad_(theirs.requires_grad)
            for name_of, buffer in child.named_buffers():
                setattr(shared, name_of, buffer)
            setattr(network, name, shared.train(child.training))
        else:
            sync_batch_norm(child)
    return network


def require_divisible(batch_size: int) -> None:
    """Refuse a batch that the processes cannot share equally.

    Args:
        batch_size: images a batch, over all processes.

    Raises:
        InputError: if it is no multiple of their number.
    """
    if batch_size % world_size():
        raise InputError(
            f"got {world_size()} processes for a batch of {batch_size} images, expected a number that divides it: "
            "start another number with torchrun --nproc-per-node"
        )
