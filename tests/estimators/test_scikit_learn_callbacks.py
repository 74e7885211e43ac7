"""scikit-learn's callbacks through the same door as our own: a fit is a tree of tasks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
)
from stackae.exceptions import ParameterError
from stackae.training.callbacks import Callback, Checkpoints

callbacks = pytest.importorskip("sklearn.callback", reason="scikit-learn is older than 1.9")

from sklearn.callback.tests._utils import (  # noqa: E402
    FailingCallback,
    NotRequiredKwargsCallback,
    NotValidCallback,
    NotValidHookCallback,
    RecordingAutoPropagatedCallback,
    RecordingCallback,
    StopFitCallback,
)


def classifier(**parameters):
    return StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0, **parameters)


def regressor():
    return StackedAutoencoderRegressor(small_stack(), finetune=SHORT, random_state=0)


def detector():
    return StackedAutoencoderDetector(small_stack(), random_state=0)


def frozen():
    return small_stack([Autoencoder(8, frozen=True), 4, 3])


STACK = {"layer 1": 3, "layer 2": 3, "finetune": 3}
ESTIMATORS = [
    pytest.param(small_autoencoder, {"layer 1": 3}, id="autoencoder"),
    pytest.param(small_stack, STACK, id="stack"),
    pytest.param(frozen, {"layer 1": 3, "layer 2": 3, "layer 3": 3, "finetune": 3}, id="frozen"),
    pytest.param(classifier, STACK | {"supervised": 3}, id="classifier"),
    pytest.param(regressor, STACK | {"supervised": 3}, id="regressor"),
    pytest.param(detector, STACK, id="detector"),
]


@pytest.fixture
def X(digits):
    return digits[:200]


@pytest.fixture
def y():
    return np.arange(200) % 3


def r2(model, X, y):
    return model.score(X)


def tree(context):
    """A task as its name, how many subtasks it may have at most, and these."""
    return context.task_name, context.max_subtasks, [tree(c) for c in context._children_map.values()]


def expected(phases):
    epochs = {name: [("epoch", 0, [])] * n for name, n in phases.items()}
    return "fit", len(phases), [(name, n, epochs[name]) for name, n in phases.items()]


@pytest.mark.parametrize(("make", "phases"), ESTIMATORS)
def test_a_callback_hears_the_tree_of_tasks_each_once_and_in_order(make, phases, X, y):
    recording = RecordingCallback()
    model = make().set_callbacks(recording)
    assert model.fit(X, y) is model
    assert tree(recording.record[0]["context"]) == expected(phases)

    order = ["setup", ("begin", "fit")]
    for name, n_epochs in phases.items():
        order += [("begin", name), *[("begin", "epoch"), ("end", "epoch")] * n_epochs, ("end", name)]
    order += [("end", "fit"), "teardown"]
    heard = [
        r["name"] if "task" not in r["name"] else (r["name"].split("_")[-1], r["context"].task_name)
        for r in recording.record
    ]
    assert heard == order
    assert all(r["estimator"] is model for r in recording.record)
    assert all(r["kwargs"]["X"] is X and r["kwargs"]["y"] is y for r in recording.record[1:-1])


@pytest.mark.parametrize(("make", "phases"), ESTIMATORS)
def test_callbacks_change_no_bit_and_leave_nothing_behind(make, phases, X, y):
    recording = RecordingCallback()
    told, alone = make().set_callbacks(recording).fit(X, y), make().set_callbacks().fit(X, y)
    state, other = told.module_.state_dict(), alone.module_.state_dict()
    assert all((state[name] == other[name]).all() for name in other)
    assert vars(told).keys() == vars(alone).keys() | {"_skl_callbacks"}


@pytest.mark.parametrize(("make", "phases"), ESTIMATORS)
def test_the_fitted_estimator_is_the_model_of_that_moment(make, phases, X, y):
    recording = RecordingCallback()
    model = make().set_callbacks(recording).fit(X, y)
    ends = [r for r in recording.record if r["name"] == "on_fit_task_end"]
    last = ends[-1]["kwargs"]["fitted_estimator"]
    assert (last.transform(X) == model.transform(X)).all()
    shown = {}
    for r in ends[:-1]:
        own, context = r["kwargs"]["fitted_estimator"], r["context"]
        name = context.task_name if context.task_name != "epoch" else context.parent.task_name
        shown.setdefault(name, []).append(own)
    assert list(shown) == list(phases)
    for name, own in shown.items():
        if "supervised" in phases and name != "supervised":
            assert own == [None] * 4  # there is no head yet
            continue
        assert [len(o.history_) for o in own] == sorted(len(o.history_) for o in own)
        codes = [o.transform(X) for o in own]
        assert (codes[0] != codes[1]).any()  # each keeps the weights of its moment
        assert codes[0].shape[1] == {"layer 1": model.module_.widths[0]}.get(name, codes[-1].shape[1])
    assert len(own[-1].history_) == model.n_iter_
    if "supervised" not in phases:
        assert not hasattr(own[-1], "health_")  # known when the fit has ended
    own[-1]._repr_html_()


def test_the_phases_end_shows_what_the_model_ends_in_where_no_layer_follows(X, y):
    recording = RecordingCallback()
    model = classifier().set_callbacks(recording).fit(X, y)
    of_phase = [r["kwargs"]["fitted_estimator"] for r in recording.record if r["name"] == "on_fit_task_end"]
    assert (of_phase[-2].predict_proba(X) == model.predict_proba(X)).all()
    assert (of_phase[-2].classes_ == [0, 1, 2]).all()


@pytest.mark.parametrize(("make", "phases"), ESTIMATORS)
def test_a_scoring_monitor_scores_every_epoch(make, phases, X, y):
    monitor = callbacks.ScoringMonitor(scoring={"score": lambda model, X, y: model.score(X, y)})
    model = make().set_callbacks(monitor, callbacks.ProgressBar()).fit(X, y)
    rows = [row for row in monitor.get_logs().data if "score" in row]
    scored = ["supervised"] if "supervised" in phases else list(phases)
    assert len(rows) == 1 + len(scored) + sum(phases[name] for name in scored)
    assert rows[0]["task_name"] == "fit"
    assert rows[0]["score"] == model.score(X, y)


def test_a_progress_bar_shows_the_phases(X, capsys):
    small_stack().set_callbacks(callbacks.ProgressBar()).fit(X)
    out = capsys.readouterr().out
    for line in ("StackedAutoencoder - fit", "StackedAutoencoder - layer 2 #1", "- finetune #2"):
        assert line in out
    assert "100%" in out


def test_own_callbacks_and_scikit_learns_hear_side_by_side(X):
    class Epochs(Callback):
        n = 0

        def end_epoch(self, record, run):
            self.n += 1

    own, recording = Epochs(), RecordingCallback()
    small_stack().set_callbacks(recording, own).fit(X)
    assert (own.n, recording.count_hooks("on_fit_task_end")) == (9, 13)


@pytest.mark.parametrize("hook", ["setup", "on_fit_task_begin", "on_fit_task_end", "teardown"])
@pytest.mark.parametrize("make", [small_autoencoder, classifier])
def test_a_callback_that_fails_is_torn_down(hook, make, X, y):
    failing = FailingCallback(fail_at=hook)
    with pytest.raises(ValueError, match=f"Failing callback failed at {hook}"):
        make().set_callbacks(failing).fit(X, y)
    assert (failing.count_hooks("setup"), failing.count_hooks("teardown")) == (1, 1)


def test_only_callbacks_that_were_set_up_are_torn_down(X):
    first, second = FailingCallback(fail_at="setup"), RecordingCallback()
    with pytest.raises(ValueError, match="at setup"):
        small_autoencoder().set_callbacks(first, second).fit(X)
    assert (first.count_hooks("teardown"), second.record) == (1, [])


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()], ids=repr)
def test_a_fit_that_is_broken_off_tears_down_and_leaves_the_old_model(error, X):
    class Breaking(Callback):
        def end_epoch(self, record, run):
            if record["layer"] == 2:
                raise error

    recording = RecordingCallback()
    model = small_stack().fit(X)
    before = vars(model).copy()
    with pytest.raises(type(error)):
        model.set_callbacks(recording, Breaking()).fit(X[:100])
    assert (recording.count_hooks("setup"), recording.count_hooks("teardown")) == (1, 1)
    assert recording.record[-1]["name"] == "teardown"
    assert vars(model.set_callbacks()) == before | {"_callbacks": ()}


def test_data_that_are_refused_reach_no_callback(X):
    recording = RecordingCallback()
    with pytest.raises(ValueError, match="NaN"):
        small_stack().set_callbacks(recording).fit(X * np.nan)
    assert recording.record == []


def test_a_callback_ends_a_phase_by_an_epoch_and_the_rest_by_a_phase(X):
    class Impatient(RecordingCallback):
        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            return context.task_name == "epoch" and context.parent.task_name == "layer 1"

    model = small_stack().set_callbacks(Impatient()).fit(X)
    assert [(r["layer"], r["epoch"]) for r in model.history_[:3]] == [(1, 1), (2, 1), (2, 2)]

    stopping = StopFitCallback()
    model = small_stack().set_callbacks(stopping).fit(X)
    assert [(r["phase"], r["layer"], r["epoch"]) for r in model.history_] == [("pretrain", 1, 1)]
    assert tree(stopping.record[0]["context"])[2] == [("layer 1", 3, [("epoch", 0, [])])]
    assert np.isfinite(model.transform(X)).all()


def test_a_layer_that_is_solved_and_what_a_checkpoint_kept_are_tasks_too(X, tmp_path):
    recording = RecordingCallback()
    layers = [Autoencoder(8, network="marginalised"), 3]
    small_stack(layers, finetune=None).set_callbacks(recording).fit(X)
    assert tree(recording.record[0]["context"]) == expected({"layer 1": 1, "layer 2": 3})
    assert all(r["kwargs"]["fitted_estimator"] is None for r in recording.record[1:-2])

    small_stack().set_callbacks(Checkpoints(tmp_path, "run", 0.0)).fit(X)
    again = RecordingCallback()
    small_stack().set_callbacks(Checkpoints(tmp_path, "run"), again).fit(X)
    assert tree(again.record[0]["context"]) == expected(STACK)


def test_a_frozen_encoder_has_no_phases_of_its_own(X, y):
    fitted = FrozenEstimator(small_stack().fit(X))
    recording = RecordingCallback()
    StackedAutoencoderDetector(fitted).set_callbacks(recording).fit(X)
    assert tree(recording.record[0]["context"]) == ("fit", 0, [])
    assert [r["name"] for r in recording.record] == [
        "setup", "on_fit_task_begin", "on_fit_task_end", "teardown",
    ]  # fmt: skip
    recording = RecordingCallback()
    StackedAutoencoderClassifier(fitted, finetune=SHORT).set_callbacks(recording).fit(X, y)
    assert tree(recording.record[0]["context"]) == expected({"supervised": 3})


def test_how_many_phases_follow_is_unknown_where_depths_are_tried(X):
    recording = RecordingCallback()
    StackedAutoencoder("auto", pretrain=SHORT, finetune=None, random_state=0).set_callbacks(recording).fit(X)
    name, n_phases, phases = tree(recording.record[0]["context"])
    assert (name, n_phases) == ("fit", None)
    assert len(phases) >= 3


def test_weights_are_metadata_where_the_score_takes_them(X, y):
    weights = np.ones(200)
    for model, metadata in ((classifier(), {"sample_weight": weights}), (small_stack(), {})):
        recording = RecordingCallback()
        model.set_callbacks(recording).fit(X, y, sample_weight=weights)
        assert all(r["kwargs"]["metadata"] == metadata for r in recording.record[1:-1])


def test_a_refit_on_other_columns_shows_none_of_the_old_names(X):
    pd = pytest.importorskip("pandas")
    recording = RecordingCallback()
    model = small_autoencoder().fit(pd.DataFrame(X).add_prefix("c"))
    model.set_callbacks(recording).fit(X[:, :10])
    shown = recording.record[4]["kwargs"]["fitted_estimator"]
    assert shown.n_features_in_ == 10
    assert shown.feature_names_in_ is None


def test_tables_are_shown_by_their_own_columns(y):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": np.linspace(0, 1, 200), "city": list("xyzz") * 50})
    for make in (small_stack, classifier, detector):
        monitor = callbacks.ScoringMonitor(scoring={"score": lambda model, X, y: model.score(X, y)})
        model = make().set_callbacks(monitor).fit(table, y)
        scores = [row["score"] for row in monitor.get_logs().data if "score" in row]
        assert scores[0] == model.score(table, y)


@pytest.mark.parametrize(
    "callback", [None, NotValidCallback(), RecordingCallback], ids=["none", "invalid", "class"]
)
def test_what_is_no_callback_is_refused(callback):
    with pytest.raises(TypeError, match=r"callbacks must be instances following the FitCallback protocol."):
        small_stack().set_callbacks(callback)


def test_a_hook_with_other_parameters_is_refused(X):
    with pytest.raises(TypeError, match="not_valid_kwarg"):
        small_autoencoder().set_callbacks(NotValidHookCallback()).fit(X)
    asks_little = NotRequiredKwargsCallback()
    small_autoencoder().set_callbacks(asks_little).fit(X)
    assert asks_little.count_hooks("on_fit_task_end") == 5


def test_an_older_scikit_learn_gets_one_clear_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.callback", None)
    monkeypatch.setattr("stackae.estimators._callbacks.sklearn_version", "1.8.0")
    expected = (
        "set_callbacks takes RecordingCallback, a callback of scikit-learn's, with scikit-learn 1.9 or later,"
        " this is 1.8.0; pip install 'scikit-learn>=1.9'"
    )
    with pytest.raises(ParameterError) as caught:
        small_stack().set_callbacks(RecordingCallback())
    assert str(caught.value) == expected
    assert small_autoencoder().set_callbacks(Callback())._callbacks  # ours need none of it


def test_callbacks_are_handed_on_by_clone_and_kept_by_pickle_as_scikit_learn_does(X):
    recording = RecordingCallback()
    model = small_autoencoder().set_callbacks(recording, Callback())
    assert "callbacks" not in model.get_params()
    clone(model).fit(X)
    assert recording.count_hooks("setup") == 1
    again = pickle.loads(pickle.dumps(model.fit(X)))
    assert len(again._skl_callbacks) == 1
    assert again._callbacks == ()
    again.fit(X)
    model.set_callbacks()
    assert not hasattr(model, "_skl_callbacks")
    model.set_callbacks()


def test_callbacks_on_an_encoder_are_refused_where_they_would_hear_nothing(X, y):
    encoder = small_stack().set_callbacks(RecordingCallback())
    with pytest.raises(ParameterError, match="set them on the StackedAutoencoderClassifier"):
        StackedAutoencoderClassifier(encoder).fit(X, y)


def test_a_pipeline_hands_its_callbacks_on_and_takes_them_back(X, y):
    recording, counting = RecordingAutoPropagatedCallback(), _Counting()
    model = small_stack().set_callbacks(counting)
    pipeline = make_pipeline(model, LogisticRegression(max_iter=10)).set_callbacks(recording)
    pipeline.fit(X, y)
    of_stack = tree(recording.record[0]["context"])[2][0]
    assert of_stack == expected(STACK)
    context = recording.record[0]["context"]._children_map[0]
    assert (context.estimator_name, context.source_estimator_name) == ("StackedAutoencoder", "Pipeline")
    assert (recording.count_hooks("setup"), recording.count_hooks("teardown")) == (1, 1)
    assert counting.n == 9  # our own was not lost on the way
    assert model._callbacks == (counting,)
    assert not hasattr(model, "_skl_callbacks")
    assert not hasattr(model, "_parent_callback_ctx")


class _Counting(Callback):
    n = 0

    def end_epoch(self, record, run):
        self.n += 1


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_hears_of_every_fit_in_its_own_and_in_other_processes(n_jobs, X, y):
    recording = RecordingAutoPropagatedCallback()
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(
        classifier().set_callbacks(monitor), {"label_smoothing": [0.0, 0.1]}, cv=2, n_jobs=n_jobs
    )
    search.set_callbacks(recording).fit(X, y)
    n_tasks = (1 + 4 + 4 * 3) * 5  # of each of the 5 fits
    names = [r["context"].estimator_name for r in recording.record if r["name"] == "on_fit_task_end"]
    assert names.count("StackedAutoencoderClassifier") == n_tasks
    assert recording.count_hooks("on_fit_task_begin") == recording.count_hooks("on_fit_task_end")
    assert (recording.count_hooks("setup"), recording.count_hooks("teardown")) == (1, 1)
    rows = [row for row in monitor.get_logs().data if "accuracy" in row]
    assert len(rows) == (3 + 1 + 1) * 5
