"""Layers as the command line names them."""

from __future__ import annotations

import re

import click
import pytest

from stackae import L1, Autoencoder, Contractive, KLSparsity, load
from stackae_cli.layer_spec import TABLES, parse_layer

ONE_EPOCH = ("--epochs", 1, "--finetune-epochs", 1)


def test_layers_can_be_specified_in_full(stackae, tmp_path):
    layers = ["12:masking=0.1:tied", "8:kl=0.1,weight=0.5:squared_error", "4:activation=tanh:l1=0.01", "2"]
    options = [word for layer in layers for word in ("--layer", layer)]
    assert stackae("pretrain", "digits", *options, *ONE_EPOCH, "--out", tmp_path / "run").code == 0
    first, second, third, last = load(tmp_path / "run" / "model.safetensors").layers
    assert (first.n_components, first.corruption.level, first.tied_weights) == (12, 0.1, True)
    assert repr(second.penalty) == repr(KLSparsity(0.1, 0.5))
    assert (type(second.loss).__name__, second.corruption) == ("SquaredError", None)
    assert (third.activation, third.penalty.weight) == ("tanh", 0.01)
    assert not isinstance(last, Autoencoder)


def test_every_part_can_be_named_in_a_layer(stackae, tmp_path):
    layers = [
        "4:convolutional=8x8,pool=2:masking=0.5/0.1,on=both:l1=0.1:contractive=0.2",
        "6:recurrent=4/16,cell=lstm,hidden=5:huber=0.5",
        "5:marginalised:swap=0.2:activation=identity",
        "4:dense:topk=2,alpha=1.5:tied",
        "2:variational=0.3:gaussian",
    ]
    options = [word for layer in layers for word in ("--layer", layer)]
    done = stackae("pretrain", "digits", *options, *ONE_EPOCH, "--out", tmp_path / "run")
    assert done.code == 0
    first, second, third, fourth, last = load(tmp_path / "run" / "model.safetensors").layers
    assert (first.network.image_shape, first.corruption.level, first.corruption.on) == (
        (8, 8),
        (0.5, 0.1),
        "both",
    )
    assert [repr(p) for p in first.penalty] == [repr(L1(0.1)), repr(Contractive(0.2))]
    assert (second.network.sequence_shape, second.network.cell, second.loss.delta) == ((4, 16), "lstm", 0.5)
    assert (type(third.network).__name__, third.corruption.level) == ("Marginalised", 0.2)
    assert (fourth.code.k, fourth.code.alpha, fourth.tied_weights) == (2, 1.5, True)
    assert (last.code.weight, repr(last.corruption)) == (0.3, "GaussianNoise()")
    assert done.out.startswith("64-64-6-5-4-2 fitted")


@pytest.mark.parametrize(
    ("word", "parameter", "shape"),
    [("convolutional=3x128", "image_shape", (3, 128)), ("recurrent=3x128", "sequence_shape", (3, 128))],
)
def test_channels_may_come_first(word, parameter, shape):
    for text, first in ((",channels_first=true", True), (",channels_first=false", False), ("", False)):
        network = parse_layer(f"16:{word}{text}").network
        assert getattr(network, parameter) == shape
        assert network.channels_first is first
    with pytest.raises(click.BadParameter, match=r"channels_first must be True or False, got 'yes'"):
        parse_layer(f"16:{word},channels_first=yes")


def test_the_help_of_layers_says_the_order_of_a_shape(stackae):
    told = " ".join(stackae("pretrain", "--help").out.split())
    assert "16:convolutional=28x28x3 is height x width x channels" in told
    assert "16:convolutional=3x128,channels_first=true has 3 channels of 128 steps" in told


@pytest.mark.parametrize(
    ("parameter", "name"), [(parameter, name) for parameter, table in TABLES.items() for name in table]
)
def test_every_name_in_every_table_is_a_word_of_a_layer(parameter, name):
    layer = parse_layer(f"8:{name}")
    assert type(getattr(layer, parameter)) is TABLES[parameter][name]
    layer.check_parameters()


def test_lower_layers_can_be_frozen_and_a_later_one_scaled(stackae, tmp_path):
    layers = [
        "4:kmeans_filters=8x8,kernel_size=3:frozen",
        "12:marginalised:activation=identity:frozen",
        "8:scale=pareto:gaussian:tied",
        "6:scale=none",
        "3",
    ]
    options = [word for layer in layers for word in ("--layer", layer)]
    run = tmp_path / "run"
    assert stackae("pretrain", "digits", *options, *ONE_EPOCH, "--out", run).code == 0
    model = load(run / "model.safetensors")
    assert [layer.frozen for layer in model.layers[:-1]] == [True, True, False, False]
    assert [layer.scale for layer in model.layers[:-1]] == ["auto", "auto", "pareto", None]
    tuned = stackae("finetune", run, "digits", "--semi", "vat", "--epochs", 1, "--out", tmp_path / "tuned")
    assert tuned.code == 0, tuned.err
    predictor = load(tmp_path / "tuned" / "model.safetensors")
    weights, own = (m.module_[1].network.encoder_weight for m in (model, predictor))
    assert (weights == own).all()
    for word, message in {
        "8:frozen=false": "frozen in '8:frozen=false' takes no value",
        "8:scale=paretto": "'paretto'; did you mean 'pareto'?",
        "8:masking,levle=0.5": "got 'levle'; did you mean 'level'?",
    }.items():
        with pytest.raises(click.BadParameter, match=re.escape(message)):
            parse_layer(word)
