"""Several processes, started by torchrun, train one model.

Every process draws the same batches and the same corruption from the same seed, computes the gradient of its
share of each batch, and the gradients are averaged. So the result does not depend on the number of processes,
but for the order in which float32 sums are taken; and for penalties on means over a batch (KL sparsity),
which are then taken over shares. Each process holds or reads all rows; memory limits are for each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor
from torch import distributed as processes

from stackae.training.gradients import Gradient

_together = False


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Within it, the processes that torchrun started train one model; elsewhere, or alone, nothing changes.

    Parameters
    ----------
    device : torch.device
        Gradients are averaged by NCCL between GPUs, each process using its own, and by gloo otherwise.

    Examples
    --------
    In a script started with ``torchrun --nproc-per-node 2 script.py``:

    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder
    >>> from stackae.training.distributed import is_first, together
    >>> with together(torch.device("cpu")):
    ...     model = Autoencoder(2, random_state=0).fit(load_iris().data)
    ...     if is_first():
    ...         codes = model.transform(load_iris().data)
    """
    global _together
    if _together or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    processes.init_process_group("nccl" if on_gpu else "gloo")
    _together = True
    try:
        yield
    finally:
        _together = False
        processes.destroy_process_group()


def is_first() -> bool:
    """Whether this is the process that reports and writes: the only one, or the first of several."""
    return not _together or processes.get_rank() == 0


def agreed(number: float, device: torch.device) -> float:
    """The first process's number, in all of them."""
    if not _together:
        return number
    tensor = torch.tensor(number, dtype=torch.float64, device=device)
    processes.broadcast(tensor, 0)
    return float(tensor)


def shared(gradient: Gradient, parameters: Sequence[Tensor]) -> Gradient:
    """The gradient of a batch, of which every process computes its share.

    Parameters
    ----------
    gradient : Gradient
        Of the rows that it is given.
    parameters : sequence of Tensor
        With respect to which it is.
    """
    if not _together:
        return gradient
    rank, n_processes = processes.get_rank(), processes.get_world_size()
    # What is drawn within a share must not move the generator that all processes have in common.
    own = Generator(parameters[0].device).manual_seed(rank)
    sizes = [parameter.numel() for parameter in parameters]

    def averaged(batch: Tensor, seen: Tensor, generator: Generator) -> tuple[Tensor, Sequence[Tensor]]:
        mine = slice(rank, None, n_processes)
        n_rows = len(batch[mine])
        flat = parameters[0].new_zeros(sum(sizes) + 1)
        if n_rows:
            loss, gradients = gradient(batch[mine], seen[mine], own)
            torch.cat([loss.view(1), *(g.reshape(-1) for g in gradients)], out=flat)
            flat *= n_rows / len(batch)
        processes.all_reduce(flat)
        loss, *parts = torch.split(flat, [1, *sizes])
        return loss.view(()), [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]

    return averaged
