"""``--pretrain`` and ``--finetune``: every parameter of a training on the command line."""

from __future__ import annotations

import inspect

import pytest
from helpers import SMALL

from stackae import Dropout, Training, load
from stackae_cli.layer_spec import parse_training

SETTINGS = "patience=none,validation_fraction=0,optimizer=adamw,weight_decay=0.3"
MEANT = {"patience": None, "validation_fraction": 0, "optimizer": "adamw", "weight_decay": 0.3}


def test_settings_are_those_of_training(stackae, tmp_path):
    options = ("--pretrain", "optimizer=sgd,momentum=0.5", "--pretrain", "tol=0.01", "--finetune", SETTINGS)
    done = stackae("pretrain", "digits", *SMALL, *options, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    model = load(tmp_path / "run" / "model.safetensors")
    own = {"optimizer": "sgd", "momentum": 0.5, "tol": 0.01}
    assert own.items() <= model.pretrain.get_params().items()
    assert MEANT.items() <= model.finetune.get_params().items()
    assert model.finetune.max_epochs == 2  # of --finetune-epochs in SMALL
    again = tmp_path / "again"
    config = ("--config", tmp_path / "run" / "config.toml")
    assert stackae("pretrain", "digits", *config, "--out", again).code == 0
    assert (again / "model.safetensors").read_bytes() == (tmp_path / "run" / "model.safetensors").read_bytes()


def test_fine_tuning_with_labels_takes_them_too(stackae, finished_run, tmp_path):
    options = ("--epochs", 2, "--held-out", 0, "--corruption", "dropout=0.2", "--finetune", SETTINGS)
    done = stackae("finetune", finished_run, "digits", *options, "--out", tmp_path / "run", "--no-report")
    assert done.code == 0, done.err
    training = load(tmp_path / "run" / "model.safetensors").finetune
    assert MEANT.items() <= training.get_params().items()
    assert training.max_epochs == 2
    assert [type(part) for part in training.corruption] == [Dropout]


def test_a_corruption_takes_its_level_and_none_may_be_spelt_as_in_python():
    given = parse_training(["corruption=masking=0.2", "patience=None"], "--finetune")
    assert repr(given["corruption"]) == "Masking(level=0.2)"
    assert given["patience"] is None


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_the_help_names_every_setting(stackae, command):
    said = " ".join(stackae(command, "--help").out.split())
    of_settings = said[said.index("A SETTING is") :]
    assert all(name in of_settings for name in inspect.signature(Training).parameters)


def test_every_parameter_can_be_set():
    words = {"optimizer": "sgd", "schedule": "cosine", "patience": "none", "corruption": "none"}
    whole = dict.fromkeys(("max_epochs", "batch_size", "updates"), "7")
    shares = dict.fromkeys(
        ("learning_rate", "momentum", "weight_decay", "validation_fraction", "tol", "layerwise_rate"), "0.5"
    )
    settings = {**words, **whole, **shares}
    assert settings.keys() == inspect.signature(Training).parameters.keys()
    for name, text in settings.items():
        value = parse_training([f"{name}={text}"], "--finetune")[name]
        assert value == (None if text == "none" else text if name in words else float(text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--pretrain", "optimiser=adamw"), "got 'optimiser=adamw'; did you mean 'optimizer'?"),
        (("--pretrain", "optimizer"), "got 'optimizer'; write optimizer=VALUE"),
        (("--pretrain", "optimizer=adamm"), "optimizer must be "),
        (("--finetune", "weight_decay=-1"), "weight_decay must be a number of at least 0, got -1"),
        (("--finetune", "tol=0.1", "--finetune", "tol=1"), "sets tol twice"),
        (
            ("--finetune", "batch_size=8", "--batch-size", "9"),
            "batch_size is given by --batch-size, too; leave one of them out",
        ),
        (("--finetune", "tol=1", "--finetune-epochs", "0"), "leave one of them out"),
        (("--pretrain", "updates=9", "--epochs", "9"), "updates and --epochs both say how long to train"),
        (("--pretrain", "patience=often"), "patience must be a whole number of at least 1, 'auto' or none"),
        (("--pretrain", "corruption=masking=0.2"), "each layer has its own, as in --layer 256:masking=0.25"),
    ],
)
def test_settings_that_are_none_are_refused_before_any_work(stackae, tmp_path, options, message):
    refused = stackae("pretrain", "digits", *options, "--out", tmp_path / "run")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert message in refused.err
    assert not (tmp_path / "run").exists()
