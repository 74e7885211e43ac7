"""How many multiplications a row takes, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackae import Autoencoder, BatchNormalised, Convolutional, Recurrent, StackedAutoencoder, Training
from stackae.modules.work import multiplications

FEW = Training(max_epochs=1)


def work_of(X_width: int, layers, **parameters) -> int:
    X = np.random.default_rng(0).normal(size=(20, X_width))
    stack = StackedAutoencoder(layers, pretrain=None, finetune=None, random_state=0, **parameters)
    return multiplications(stack.fit(X).module_)


@pytest.mark.parametrize("tied", [False, True])
def test_a_dense_layer_has_one_a_weight_and_a_tied_one_uses_them_twice(tied):
    assert work_of(5, [Autoencoder(3, tied_weights=tied)]) == 2 * 5 * 3
    assert work_of(5, [Autoencoder(3, network=BatchNormalised(), tied_weights=tied)]) == 2 * 5 * 3


def test_a_filter_is_used_at_every_cell():
    network = Convolutional((4, 6, 2), kernel_size=3)
    assert work_of(48, [Autoencoder(5, network=network)]) == 4 * 6 * (3 * 3 * 2) * 5 * 2


def test_of_a_recurrent_layer_one_step_counts_for_they_wait_for_one_another():
    layer = Autoencoder(3, network=Recurrent((4, 2)))
    X = np.random.default_rng(0).normal(size=(20, 8))
    module = StackedAutoencoder([layer], pretrain=None, finetune=None).fit(X).module_
    assert multiplications(module) == sum(p.numel() for p in module.parameters())


def test_layers_and_the_shortcut_add_up():
    assert work_of(6, [Autoencoder(4), Autoencoder(2)]) == 2 * (6 * 4 + 4 * 2)


def test_a_module_that_is_no_network_has_one_a_weight():
    assert multiplications(torch.nn.Linear(3, 2)) == 3 * 2 + 2
