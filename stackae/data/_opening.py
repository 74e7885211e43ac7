"""Which reader a file is for, by its ending; and what is told of what was found in it."""

from __future__ import annotations

import os
import re
from typing import Any

from stackae.data._arrays import part_of
from stackae.data._arrow import TypedSource
from stackae.data._dialect import Dialect
from stackae.data._endings import ARROW, EXCEL, JSON, PARQUET, TEXT
from stackae.data._records import JsonLines, Sheet
from stackae.data._scan import Scan
from stackae.data._sniff import Asked
from stackae.data._table import StrPath, refusal, refuse_irregular
from stackae.data._text import TextSource
from stackae.exceptions import ParameterError

_SHOWN = (
    ".csv, .tsv, .tab, .psv, .txt, .data, .dat, .jsonl, .ndjson (these also .gz, .zst, .bz2),"
    " .xlsx, .xlsm, .xlsb, .xls, .ods, .arrow, .feather, .ipc, .parquet"
)


def open_source(path: StrPath, asked: Asked, block: int) -> TextSource | JsonLines | Sheet | TypedSource:
    """Recognise a file by its ending and its first bytes."""
    path, title = part_of(path)
    refuse_irregular(path)
    name = os.path.basename(os.fspath(path)).lower()
    if re.search(TEXT + r"\Z", name):
        return TextSource.open(path, asked, block)
    if re.search(EXCEL + r"\Z", name):
        _refuse_options(asked, "Excel", "delimiter", "encoding")
        return Sheet.open(path, title, asked)
    if re.search(JSON + r"\Z", name):
        _refuse_options(asked, "JSON lines", "delimiter", "encoding", "header")
        return JsonLines.open(path, block)
    if re.search(f"({PARQUET}|{ARROW})\\Z", name):
        kind = "Parquet" if name.endswith("parquet") else "Arrow"
        _refuse_options(asked, kind, "delimiter", "encoding", "header", "decimal", "na")
        return TypedSource(path, kind)
    raise refusal(path, "unknown kind of file", f"known endings: {_SHOWN}", "convert or rename it")


def _refuse_options(asked: Asked, kind: str, *names: str) -> None:
    given = [name for name in names if getattr(asked, name) not in (None, ())]
    if given:
        raise ParameterError(f"{given[0]} is for files of text, not for {kind}; leave it out")


def dialect_of(found: Scan) -> Dialect:
    """What was recognised of a file of text, JSON lines or a sheet."""
    known: dict[str, Any] = {"decimal": found.decimal, "gaps": found.gaps, "n_rows": found.n_rows}
    source = found.source
    if isinstance(source, TextSource):
        layout = source.layout
        return Dialect(
            "text",
            layout.delimiter,
            layout.quote,
            header=layout.header,
            encoding=layout.encoding,
            compression=layout.compression,
            index=layout.index,
            **known,
        )
    if isinstance(source, Sheet):
        return Dialect("Excel", header=source.header, index=source.index, **known)
    return Dialect("JSON lines", compression=source.compression, **known)
