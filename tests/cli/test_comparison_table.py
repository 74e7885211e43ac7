"""The table of a comparison, as wide as a terminal is."""

from __future__ import annotations

import io
import re
import sys

import pytest
from helpers import SHORT, two_halves

from stackae import StackedAutoencoder
from stackae.evaluation import compare, resplit
from stackae_cli.comparison_table import as_text


@pytest.fixture(scope="module")
def comparison():
    stack = StackedAutoencoder((4, 2), pretrain=SHORT, finetune=SHORT)
    return compare(stack, resplit(*two_halves()), (1, 2), n_splits=2, few_labels=(6, 10), n_draws=2)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_a_table_fits_its_terminal_and_cuts_nothing(columns, comparison, monkeypatch):
    whole = as_text(comparison, "title", ["a note"])
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    text = re.sub(r"\x1b\[[0-9;]*m", "", as_text(comparison, "title", ["a note"]))
    table = [line for line in text.splitlines() if line.startswith(("│", "┃", "┏", "└"))]
    assert max(map(len, table)) <= columns
    assert "…" not in text
    assert text.endswith("note: a note")
    cells = [
        sorted(
            cell.strip() for line in shown.splitlines() if line.startswith("│") for cell in line.split("│")
        )
        for shown in (whole, text)
    ]
    assert set(cells[0]) == set(cells[1])
    assert (text.count("title"), text.count("whitened PCA") % 2) == (1, 0)
