"""The protocol: which calls a callback hears, in which order, with what."""

from __future__ import annotations

import pickle

import pytest
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone

from stackae import Autoencoder, StackedAutoencoderClassifier
from stackae.training.callbacks import Callback, Callbacks, History
from stackae.training.phase import Phase, PhaseRun


class Listening(Callback):
    """Keeps every call: its name, what it was given, and to whom it was made."""

    def __init__(self, calls=None, name=None):
        self.calls = [] if calls is None else calls
        self.name = name

    def _heard(self, call, *arguments):
        self.calls.append((call, *arguments) if self.name is None else (self.name, call))

    def begin_fit(self, n_phases, n_bytes, generator):
        self._heard("begin_fit", n_phases, n_bytes)

    def begin_phase(self, phase, run):
        self._heard("begin_phase", phase, run)

    def end_batches(self, n_samples):
        self._heard("end_batches", n_samples)

    def end_epoch(self, record, run):
        self._heard("end_epoch", record, run)

    def end_phase(self, run):
        self._heard("end_phase", run)

    def break_off(self, error):
        self._heard("break_off", error)

    def end_fit(self):
        self._heard("end_fit")

    @property
    def names(self):
        return [call for call, *_ in self.calls]

    def given_to(self, name):
        return [given for call, *given in self.calls if call == name]


class BrokenError(Exception):
    pass


class Breaking(Callback):
    """Breaks a fit off in its fourth epoch."""

    def __init__(self, error):
        self.error, self.left = error, 4

    def end_epoch(self, record, run):
        self.left -= 1
        if not self.left:
            raise self.error


EPOCH = ["end_batches", "end_epoch"]
PHASE = ["begin_phase", *EPOCH * 3, "end_phase"]


@pytest.fixture
def X(digits):
    return digits[:300]


def test_a_stack_of_two_layers_with_fine_tuning(X):
    listening, history = Listening(), History()
    model = small_stack().set_callbacks(listening, history).fit(X)
    assert listening.names == ["begin_fit", *PHASE * 3, "end_fit"]

    ((n_phases, n_bytes),) = listening.given_to("begin_fit")
    assert n_phases == 3 == len(model.plan(X).phases)
    shortcut = model.module_.shortcut.state_dict().values()
    layers = [parameter for layer in model.module_ for parameter in layer.parameters()]
    assert n_bytes == 4 * sum(tensor.numel() for tensor in [*layers, *shortcut])

    phases = listening.given_to("begin_phase")
    assert [phase for phase, _ in phases] == [
        Phase("pretrain", 1, 3, 270),
        Phase("pretrain", 2, 3, 270),
        Phase("finetune", None, 3, 270),
    ]
    runs = [run for _, run in phases]
    assert all(isinstance(run, PhaseRun) and run.phase is phase for phase, run in phases)
    assert listening.given_to("end_phase") == [[run] for run in runs]
    assert listening.given_to("end_batches") == [[270]] * 9

    epochs = listening.given_to("end_epoch")
    assert [run for _, run in epochs] == [run for run in runs for _ in range(3)]
    assert [record for record, _ in epochs] == history.records == model.history_
    assert [record for run in runs for record in run.history] == model.history_


def test_the_samples_of_an_epoch_are_told_piece_by_piece(digits):
    listening = Listening()
    many = clone(SHORT).set_params(batch_size=4, max_epochs=1)
    small_autoencoder(training=many).set_callbacks(listening).fit(digits[:500])
    assert listening.given_to("end_batches") == [[200], [200], [50]]  # 50 batches at a time, of 450 samples


def test_a_layer_with_a_closed_form_has_a_phase_without_a_run(X):
    listening, history = Listening(), History()
    layers = [Autoencoder(8, network="marginalised"), 3]
    model = small_stack(layers, pretrain=None, finetune=None).set_callbacks(listening, history).fit(X)
    assert listening.names == ["begin_fit", "begin_phase", "end_epoch", "end_phase", "end_fit"]
    assert listening.given_to("begin_fit")[0][0] == len(model.plan(X).phases) == 1
    assert listening.given_to("begin_phase") == [[Phase("pretrain", 1, 1, 300), None]]
    assert listening.given_to("end_epoch") == [[model.history_[0], None]]
    assert listening.given_to("end_phase") == [[None]]
    assert history.records == model.history_


def test_a_layer_from_the_cache_has_a_phase_without_a_run(X, tmp_path):
    first = small_stack(memory=tmp_path).fit(X)
    listening, history = Listening(), History()
    model = small_stack(memory=tmp_path).set_callbacks(listening, history).fit(X)
    kept = ["begin_phase", *["end_epoch"] * 3, "end_phase"]
    assert listening.names == ["begin_fit", *kept * 2, *PHASE, "end_fit"]
    assert listening.given_to("begin_fit")[0][0] == 3
    phases = listening.given_to("begin_phase")
    assert phases[:2] == [[Phase("pretrain", 1, 3, 300), None], [Phase("pretrain", 2, 3, 300), None]]
    assert history.records == model.history_
    assert history.records[:6] == first.history_[:6]  # to the second


@pytest.mark.parametrize("error", [BrokenError(), KeyboardInterrupt()], ids=repr)
def test_a_fit_that_is_broken_off(error, X):
    listening = Listening()
    model = small_stack().set_callbacks(listening, Breaking(error))
    with pytest.raises(type(error)):
        model.fit(X)
    assert listening.names == ["begin_fit", *PHASE, "begin_phase", *EPOCH, "break_off", "end_fit"]
    assert listening.given_to("break_off") == [[error]]
    assert not hasattr(model, "module_")


def test_a_phase_may_be_kept_from_training_and_ended_early(X):
    class Impatient(Callback):
        def begin_phase(self, phase, run):
            run.stop = phase.layer == 1

        def end_epoch(self, record, run):
            run.stop = record["layer"] == 2

    model = small_stack().set_callbacks(Impatient()).fit(X)
    assert [(r["phase"], r["layer"]) for r in model.history_] == [("pretrain", 2)] + 3 * [("finetune", None)]


def test_callbacks_hear_each_call_in_the_order_in_which_they_were_given():
    calls = []
    both = Callbacks([Listening(calls, "first"), Callbacks([Listening(calls, "second")])])
    both.begin_fit(1, 2, None)
    both.begin_phase(None, None)
    both.end_batches(3)
    both.end_epoch(None, None)
    both.end_phase(None)
    both.break_off(None)
    both.end_fit()
    expected = ["begin_fit", "begin_phase", "end_batches", "end_epoch", "end_phase", "break_off", "end_fit"]
    assert calls == [(who, call) for call in expected for who in ("first", "second")]


def test_the_history_of_pieces_counts_on(X):
    model = small_stack().partial_fit(X)
    history = History(model.history_)
    model.set_callbacks(history).partial_fit(X)
    assert history.records == model.history_
    assert [record["epoch"] for record in history.records] == [1, 1, 1, 2, 2, 2]


def test_an_estimator_on_an_encoder_tells_of_two_fits(X, digits):
    listening = Listening()
    model = StackedAutoencoderClassifier(
        small_stack(finetune=None), finetune=SHORT, random_state=0
    ).set_callbacks(listening)
    model.fit(X, [0, 1, 2] * 100)
    assert listening.names == ["begin_fit", *PHASE * 2, "end_fit", "begin_fit", *PHASE, "end_fit"]
    last = listening.given_to("begin_phase")[-1][0]
    assert (last.name, last.layer, last.title) == ("supervised", None, "supervised")
    assert [record for record, _ in listening.given_to("end_epoch")] == model.history_


def test_callbacks_are_no_parameters(X):
    listening = Listening()
    model = small_autoencoder().set_callbacks(listening)
    assert "callbacks" not in model.get_params()
    clone(model).fit(X)
    pickle.loads(pickle.dumps(model)).fit(X)
    assert listening.calls == []
    model.fit(X)
    heard = len(listening.calls)
    model.set_callbacks().fit(X)
    assert len(listening.calls) == heard > 0
