"""What the benchmarks share: results with versions, machine and date."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackae.serialization.files import atomic_write_text
from stackae.serialization.provenance import machine, versions


def conclude(path: Path | None, results: Any, failures: list[str]) -> None:
    """Write what was found, where a file is asked for; exit with 1 where something failed."""
    if path is not None:
        write_results(path, {**results, "failures": failures})
    if failures:
        sys.exit(1)


def write_results(path: Path, results: Any) -> None:
    """Write figures as JSON, with what they were made with."""
    today = datetime.now(UTC).date().isoformat()
    content = {"date": today, "versions": versions(), "machine": machine(), "results": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(content, indent=2) + "\n")
    print(f"written: {path}")
