"""Checkpoints: where training stands, kept in a folder; a run that was killed goes on to the same bits.

Training is a sequence of phases (each layer, then fine-tuning), and all between them follows from the data,
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

import hashlib
import re
import shutil
import warnings
from contextlib import suppress
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Generator, Tensor

from stackae.exceptions import ModelFileError, StackaeWarning
from stackae.serialization.model_file import read_model, write_model
from stackae.training.callbacks.base import Callback
from stackae.training.callbacks.history import as_record
from stackae.training.phase import EpochRecord, Phase, PhaseRun

_FORMAT = 2
#: So many samples and columns tell data apart, and so much rounding is borne.
_FEW, _ALIKE = 8, 1e-2
_OF_LATER = "was written by a later stackae, which alone goes on from it; upgrade, or start the run anew"
_OF_0_1 = "was written by stackae 0.1.0, which alone goes on from it; finish the run there, or start it anew"
#: Names that checkpoints have.
_NAME = re.compile(r"(\d{3})(?:-(\d{6}))?\.safetensors")
#: Of a phase under way so many are kept.
_KEPT = 2


class Checkpoints(Callback):
    """Save the state of training in a folder, so that an interrupted fit resumes from there, to the same
    bits.

    Use a new object for each fit. In distributed training the first process saves.

    Parameters
    ----------
    folder : path-like
        Created if missing; only one process at a time may use it.
    key : str
        Identifies the run: checkpoints of another key are refused, and so are those of other data, another
        seed or other training parameters.
    every : float, default=60.0
        Minimum number of seconds between two checkpoints of a phase; 0: after every epoch.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from stackae import Autoencoder
    >>> from stackae.training.callbacks import Checkpoints
    >>> X = load_iris().data
    >>> with TemporaryDirectory() as folder:
    ...     first = Autoencoder(2, random_state=0).set_callbacks(Checkpoints(folder, "iris")).fit(X)
    ...     again = Autoencoder(2, random_state=0).set_callbacks(Checkpoints(folder, "iris"))
    ...     again = again.fit(X)  # takes what is there, and trains nothing
    >>> bool((first.transform(X) == again.transform(X)).all())
    True
    """

    def __init__(self, folder: str | PathLike[str], key: str, every: float = 60.0) -> None:
        self.folder = Path(folder)
        self.key = key
        self.every = every
        self._phase = 0
        self._goes_on = True
        self._written = monotonic()
        self._unwritten: tuple[Path, dict[str, Any], dict[str, Tensor]] | None = None

    def begin_fit(self, n_phases: int, n_bytes: int, generator: Generator) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refuse_too_little_room(n_bytes)

    def begin_phase(self, phase: Phase, run: PhaseRun | None) -> None:
        self._phase += 1
        if run is None or not run.samples.group.is_first:  # solved, kept by a cache, or another's to keep
            return
        self._refuse_too_little_room(sum(t.numel() * t.element_size() for t in _tensors(run).values()))
        self._written, self._unwritten, self._begun = monotonic(), None, _beginning(run)
        if not self._goes_on:
            return
        for path in self._of_phase():
            found = self._read(path)
            if found is not None:
                self._refuse_another(path, found[0])
                try:
                    _put(*found, run)
                except (LookupError, TypeError, ValueError, RuntimeError) as error:
                    raise ModelFileError(f"{path}: is no checkpoint of this phase ({error})") from None
                if run.stop:
                    return
                break
        self._goes_on = False  # what lies there of later phases comes again

    def end_epoch(self, record: EpochRecord, run: PhaseRun | None) -> None:
        if run is None or not run.samples.group.is_first:
            return
        if run.stop or len(run.history) == run.budget.max_epochs:
            return
        header = self._header(run) | {
            "updates": run.updates,
            "learning_rate": run.learning_rate,
            "stopping": run.stopping.counters(),
        }
        tensors = {name: tensor.detach().clone() for name, tensor in _tensors(run, whole=True).items()}
        path = self.folder / f"{self._phase:03d}-{len(run.history):06d}.safetensors"
        self._unwritten = path, header, tensors
        if monotonic() - self._written >= self.every:
            self._write()

    def end_phase(self, run: PhaseRun | None) -> None:
        if run is not None and run.samples.group.is_first and not run.was_done:
            path = self.folder / f"{self._phase:03d}.safetensors"
            self._unwritten = path, self._header(run, ended=True), _tensors(run)
            self._write()

    def break_off(self, error: BaseException) -> None:
        with suppress(OSError):  # the error that broke it off is the one to report
            self._write()

    def _refuse_another(self, path: Path, header: dict[str, Any]) -> None:
        """Refuse what a fit has left that began otherwise than this one."""
        begun = header.get("begun")
        for what, own in self._begun.items():
            found = begun.get(what) if isinstance(begun, dict) else None
            if what == "data" and found is not None and len(found) == len(own):
                if all(abs(a - b) <= _ALIKE * (1 + abs(b)) for a, b in zip(found, own, strict=True)):
                    continue
            elif found == own:
                continue
            raise ModelFileError(
                f"{path}: was left by another fit (other {what}); give its own data, seed and parameters, or"
                " empty the folder"
            )

    def _refuse_too_little_room(self, n_bytes: int) -> None:
        own = sum(path.stat().st_size for path in self.folder.iterdir())  # what comes is in its place
        free = shutil.disk_usage(self.folder).free + own
        if n_bytes > free:
            sizes = (
                f"training leaves {n_bytes / 1e6:,.1f} MB there at least, and {free / 1e6:,.1f} MB are free"
            )
            raise OSError(f"{self.folder}: {sizes}; make room, or write elsewhere")

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
        if (version := header.get("format")) != _FORMAT:
            raise ModelFileError(f"{path}: {_OF_0_1 if version is None else _OF_LATER}")
        if header.get("checkpoint_of") != self.key:
            raise ModelFileError(f"{path}: is a checkpoint of another run; empty its folder, or start anew")
        return header, tensors

    def _header(self, run: PhaseRun, *, ended: bool = False) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "checkpoint_of": self.key,
            "phase": run.phase.name,
            "layer": run.phase.layer,
            "begun": self._begun,
            "ended": ended,
            "history": list(run.history),
        }


def _beginning(run: PhaseRun) -> dict[str, Any]:
    """What tells fits apart where a phase begins; the data by a few values, which may differ by rounding."""
    z = next(iter(run.samples.blocks()))[:_FEW, :_FEW]
    values = torch.cat(
        [z.reshape(-1), *([] if run.held_out is None else [run.held_out[:_FEW, :_FEW].reshape(-1)])]
    )
    return {
        "parameters": repr((run.phase, run.budget)),
        "seed": hashlib.sha256(run.generator.get_state().numpy().tobytes()).hexdigest(),
        "data": values.float().nan_to_num().tolist(),
    }


@torch.no_grad()
def _put(header: dict[str, Any], tensors: dict[str, Tensor], run: PhaseRun) -> None:
    """Put a phase where it stood."""
    if (header["phase"], header["layer"]) != (run.phase.name, run.phase.layer):
        raise ValueError(f"it is one of {header['phase']}, layer {header['layer']}")
    run.history[:] = [as_record(record) for record in header["history"]]
    run.generator.set_state(tensors.pop("generator"))
    own = run.tensors(whole=True)
    for name, tensor in tensors.items():
        own[name].copy_(tensor)
    run.stop = run.was_done = header["ended"]
    if not run.stop:
        run.updates, run.learning_rate = header["updates"], header["learning_rate"]
        run.stopping.set_counters(header["stopping"])


def _tensors(run: PhaseRun, *, whole: bool = False) -> dict[str, Tensor]:
    """What a checkpoint keeps."""
    return run.tensors(whole=whole) | {"generator": run.generator.get_state()}
