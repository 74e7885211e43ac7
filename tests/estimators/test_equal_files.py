"""The same fit leaves the same file: nothing in it says when, where or how audibly it ran."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import BRIEF, SHORT, small_autoencoder, small_stack, timeless, two_halves

from stackae import (
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)
from stackae.serialization.model_file import read_model

X, Y = two_halves()
OF_0_1_0 = Path(__file__).parent / "data" / "0.1.0"


def on_stack(kind, **places):
    own = {name: value for name, value in places.items() if name != "memory"}
    stack = StackedAutoencoder((8, 3), pretrain=SHORT, finetune=SHORT, **places)
    return kind(stack, random_state=0, **own)


MODELS = {
    "autoencoder": lambda **places: small_autoencoder(**{k: v for k, v in places.items() if k != "memory"}),
    "stack": small_stack,
    "classifier": lambda **places: on_stack(StackedAutoencoderClassifier, **places).set_params(
        finetune=BRIEF
    ),
    "regressor": lambda **places: on_stack(StackedAutoencoderRegressor, **places).set_params(finetune=BRIEF),
    "detector": lambda **places: on_stack(StackedAutoencoderDetector, **places),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_elsewhere_at_another_time_and_told_of_leaves_the_same_bytes(name, tmp_path):
    silent = MODELS[name]()
    told = MODELS[name](verbose=1, cache_folder=tmp_path, memory=str(tmp_path / "layers"))
    for model, file in ((silent, "one"), (told, "other")):
        model.fit(X, Y).save(tmp_path / file)
    assert silent.history_ != told.history_
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert str(tmp_path) not in str(read_model(tmp_path / "other")[0])
    load(tmp_path / "other").save(tmp_path / "again")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "again").read_bytes()


def test_a_loaded_history_has_no_times_and_goes_on_with_those_of_new_epochs(tmp_path):
    small_stack().fit(X).save(tmp_path / "model.safetensors")
    model = load(tmp_path / "model.safetensors")
    n_loaded = len(model.history_)
    assert model.history_ == timeless(model.history_)
    model.partial_fit(X)
    timed = [{"seconds", "samples_per_second"} <= record.keys() for record in model.history_]
    assert timed == [False] * n_loaded + [True] * (len(timed) - n_loaded)
    assert len(timed) > n_loaded


def test_a_file_of_before_keeps_its_times_until_it_is_saved_again(tmp_path):
    model = load(OF_0_1_0 / "stack.safetensors")
    assert all(record["seconds"] > 0 for record in model.history_)
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").history_ == timeless(model.history_)
