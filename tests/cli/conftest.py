"""Runs, finished and broken off, small data, and the command line called within this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import SMALL, call_stackae

from stackae.training.callbacks import Checkpoints


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def stackae(capfd, monkeypatch):
    """Call the command line within this process."""

    def call(*args: object) -> Outcome:
        capfd.readouterr()
        code = call_stackae(monkeypatch, *args)
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return call


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """A small run on digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert call_stackae(monkeypatch, "pretrain", "digits", "--out", folder, *SMALL) == 0
    return folder


@pytest.fixture
def csv(tmp_path) -> Path:
    """A table of 60 rows: two classes, three columns of numbers, one of text labels."""
    rng = np.random.default_rng(0)
    kinds = np.array(["ant", "bee"] * 30)
    X = rng.normal(size=(60, 3)) + 4 * (kinds == "bee")[:, None]
    lines = [
        "a,b,c,kind",
        *(",".join([*(f"{v:.6f}" for v in x), kind]) for x, kind in zip(X, kinds, strict=True)),
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def dying(monkeypatch):
    """Let a run within this process die after so many epochs, once."""

    def die_after(n_epochs: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        counted = []
        end_epoch = Checkpoints.end_epoch

        def counting(*args):
            end_epoch(*args)
            counted.append(None)
            if len(counted) == n_epochs:
                raise error

        monkeypatch.setattr(Checkpoints, "end_epoch", counting)

    return die_after


@pytest.fixture
def broken_off(stackae, dying, tmp_path) -> Path:
    """A run that was interrupted in its first layer."""
    dying(1)
    assert stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL).code == 130
    return tmp_path / "run"
