"""A folder of Parquet files to one of what a model says of their rows: what several commands do alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from stackae.engines.names import ENGINES
from stackae_cli.options import Choice, note, path_of, say
from stackae_cli.source import Source, data_of, kept_columns

F = TypeVar("F", bound=Callable[..., Any])

#: The options that are for folders alone.
_FOR_FOLDERS = ("engine", "address", "workers", "keep", "resume")
#: How text is written.
_FOR_TEXT = ("header", "delimiter", "decimal", "encoding", "na")


def engine_options(function: F) -> F:
    """``--engine``, ``--address``, ``--workers``, ``--keep`` and ``--resume``: from a folder to a folder."""
    for option in (
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with an interrupted --out folder; if there is none, begin.",
        ),
        click.option(
            "--keep",
            multiple=True,
            metavar="COLUMN",
            help="For folders: copy a column of DATA to the output (repeatable).",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1),
            metavar="N",
            help="For folders: how many files to process at once [default, and at most on this machine: one"
            " per core].",
        ),
        click.option(
            "--address",
            metavar="ADDRESS",
            help="For folders: the address of a Ray, Spark or Dask cluster [default: start one on this"
            " machine].",
        ),
        click.option(
            "--engine",
            type=Choice(ENGINES),
            help="What does the work if DATA and --out are folders of Parquet files [default: local, the"
            " processes of this machine].",
        ),
    ):
        function = option(function)
    return function


def encoded_folder(
    method: str,
    run: str,
    out: Path | str | None,
    load: Callable[[str, str], Any],
    device: str,
    options: Mapping[str, Any],
    **for_files: Any,
) -> bool:
    """Do it where DATA and ``--out`` are folders; False where they are files.

    Parameters
    ----------
    method : str
        See :func:`stackae.engines.encode_folder`.
    run : str
    out : Path, str or None
        What ``--out`` names; a URL is a str.
    load : callable
        From run and device to a model, which may be refused.
    device : str
    options : mapping
        All others.
    **for_files
        Options that folders have no use for.

    Raises
    ------
    UsageError
        Options for folders are given and there are none, or options that folders have no use for.
    """
    from stackae.data.writers import ENDINGS, STANDARD_OUTPUT

    named = [name for name in _FOR_FOLDERS if options[name]]
    data = data_of(run, options["data"]) if named else str(options["data"])
    ending = "" if out is None else Path(out).suffix.lower()
    is_folder = out not in (None, STANDARD_OUTPUT) and (ending not in ENDINGS if named else not ending)
    if not is_folder or not (named or "://" in data or os.path.isdir(data)):
        if named:
            raise click.UsageError(f"--{named[0]} is for folders: give one to --out, without an ending")
        return False
    if "://" not in data and os.path.isfile(data) and not data.lower().endswith(".parquet"):
        raise click.UsageError(f"--{named[0]} is for Parquet files, got {data}; give a folder of them")
    others = {**for_files, **{name: options[name] for name in _FOR_TEXT}}
    if useless := [name for name, value in others.items() if value not in (None, ())]:
        raise click.UsageError(f"--{useless[0]} is for single files; leave it out, or give a file to --out")
    from stackae.engines import encode_folder
    from stackae_cli.errors import saying

    load(run, "cpu")
    source = Source.of(options)
    id_ = source.id or _told_id(run, data)
    keep = [*([id_] if id_ and method != "impute" else []), *options["keep"]]
    with saying(f"interrupted; --resume goes on with {out}"), _saying_what_is_there(str(out)):
        manifest = encode_folder(
            path_of(run),
            data,
            str(out),
            engine=options["engine"] or "local",
            method=method,
            keep=list(dict.fromkeys(keep)),
            drop=source.drop,
            workers=options["workers"],
            address=options["address"],
            resume=options["resume"],
            device=device,
        )
    if manifest["ignored"]:
        note(f"ignored {', '.join(map(repr, manifest['ignored']))}, which the model does not know")
    n_files = len(manifest["files"])
    files = f"{manifest['rows']:,} rows in {n_files:,} file{'s' if n_files > 1 else ''}"
    if options["resume"]:
        files += f", {manifest['kept']:,} there already and {n_files - manifest['kept']:,} computed now"
    say(f"{files}: {out}")
    return True


def _told_id(run: str, data: str) -> str | None:
    """What rows are called by, as a run was told, where the files have such a column."""
    from stackae.data.batches import parquet_on
    from stackae.engines.places import Place

    name, place = kept_columns(run).get("id"), Place.at(data)
    if name is None:
        return None
    first = place.parquet_files()[0]
    with parquet_on(place.filesystem, place.path(first), place.called(first)) as parquet:
        return name if name in parquet.schema_arrow.names else None


@contextmanager
def _saying_what_is_there(out: str) -> Iterator[None]:
    """Let a refusal of rows tell how to go on, where files are done."""
    from stackae.engines.manifest import MANIFEST
    from stackae.engines.places import Place
    from stackae.exceptions import DataFileError

    try:
        yield
    except DataFileError as error:
        if not Place.at(out).exists(MANIFEST):
            raise
        raise DataFileError(
            f"{error}; other files are done: mend this one, and --resume goes on with {out}"
        ) from None
