"""Standard output, for results, and standard error, for the rest: in any encoding, with or without a reader.

What is printed is never the reason that work is lost: files are written first, characters that an encoding
lacks are replaced, and a stream that is closed is passed over.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress

#: What stands for a character that an encoding lacks; for others their numbers do.
_INSTEAD = {"±": "+-", "×": "x", "²": "2", "ö": "o", "…": "..."}


def prepare() -> None:
    """Let no character be refused, and no file that is opened take the number of a closed stream."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # as where the file below was exchanged
                stream.reconfigure(errors="stackae")


def result(text: str) -> None:
    """Print what was asked for.

    Raises
    ------
    OSError
        Standard output cannot be written: it is on a full disk, or its reader has left (BrokenPipeError).
    """
    try:
        print(text, flush=True)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, "standard output") from None


def tell(text: str) -> None:
    """Print on standard error, if somebody listens."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def spelled(text: str) -> str:
    """A text as standard output will show it, for what must be aligned."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "stackae").decode(encoding)


def finish() -> None:
    """Let nothing be left that Python would complain of when it ends: what finds no way out goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with suppress(OSError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The handler of characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(
        _INSTEAD.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking
    ), error.end


codecs.register_error("stackae", _replace)
