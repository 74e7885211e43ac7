"""What progress writes."""

from __future__ import annotations

import io

from stackae.training.callbacks.progress import BarProgress, LineProgress, Progress, make_progress

RECORD = {
    "phase": "pretrain",
    "layer": 2,
    "epoch": 1,
    "loss": 1.25,
    "validation_loss": 1.5,
    "learning_rate": 0.1,
    "seconds": 0.5,
    "samples_per_second": 12_345.0,
}


def drive(progress):
    progress.start_fit(2)
    for _ in range(2):
        progress.start_phase("pretrain", 2, 3, 100)
        progress.advance(100)
        progress.end_epoch(RECORD)
        progress.end_phase()
    progress.end_fit()


def test_a_log_gets_one_line_an_epoch():
    stream = io.StringIO()
    drive(LineProgress(stream))
    assert stream.getvalue().splitlines() == ["layer 2  epoch 1/3  loss 1.25  val 1.5  12,345/s"] * 2


def test_nothing_is_written_unless_asked(capfd):
    drive(make_progress(0))
    assert capfd.readouterr() == ("", "")
    assert type(make_progress(0)) is Progress


def test_bars_go_to_standard_error(capfd):
    drive(BarProgress())
    out, err = capfd.readouterr()
    assert out == ""
    assert "layer 2" in err
