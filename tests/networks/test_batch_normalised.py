"""Batch normalisation: by the batch within a step, by running means elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import shallow, small_autoencoder, small_stack
from torch import nn

from stackae import BatchNormalised, GaussianNoise, StackedAutoencoderClassifier, Training, load
from stackae._utils.steps import STEP
from stackae.exceptions import ParameterError
from stackae.training.callbacks.early_stopping import EarlyStopping
from stackae.training.processes import Group


@pytest.fixture
def module(generator):
    module = BatchNormalised().build(5, 3, activation="tanh", tied_weights=False)
    module.initialise(generator)
    with torch.no_grad():
        module.encoder_bias.uniform_(generator=generator)
        module.gain.uniform_(generator=generator)
    return module


@pytest.fixture
def step():
    token = STEP.set(set())
    yield
    STEP.reset(token)


def by_hand(module, x, mean, variance):
    normalised = (x @ module.encoder_weight.T - mean) / (variance + 1e-5).sqrt()
    return torch.tanh(module.gain * normalised + module.encoder_bias)


def test_a_step_goes_by_the_batch_and_notes_it_once(module, generator, step):
    x = torch.randn(7, 5, generator=generator)
    drive = x @ module.encoder_weight.T
    expected = by_hand(module, x, drive.mean(0), drive.var(0, unbiased=False))
    for _ in range(2):
        torch.testing.assert_close(module.encode(x), expected)
    torch.testing.assert_close(module.mean, 0.1 * drive.mean(0).detach())
    torch.testing.assert_close(module.variance, 0.9 + 0.1 * drive.var(0).detach())


def test_a_look_for_a_direction_goes_by_the_batch_and_is_not_noted(module, generator, step):
    module.requires_grad_(False)
    x = torch.randn(7, 5, generator=generator)
    drive = x @ module.encoder_weight.T
    expected = by_hand(module, x, drive.mean(0), drive.var(0, unbiased=False))
    torch.testing.assert_close(module.encode(x), expected)
    assert not module.mean.any()


def test_outside_of_steps_a_rows_code_does_not_depend_on_others(module, generator):
    module.mean.copy_(torch.tensor([1.0, 0.0, -1.0]))
    module.variance.copy_(torch.tensor([1.0, 4.0, 9.0]))
    x = torch.randn(7, 5, generator=generator)
    torch.testing.assert_close(module.encode(x), by_hand(module, x, module.mean, module.variance))
    torch.testing.assert_close(module.encode(x[:1]), module.encode(x)[:1])


def test_a_batch_of_one_row_goes_by_the_running_means(module, step):
    x = torch.ones(1, 5)
    torch.testing.assert_close(module.encode(x), by_hand(module, x, module.mean, module.variance))
    assert not module.mean.any()


def test_a_fit_learns_running_means_and_keeps_them_in_files(table, tmp_path):
    y = (table[:, 0] > np.median(table[:, 0])).astype(int)
    noisy = Training(max_epochs=30, corruption=GaussianNoise(0.3, on="both"))
    layers = [small_autoencoder(n, network="batch_normalised", activation="relu") for n in (8, 4)]
    encoder = small_stack(layers, finetune=None)
    model = StackedAutoencoderClassifier(encoder, finetune=noisy, random_state=0).fit(table, y)
    assert model.score(table, y) > 0.9
    network = model.module_[0].network
    assert network.mean.any()
    assert (network.variance != 1).all()
    model.save(tmp_path / "model.safetensors")
    kept = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(kept.predict_proba(table), model.predict_proba(table))


def test_running_means_are_those_of_the_best_epoch():
    module = shallow(network=BatchNormalised())
    stopping = EarlyStopping(module, None, 0.0)
    network = module[0].network
    network.mean.fill_(1.0)
    stopping.update(0.5)
    network.mean.fill_(2.0)
    stopping.update(0.7)
    stopping.restore()
    assert network.mean.tolist() == [1.0] * 4


def test_several_processes_are_refused():
    run = SimpleNamespace(module=nn.ModuleList([shallow(network=BatchNormalised())]))
    with pytest.raises(ParameterError, match="batch normalisation goes by whole batches"):
        Group(torch.device("cpu"), 0, 2).agree_on(run)
