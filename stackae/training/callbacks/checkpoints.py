"""Where training stands, kept in a folder, so that a run that was killed goes on to the same bits.

Training is a sequence of phases (each layer, then fine-tuning), and all between them follows from the rows,
the parameters and the seed. So a run that goes on starts at the beginning, takes from the folder what each
finished phase made, and goes on within the phase that was under way from the end of an epoch.

=======================  ================================================================================
file                     content
=======================  ================================================================================
``002.safetensors``      what the second phase made: weights, history, state of the random draws
``003-000040...``        where the third phase stood after its epoch 40: the same, with the optimizer, the
                         best weights so far and the counters of early stopping
=======================  ================================================================================

They are written as model files are: atomically, with a checksum, without pickles. Of a phase under way the
two newest are kept; the newest that verifies is used.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stackae.exceptions import ModelFileError, StackaeWarning
from stackae.serialization.model_file import read_model, write_model
from stackae.training.callbacks.history import as_record

if TYPE_CHECKING:
    from stackae.training.callbacks.early_stopping import EarlyStopping
    from stackae.training.callbacks.history import EpochRecord
    from stackae.training.loop import Run

#: Names that checkpoints have.
_NAME = re.compile(r"(\d{3})(?:-(\d{6}))?\.safetensors")
#: Of a phase under way so many are kept.
_KEPT = 2


class Keeper:
    """Is told how training goes, and keeps nothing."""

    def foresee(self, n_bytes: int) -> None:
        """At least so many bytes are going to be kept: refuse what there is no room for."""

    def begin(self, run: Run, stopping: EarlyStopping, history: list[EpochRecord]) -> bool:
        """A phase begins: put it where it stood, if that is known; return whether it had ended."""
        return False

    def end_epoch(self, run: Run, stopping: EarlyStopping, history: list[EpochRecord]) -> None:
        """An epoch has ended, and another one follows."""

    def end(self, run: Run, history: list[EpochRecord]) -> None:
        """The phase has ended."""

    def break_off(self) -> None:
        """The phase is broken off by an error or by a signal."""


class Checkpoints(Keeper):
    """Keeps in a folder where training stands.

    Parameters
    ----------
    folder : path-like
        It must exist; one process at a time may use it.
    key : str
        Says which run it is: what another one has left is refused.
    every : float, default=60.0
        Seconds, at least, between two checkpoints of one phase; 0: after every epoch.
    """

    def __init__(self, folder: str | PathLike[str], key: str, every: float = 60.0) -> None:
        self.folder = Path(folder)
        self.key = key
        self.every = every
        self._phase = 0
        self._goes_on = True
        self._written = monotonic()
        self._unwritten: tuple[Path, dict[str, Any], dict[str, Tensor]] | None = None

    def foresee(self, n_bytes: int) -> None:
        own = sum(path.stat().st_size for path in self.folder.iterdir())  # what comes is in its place
        free = shutil.disk_usage(self.folder).free + own
        if n_bytes > free:
            sizes = (
                f"training leaves {n_bytes / 1e6:,.1f} MB there at least, and {free / 1e6:,.1f} MB are free"
            )
            raise OSError(f"{self.folder}: {sizes}; make room, or write elsewhere")

    def begin(self, run: Run, stopping: EarlyStopping, history: list[EpochRecord]) -> bool:
        self.foresee(sum(tensor.numel() * tensor.element_size() for tensor in _tensors(run).values()))
        self._phase += 1
        self._written, self._unwritten = monotonic(), None
        if not self._goes_on:
            return False
        for path in self._of_phase():
            found = self._read(path)
            if found is not None:
                try:
                    ended = _put(*found, run, stopping, history)
                except (LookupError, TypeError, ValueError, RuntimeError) as error:
                    raise ModelFileError(f"{path}: is no checkpoint of this phase ({error})") from None
                if ended:
                    return True
                break
        self._goes_on = False  # what lies there of later phases comes again
        return False

    def end_epoch(self, run: Run, stopping: EarlyStopping, history: list[EpochRecord]) -> None:
        header = self._header(run, history) | {
            "updates": run.updates,
            "learning_rate": run.learning_rate,
            "stopping": stopping.counters(),
        }
        tensors = {name: tensor.detach().clone() for name, tensor in _tensors(run, stopping).items()}
        path = self.folder / f"{self._phase:03d}-{len(history):06d}.safetensors"
        self._unwritten = path, header, tensors
        if monotonic() - self._written >= self.every:
            self._write()

    def end(self, run: Run, history: list[EpochRecord]) -> None:
        path = self.folder / f"{self._phase:03d}.safetensors"
        self._unwritten = path, self._header(run, history, ended=True), _tensors(run)
        self._write()

    def break_off(self) -> None:
        with suppress(OSError):  # the error that broke it off is the one to report
            self._write()

    def _write(self) -> None:
        """Write what was not written yet, and take away what it replaces."""
        if self._unwritten is None:
            return
        path, header, tensors = self._unwritten
        write_model(path, header, tensors)
        self._unwritten, self._written = None, monotonic()
        others = [other for other in self._of_phase() if other != path]
        for old in others if header["ended"] else others[_KEPT - 1 :]:
            old.unlink()

    def _of_phase(self) -> list[Path]:
        """The checkpoints of the phase: what it made, then where it stood, the newest first."""
        found = []
        for path in self.folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name is not None and int(name[1]) == self._phase:
                found.append((name[2] is None, name[2], path))
        return [path for *_, path in sorted(found, reverse=True)]

    def _read(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """A checkpoint's content, or None, with a warning, where it is damaged."""
        try:
            header, tensors = read_model(path)
        except ModelFileError as error:
            warnings.warn(f"{error}; an older checkpoint is used", StackaeWarning, stacklevel=2)
            return None
        if header.get("checkpoint_of") != self.key:
            raise ModelFileError(f"{path}: is a checkpoint of another run; empty its folder, or start anew")
        return header, tensors

    def _header(self, run: Run, history: list[EpochRecord], *, ended: bool = False) -> dict[str, Any]:
        return {
            "checkpoint_of": self.key,
            "phase": run.phase,
            "layer": run.layer,
            "ended": ended,
            "history": list(history),
        }


@torch.no_grad()
def _put(
    header: dict[str, Any],
    tensors: dict[str, Tensor],
    run: Run,
    stopping: EarlyStopping,
    history: list[EpochRecord],
) -> bool:
    """Put a phase where it stood; return whether it had ended."""
    history[:] = [as_record(record) for record in header["history"]]
    run.generator.set_state(tensors.pop("generator"))
    own = _tensors(run, stopping)
    for name, tensor in tensors.items():
        own[name].copy_(tensor)
    if header["ended"]:
        return True
    run.updates, run.learning_rate = header["updates"], header["learning_rate"]
    stopping.set_counters(header["stopping"])
    return False


def _tensors(run: Run, stopping: EarlyStopping | None = None) -> dict[str, Tensor]:
    """What a phase changes, by name; with early stopping, also what only the phase itself needs."""
    module = run.module
    tensors: dict[str, Tensor] = {f"parameter.{name}": tensor for name, tensor in module.named_parameters()}
    tensors |= {f"buffer.{name}": tensor for name, tensor in module.named_buffers()}
    tensors["generator"] = run.generator.get_state()
    if stopping is not None:
        tensors |= {f"best.{k}": tensor for k, tensor in enumerate(stopping.best)}
        tensors |= {f"optimizer.{k}": tensor for k, tensor in enumerate(run.optimizer.remembered())}
    return tensors


_KEEPER: ContextVar[Keeper] = ContextVar("keeper", default=Keeper())  # noqa: B039


def keeper() -> Keeper:
    """What is told how training goes, in this context."""
    return _KEEPER.get()


@contextmanager
def kept_by(keeper: Keeper) -> Iterator[None]:
    """Within it, in this thread, all training is told to a keeper, and goes on where that says it stood.

    Parameters
    ----------
    keeper : Keeper
        New: it counts the phases from here.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder
    >>> from stackae.training.callbacks.checkpoints import Checkpoints, kept_by
    >>> X = load_iris().data
    >>> with TemporaryDirectory() as folder:
    ...     with kept_by(Checkpoints(folder, "iris")):
    ...         first = Autoencoder(2, random_state=0).fit(X)
    ...     with kept_by(Checkpoints(folder, "iris")):  # takes what is there, and trains nothing
    ...         again = Autoencoder(2, random_state=0).fit(X)
    >>> bool((first.transform(X) == again.transform(X)).all())
    True
    """
    token = _KEEPER.set(keeper)
    try:
        yield
    finally:
        _KEEPER.reset(token)
