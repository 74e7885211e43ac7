"""From an error to one line on standard error and an exit code.

==== ==========================================
0    done
2    usage: options and parameters
3    data
4    model or checkpoint
5    input/output; of several processes: another has ended
6    training diverged
130  interrupted (SIGINT)
143  terminated (SIGTERM)
==== ==========================================
"""

from __future__ import annotations

import errno
import os
import re
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from stackae.exceptions import DataError, DivergedError, ModelFileError, ParameterError
from stackae_cli.streams import finish, prepare, tell
from stackae_cli.wording import about_rows, on_the_command_line

#: The program, and the variable by which a shell asks what completes a command line.
_NAME, _COMPLETE = "stackae", "_STACKAE_COMPLETE"
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (ModelFileError, 4),
    (DivergedError, 6),
    (DataError, 3),
    (ParameterError, 2),
    (OSError, 5),
    (UnicodeError, 5),  # a name or a text that the system cannot spell
    (ValueError, 2),  # what is left are scikit-learn's parameter errors
)


class Terminated(BaseException):
    """SIGTERM arrived."""


@contextmanager
def saying(message: str) -> Iterator[None]:
    """Let a signal that comes now be reported in these words."""
    try:
        yield
    except (KeyboardInterrupt, Terminated) as signal_:
        raise type(signal_)(message) from None


def run(command: click.Command, args: Sequence[str]) -> int:
    """Run a command and return its exit code; every error becomes one line, unless ``--debug`` is given.

    Parameters
    ----------
    command : click.Command
    args : sequence of str
        What stood behind the program's name.
    """
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(command, {}, _NAME, _COMPLETE, instruction)
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    prepare()
    try:
        return _exit_code(command, list(args))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # all is said: torchrun may send one as well
        finish()


def _exit_code(command: click.Command, args: list[str]) -> int:
    """Run, and report what fails; of several processes that torchrun has started one does."""
    may_be_several = args[:1] == ["pretrain"] or os.environ.get("WORLD_SIZE", "1") != "1"
    is_other = may_be_several and os.environ.get("RANK", "0") != "0"

    def report(error: BaseException, message: str, code: int) -> int:
        if not getattr(error, "is_told", is_other):
            tell(f"stackae: error: {message}")
        return code

    try:
        _refuse_several_processes(args)
        # Not through `command.main`, which answers a closed pipe with an exit of its own.
        with command.make_context(_NAME, args.copy()) as context:
            command.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        tell(error.format_message())
        return 2
    except click.UsageError as error:
        hint = f" (see '{error.ctx.command_path} --help')" if error.ctx is not None else ""
        return report(error, f"{' '.join(_usage(error).split())}{hint}", 2)
    except (KeyboardInterrupt, click.Abort) as signal_:
        return report(signal_, str(signal_) or "interrupted; nothing was written", 130)
    except Terminated as signal_:
        return report(signal_, str(signal_) or "terminated; nothing was written", 143)
    except BrokenPipeError:  # the reader of standard output has left, as `head` does: nothing is wrong
        return 0
    except Exception as error:
        if "--debug" in args:
            raise
        if isinstance(error, MemoryError) or "allocate memory" in str(error):  # torch's is a RuntimeError
            return report(error, "out of memory; give fewer rows or narrower layers", 5)
        for kind, code in _CODES:
            if isinstance(error, kind):
                told = _one_line(error)
                return report(error, on_the_command_line(told) if code == 2 else about_rows(told), code)
        return report(error, f"{type(error).__name__}: {_one_line(error)}; --debug shows where", 1)
    return 0


def _refuse_several_processes(args: list[str]) -> None:
    """Raise for what torchrun would do several times over, into the same folder."""
    n_processes = os.environ.get("WORLD_SIZE", "1")
    asked = next(iter(args), "-")
    if "RANK" in os.environ and n_processes != "1" and asked != "pretrain" and not asked.startswith("-"):
        raise click.UsageError(
            f"{asked} is run by one process, and torchrun has started {n_processes}; run it without torchrun"
        )


def _usage(error: click.UsageError) -> str:
    """What click says; of a number that cannot be the rule and what was given, as of parameters elsewhere."""
    kind = getattr(getattr(error, "param", None), "type", None)
    refused = re.fullmatch(r"(.+) is not (?:a valid|in the) .+", error.message, flags=re.DOTALL)
    told = error.format_message()
    if refused and isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)):
        noun = "a whole number" if isinstance(kind, click.types.IntParamType) else "a number"
        ends = [
            f"{words[getattr(kind, f'{end}_open', False)]} {getattr(kind, end)}"
            for end, words in {"min": ("of at least", "above"), "max": ("at most", "below")}.items()
            if getattr(kind, end, None) is not None
        ]
        rule = " ".join([noun, " and ".join(ends)]).rstrip()
        told = told.replace(error.message, f"must be {rule}, got {refused[1]}")
    return told


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        mend = "; make room, or write elsewhere" if error.errno == errno.ENOSPC else ""
        return f"{error.filename}: {error.strerror}{mend}"
    return " ".join(str(error).split()) or type(error).__name__


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    tell(f"stackae: warning: {' '.join(str(message).split())}")
