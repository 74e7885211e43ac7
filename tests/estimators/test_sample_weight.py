"""Samples that count more than once, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import small_autoencoder, small_stack
from sklearn.datasets import load_digits

from stackae import StackedAutoencoderClassifier, Training
from stackae.exceptions import DataError, ParameterError
from stackae.training.batches import SamplesInMemory


def samples_of(weights):
    n_samples = len(weights)
    values = torch.arange(float(n_samples))[:, None]
    return SamplesInMemory(values, torch.randperm(n_samples), torch.tensor(weights, dtype=torch.float64))


def visits(samples, generator, size=7):
    counts = np.zeros(len(samples.tensor))
    for piece in samples.shuffled(size, generator):
        np.add.at(counts, piece[:, 0].long().numpy(), 1)
    return counts


def test_whole_weights_are_counts(generator):
    weights = [3.0, 1.0, 0.0, 5.0, 1.0, 2.0]
    samples = samples_of(weights)
    assert len(samples) == 12
    for _ in range(5):
        np.testing.assert_array_equal(visits(samples, generator), weights)


def test_other_weights_are_kept_on_average_and_rounded_up_or_down_in_an_epoch(generator):
    weights = np.array([0.3, 1.7, 0.5, 2.5, 1.0])
    epochs = np.array([visits(samples_of(weights), generator) for _ in range(400)])
    assert (np.abs(epochs - weights) < 1).all()
    np.testing.assert_allclose(epochs.mean(0), weights, atol=0.1)


def test_samples_held_out_are_not_trained_on(generator):
    held_out, others = samples_of([1.0, 2.0] * 50).hold_out(15)
    assert len(held_out) == 15
    trained_on = torch.cat(list(others.shuffled(10, generator)))
    assert not set(held_out[:, 0].tolist()) & set(trained_on[:, 0].tolist())
    assert 130 <= len(others) <= 140


def test_few_samples_in_any_order_and_repeated_samples_give_the_same_bits(table):
    rng = np.random.default_rng(0)
    few = table[:40]
    weights = rng.integers(0, 4, 40)
    order = rng.permutation(40)
    weighted = small_stack().fit(few[order], sample_weight=weights[order]).transform(few)
    repeated = small_stack().fit(np.repeat(few, weights, axis=0)).transform(few)
    np.testing.assert_array_equal(weighted, repeated)


def test_a_sample_of_no_weight_is_not_there(digits):
    few = digits[:500]
    weights = np.where(np.arange(500) < 300, 1.0, 0.0)
    spoiled = np.where(weights[:, None] > 0, few, 77.0)
    model = small_stack().fit(spoiled, sample_weight=weights)
    np.testing.assert_array_equal(model.transform(few), small_stack().fit(few[:300]).transform(few))


def test_the_scaling_counts_weights(table):
    weights = np.linspace(0.5, 1.5, 200)
    model = small_autoencoder().fit(np.tile(table, (2, 1)), sample_weight=np.tile(weights, 2))
    scaling = model.module_[0].scaling
    mean = np.average(table, axis=0, weights=weights)
    np.testing.assert_allclose(scaling.shift, mean, rtol=1e-9)
    deviations = np.sqrt(np.average((table - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(scaling.factor[:5], deviations[:5], rtol=1e-9)


def test_what_weighs_more_is_reconstructed_better(digits):
    zeros = load_digits().target == 0
    budget = Training(max_epochs=20)
    heavy = small_autoencoder(4, training=budget).fit(digits, sample_weight=np.where(zeros, 1.0, 0.05))
    light = small_autoencoder(4, training=budget).fit(digits, sample_weight=np.where(zeros, 0.05, 1.0))
    of_zeros = heavy.score_samples(digits[zeros]).mean() - light.score_samples(digits[zeros]).mean()
    of_others = heavy.score_samples(digits[~zeros]).mean() - light.score_samples(digits[~zeros]).mean()
    assert of_zeros > 0 > of_others


def test_pieces_may_have_weights(digits):
    model = small_stack()
    for piece in (digits[:300], digits[300:600]):
        model.partial_fit(piece, sample_weight=np.linspace(0.5, 2, len(piece)))
    assert model.n_iter_ == 6


def test_a_classifier_learns_from_what_counts(digits):
    y = np.arange(len(digits)) % 2
    wrong = np.arange(len(digits)) < 600
    y = np.where(wrong, 1 - (digits[:, 20] > 0.5), digits[:, 20] > 0.5).astype(int)
    model = StackedAutoencoderClassifier(
        small_stack((32, 8)), finetune=Training(max_epochs=10), random_state=0
    )
    model.fit(digits, y, sample_weight=np.where(wrong, 0.01, 1.0))
    assert model.score(digits[~wrong], y[~wrong]) > 0.9


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(199), r"sample_weight must have one number a row, 200, got shape \(199,\)"),
        (np.ones((200, 2)), r"got shape \(200, 2\)"),
        (np.where(np.arange(200) == 5, -1.0, 1.0), "finite and at least 0, got -1 in row 5"),
        (np.where(np.arange(200) == 5, np.nan, 1.0), "finite and at least 0, got nan in row 5"),
        (np.zeros(200), "sample_weight must be above 0 for some row, got zeros only"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message, table):
    with pytest.raises(DataError, match=message):
        small_stack().fit(table, sample_weight=weights)


def test_weights_need_the_samples_in_memory(tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).random((70_000, 64), dtype=np.float32))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    with pytest.raises(ParameterError, match=r"sample_weight.* need the rows and their codes in memory"):
        small_stack(max_memory="16MiB").fit(X, sample_weight=np.linspace(1, 2, len(X)))
