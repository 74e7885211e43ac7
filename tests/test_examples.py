"""The examples run, quickly, and leave their figure and its numbers; the figures are not judged here."""

from __future__ import annotations

import json
import runpy
import sys
import warnings
from pathlib import Path

import pytest
from matplotlib import pyplot as plt

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("[0-9][0-9]_*.py"))


def test_they_are_numbered():
    assert [name[:2] for name in SCRIPTS] == [f"{number:02}" for number in range(1, 13)]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run an example as its command would, within this process, and return the warnings that a user meets."""
    monkeypatch.delenv("STACKAE_DATA_HOME", raising=False)
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def call(script):
        monkeypatch.setattr(sys, "argv", [script, "--quick", "--out", str(tmp_path)])
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("default")
            for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", kind)
            runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return warned

    yield call
    plt.close("all")
    sys.modules.pop("gallery", None)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_runs_quickly_and_leaves_its_figure(script, run, tmp_path):
    assert run(script) == []
    figure = tmp_path / script.replace(".py", ".png")
    assert figure.read_bytes().startswith(b"\x89PNG")
    numbers = json.loads(figure.with_suffix(".json").read_text())
    assert numbers["quick"] is True
    assert numbers["results"]
