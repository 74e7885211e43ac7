"""A finished run, and two ways to call the command line."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import SMALL, command

from stackae_cli.errors import run as run_command
from stackae_cli.main import cli


@dataclass
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def stackae(capfd, monkeypatch):
    """Call the command line within this process, as the entry point does."""
    monkeypatch.setattr("signal.signal", lambda *args: None)
    monkeypatch.setattr("warnings.showwarning", None, raising=False)

    def call(*args: object) -> Answer:
        capfd.readouterr()
        code = run_command(cli, [str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """A small run on digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    subprocess.run(command("pretrain", "digits", "--out", folder, *SMALL), check=True, capture_output=True)
    return folder


@pytest.fixture
def csv(tmp_path) -> Path:
    """A table of 60 rows: two classes, three columns of numbers, one of text labels."""
    rng = np.random.default_rng(0)
    kinds = np.array(["ant", "bee"] * 30)
    X = rng.normal(size=(60, 3)) + 4 * (kinds == "bee")[:, None]
    lines = [
        "a,b,c,kind",
        *(",".join([*(f"{v:.6f}" for v in row), kind]) for row, kind in zip(X, kinds, strict=True)),
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
