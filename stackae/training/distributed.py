"""Several processes, started by torchrun, train one model.

Every process draws the same batches and the same corruption from the same seed, computes the gradient of its
share of each batch, and the gradients are averaged. So the result does not depend on the number of processes,
but for the order in which float32 sums are taken; and for penalties on means over a batch (KL sparsity),
which are then taken over shares. Each process holds or reads all samples; memory limits are for each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor
from torch import distributed as torch_distributed

from stackae.training.callbacks.base import Callback
from stackae.training.gradients import Gradient, trainable_parameters
from stackae.training.phase import Phase, PhaseRun


class Processes(Callback):
    """Lets the fits of all processes be one.

    Parameters
    ----------
    device : torch.device
    rank, size : int
        Which process this is, of how many.
    """

    def __init__(self, device: torch.device, rank: int, size: int) -> None:
        self.device = device
        self.rank = rank
        self.size = size

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reports and writes."""
        return self.rank == 0

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        if self.size > 1:  # where no seed was given, each has drawn its own
            state = generator.get_state().to(self.device)
            torch_distributed.broadcast(state, 0)
            generator.set_state(state.cpu())

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        if self.size > 1 and run is not None:
            run.gradient = self._averaged(run.gradient, trainable_parameters(run.module))
            run.watch = self._first(run.watch)

    def _first(self, watch: Callable[[Tensor], float]) -> Callable[[Tensor], float]:
        """The first process's loss in all of them, so that they stop in the same epoch."""

        def watched(z: Tensor) -> float:
            loss = torch.tensor(watch(z), dtype=torch.float64, device=self.device)
            torch_distributed.broadcast(loss, 0)
            return float(loss)

        return watched

    def _averaged(self, gradient: Gradient, parameters: Sequence[Tensor]) -> Gradient:
        """The gradient of a batch, of which every process computes its share."""
        # What is drawn within a share must not move the generator that all processes have in common.
        own = Generator(parameters[0].device).manual_seed(self.rank)
        sizes = [parameter.numel() for parameter in parameters]
        mine = slice(self.rank, None, self.size)

        def averaged(
            batch: Tensor, corrupted: Tensor, generator: Generator
        ) -> tuple[Tensor, Sequence[Tensor]]:
            n_samples = len(batch[mine])
            flat = parameters[0].new_zeros(sum(sizes) + 1)
            if n_samples:
                loss, gradients = gradient(batch[mine], corrupted[mine], own)
                torch.cat([loss.view(1), *(g.reshape(-1) for g in gradients)], out=flat)
                flat *= n_samples / len(batch)
            torch_distributed.all_reduce(flat)
            loss, *parts = torch.split(flat, [1, *sizes])
            return loss.view(()), [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]

        return averaged


@contextmanager
def together(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started, as a callback that makes their fits one; alone it does nothing.

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
    >>> from stackae.training.distributed import together
    >>> with together(torch.device("cpu")) as processes:
    ...     model = Autoencoder(2, random_state=0).set_callbacks(processes).fit(load_iris().data)
    ...     if processes.is_first:
    ...         codes = model.transform(load_iris().data)
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes(device, 0, 1)
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    torch_distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(device, torch_distributed.get_rank(), torch_distributed.get_world_size())
    finally:
        torch_distributed.destroy_process_group()
