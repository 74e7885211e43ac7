"""The examples run, quickly, and leave their figure and its numbers; the figures are not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("[0-9][0-9]_*.py"))


def test_there_are_ten():
    assert [name[:2] for name in SCRIPTS] == [f"{number:02}" for number in range(1, 11)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_runs_quickly_and_leaves_its_figure(script, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "STACKAE_DATA_HOME"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, "--quick", "--out", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    figure = tmp_path / script.replace(".py", ".png")
    assert figure.read_bytes().startswith(b"\x89PNG")
    numbers = json.loads(figure.with_suffix(".json").read_text())
    assert numbers["quick"] is True
    assert numbers["results"]
    assert "Warning" not in done.stderr
