"""``stackae info``: what a model file holds."""

from __future__ import annotations

import json

import pytest
from helpers import SHORT, small_stack
from sklearn.base import clone
from sklearn.datasets import load_iris

from stackae import (
    L1,
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
)

KINDS = {
    "Autoencoder": (Autoencoder(3, penalty=L1(0.1), training=SHORT), [3]),
    "StackedAutoencoder": (small_stack((6, 2)), [6, 2]),
    "StackedAutoencoderClassifier": (
        StackedAutoencoderClassifier(small_stack((6, 2)), finetune=SHORT),
        [6, 2],
    ),
    "StackedAutoencoderRegressor": (StackedAutoencoderRegressor(small_stack((6, 2)), finetune=SHORT), [6, 2]),
    "StackedAutoencoderDetector": (StackedAutoencoderDetector(small_stack((6, 2))), [6, 2]),
}


@pytest.mark.parametrize("name", KINDS)
def test_info_tells_what_any_model_consists_of(name, stackae, tmp_path):
    X, y = load_iris(return_X_y=True)
    estimator, widths = KINDS[name]
    clone(estimator).fit(X, y).save(tmp_path / "model.safetensors")
    summary = json.loads(stackae("info", tmp_path / "model.safetensors", "--json").out)
    assert (summary["estimator"], summary["features"]) == (name, 4)
    assert summary["outputs"] == widths[-1]
    assert [layer["units"] for layer in summary["layers"]] == widths
    assert [layer["inputs"] for layer in summary["layers"]] == [4, *widths[:-1]]
    assert [layer["epochs"] for layer in summary["layers"]] == [3] * len(widths)
    assert all(0 < layer["health"]["effective_rank"] <= layer["units"] for layer in summary["layers"])
    assert bool(summary["finetune epochs"]) == (len(widths) > 1)
    text = stackae("info", tmp_path / "model.safetensors")
    assert (text.code, text.err) == (0, "")
    assert text.out.startswith(f"estimator             {name}\n")
    assert "effective rank" in text.out


def test_info_tells_the_parts_of_every_layer(stackae, finished_run):
    done = stackae("info", finished_run, "--json")
    summary = json.loads(done.out)
    assert (summary["features"], summary["outputs"], summary["finetune epochs"]) == (64, 3, 2)
    assert summary["layers"][0]["corruption"] == "GaussianNoise()"
    assert summary["layers"][0]["health"]["rows"] == 1437
    text = stackae("info", finished_run).out
    assert "relu" in text
    assert "SquaredError()" in text
    assert "1 of 3 units of the code are principal components" in text


def test_a_model_without_a_shortcut_has_no_line_about_one(stackae, tmp_path):
    model = StackedAutoencoder((6, 2), shortcut=None, pretrain=SHORT, finetune=None)
    model.fit(load_iris().data).save(tmp_path / "model.safetensors")
    assert "principal" not in stackae("info", tmp_path / "model.safetensors").out
    assert json.loads(stackae("info", tmp_path / "model.safetensors", "--json").out)["shortcut"] is None


def test_a_model_file_serves_where_a_run_does(stackae, finished_run):
    assert stackae("info", finished_run / "model.safetensors").out == stackae("info", finished_run).out
