"""One layer: how its parts are joined where cells are missing, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from helpers import layer_of

from stackae import GaussianNoise, Masking
from stackae.exceptions import ParameterError
from stackae.losses import LOSSES
from stackae.modules.layer import Composition, Layer
from stackae.modules.scaling import Scaling
from stackae.networks.dense import Dense

NAN = torch.nan
Z = torch.tensor([[0.1, NAN, 0.3], [NAN, 0.5, 0.6]])
FILL = torch.tensor([7.0, 8.0, 9.0], dtype=torch.float64)


def gappy(**parts):
    layer = layer_of(3, 2, missing=True, **parts)
    layer.fill.copy_(FILL)
    return layer


def test_gaps_are_filled_for_the_encoder():
    layer = gappy()
    assert torch.equal(layer.network_input(Z), torch.tensor([[0.1, 8.0, 0.3], [7.0, 0.5, 0.6]]))
    assert torch.equal(layer.encode_scaled(Z), layer.network.encode(layer.network_input(Z)))
    x = torch.rand(4, 3)
    assert layer_of(3, 2).network_input(x) is x  # where none may be missing


def test_gaps_are_marked_behind_where_the_encoder_is_to_be_told():
    layer = gappy(indicator=True)
    marks = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert torch.equal(layer.network_input(Z)[:, 3:], marks)
    assert layer.network.encoder_weight.shape == (2, 6)
    assert layer.decode(layer.encode(Z)).shape == (2, 3)  # what is decoded of the marks is no data


def test_gaps_and_their_marks_do_not_count_in_the_loss():
    present = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert torch.equal(gappy().cell_weights(Z, Z), present)
    assert torch.equal(gappy(indicator=True).cell_weights(Z, Z), torch.cat([present, torch.zeros(2, 3)], 1))
    layer = gappy(loss=LOSSES["squared_error"](corrupted=1.0, intact=0.25))
    corrupted = torch.tensor([[0.0, NAN, 0.3], [NAN, 0.5, 0.0]])
    assert torch.equal(layer.cell_weights(Z, corrupted), torch.tensor([[1.0, 0.0, 0.25], [0.0, 0.25, 1.0]]))


def test_what_a_corruption_hides_is_shown_as_missing_and_noise_leaves_gaps_alone(generator):
    z = torch.rand(200, 3, generator=generator)
    z[::2, 1] = NAN
    layer = gappy()
    hidden = layer.corrupt([Masking(0.5)], z, generator, 1.0)
    assert torch.equal(hidden.isnan() & ~z.isnan(), ~torch.eq(hidden, z) & ~z.isnan())
    assert 0.4 < (hidden.isnan() & ~z.isnan())[:, 0].float().mean() < 0.6
    noisy = layer.corrupt([GaussianNoise(0.5)], z, generator, 1.0)
    assert torch.equal(noisy.isnan(), z.isnan())
    assert (noisy[:, 0] != z[:, 0]).all()


@pytest.mark.parametrize("loss", ["per_feature", "squared_error"])
def test_a_category_is_hidden_as_a_whole_whatever_the_loss(loss, generator):
    z = torch.rand(200, 3, generator=generator)
    layer = layer_of(3, 2, loss=LOSSES[loss](), groups=((1, 3),))
    hidden = layer.corrupt([Masking(0.5)], z, generator, 1.0) == 0
    assert torch.equal(hidden[:, 1], hidden[:, 2])
    assert not torch.equal(hidden[:, 0], hidden[:, 1])
    with_gaps = gappy(loss=LOSSES[loss](), groups=((1, 3),))
    z[::4, 1:] = NAN
    hidden = with_gaps.corrupt([Masking(0.5)], z, generator, 1.0).isnan()
    assert torch.equal(hidden[:, 1], hidden[:, 2])
    assert not torch.equal(hidden[:, 0], hidden[:, 1])


def test_which_columns_belong_together_is_said_by_the_parts_and_not_in_the_state():
    layer, other = layer_of(3, 2, groups=((1, 3),)), layer_of(3, 2)
    assert layer.columns.tolist() == [0, 1, 1]
    assert other.columns is None
    assert layer.state_dict().keys() == other.state_dict().keys()
    assert Layer.without_memory(layer.parts, 3).columns.tolist() == [0, 1, 1]  # and so after loading


def test_a_layer_needs_a_loss():
    with pytest.raises(ParameterError, match="a layer needs a loss"):
        Layer(Composition(2, Dense(), activation="relu", output="relu"), 3, Scaling.identity(3))


def test_a_layer_without_memory_has_the_shapes_of_one_with_it():
    parts = gappy().parts
    layer = Layer.without_memory(parts, 3)
    shapes = {name: tensor.shape for name, tensor in layer.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in gappy().state_dict().items()}
    assert all(tensor.is_meta for tensor in layer.parameters())


def test_a_layer_without_a_prior_cannot_be_sampled_from(generator):
    with pytest.raises(ParameterError, match="code='variational' or penalty='adversarial'"):
        gappy().sample_codes(3, generator)
