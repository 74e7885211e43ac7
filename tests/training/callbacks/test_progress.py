"""What progress writes."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest
import torch
from helpers import small_autoencoder

from stackae.training.callbacks.progress import BarProgress, LineProgress, describe, progress_bars
from stackae.training.phase import EpochRecord, Phase

RECORD = EpochRecord(
    phase="pretrain",
    layer=2,
    epoch=1,
    loss=1.25,
    validation_loss=1.5,
    learning_rate=0.1,
    seconds=0.5,
    samples_per_second=12_345.0,
)


def drive(progress):
    progress.begin_fit(2, 1000, torch.Generator())
    for _ in range(2):
        progress.begin_phase(Phase("pretrain", 2, 3, 100), None)
        progress.end_batches(100)
        progress.end_epoch(RECORD, None)
        progress.end_phase(None)
    progress.end_fit()


def test_a_log_gets_one_line_an_epoch():
    stream = io.StringIO()
    drive(LineProgress(stream))
    assert stream.getvalue().splitlines() == ["layer 2  epoch 1/3  loss 1.25  val 1.5  12,345/s"] * 2
    assert describe({**RECORD, "validation_loss": None}) == "loss 1.25  12,345/s"


def test_nothing_is_written_unless_asked(digits, capfd):
    small_autoencoder().fit(digits[:100])
    assert capfd.readouterr() == ("", "")
    assert progress_bars(0) is None


def test_bars_go_to_standard_error(capfd):
    drive(BarProgress())
    out, err = capfd.readouterr()
    assert out == ""
    assert "layer 2" in err


def test_bars_end_where_a_fit_is_broken_off(capfd):
    progress = BarProgress()
    progress.begin_fit(1, 1000, torch.Generator())
    progress.begin_phase(Phase("finetune", None, 3, 100), None)
    progress.break_off(KeyboardInterrupt())
    progress.end_fit()
    assert not progress._bars.live.is_started
    assert "finetune" in capfd.readouterr().err


def test_a_terminal_gets_bars_and_anything_else_lines(monkeypatch):
    assert isinstance(progress_bars(1), LineProgress)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(progress_bars(1), BarProgress)


@pytest.mark.parametrize("stream", [None, SimpleNamespace(write=lambda text: None, flush=lambda: None)])
def test_standard_error_may_be_none_or_unable_to_say_what_it_is(stream, monkeypatch, digits):
    monkeypatch.setattr("sys.stderr", stream)
    assert small_autoencoder(3, verbose=1).fit(digits[:50]).n_iter_ == 3
