"""``stackae info``: what a model file holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import SHORT, small_stack
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator

from stackae import (
    L1,
    Autoencoder,
    Contractive,
    KLSparsity,
    Masking,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)

OF_0_1_0 = Path(__file__).parents[2] / "estimators" / "data" / "0.1.0"
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
    assert text.out.count("    effective rank    ") == len(widths)
    assert max(map(len, text.out.splitlines())) <= 80


def test_info_tells_the_parts_of_every_layer(stackae, finished_run):
    done = stackae("info", finished_run, "--json")
    summary = json.loads(done.out)
    assert (summary["features"], summary["outputs"], summary["finetune epochs"]) == (64, 3, 2)
    assert summary["layers"][0]["corruption"] == "GaussianNoise(on='input', scale=0.2)"
    assert summary["layers"][0]["health"]["rows"] == 1437
    text = stackae("info", finished_run).out
    assert "\n  activation          relu\n" in text
    assert "\n  loss                SquaredError(corrupted=1.0, intact=1.0)\n" in text
    assert "1 of 3 units of the code are principal components" in text


def test_a_shortcut_that_keeps_no_component_is_told_of_all_the_same(stackae, tmp_path):
    model = StackedAutoencoder((6, 2), ordered=True, pretrain=SHORT, finetune=SHORT)
    model.fit(load_iris().data).save(tmp_path / "model.safetensors")
    assert "started as PCA, and trained with the rest" in stackae("info", tmp_path / "model.safetensors").out


def test_a_model_without_a_shortcut_has_no_line_about_one(stackae, tmp_path):
    model = StackedAutoencoder((6, 2), shortcut=None, pretrain=SHORT, finetune=None)
    model.fit(load_iris().data).save(tmp_path / "model.safetensors")
    assert "principal" not in stackae("info", tmp_path / "model.safetensors").out
    assert json.loads(stackae("info", tmp_path / "model.safetensors", "--json").out)["shortcut"] is None


def test_the_text_fits_80_columns_whatever_the_parts_are_called(stackae, tmp_path):
    many = [Masking((0.5, 0.1), on="both"), KLSparsity(target=0.05, weight=3.0), L1(0.1), Contractive(0.25)]
    layer = Autoencoder(3, corruption=many[0], penalty=many[1:], activation="sigmoid")
    X = pd.DataFrame(
        load_iris().data, columns=[f"a rather long name of a column, the {k}." for k in range(4)]
    )
    model = StackedAutoencoder([layer, 2], pretrain=SHORT, finetune=SHORT, random_state=0).fit(X)
    model.save(tmp_path / "model.safetensors")
    lines = stackae("info", tmp_path / "model.safetensors").out.splitlines()
    assert max(map(len, lines)) <= 80
    said = " ".join(" ".join(lines).split())
    assert "KLSparsity(target=0.05, weight=3.0), L1(weight=0.1), Contractive(" in said
    assert "corruption Masking(level=(0.5, 0.1), on='both')" in said
    assert "columns a rather long name of a column, the 0., a rather" in said


def test_health_has_its_meaning_and_a_layers_own_r2_only_where_it_says_something(stackae, tmp_path):
    X, y = load_iris(return_X_y=True)
    alone, stack = Autoencoder(3, training=SHORT), small_stack((6, 2))
    unrolled = clone(stack).set_params(finetune=None)
    frozen = StackedAutoencoderClassifier(FrozenEstimator(clone(stack).fit(X)), finetune=SHORT)
    for model, own, labels in (
        (alone, True, False),
        (unrolled, True, False),
        (stack, False, False),
        (StackedAutoencoderClassifier(clone(unrolled), finetune=SHORT), True, True),
        (frozen, False, True),  # whether it was fine-tuned, nobody knows
    ):
        model.fit(X, y).save(tmp_path / "model.safetensors")
        text = stackae("info", tmp_path / "model.safetensors").out
        assert ("of the layer's inputs, by the layer alone" in text) == own
        assert ("on 150 rows, before the labels were learned" in text) == labels
        assert " %, with the same code for all rows" in text
        (tmp_path / "model.safetensors").unlink()


def test_what_a_file_says_does_not_speak_to_the_terminal(stackae, tmp_path):
    X = pd.DataFrame(load_iris().data, columns=["\x1b[31ma", "b\n", "c\x07", "größe"])
    Autoencoder(2, training=SHORT).fit(X).save(tmp_path / "model.safetensors")
    text = stackae("info", tmp_path / "model.safetensors").out
    assert r"\x1b[31ma, b\n, c\x07, größe" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("path", sorted(OF_0_1_0.glob("*.safetensors")), ids=lambda path: path.stem)
def test_models_of_version_0_1_0_are_described(path, stackae):
    done = stackae("info", path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"estimator             {type(load(path)).__name__}\n")


def loaded_by_info(path):
    """What ``stackae info`` has imported of what takes long, after ``LOADED``."""
    code = (
        "import sys\nfrom stackae_cli.errors import run\nfrom stackae_cli.main import cli\n"
        f"assert run(cli, ['info', {str(path)!r}]) == 0\n"
        "print('LOADED', *(m for m in ('torch', 'sklearn', 'scipy', 'pandas', 'narwhals', 'rich')"
        " if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def test_info_reads_the_header_and_loads_neither_torch_nor_scikit_learn(finished_run):
    assert loaded_by_info(finished_run) == ["LOADED"]


def test_a_model_file_serves_where_a_run_does_which_knows_what_it_was_made_from(stackae, finished_run):
    of_run = stackae("info", finished_run).out
    assert "\nmade from             digits\n" in of_run
    alone = stackae("info", finished_run / "model.safetensors").out
    assert alone == of_run.replace("made from             digits\n", "")


def test_a_fine_tuned_run_tells_where_it_comes_from_and_how_good_it_is(stackae, finished_run, tmp_path):
    run, tuned = finished_run, tmp_path / "tuned"
    done = stackae("finetune", run, "--epochs", 1, "--random-state", 0, "--out", tuned)
    assert done.code == 0, done.err
    assert f"DATA is digits, which {run} was made from" in done.err
    told = " ".join(stackae("info", tuned).out.split())
    assert f"made from {run}, digits" in told
    assert f"held out {done.out.splitlines()[0]}" in told
    assert " epochs 0" not in told.replace("supervised epochs", "")
    (tuned / "manifest.json").unlink()  # which would tell first
    (tuned / "held_out.json").write_text("[]")
    refused = stackae("info", tuned)
    assert (refused.code, "held_out.json: is damaged" in refused.err) == (4, True)


def mixed(n_columns=0):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(size=60),
            "city\x1b[31m": pd.Categorical(rng.choice(["a", "b", "c"], 60)),
            "a name that is too long for its place": rng.random(60) < 0.5,
            "id": np.arange(60),
            **{f"x{k}": rng.normal(size=60) for k in range(n_columns)},
        }
    )
    frame.loc[:6, "age"] = np.nan
    return frame


def test_a_table_has_a_line_for_what_each_column_became(stackae, tmp_path):
    small_stack((4, 2)).fit(mixed()).save(tmp_path / "model.safetensors")
    text = stackae("info", tmp_path / "model.safetensors").out
    block = text.partition("\ntable\n")[2].partition("\n\n")[0]
    assert block.splitlines() == [
        "column                type      kind      encoded  missing  note",
        "age                   float64   number          1        7",
        r"city\x1b[31m          category  category        3        -",
        "a name that is too …  bool      binary          1        -",
        "id                    int64     drop            -        -  identifier, left out",
    ]
    assert "\ncolumns  " not in text
    told = json.loads(stackae("info", tmp_path / "model.safetensors", "--json").out)["table"]
    assert [column["kind"] for column in told] == ["number", "category", "binary", "drop"]
    assert told[1] == {
        "name": "city\x1b[31m",
        "dtype": "category",
        "kind": "category",
        "n_encoded": 3,
        "n_missing": 0,
        "note": "",
    }


def test_of_a_wide_table_the_first_columns_are_told_and_how_many_there_are(stackae, tmp_path):
    small_stack((4, 2)).fit(mixed(200)).save(tmp_path / "model.safetensors")
    text = stackae("info", tmp_path / "model.safetensors").out
    block = text.partition("\ntable\n")[2].partition("\n\n")[0].splitlines()
    assert (len(block), block[-1]) == (32, "... and 174 more")
    assert max(map(len, text.splitlines())) <= 80
    told = json.loads(stackae("info", tmp_path / "model.safetensors", "--json").out)["table"]
    assert len(told) == 204


def test_a_table_is_told_of_without_torch_and_scikit_learn(tmp_path):
    path = tmp_path / "model.safetensors"
    small_stack((4, 2)).fit(mixed()).save(path)
    assert loaded_by_info(path) == ["LOADED"]
