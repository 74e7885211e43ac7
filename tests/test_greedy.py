"""Greedy means greedy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT

from stackae import Masking, greedy
from stackae.modules.layer import Composition
from stackae.networks.dense import Dense
from stackae.training import loop


def machine(seed=0):
    return greedy.Machine(torch.device("cpu"), False, torch.Generator().manual_seed(seed))


def layers(*widths, **parts):
    return [Composition(width, Dense(), **parts) for width in widths]


@pytest.fixture
def phases(monkeypatch):
    """Every run that the engine is given, with the weights as they were before and after it."""
    seen = []
    fit = loop.fit

    def spy(run):
        before = [p.detach().clone() for p in run.module.parameters()]
        history = fit(run)
        seen.append((run, before, [p.detach().clone() for p in run.module.parameters()]))
        return history

    monkeypatch.setattr(loop, "fit", spy)
    return seen


def test_weights_below_the_layer_in_training_do_not_move(digits, phases):
    fitted = greedy.pretrain(layers(16, 8, 4), [SHORT] * 3, digits, machine())
    for (_, before, after), layer in zip(phases, fitted.layers, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        # What a layer's own phase left is what it still has after all the phases above it, bit for bit.
        assert all(torch.equal(a, b) for a, b in zip(after, layer.parameters(), strict=True))


def test_a_layer_trains_on_the_clean_codes_of_the_layer_below(digits, phases):
    fitted = greedy.pretrain(layers(16, 8, corruption=Masking(0.5)), [SHORT] * 2, digits, machine())
    below, above = fitted.layers
    with torch.no_grad():
        codes = above.scaling(below.encode_scaled(fitted.rows.tensor))
    torch.testing.assert_close(phases[1][0].rows.tensor, codes)
    n = len(phases[1][0].held_out)
    torch.testing.assert_close(phases[1][0].held_out, codes[fitted.rows.order[:n]])


def test_codes_are_computed_once_a_layer_and_not_once_a_batch(digits, monkeypatch):
    calls = []
    codes = greedy._codes
    monkeypatch.setattr(greedy, "_codes", lambda *args: calls.append(1) or codes(*args))
    greedy.pretrain(layers(16, 8, 4), [SHORT] * 3, digits, machine())
    assert len(calls) == 2


def test_the_same_rows_are_held_out_from_every_phase(digits, phases):
    fitted = greedy.pretrain(layers(16, 8), [SHORT] * 2, digits, machine())
    n = len(phases[0][0].held_out)
    assert n == len(phases[1][0].held_out) == 179
    rows = fitted.rows
    torch.testing.assert_close(phases[0][0].held_out, rows.tensor[rows.order[:n]])
    assert all(torch.equal(phase[0].rows.order, rows.order[n:]) for phase in phases)


def test_each_layer_has_the_activation_that_it_has_in_the_stack(digits):
    fitted = greedy.pretrain(layers(16, 8, 4), [SHORT] * 3, digits, machine())
    assert [layer.parts.activation for layer in fitted.layers] == ["relu", "relu", "identity"]


def test_the_rows_are_not_written_and_the_global_generators_not_touched(digits):
    X = digits.astype(np.float32)
    before, states = X.copy(), (torch.get_rng_state(), np.random.get_state()[1].copy())
    greedy.pretrain(layers(8), [SHORT], X, machine())
    np.testing.assert_array_equal(X, before)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])


def test_what_cannot_combine_in_an_upper_layer_is_refused_before_any_layer_trains(digits, phases):
    from stackae import KLSparsity
    from stackae.exceptions import ParameterError

    bad = [*layers(8), *layers(4, penalties=(KLSparsity(),), activation="relu")]
    with pytest.raises(ParameterError, match="KLSparsity"):
        greedy.pretrain(bad, [SHORT] * 2, digits, machine())
    assert phases == []
