"""Folders on this machine or in an object store, and files in them that are whole or not there."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from stackae.data.batches import refusal
from stackae.exceptions import ParameterError
from stackae.serialization.files import atomic_write

__all__ = ["Place", "is_remote", "refuse_silence"]

#: What a write leaves that was killed.
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_SECONDS = 5.0  # that an address has to answer


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a URL, such as ``s3://bucket/folder``."""
    return "://" in os.fspath(path)


@dataclass(frozen=True)
class Place:
    """A folder, or a file, on a filesystem of pyarrow; it may be sent to other processes.

    Attributes
    ----------
    shown : str
        What messages call it: the path or URL that was given.
    filesystem : pyarrow.fs.FileSystem
    root : str
        The same as the filesystem knows it.
    """

    shown: str
    filesystem: Any
    root: str

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Self:
        """The place of a path, or of a URL of what pyarrow or fsspec knows: ``s3://``, ``gs://`` and so on.

        Raises
        ------
        ParameterError
            Nobody knows the URL's scheme.
        """
        from pyarrow import fs

        shown = os.fspath(path)
        if not is_remote(shown):
            return cls(shown, fs.LocalFileSystem(), os.path.abspath(shown))
        try:
            if shown.startswith("s3://") and "?" not in shown and (endpoint := _own_endpoint()):
                return cls(shown, _own_s3(endpoint), shown.removeprefix("s3://").rstrip("/"))
            filesystem, root = fs.FileSystem.from_uri(shown)
        except (ValueError, NotImplementedError):  # pyarrow's is not one: fsspec may know it
            filesystem, root = _of_fsspec(shown)
        return cls(shown.partition("?")[0], filesystem, root.rstrip("/"))

    @property
    def is_local(self) -> bool:
        return bool(self.filesystem.type_name == "local")

    def path(self, name: str) -> str:
        """A file in the folder, as the filesystem knows it."""
        return f"{self.root}/{name}" if name else self.root

    def called(self, name: str) -> str:
        """A file in the folder, as messages call it."""
        return f"{self.shown.rstrip('/')}/{name}" if name else self.shown

    def names(self) -> list[str]:
        """All files in the folder and in those within, by their paths from here, in order."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self.root, recursive=True, allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        start = len(self.root) + 1
        return sorted(one.path[start:] for one in found if one.type == FileType.File)

    def parquet_files(self) -> list[str]:
        """The Parquet files of a folder, but those that are hidden; of a file itself: an empty name.

        Raises
        ------
        DataFileError
            There are none.
        """
        from pyarrow.fs import FileType

        if self.filesystem.get_file_info(self.root).type == FileType.File:
            return [""]
        hidden = re.compile(r"(^|/)[._]")
        found = [
            name for name in self.names() if name.lower().endswith(".parquet") and not hidden.search(name)
        ]
        if not found:
            if self.is_local and not os.path.exists(self.root):
                raise FileNotFoundError(f"{self.shown}: there is no such file or folder")
            raise refusal(self.shown, "a folder without .parquet files", mend="name one that holds some")
        return found

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        from pyarrow.fs import FileType

        return bool(self.filesystem.get_file_info(self.path(name)).type == FileType.File)

    @contextmanager
    def atomic(self, name: str) -> Iterator[Any]:
        """A file to be written, which gets its name when it is whole."""
        if self.is_local:
            Path(self.path(name)).parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path(name)) as file:
                yield file
            return
        folder, _, own = self.path(name).rpartition("/")
        temporary = f"{folder}/.{own}.{secrets.token_hex(8)}.tmp"
        try:
            with self.filesystem.open_output_stream(temporary) as file:
                yield file
            self.filesystem.move(temporary, self.path(name))
        except BaseException:
            with suppress(OSError):
                self.filesystem.delete_file(temporary)
            raise

    def sweep(self) -> None:
        """Take away what writes have left that were killed."""
        for name in self.names():
            if _LEFTOVER.fullmatch(name.rpartition("/")[2]):
                self.filesystem.delete_file(self.path(name))


def _own_endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def _own_s3(endpoint: str) -> Any:
    """A store of one's own, of which no region is looked for at Amazon's."""
    from pyarrow.fs import S3FileSystem

    refuse_silence(endpoint)
    scheme, _, host = endpoint.rpartition("://")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    # Keys go with it to workers, whose environment may be older than they are.
    names = {
        "access_key": "ACCESS_KEY_ID",
        "secret_key": "SECRET_ACCESS_KEY",
        "session_token": "SESSION_TOKEN",
    }
    keys = {own: os.environ.get(f"AWS_{name}") for own, name in names.items()}
    own = keys if keys["access_key"] and keys["secret_key"] else {}
    return S3FileSystem(endpoint_override=host.rstrip("/"), scheme=scheme or "https", region=region, **own)


def _of_fsspec(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        filesystem, root = url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ParameterError(f"{url}: {' '.join(str(error).split())}; give a path, s3:// or gs://") from None
    return PyFileSystem(FSSpecHandler(filesystem)), root


def refuse_silence(address: str) -> None:
    """Refuse an address at which nothing answers, before a library waits for it; one without a port passes.

    Raises
    ------
    OSError
    """
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        where = parts.hostname, parts.port
    except ValueError:  # such as local[2], which the library knows
        return
    if None in where:
        return
    try:
        socket.create_connection(where, _SECONDS).close()
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"{address}: nothing answers there ({reason}); start what should, or give another address"
        ) from None
