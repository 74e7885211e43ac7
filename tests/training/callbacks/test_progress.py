"""What progress writes."""

from __future__ import annotations

import io
import sys
from math import ceil
from types import ModuleType, SimpleNamespace

import pytest
import torch
from helpers import Mean, run_of, small_autoencoder, small_stack

from stackae.training.callbacks.progress import (
    BarProgress,
    LineProgress,
    NotebookProgress,
    Standing,
    describe,
    one_bar,
    progress_bars,
)
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
#: A phase under way, for callbacks that only look whether there is one.
RUN = run_of(Mean(), torch.ones(5, 2))


def drive(progress, n_phases=2, n_epochs=3, max_epochs=3):
    """A fit, each of whose phases ends after so many epochs."""
    progress.begin_fit(n_phases, 1000, torch.Generator())
    for k in range(n_phases):
        progress.begin_phase(Phase("pretrain", k + 1, max_epochs, 100), RUN)
        for epoch in range(1, n_epochs + 1):
            progress.end_batches(100)
            progress.end_epoch({**RECORD, "epoch": epoch}, RUN)
        progress.end_phase(RUN)
    progress.end_fit()


def log(*args, **parameters):
    stream = io.StringIO()
    drive(LineProgress(stream), *args, **parameters)
    return stream.getvalue().splitlines()


def test_a_log_gets_the_begin_of_each_phase_its_first_and_last_epochs_and_some_between():
    lines = [line.partition("  loss")[0] for line in log(n_phases=3, n_epochs=400, max_epochs=400)]
    assert lines == [
        line
        for k in (1, 2, 3)
        for line in (
            f"layer {k}  up to 400 epochs of 100 rows",
            *(f"layer {k}  epoch {epoch}/400" for epoch in (1, 100, 200, 300, 400)),
        )
    ]


@pytest.mark.parametrize("n_phases", [1, 2, 3, 7, 13, 20, 50, 501])
@pytest.mark.parametrize("n_epochs", [1, 2, 10, 1000])
def test_a_log_has_at_most_some_twenty_lines_whatever_is_fitted(n_phases, n_epochs):
    lines = log(n_phases, n_epochs, n_epochs)
    assert len(lines) <= 21
    assert lines[-1].startswith(
        f"layer {n_phases}  epoch {n_epochs}/{n_epochs}  loss 1.25  val 1.5  12,345/s  0:"
    )
    said = {line.partition("  ")[0] for line in lines}
    assert said >= {f"layer {k}" for k in range(1, n_phases + 1) if k % ceil(n_phases / 20) == 0}


def test_the_last_epoch_of_a_phase_that_stops_early_is_said():
    for n_phases in (1, 5, 15):
        epochs = [line for line in log(n_phases, n_epochs=37, max_epochs=1000) if "epoch 37/1000" in line]
        assert len(epochs) == n_phases


def test_the_last_epoch_of_a_fit_that_is_broken_off_is_said():
    stream = io.StringIO()
    progress = LineProgress(stream)
    progress.begin_fit(1, 1000, torch.Generator())
    progress.begin_phase(Phase("finetune", None, 100, 100), RUN)
    progress.end_epoch(RECORD, RUN)
    progress.end_epoch({**RECORD, "epoch": 2}, RUN)
    progress.break_off(KeyboardInterrupt())
    assert [line.partition("  loss")[0] for line in stream.getvalue().splitlines()[1:]] == [
        "finetune  epoch 1/100",
        "finetune  epoch 2/100",
    ]


def test_a_phase_that_goes_on_says_what_is_done_of_it_and_not_again():
    stream = io.StringIO()
    progress, run = LineProgress(stream), run_of(Mean(), torch.ones(5, 2))
    run.history[:] = [RECORD] * 30
    progress.begin_fit(1, 1000, torch.Generator())
    progress.begin_phase(Phase("finetune", None, 100, 100), run)
    for epoch in range(1, 31):
        progress.end_epoch({**RECORD, "epoch": epoch}, None)
    progress.end_epoch({**RECORD, "epoch": 31}, run)
    progress.end_phase(run)
    begin, last = stream.getvalue().splitlines()
    assert begin == "finetune  up to 100 epochs of 100 rows, 30 of them done"
    assert last.startswith("finetune  epoch 31/100")


def test_work_before_a_phase_is_said(digits, capfd):
    small_autoencoder(penalty="neighbors", verbose=1).fit(digits[:101])
    first = capfd.readouterr().err.splitlines()[0]
    assert first == "finding the nearest neighbours of 101 rows"


def test_work_before_many_phases_is_not_said():
    stream = io.StringIO()
    progress = LineProgress(stream, n_lines=3)
    progress.begin_fit(3, 1000, torch.Generator())
    progress.prepare_phase("finding neighbours")
    assert stream.getvalue() == ""


def test_the_time_left_of_a_phase_is_that_of_its_own_pace(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("stackae.training.callbacks.progress.perf_counter", lambda: clock[0])
    progress = Standing()
    progress.begin_fit(2, 1000, torch.Generator())
    progress.begin_phase(Phase("pretrain", 1, 10, 100), RUN)
    for epoch in range(1, 6):  # before this fit
        progress.end_epoch({**RECORD, "epoch": epoch}, None)
    assert progress.times == "0:00:00"
    clock[0] = 65.0
    progress.end_epoch({**RECORD, "epoch": 6}, RUN)
    assert progress.times == "0:01:05, about 0:04:20 left of this phase"
    assert progress.fraction == 0.3
    progress.end_batches(50)
    assert progress.fraction == 0.325
    progress.end_phase(RUN)
    assert (progress.fraction, progress.times) == (0.5, "0:01:05")


def test_an_epoch_in_a_few_words():
    assert describe(RECORD) == "loss 1.25  val 1.5  12,345/s"
    assert describe({**RECORD, "validation_loss": None}) == "loss 1.25  12,345/s"
    assert describe({**RECORD, "samples_per_second": None}) == "loss 1.25  val 1.5"


def test_nothing_is_written_unless_asked(digits, capfd):
    small_autoencoder().fit(digits[:100])
    assert capfd.readouterr() == ("", "")
    assert progress_bars(0) is None


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_fit_in_which_nothing_is_trained_has_nothing_to_tell(is_terminal, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    untrained = {"pretrain": None, "finetune": None, "verbose": 1}
    assert small_stack(**untrained).fit(digits[:100]).history_ == []
    for _ in range(2):  # the second time its layers are there already
        assert small_stack(memory=tmp_path, **untrained).fit(digits[:100]).history_ == []


# Bars -------------------------------------------------------------------------------------------------------


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


def test_bars_name_the_work_before_a_phase_until_it_begins():
    progress = BarProgress()
    progress.begin_fit(1, 1000, torch.Generator())
    progress.prepare_phase("finding neighbours")
    assert progress._bars.tasks[0].fields["note"] == "finding neighbours"
    progress.begin_phase(Phase("finetune", None, 4, 100), RUN)
    assert progress._bars.tasks[0].fields["note"] == ""
    progress.end_fit()


def test_bars_of_a_phase_that_goes_on_begin_where_it_stood(capfd):
    progress = BarProgress()
    progress.begin_fit(1, 1000, torch.Generator())
    progress.begin_phase(Phase("finetune", None, 4, 100), RUN)
    progress.end_epoch({**RECORD, "epoch": 3}, None)
    whole, phase, _ = progress._bars.tasks
    assert (whole.completed, phase.completed) == (0.75, 300)
    progress.end_fit()


@pytest.fixture
def notebook(monkeypatch):
    """As Jupyter: the texts that its displays have shown, each display's in a list."""
    displays = []

    def display(data, *, raw, display_id):
        assert raw
        assert display_id
        shown = [data["text/plain"]]
        displays.append(shown)
        return SimpleNamespace(update=lambda data, *, raw: shown.append(data["text/plain"]))

    module = ModuleType("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    return displays


def test_a_notebook_gets_one_bar_that_is_updated(notebook, capfd, digits):
    small_stack(verbose=1).fit(digits[:100])
    assert capfd.readouterr() == ("", "")
    (shown,) = notebook
    last = shown[-1].splitlines()
    assert len(last) == 1
    assert last[0].startswith("█" * 30 + " finetune  epoch 3/3  loss ")


def test_a_notebook_is_not_updated_more_often_than_one_can_see(notebook, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("stackae.training.callbacks.progress.perf_counter", lambda: clock[0])
    progress = NotebookProgress()
    progress.begin_fit(1, 1000, torch.Generator())
    progress.begin_phase(Phase("finetune", None, 1000, 100), RUN)
    for epoch in range(1, 501):
        clock[0] += 0.01
        progress.end_batches(100)
        progress.end_epoch({**RECORD, "epoch": epoch}, RUN)
    progress.end_fit()
    (shown,) = notebook
    assert 15 <= len(shown) <= 23
    assert shown[-1] == (
        "█" * 15 + "░" * 15 + " finetune  epoch 500/1000  loss 1.25  val 1.5  12,345/s"
        "  0:00:05, about 0:00:05 left of this phase"
    )


def test_a_terminal_gets_bars_a_notebook_one_and_anything_else_lines(monkeypatch, notebook):
    assert isinstance(progress_bars(1), NotebookProgress)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: False)
    assert isinstance(progress_bars(1), LineProgress)
    assert one_bar() is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(progress_bars(1), BarProgress)


def test_without_ipython_and_a_terminal_a_fit_writes_begin_and_end_of_each_phase(monkeypatch, capfd, digits):
    monkeypatch.setitem(sys.modules, "IPython", None)
    small_stack(verbose=1).fit(digits[:100])
    out, err = capfd.readouterr()
    assert out == ""
    assert "\r" not in err
    assert "\x1b" not in err
    lines = err.splitlines()
    for phase in ("layer 1", "layer 2", "finetune"):
        own = [line for line in lines if line.startswith(f"{phase}  ")]
        assert own[0] == f"{phase}  up to 3 epochs of 100 rows"
        assert own[-1].startswith(f"{phase}  epoch 3/3  loss ")


# Standard error ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [None, SimpleNamespace(write=lambda text: None, flush=lambda: None)])
def test_standard_error_may_be_none_or_unable_to_say_what_it_is(stream, monkeypatch, digits):
    monkeypatch.setattr("sys.stderr", stream)
    assert small_autoencoder(3, verbose=1).fit(digits[:50]).n_iter_ == 3


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_reader_who_leaves_standard_error_does_not_end_the_fit(is_terminal, monkeypatch, digits):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

        def isatty(self):
            return is_terminal

    monkeypatch.setattr("sys.stderr", Closed())
    assert small_autoencoder(3, verbose=1).fit(digits[:50]).n_iter_ == 3
