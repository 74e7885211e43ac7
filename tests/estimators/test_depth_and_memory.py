"""How many layers, and layers that are fitted once."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from helpers import SHORT, small_stack
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from stackae import Autoencoder, Masking, StackedAutoencoder, StackedAutoencoderClassifier, Training, load
from stackae.exceptions import DataError, ParameterError
from stackae.fitting import greedy

QUICK = Training(max_epochs=8)


@pytest.fixture
def fits(monkeypatch):
    """The layers that were pretrained, by number."""
    trained = []
    train = greedy.train_phase

    def counted(module, samples, plan, context, name, layer):
        trained.append(layer)
        return train(module, samples, plan, context, name, layer)

    monkeypatch.setattr(greedy, "train_phase", counted)
    return trained


@pytest.fixture(scope="module")
def some():
    """Digits enough to compare depths on, and their labels."""
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


# Depth -------------------------------------------------------------------------------------------------


def auto(**parameters):
    return StackedAutoencoder(
        "auto", **{"pretrain": QUICK, "finetune": QUICK, "random_state": 0, **parameters}
    )


@pytest.mark.slow
def test_a_layer_is_added_while_it_gains(digits, fits):
    model = auto(tol=0.01).fit(digits)
    scores = model.depth_scores_
    chosen = len(model.layers_)
    widths = [layer.n_components for layer in model.layers_]
    assert widths == [256] * (chosen - 1) + [64]
    error = 1 - np.array(scores)
    assert (error[1:chosen] < error[: chosen - 1] * 0.99).all()
    assert len(scores) == 5 or error[chosen] >= error[chosen - 1] * 0.99
    # Layers in common were fitted once: of each depth the code, and one more layer of 256.
    tried = len(scores)
    assert len(fits) == tried + (tried - 1) + chosen


def test_no_layer_is_added_for_a_gain_that_is_too_small(some):
    X, _ = some
    model = auto(tol=0.99).fit(X)
    assert len(model.layers_) == 1
    assert len(model.depth_scores_) == 2
    again = StackedAutoencoder((64,), pretrain=QUICK, finetune=QUICK, random_state=0).fit(X)
    assert model.n_iter_ == again.n_iter_


@pytest.mark.slow
def test_labels_compare_depths_by_a_probe(some):
    X, y = some
    quick = auto(pretrain=Training(max_epochs=4), finetune=None)
    model = clone(quick).fit(X, y)
    assert all(0.7 < score <= 1 for score in model.depth_scores_)
    names = clone(quick).fit(X, np.array(list("abcdefghij"))[y])
    assert names.depth_scores_ == model.depth_scores_
    known = np.arange(len(y)) % 3 == 0
    few = clone(quick).fit(X, np.where(known, y, np.nan))
    assert all(0.6 < score <= 1 for score in few.depth_scores_)
    by_number = clone(quick).fit(X, np.where(known, X[:, 20] + X[:, 30], np.nan))
    assert all(0.3 < score <= 1 for score in by_number.depth_scores_)


@pytest.mark.slow
def test_the_choice_is_saved_and_serves_others(some, tmp_path):
    X, y = some
    model = auto(finetune=None).fit(X)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert (again.layers, again.depth_scores_) == ("auto", model.depth_scores_)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    for encoder in (auto(tol=0.99), FrozenEstimator(model)):
        classifier = StackedAutoencoderClassifier(encoder, finetune=SHORT, random_state=0).fit(X, y)
        classifier.save(tmp_path / "c.safetensors")
        loaded = load(tmp_path / "c.safetensors")
        np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
        assert loaded.encoder.layers == tuple(layer.n_units for layer in classifier.module_)


def test_few_samples_are_enough():
    for n_samples in (1, 2, 5):
        model = auto().fit(np.random.default_rng(0).random((n_samples, 3)))
        assert model.transform(np.zeros((1, 3))).shape == (1, 64)


def test_what_cannot_be_chosen_is_refused(digits):
    with pytest.raises(ParameterError, match="partial_fit cannot compare depths"):
        auto().partial_fit(digits)
    with pytest.raises(DataError, match="y must have one target a row, 1797, got 5"):
        auto().fit(digits, np.arange(5))
    with pytest.raises(ValueError, match="The 'layers' parameter of StackedAutoencoder"):
        StackedAutoencoder("deep").fit(digits)


# Memory ------------------------------------------------------------------------------------------------


def three(memory=None, **parameters):
    layers = [Autoencoder(10), Autoencoder(6), Autoencoder(4, corruption=Masking(0.1))]
    return small_stack(layers, memory=memory, **parameters)


def test_a_search_over_the_last_layer_fits_the_others_once(table, fits, tmp_path):
    search = GridSearchCV(
        three(str(tmp_path), finetune=None),
        {"layers__2__corruption__level": [0.1, 0.2, 0.3]},
        cv=[(np.arange(150), np.arange(150, 200))],
        refit=False,
    )
    search.fit(table)
    assert [fits.count(k) for k in (1, 2, 3)] == [1, 1, 3]


def test_a_layer_that_is_remembered_has_the_same_bits(table, fits, tmp_path):
    expected = three().fit(table)
    fits.clear()
    for _ in range(2):
        model = three(joblib.Memory(tmp_path, verbose=0)).fit(table)
        np.testing.assert_array_equal(model.transform(table), expected.transform(table))
        assert [r["loss"] for r in model.history_] == [r["loss"] for r in expected.history_]
    assert fits == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "fitted_again"),
    [
        ({"random_state": 1}, [1, 2, 3]),
        ({"layers__0__n_components": 11}, [1, 2, 3]),
        ({"layers__1__training": Training(max_epochs=2)}, [2, 3]),
        ({"scale": "minmax"}, [1, 2, 3]),
        ({"verbose": 0, "finetune": None}, []),
    ],
)
def test_what_decides_a_layer_is_what_it_is_remembered_by(change, fitted_again, table, fits, tmp_path):
    three(str(tmp_path)).fit(table)
    fits.clear()
    three(str(tmp_path)).set_params(**change).fit(table)
    assert fits == fitted_again


def test_other_samples_and_weights_are_fitted_again(table, fits, tmp_path):
    three(str(tmp_path)).fit(table)
    other = table.copy()
    other[0, 0] += 1e-9
    for X, weights in ((other, None), (table, np.linspace(1, 2, 200))):
        fits.clear()
        three(str(tmp_path)).fit(X, sample_weight=weights)
        assert fits == [1, 2, 3]


def test_a_memory_without_a_place_keeps_nothing(table, fits):
    for _ in range(2):
        three(joblib.Memory(None, verbose=0)).fit(table)
    assert fits == [1, 2, 3, 1, 2, 3]


def test_a_classifier_and_a_stack_share_what_is_remembered(table, fits, tmp_path):
    y = (table[:, 0] > 0).astype(int)
    stack = small_stack(memory=str(tmp_path), finetune=None).fit(table)
    fits.clear()
    StackedAutoencoderClassifier(clone(stack), finetune=SHORT, random_state=0).fit(table, y)
    assert fits == []


def test_what_auto_tries_and_takes_is_said_among_the_progress(some, capsys):
    X, y = some
    brief = Training(max_epochs=1)
    model = StackedAutoencoder("auto", pretrain=brief, finetune=None, random_state=0, verbose=1).fit(X, y)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("layers=")]
    widths = ["64", "256-64", "256-256-64", "256-256-256-64", "256-256-256-256-64"]
    scores = model.depth_scores_
    tried = [f"layers='auto': depth {k}, {widths[k - 1]}" for k in range(1, len(scores) + 1)]
    told = ", ".join(f"{score:.3f}" for score in scores)
    taken = widths[len(model.layers_) - 1]
    assert said == [*tried, f"layers='auto': {taken} is taken; accuracy by depth {told}"]


def test_which_last_width_auto_takes_is_said(some, capsys):
    brief = Training(max_epochs=1)
    model = StackedAutoencoder((16, "auto"), pretrain=brief, finetune=None, random_state=0, verbose=1)
    r2 = model.fit(some[0]).prefix_r2_
    width = model.n_components_
    said = f"layers: {width} is taken for the last 'auto', R² {r2[width - 1]:.3f}; {len(r2)} would have {r2[-1]:.3f}"
    assert capsys.readouterr().err.splitlines()[-1] == said
