"""The folder that a run leaves: model, configuration, history; and, until it is done, where it stands.

==================  ==========================================================================================
name                content
==================  ==========================================================================================
model.safetensors   the fitted model; a run that has it is done
config.toml         what ran, replayable with ``--config``
history.jsonl       one line an epoch
held_out.json       of a fine-tuning: how well a first fit did on rows that were held out
label_curve.json    of a fine-tuning, where it was asked for: the score by the number of labels
report.html         what was learned, to be read; left out by ``--no-report``
README.md           the same as a model card
manifest.json       the sha256 of each of these
checkpoints/        where training stands; taken away when the model is there
lock                held by the process that works on the run
==================  ==========================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from filelock import FileLock, Timeout

from stackae.exceptions import ModelFileError
from stackae.serialization.files import MODEL_FILE, atomic_write_text

if TYPE_CHECKING:
    from stackae.estimators import BaseEncoder

MODEL = MODEL_FILE
CONFIG = "config.toml"
HISTORY = "history.jsonl"
HELD_OUT, LABEL_CURVE = "held_out.json", "label_curve.json"
REPORT, CARD = "report.html", "README.md"
MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"
_FILES = (MODEL, CONFIG, HISTORY, HELD_OUT, LABEL_CURVE, REPORT, CARD, MANIFEST)
_LOCK = "lock"
#: What a write that was killed leaves; see :func:`stackae.serialization.files.atomic_write`.
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")


@contextmanager
def run_folder(path: Path, *, resume: bool = False) -> Iterator[Path]:
    """Make a run's folder before the work, and be the only one to use it.

    Where the work fails before it left a checkpoint, nothing stays of a folder that was made for it.

    Parameters
    ----------
    path : Path
    resume : bool, default=False
        Whether a folder that is there is gone on with.

    Raises
    ------
    FileExistsError
        Something stands there already, and is left as it is.
    OSError
        The folder cannot be made or written, or another process is at work in it.
    """
    refuse_existing(path, resume=resume)
    is_new = not path.exists()
    parents = [folder for folder in path.parents if not folder.exists()]
    path.mkdir(parents=True, exist_ok=resume)
    checkpoints, lock = path / CHECKPOINTS, FileLock(path / _LOCK)
    for name in (CHECKPOINTS, _LOCK, *_FILES):
        if (path / name).is_symlink():
            raise OSError(f"{path / name} is a link, which no run makes; remove it")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(f"{path}: another process is at work in it; wait for it to end") from None
    try:
        checkpoints.mkdir(exist_ok=True)
        for leftover in [*_leftovers(path), *_leftovers(checkpoints)]:
            leftover.unlink()
        yield path
    except BaseException:
        if not (path / MODEL).exists() and not has_checkpoint(path):
            for name in (CONFIG, HISTORY, HELD_OUT, LABEL_CURVE) if is_new else ():
                (path / name).unlink(missing_ok=True)
            shutil.rmtree(checkpoints, ignore_errors=True)
        raise
    finally:
        (path / _LOCK).unlink(missing_ok=True)
        lock.release()
        if not any(path.iterdir()):
            path.rmdir()
            for folder in parents:
                with suppress(OSError):  # another run lies in it
                    folder.rmdir()


def refuse_existing(path: Path, *, resume: bool = False) -> None:
    """Raise ``FileExistsError`` where something stands at a new run's folder, but for a run to go on with."""
    if path.is_symlink() or (path.exists() and not (resume and path.is_dir())):
        go_on = "go on with it (--resume), " if has_checkpoint(path) else ""
        raise FileExistsError(f"{path} exists; {go_on}choose another --out, or remove it")


def has_checkpoint(path: Path) -> bool:
    """Whether a run can go on from somewhere else than its start."""
    judged = (path / HELD_OUT).is_file() and not (path / MODEL).exists()
    return judged or any(found.is_file() for found in (path / CHECKPOINTS).rglob("*"))


def is_done(path: Path) -> bool:
    """Whether the model is there, and nothing is left to train; then finish what is left to do."""
    if not (path / MODEL).exists():
        return False
    _finish(path)
    return True


def leave(path: Path, model: BaseEncoder, report: Callable[[], None] | None = None) -> None:
    """Training is over: leave in the run's folder what it made; last, with the model there, its report."""
    atomic_write_text(path / HISTORY, to_jsonl(model.history_))
    model.save(path / MODEL)
    if report is not None:
        report()
    _finish(path)


def _finish(path: Path) -> None:
    """The model is there: write the manifest, and take the checkpoints away."""
    files = {name: sha256(path / name) for name in _FILES if name != MANIFEST and (path / name).exists()}
    atomic_write_text(path / MANIFEST, json.dumps({"sha256": files}, indent=2) + "\n")
    shutil.rmtree(path / CHECKPOINTS)


def model_of(path: Path) -> Path:
    """The model file of a run, after a look at its manifest.

    Raises
    ------
    ModelFileError
        There is no model, or the run is not as it was left.
    """
    for name in _FILES:
        if os.path.lexists(path / name) and not stat.S_ISREG((path / name).lstat().st_mode):
            raise ModelFileError(f"{path / name}: is no regular file, as a run makes them; do not trust it")
    if not (path / MODEL).exists():
        if has_checkpoint(path):
            raise ModelFileError(f"{path}: holds no {MODEL} yet; go on with it by --resume")
        raise FileNotFoundError(f"{path}: holds no {MODEL}; give the folder of a run")
    manifest = path / MANIFEST
    if not manifest.exists():  # a model alone, or a run that was killed when its model was there
        return path / MODEL
    try:
        files = dict(json.loads(manifest.read_text(encoding="utf-8"))["sha256"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{manifest}: is damaged; remove it if you trust the run") from None
    for name, known in files.items():
        if name not in _FILES or name == MANIFEST:
            raise ModelFileError(f"{manifest}: names {name!r}, which is no file of a run; do not trust it")
        if not (path / name).is_file() or sha256(path / name) != known:
            raise ModelFileError(
                f"{path / name}: is not what the run left there; copy the run again from where it is whole"
            )
    return path / MODEL


def seconds_of(path: Path) -> float | None:
    """How long a run's training took; None where nothing says it.

    Raises
    ------
    ModelFileError
        The history is damaged.
    """
    history = path / HISTORY
    if not history.is_file():
        return None
    try:
        records = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
        # A model that was made of another's file knows its losses, and no times.
        return (
            sum(float(record.get("seconds", 0)) for record in records if record["loss"] is not None) or None
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelFileError(f"{history}: is damaged; remove it if you trust the run") from None


def held_out_in_words(path: Path) -> str | None:
    """How well a run's first fit did on rows that were held out, in a sentence; None where nobody asked.

    Raises
    ------
    ModelFileError
        The file that says it is damaged.
    """
    return _told(path / HELD_OUT, _scores_in_words)


def label_curve_in_words(path: Path) -> str | None:
    """How a run's score rises with the number of labels, likewise."""
    return _told(path / LABEL_CURVE, _curve_in_words)


def _told(path: Path, in_words: Callable[[Mapping[str, Any]], str]) -> str | None:
    if not path.is_file():
        return None
    try:
        return in_words(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise ModelFileError(f"{path}: is damaged; remove it if you trust the run") from None


def _scores_in_words(found: Mapping[str, Any]) -> str:
    name, spell = _measure(found)
    own, *others = found["scores"].items()
    beside = ", ".join(f"{other} {spell(score)}" for other, score in others)
    between = ""
    if "interval" in found:  # of a share, and not in runs of earlier versions
        low, high = found["interval"]
        between = f" (95 % interval {100 * low:.1f} to {spell(high)})"
    return f"{name} {spell(own[1])}{between} on {found['rows']:,} held-out rows; {beside}"


def _curve_in_words(found: Mapping[str, Any]) -> str:
    name, spell = _measure(found)
    means = [spell(sum(scores) / len(scores)) for scores in found["scores"]]
    (first, fewest), *others = zip(means, found["labels"], strict=True)
    rest = "".join(f", {mean} with {n:,}" for mean, n in others)
    return f"{name} {first} with {fewest:,} labels{rest}; {found['verdict']}"


def _measure(found: Mapping[str, Any]) -> tuple[str, Callable[[float], str]]:
    """What scores are called, and how one is written."""
    if found["measure"] == "accuracy":
        return "accuracy", lambda score: f"{100 * score:.1f} %"
    return "R²", lambda score: f"{score:.3f}"


def _leftovers(folder: Path) -> list[Path]:
    """Files that writes left which were killed."""
    return [path for path in folder.iterdir() if _LEFTOVER.fullmatch(path.name) and not path.is_dir()]


def sha256(path: Path) -> str:
    """The digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_config(path: Path) -> dict[str, Any]:
    """What a configuration says; ``ValueError`` where it is not TOML."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def to_toml(config: Mapping[str, Any]) -> str:
    """A configuration as TOML; an option that is None is left out, as TOML has no word for it."""
    return tomli_w.dumps({name: value for name, value in config.items() if value is not None})


def to_jsonl(records: Iterable[Mapping[str, Any]]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(record) + "\n" for record in records)
