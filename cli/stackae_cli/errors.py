"""From an error to one line on standard error and an exit code.

==== ==========================================
0    done
2    usage: options and parameters
3    data
4    model or checkpoint
5    input/output
6    training diverged
130  interrupted (SIGINT)
143  terminated (SIGTERM)
==== ==========================================
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from stackae.exceptions import DataError, DivergedError, ModelFileError, ParameterError

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (ModelFileError, 4),
    (DivergedError, 6),
    (DataError, 3),
    (ParameterError, 2),
    (OSError, 5),
    (ValueError, 2),  # what is left are scikit-learn's parameter errors
)


class Terminated(BaseException):
    """SIGTERM arrived."""


def run(command: click.Command, args: Sequence[str]) -> int:
    """Run a command and return its exit code; every error becomes one line, unless ``--debug`` is given.

    Parameters
    ----------
    command : click.Command
    args : sequence of str
        What stood behind the program's name.
    """
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    try:
        # Not through `command.main`, which answers a closed pipe with an exit of its own.
        with command.make_context("stackae", list(args)) as context:
            command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        hint = f" (see '{error.ctx.command_path} --help')" if error.ctx is not None else ""
        return _report(f"{' '.join(error.format_message().split())}{hint}", 2)
    except (KeyboardInterrupt, click.Abort) as signal_:
        return _report(str(signal_) or "interrupted; no model was written", 130)
    except Terminated as signal_:
        return _report(str(signal_) or "terminated; no model was written", 143)
    except BrokenPipeError:
        # The reader of standard output has left, as `head` does: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if "--debug" in args:
            raise
        if isinstance(error, MemoryError) or "allocate memory" in str(error):  # torch's is a RuntimeError
            return _report("out of memory; give fewer rows or narrower layers", 5)
        for kind, code in _CODES:
            if isinstance(error, kind):
                return _report(_one_line(error), code)
        return _report(f"{type(error).__name__}: {_one_line(error)}; --debug shows where", 1)
    except SystemExit:  # rich's answer to a reader of standard output that has left
        return 0
    return 0


def _report(message: str, code: int) -> int:
    print(f"stackae: error: {message}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        mend = "; make room, or write elsewhere" if error.errno == errno.ENOSPC else ""
        return f"{error.filename}: {error.strerror}{mend}"
    return " ".join(str(error).split()) or type(error).__name__


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"stackae: warning: {' '.join(str(message).split())}", file=sys.stderr)
