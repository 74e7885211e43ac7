"""The notebook runs, and what is stored in it is what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("ipykernel", reason="notebooks need the extra docs")
nbclient = pytest.importorskip("nbclient", reason="notebooks need the extra docs")
nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra docs")

NOTEBOOK = Path(__file__).parent.parent / "examples" / "own_table.ipynb"


def shown(notebook):
    """What stands beneath each cell of code: texts without their figures, and whether there is a picture."""
    kinds = ("stdout", "stderr", "text/plain", "image/png", "ename")
    cells = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            own = {output.get("name"): output.get("text"), **output.get("data", output)}
            texts = {kind: re.sub(r"[\d.]+", "#", str(own[kind])) for kind in kinds if kind in own}
            cells.append({**texts, "image/png": "image/png" in own})
    return cells


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_is_stored_but_for_the_figures(tmp_path):
    stored = nbformat.read(NOTEBOOK, as_version=4)
    run = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(run, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    assert [own["image/png"] for own in shown(stored)].count(True) == 1
    assert shown(run) == shown(stored)
