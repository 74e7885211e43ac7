"""Greedy means greedy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import fit_context, plan_of

from stackae import KLSparsity, Masking
from stackae.data.matrix import DenseMatrix
from stackae.exceptions import ParameterError
from stackae.fitting.greedy import pretrain
from stackae.modules.layer import Composition
from stackae.networks.dense import Dense
from stackae.training.batches import SamplesInMemory
from stackae.training.callbacks import Callback


def layers(*widths, **parts):
    return [Composition(width, Dense(), **parts) for width in widths]


class Watch(Callback):
    """Keeps every run, with the weights as they were before and after it."""

    def __init__(self):
        self.runs, self.before, self.after = [], [], []

    def begin_phase(self, phase, run):
        self.runs.append(run)
        self.before.append([p.detach().clone() for p in run.module.parameters()])

    def end_phase(self, run):
        self.after.append([p.detach().clone() for p in run.module.parameters()])


def pretrained(X, parts):
    """The fitted layers, the samples of the first, and what a callback saw."""
    watch = Watch()
    context = fit_context(callback=watch)
    fitted, samples, _ = pretrain(plan_of(parts, X, context), DenseMatrix(X), context)
    return fitted, samples, watch


def test_weights_below_the_layer_in_training_do_not_move(digits):
    fitted, _, watch = pretrained(digits, layers(16, 8, 4))
    for before, after, layer in zip(watch.before, watch.after, fitted, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        # What a layer's own phase left is what it still has after all the phases above it, bit for bit.
        assert all(torch.equal(a, b) for a, b in zip(after, layer.parameters(), strict=True))
    assert [layer.parts.activation for layer in fitted] == ["relu", "relu", "identity"]  # as in the stack


def test_a_layer_trains_on_the_clean_codes_of_the_layer_below_and_the_same_samples_are_held_out(digits):
    (below, above), samples, watch = pretrained(digits, layers(16, 8, corruption=Masking(0.5)))
    first, second = watch.runs
    with torch.no_grad():
        codes = above.scaling(below.encode_scaled(samples.tensor))
    torch.testing.assert_close(second.samples.tensor, codes)
    n = len(first.held_out)
    assert n == len(second.held_out) == 179
    torch.testing.assert_close(first.held_out, samples.tensor[samples.order[:n]])
    torch.testing.assert_close(second.held_out, codes[samples.order[:n]])
    assert all(torch.equal(run.samples.order, samples.order[n:]) for run in watch.runs)


def test_codes_are_computed_once_a_layer_and_not_once_a_batch(digits, monkeypatch):
    calls = []
    encode = SamplesInMemory.map
    monkeypatch.setattr(SamplesInMemory, "map", lambda *args: calls.append(args[2]) or encode(*args))
    pretrained(digits, layers(16, 8, 4))
    assert calls == [16, 8]


def test_the_samples_are_not_written_and_the_global_generators_not_touched(digits):
    X = digits.astype(np.float32)
    before, states = X.copy(), (torch.get_rng_state(), np.random.get_state()[1].copy())
    pretrained(X, layers(8))
    np.testing.assert_array_equal(X, before)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])


def test_what_cannot_combine_in_an_upper_layer_is_refused_before_any_layer_trains(digits):
    bad = [*layers(8), *layers(4, penalties=(KLSparsity(),), activation="relu")]
    with pytest.raises(ParameterError, match="KLSparsity"):
        plan_of(bad, digits, fit_context())
