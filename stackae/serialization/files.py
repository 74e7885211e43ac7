"""Files that are either whole or untouched, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

__all__ = ["MODEL_FILE", "atomic_write", "atomic_write_text", "check_new_file"]

#: What the model of a run is called in the run's folder.
MODEL_FILE = "model.safetensors"


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Write a file so that ``path`` holds the old bytes or all the new ones, never something between.

    The bytes go to ``.NAME.RANDOM.tmp`` in the same folder. When the block ends they are flushed to the disk,
    the temporary file takes the name, and the folder is flushed too. When the block raises anything,
    ``KeyboardInterrupt`` included, the temporary file is removed and the old file stays. Only a process that
    is killed leaves its temporary file behind.

    Parameters
    ----------
    path : str or path-like
        The destination. Its folder must exist. A new file gets the mode that ``open`` would give it, an
        existing one keeps its own.

    Yields
    ------
    file : binary file object
        Open for writing, empty.

    Raises
    ------
    OSError
        The destination is a folder, a link, a device or a pipe, or the disk refuses.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "numbers.bin") as file:
    ...         _ = file.write(b"123")
    ...     (Path(folder) / "numbers.bin").read_bytes()
    b'123'
    """
    path = Path(path)
    mode = _mode_to_keep(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        # "x" creates with the mode that the umask leaves, where mkstemp would give 0600
        with open(temporary, "xb") as file:
            if mode is not None:
                temporary.chmod(mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # the first error is the one to report
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    _flush_folder(path.parent)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 through :func:`atomic_write`, line ends as they are.

    Parameters
    ----------
    path : str or path-like
        The destination.
    text : str
        The whole content.

    Raises
    ------
    OSError
        As :func:`atomic_write` does.
    """
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def check_new_file(path: str | os.PathLike[str], option: str = "--out") -> None:
    """Raise now, before the work that makes its content, where a new file could not be written.

    Parameters
    ----------
    path : str or path-like
        The file to be written later.
    option : str, default="--out"
        What named it.

    Raises
    ------
    FileExistsError
        Something of that name exists already.
    OSError
        The folder is missing, or files cannot be created in it.
    """
    path = Path(path)
    if os.path.lexists(path):  # a dangling link is in the way too
        raise FileExistsError(f"{path} exists; choose another {option} or remove it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; create it first")
    try:
        # asking for permission is no proof on read-only disks, network shares and for root: try it
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise type(error)(f"{path}: cannot write to the folder {path.parent} ({reason})") from error


def _mode_to_keep(path: Path) -> int | None:
    """Return the permissions of the regular file at ``path``, or None where there is nothing yet."""
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(found):
        return stat.S_IMODE(found)
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe"}
    kind = kinds.get(stat.S_IFMT(found), "a device")
    raise OSError(f"{path}: the destination is {kind}, not a regular file; choose another name")


def _flush_folder(folder: Path) -> None:
    """Make the new name survive a power cut; only POSIX opens folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
