"""The processes that train one model: what each has of it, and how they agree. Alone, a process has all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch import distributed as torch_distributed

from stackae._utils.draws import Share, is_by_rows
from stackae._utils.memory import MemoryBudget
from stackae.exceptions import DataError, ParameterError
from stackae.modules.autoencoder import DeepEncoder
from stackae.modules.heads import Predictor
from stackae.training.exchange import Exchange, exchange_of


class Draws(Generator):
    """The source of every random draw of a fit.

    Attributes
    ----------
    share : Share or None
        The rows for which is drawn now; None: all (:mod:`stackae._utils.draws`).
    """

    share: Share | None = None


class Group:
    """Processes of which this is one.

    Parameters
    ----------
    device : torch.device
        Where its tensors are.
    rank, size : int
        Which process this is, of how many.
    """

    def __init__(self, device: torch.device, rank: int = 0, size: int = 1) -> None:
        self.device = device
        self.rank = rank
        self.size = size
        #: Where gradients are summed, kept from batch to batch.
        self._exchange: Exchange | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reports and writes."""
        return self.rank == 0

    def divides(self, module: Any) -> bool:
        """Whether each process is given its own rows alone: where no row's part in a batch hangs on others.

        If not, each is given the whole batch, and takes its rows when it is corrupted.
        """
        if self.size == 1 or not isinstance(module, DeepEncoder):
            return False
        if isinstance(module, Predictor) and module.costs:
            return False
        parts = [part for layer in module for part in (layer.parts.code, *layer.parts.penalties)]
        return all(part is None or is_by_rows(part) for part in (*module.corruptions, *parts))

    def share(self, n_samples: int, device: torch.device) -> Share:
        """Every ``size``-th row of a batch of so many."""
        return Share(n_samples, torch.arange(n_samples, device=device)[self.rank :: self.size])

    def own_of(self, starts: range) -> range:
        """Those of some blocks that fall to this process."""
        return starts[self.rank :: self.size]

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """The sums of numbers over all processes."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        torch_distributed.all_reduce(total)
        found: list[float] = total.tolist()
        return found

    def refuse_other_rows(self, shape: tuple[int, int]) -> None:
        """Raise ``DataError`` in all processes where some have other rows than others, by their number."""
        if self.size == 1:
            return
        low, high = (torch.tensor(shape, device=self.device) for _ in range(2))
        torch_distributed.all_reduce(low, torch_distributed.ReduceOp.MIN)
        torch_distributed.all_reduce(high, torch_distributed.ReduceOp.MAX)
        if not torch.equal(low, high):
            least, most = (f"{n:,} rows × {d:,} columns" for n, d in (low.tolist(), high.tolist()))
            raise DataError(
                f"the processes have other rows, from {least} to {most}; give all of them the same"
            )

    def agreed(self, find: Callable[[], Any]) -> Any:
        """What the first process finds, which alone looks."""
        if self.size == 1:
            return find()
        found = [find() if self.is_first else None]
        torch_distributed.broadcast_object_list(found, 0, device=self.device)
        return found[0]

    def agree_on_draws(self, generator: Generator) -> None:
        """Let a generator stand where the first process's stands."""
        state = generator.get_state().to(self.device)
        torch_distributed.broadcast(state, 0)
        generator.set_state(state.cpu())

    def agree_on(self, run: Any) -> None:
        """Let a phase (a ``PhaseRun``) stand where it stands in the first process, which may have gone on."""
        if self.size == 1:
            return
        if any(getattr(part, "statistics", ()) for part in run.module.modules()):
            raise ParameterError(
                "batch normalisation goes by whole batches, and each process has a part of them; train in one"
                " process, or with network='dense'"
            )
        run.stand_at(*self.agreed(run.standing))
        self.agree_on_draws(run.generator)
        for tensor in run.tensors(whole=True).values():
            own = tensor.detach().to(self.device).contiguous()
            torch_distributed.broadcast(own, 0)
            tensor.detach().copy_(own)

    def in_turn(
        self, n_blocks: int, own: Iterator[Tensor], shape: Callable[[int], tuple[int, ...]]
    ) -> Iterator[Tensor]:
        """All blocks in their order, of which each process has made every ``size``-th, from its rank on.

        Parameters
        ----------
        n_blocks : int
        own : iterator of Tensor, float32
            The blocks that this process makes, made when they are asked for.
        shape : callable
            From a block's number to its shape.
        """
        if self.size == 1:
            yield from own
            return
        for first in range(0, n_blocks, self.size):
            mine = next(own).float().contiguous() if first + self.rank < n_blocks else None
            for rank, number in enumerate(range(first, min(first + self.size, n_blocks))):
                is_own = rank == self.rank and mine is not None
                block = (
                    mine if is_own else torch.empty(shape(number), device=self.device, dtype=torch.float32)
                )
                assert block is not None
                torch_distributed.broadcast(block, rank)
                yield block

    def least_memory(self, memory: MemoryBudget) -> MemoryBudget:
        """The least that any of the processes may take, so that all do the same."""
        if self.size == 1:
            return memory
        amounts = torch.tensor([memory.n_bytes, memory.of_all], device=self.device)
        torch_distributed.all_reduce(amounts, torch_distributed.ReduceOp.MIN)
        n_bytes, of_all = amounts.tolist()
        return memory._replace(n_bytes=n_bytes, shared=of_all)

    def mean_gradient(
        self, loss: Tensor, gradients: Sequence[Tensor], weight: float
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Loss and gradient of a batch, where each process gives those of its rows, such a share of it.

        They are there until the next batch's are asked for.
        """
        each = [*gradients, loss.detach()]
        sizes = [tensor.numel() for tensor in each]
        if self._exchange is None or self._exchange.own.numel() != sum(sizes):
            self._exchange = exchange_of(sum(sizes), self.device, self.rank, self.size)
        for part, tensor in zip(torch.split(self._exchange.own, sizes), each, strict=True):
            if weight:
                torch.mul(tensor.reshape(-1), weight, out=part)
            else:  # of no row; what was found may be no number
                part.zero_()
        parts = torch.split(self._exchange.total(), sizes)
        *means, mean = (part.view_as(tensor) for part, tensor in zip(parts, each, strict=True))
        return mean.clone(), means


#: The only process.
ALONE = Group(torch.device("cpu"))
