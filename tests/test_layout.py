"""The house stays in order: files and functions stay readable, folders few."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([*(ROOT / "stackae").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_350_lines_and_its_functions_60_beside_their_docstrings(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - len(docstring.splitlines())
            assert lines <= 60, f"{node.name} has {lines} lines"


def test_the_library_has_at_most_20_rooms():
    rooms = [path for path in (ROOT / "stackae").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(rooms) <= 20


def test_the_way_of_the_data_passes_at_most_14_files_none_twice():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"^\| \d+ \| `([\w/]+\.py)` \|", text, re.MULTILINE)
    assert 1 < len(files) <= 14
    assert len(set(files)) == len(files)
    assert all((ROOT / "stackae" / file).is_file() for file in files)
