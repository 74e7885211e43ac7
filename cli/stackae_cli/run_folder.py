"""The folder that a run leaves: model, configuration, history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODEL = "model.safetensors"
CONFIG = "config.toml"
HISTORY = "history.jsonl"


@contextmanager
def new_run_folder(path: Path) -> Iterator[Path]:
    """Make a run's folder before the work; take it away again if the work fails.

    Raises
    ------
    FileExistsError
        Something stands there already; it is left as it is.
    OSError
        The folder cannot be made or written.
    """
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists; choose another --out, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir()
    try:
        yield path
    except BaseException:
        for name in (MODEL, CONFIG, HISTORY):
            (path / name).unlink(missing_ok=True)
        path.rmdir()
        raise


def to_toml(config: Mapping[str, Any]) -> str:
    """A flat table, and tables in it, as TOML; None is left out, as TOML has no word for it."""
    # A JSON string, number, bool or list of these is TOML as well.
    plain = [f"{k} = {json.dumps(v)}" for k, v in config.items() if v is not None and not isinstance(v, dict)]
    tables = [f"\n[{k}]\n{to_toml(v).rstrip()}" for k, v in config.items() if isinstance(v, dict)]
    return "\n".join(plain + tables) + "\n"


def to_jsonl(records: Iterable[Mapping[str, Any]]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(record) + "\n" for record in records)
