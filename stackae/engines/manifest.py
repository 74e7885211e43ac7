"""What a folder of results is of: its manifest, and whether it may be written or gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stackae.engines.places import Place
from stackae.exceptions import ModelFileError, ParameterError

__all__ = ["MANIFEST", "at_work_in", "known_of", "refuse_overlap", "write_manifest"]

#: Readers of Parquet pass over what begins so.
MANIFEST = "_manifest.json"
_LOCK = ".lock"
#: What must be the same to go on.
_DECISIVE = ("model", "method", "keep", "drop")


def refuse_overlap(origin: Place, target: Place) -> None:
    """Refuse a folder that would be read and written."""
    own, other = (f"{place.root}/" for place in (origin, target))
    if origin.filesystem == target.filesystem and own == other:
        raise ParameterError(f"{target.shown} is the folder that is read; give another --out")
    if origin.filesystem == target.filesystem and (own.startswith(other) or other.startswith(own)):
        raise ParameterError(f"{target.shown} and {origin.shown} lie one in the other; give another --out")


def known_of(target: Place, manifest: dict[str, Any], *, resume: bool) -> dict[str, Any]:
    """What an earlier manifest says of each file; nothing where nothing is there.

    Raises
    ------
    FileExistsError
        Something is there, and is not to be gone on with.
    ModelFileError
        It is of another model, another method or other files.
    """
    there = [name for name in target.names() if name != _LOCK] if not _is_file(target) else [""]
    if not there:
        return {}
    if not resume or MANIFEST not in there:
        go_on = "go on with it (--resume), " if MANIFEST in there else ""
        raise FileExistsError(f"{target.shown} exists; {go_on}choose another --out, or remove it")
    try:
        with target.filesystem.open_input_stream(target.path(MANIFEST)) as file:
            before = json.loads(file.read())
        differing = [name for name in _DECISIVE if before[name] != manifest[name]]
        sources = {name: one.pop("source") for name, one in before["files"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        what = "is damaged; give another --out, or remove the folder"
        raise ModelFileError(f"{target.called(MANIFEST)}: {what}") from None
    if differing:
        told = ", ".join(f"{name} was {before[name]}, is {manifest[name]}" for name in differing)
        what = f"is of another run ({told}); go on with what it was, or give another --out"
        raise ModelFileError(f"{target.shown}: {what}")
    own = {name: one["source"] for name, one in manifest["files"].items()}
    done = {name for name, one in before["files"].items() if one}
    others = [name for name in {*sources, *own} if sources.get(name) != own.get(name)]
    if changed := sorted(name for name in others if name in done or not (name in sources and name in own)):
        what = f"was made of other files ({changed[0]!r} differs); give another --out"
        raise ModelFileError(f"{target.shown}: {what}")
    return {name: one or None for name, one in before["files"].items()}


def _is_file(target: Place) -> bool:
    return target.is_local and os.path.lexists(target.root) and not os.path.isdir(target.root)


def write_manifest(target: Place, manifest: dict[str, Any]) -> None:
    """Write the manifest; what stood there stays until it is whole."""
    with target.atomic(MANIFEST) as file:
        file.write(json.dumps(manifest, indent=2).encode() + b"\n")


@contextmanager
def at_work_in(target: Place) -> Iterator[None]:
    """Be the only one to write into a folder of this machine; where nothing came of it nothing stays."""
    with _locked(target):
        target.sweep()
        try:
            yield
        except BaseException:
            with suppress(OSError):
                if set(target.names()) <= {MANIFEST, _LOCK}:
                    target.filesystem.delete_file(target.path(MANIFEST))
            raise


@contextmanager
def _locked(target: Place) -> Iterator[None]:
    if not target.is_local:
        yield
        return
    from filelock import FileLock, Timeout

    folder = Path(target.root)
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(f"{target.shown}: another process is at work in it; wait for it to end") from None
    try:
        yield
    finally:
        (folder / _LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # there is something in it
            for one in made:
                one.rmdir()
