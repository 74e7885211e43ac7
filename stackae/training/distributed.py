"""Several processes, started by torchrun, train one model.

Every process knows which samples a batch has, gathers or reads its share of them, computes their gradient,
and the gradients are averaged. What is drawn for a sample depends on its place in the batch and on the step.
So the result does not depend on the number of processes, but for the order in which float32 sums are taken;
and for penalties on means over a batch (KL sparsity), which are then taken over shares.

Where corruption or code look at other rows of the batch (swap, salt-and-pepper, top-k, parts from outside),
and where rows without a target cost something, each process has the whole batch before it takes its share,
and what a step draws inside (hidden dropout, say) is each one's own. Codes and held-out losses are found in
shares too, and exchanged; means and ranges of columns, closed forms and the shortcut's PCA by every process.
An amount of memory is for the machine: each of its processes takes an equal part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Generator
from torch import distributed as torch_distributed
from torch.distributed.rendezvous import rendezvous

from stackae.exceptions import ParameterError
from stackae.training.callbacks.base import Callback
from stackae.training.processes import Group

#: What errors say where another process is no longer there.
_OF_LOSS = ("onnection closed", "onnection reset", "onnection refused", "roken pipe", "timed out", "imeout")
_LOST = "another process of this run has ended"


class Processes(Group, Callback):
    """Lets the fits of all processes be one.

    Of :class:`~stackae.training.callbacks.Checkpoints` and whatever else writes the first process alone has
    need.
    """

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        if self.size > 1:  # where no seed was given, each has drawn its own
            self.agree_on_draws(generator)


@contextmanager
def together(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started, as a callback that makes their fits one; alone it does nothing.

    Parameters
    ----------
    device : torch.device
        Gradients are averaged by NCCL between GPUs, each process using its own. On processors they are
        averaged in shared memory if all processes are on one machine, and by gloo otherwise.

    Raises
    ------
    ParameterError
        The environment says that there are several processes, and not which this is.
    ConnectionError
        Another process has ended, or was killed. What a process raises has an attribute ``is_told``: whether
        another of them was first to fail.

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
        yield Processes(device)
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    try:
        store, rank, size = next(rendezvous("env://"))
    except ValueError as error:
        what = str(error).rpartition(": ")[2]
        raise ParameterError(
            f"WORLD_SIZE is set, {what}; start it by torchrun, or unset WORLD_SIZE"
        ) from None
    # Of a group that torchrun has started again the store may still hold where the one before listened.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = torch_distributed.PrefixStore(attempt, store)  # type: ignore[attr-defined]
    kind = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    torch_distributed.init_process_group(kind, store=store, rank=rank, world_size=size)
    try:
        yield Processes(device, rank, size)
    except BaseException as error:
        raised = ConnectionError(_LOST) if is_loss(error) else error
        raised.is_told = _is_told(store)  # type: ignore[attr-defined]
        if raised is error:
            raise
        raise raised from error
    finally:
        torch_distributed.destroy_process_group()


def is_loss(error: BaseException) -> bool:
    """Whether an error comes of another process's end."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OF_LOSS)


def _is_told(store: Any) -> bool:
    """Whether another process has failed before this one."""
    with suppress(RuntimeError):  # the store is gone with torchrun
        return bool(store.add("stackae/failed", 1) > 1)
    return False
