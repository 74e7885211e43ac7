"""What a comparison tells of its progress."""

from __future__ import annotations

import sys

import joblib
import pytest
from helpers import SHORT, two_halves
from sklearn.base import clone

from stackae import StackedAutoencoder
from stackae.evaluation import compare, compare_fitted, resplit
from stackae.evaluation.progress import ComparisonProgress

STACK = StackedAutoencoder((4, 2), pretrain=SHORT, finetune=SHORT, random_state=0)
X, y = two_halves()
FEW = {"methods": ["stackae", "PCA"], "few_labels": (), "n_draws": 1}


def standing(err):
    """Of each line the piece that was done, or the phase and epoch of a stack."""
    return [line.partition("  loss")[0].partition(", ")[0] for line in err.splitlines()]


def test_pieces_come_through_unchanged_and_are_counted(capfd):
    assert list(ComparisonProgress(3, "methods").over(iter("abc"))) == ["a", "b", "c"]
    assert standing(capfd.readouterr().err) == [f"{n} of 3 methods" for n in range(4)]


def test_the_piece_that_is_being_worked_at_is_named(capfd):
    list(ComparisonProgress(2, "methods", ["PCA", "raw rows"]).over(iter("ab")))
    now = [line.partition("; now ")[2] for line in capfd.readouterr().err.splitlines()]
    assert now == ["PCA", "raw rows", ""]


@pytest.mark.parametrize("n_pieces", [1, 19, 20, 21, 1000])
def test_a_log_has_at_most_some_twenty_lines(n_pieces, capfd):
    list(ComparisonProgress(n_pieces, "splits").over(range(n_pieces)))
    lines = standing(capfd.readouterr().err)
    assert len(lines) <= 21
    assert (lines[0], lines[-1]) == (f"0 of {n_pieces} splits", f"{n_pieces} of {n_pieces} splits")


def test_while_a_single_stack_trains_it_is_heard(capfd):
    compare(STACK, resplit(X, y), (2,), n_splits=1, verbose=1, **FEW)
    lines = standing(capfd.readouterr().err)
    assert lines[0] == "0 of 1 splits and widths"
    assert {"layer 1  epoch 1/3", "layer 2  epoch 3/3", "finetune  epoch 3/3"} <= set(lines)
    assert lines[-1] == "1 of 1 splits and widths"
    assert len(lines) <= 22


def test_of_many_stacks_only_the_ends_are_told(capfd):
    compare(STACK, resplit(X, y), (1, 2), n_splits=4, verbose=1, **FEW)
    assert standing(capfd.readouterr().err) == [f"{n} of 8 splits and widths" for n in range(9)]


def test_stacks_that_train_at_the_same_time_do_not_talk_across_each_other(capfd):
    with joblib.parallel_config("threading"):
        compare(STACK, resplit(X, y), (2,), n_splits=2, n_jobs=2, verbose=1, **FEW)
    assert standing(capfd.readouterr().err) == [f"{n} of 2 splits and widths" for n in range(3)]


def test_a_fitted_model_is_compared_method_by_method(capfd):
    split = resplit(X, y)(0)
    model = clone(STACK).fit(split.X)
    quiet = compare_fitted(model, split.X, split, **FEW)
    assert capfd.readouterr().err == ""
    told = compare_fitted(model, split.X, split, verbose=1, **FEW)
    assert standing(capfd.readouterr().err) == [f"{n} of 2 methods" for n in range(3)]
    assert [record.method for record in told.records] == [record.method for record in quiet.records]


def test_a_terminal_has_a_bar_beside_which_the_training_is_told(monkeypatch):
    shown = []

    class Bar:
        def show(self, fraction, text):
            shown.append((fraction, text))

        def close(self):
            shown.append("closed")

    monkeypatch.setattr("stackae.evaluation.progress.one_bar", Bar)
    compare(STACK, resplit(X, y), (2,), n_splits=2, verbose=1, **FEW)
    assert shown[0] == (0.0, "0 of 2 splits and widths")
    assert (0.5, "1 of 2 splits and widths, layer 2, epoch 3/3") in shown
    assert shown[-2:] == [(1.0, "2 of 2 splits and widths"), "closed"]


def test_nobody_is_told_where_there_is_no_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(ComparisonProgress(1, "methods").over([1])) == [1]
