"""What layers consist of, in words that need no knowledge of Python."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers import SHORT, small_autoencoder, small_stack, two_halves

from stackae import (
    Convolutional,
    Dropout,
    Huber,
    KLSparsity,
    Masking,
    PerFeature,
    StackedAutoencoderClassifier,
    StackedAutoencoderRegressor,
    Swap,
    TopK,
)
from stackae.codes import CODES
from stackae.corruption import CORRUPTIONS
from stackae.losses import LOSSES
from stackae.networks import NETWORKS
from stackae.report.wording import n_judged, of_loss, of_part, of_scaling


@pytest.mark.parametrize("table", [NETWORKS, CORRUPTIONS, CODES, LOSSES], ids=lambda table: table.kind)
def test_every_part_of_the_tables_has_words_of_its_own(table):
    for name in table:
        words = of_part(table[name]())
        assert "(" not in words.replace("(linear", "")
        assert not re.search("[a-z][A-Z]", words)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Masking((0.5, 0.0)), "50 % falling to 0 % of the inputs hidden"),
        (Dropout(0.1), "10 % of the codes dropped"),
        (Swap(0.15, on="both"), "15 % of the inputs and codes taken from other rows"),
        (TopK(3), "the 3 largest stay"),
        (TopK(0.1), "the largest 10 % stay"),
        (Convolutional(image_shape=(8, 8)), "convolutional, rows of 8 × 8"),
        (KLSparsity(weight=3.0), "KL sparsity, weight 3.0"),
        (None, ""),
    ],
    ids=repr,
)
def test_parts_are_told_with_what_they_are_set_to(part, words):
    assert of_part(part) == words


def test_a_category_is_one_of_the_columns_that_a_loss_counts():
    X = np.hstack([np.random.default_rng(0).normal(size=(60, 2)), np.eye(3)[np.arange(60) % 3]])
    layer = small_autoencoder(2, loss=PerFeature(binary=[], groups=[(2, 5)])).fit(X).module_[0]
    assert n_judged(layer) == 3
    assert of_loss(layer) == (
        "each column by its kind: squared error of 2 numbers, softmax and cross-entropy of 1 category"
    )


@pytest.mark.parametrize(
    ("parameters", "loss", "scale"),
    [
        ({"loss": "cross_entropy", "scale": "minmax"}, "cross-entropy", "from 0 to 1"),
        (
            {"loss": Huber(0.5), "scale": "standard"},
            "Huber's loss (linear beyond 0.5)",
            "in standard deviations",
        ),
        ({"loss": "squared_error", "scale": None}, "squared error", "as they are"),
    ],
)
def test_losses_and_scales_are_told(parameters, loss, scale):
    layer = small_autoencoder(2, **parameters).fit(two_halves()[0]).module_[0]
    assert (of_loss(layer), of_scaling(layer.parts), n_judged(layer)) == (loss, scale, 6)


def test_what_is_minimised_with_labels_and_by_penalties_is_told():
    X, y = two_halves()
    for kind, told in (
        (StackedAutoencoderClassifier, "cross-entropy of the class, in nats"),
        (StackedAutoencoderRegressor, "squared error of the targets, in their standard deviations"),
    ):
        model = kind(small_stack(), finetune=SHORT, random_state=0).fit(X, y)
        training = model.report(X, y).contents.section("training")
        assert f"Learning the labels: {told}." in training.sentences
        table = training.tables[0]
        assert dict(zip(table.head, table.lines[-1], strict=True))["per column"] == ""
    training = small_autoencoder(2, penalty="l1").fit(X).report().contents.section("training")
    assert training.sentences[0].endswith("Penalties are counted in: L1().")
