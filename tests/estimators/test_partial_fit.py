"""Learning from data that arrive in pieces."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone

from stackae import Autoencoder, StackedAutoencoder, Training


def pieces(X, n=6):
    return np.array_split(X, n)


@pytest.mark.parametrize("make", [small_autoencoder, small_stack])
def test_the_first_piece_is_one_greedy_pass_of_fit(make, digits):
    once = Training(max_epochs=1, batch_size=32, schedule="constant", validation_fraction=0)
    once = {
        name: once for name in make().get_params(deep=False) if name in ("training", "pretrain", "finetune")
    }
    if "finetune" in once:
        once["shortcut"] = None  # a piece starts none
    by_fit = make(**once).fit(digits)
    by_piece = make().partial_fit(digits)
    np.testing.assert_array_equal(by_fit.transform(digits), by_piece.transform(digits))


@pytest.mark.parametrize(
    "model", [Autoencoder(32, random_state=0), StackedAutoencoder((32, 8), random_state=0)]
)
def test_pieces_teach_what_the_whole_teaches(model, digits):
    model = clone(model)
    scores = []
    for _ in range(4):
        for piece in pieces(digits):
            model.partial_fit(piece)
        scores.append(model.score(digits))
    assert scores[0] < scores[-1]
    assert scores[-1] > 0.6


def test_later_pieces_go_on_with_scaling_weights_optimizers_and_draws(digits):
    model = small_stack(pretrain=Training(batch_size=32), finetune=Training(batch_size=32))
    first, second, *_ = pieces(digits)
    model.partial_fit(first)
    shift = model.module_[0].scaling.shift.clone()
    steps = {id(o): o.count.item() for o in model._stream["optimizers"].values()}
    draws = model._stream["generator"].clone()
    model.partial_fit(second)
    assert (model.module_[0].scaling.shift == shift).all()
    assert {id(o) for o in model._stream["optimizers"].values()} == steps.keys()
    assert all(o.count.item() == 2 * steps[id(o)] for o in model._stream["optimizers"].values())
    assert not (model._stream["generator"] == draws).all()


def test_history_counts_the_passes(digits):
    model = small_stack()
    for piece in pieces(digits, 3):
        model.partial_fit(piece)
    epochs = [(r["layer"], r["epoch"]) for r in model.history_]
    assert epochs == [(layer, epoch) for epoch in (1, 2, 3) for layer in (1, 2, None)]
    assert model.n_iter_ == 9


def test_partial_fit_goes_on_from_a_fit(digits):
    model = small_stack().fit(digits)
    before = model.score(digits)
    for _ in range(5):
        model.partial_fit(digits)
    assert model.score(digits) > before


def test_fit_starts_anew_after_pieces(digits):
    model = small_stack().partial_fit(digits[:100])
    np.testing.assert_array_equal(model.fit(digits).transform(digits), small_stack().fit_transform(digits))


def test_a_pickled_model_goes_on_to_the_same_bits(digits):
    model = small_stack().partial_fit(digits[:500])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        model.partial_fit(digits[500:]).transform(digits), again.partial_fit(digits[500:]).transform(digits)
    )


def test_a_piece_of_another_width_is_refused_and_changes_nothing(digits):
    model = small_autoencoder(training=SHORT).partial_fit(digits)
    before = model.transform(digits)
    with pytest.raises(ValueError, match=r"63 features.*64 features"):
        model.partial_fit(digits[:, 1:])
    np.testing.assert_array_equal(model.transform(digits), before)


def test_a_piece_outside_the_range_that_cross_entropy_needs_is_refused_and_changes_nothing(digits):
    model = small_stack().partial_fit(digits)
    before = model.transform(digits)
    with pytest.raises(
        ValueError, match=r"CrossEntropy needs every piece within .* from 0 to 16; choose loss="
    ):
        model.partial_fit(digits * 16)
    np.testing.assert_array_equal(model.transform(digits), before)


def test_layers_changed_between_pieces_are_refused(digits):
    model = small_stack().partial_fit(digits).set_params(layers=(8,))
    with pytest.raises(ValueError, match=r"changed after fit, from widths \[8, 3\] to \[8\]"):
        model.partial_fit(digits)
