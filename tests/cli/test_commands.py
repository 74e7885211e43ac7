"""What each command does with good input."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest
from helpers import SMALL

from stackae import L1, Autoencoder, Contractive, KLSparsity, load
from stackae.data import load_data
from stackae_cli.layer_spec import TABLES, parse_layer

OF_A_RUN = ["config.toml", "history.jsonl", "manifest.json", "model.safetensors"]


def test_pretrain_leaves_model_configuration_history_and_manifest(finished_run):
    assert sorted(path.name for path in finished_run.iterdir()) == OF_A_RUN
    config = tomllib.loads((finished_run / "config.toml").read_text())
    assert config["layers"] == ["8", "3"]
    assert config["ran"]["rows"] == 1437
    records = [json.loads(line) for line in (finished_run / "history.jsonl").read_text().splitlines()]
    assert [r["phase"] for r in records] == ["pretrain"] * 4 + ["finetune"] * 2
    assert load(finished_run / "model.safetensors").history_ == records


def test_pretrain_writes_its_result_to_standard_output_and_progress_to_standard_error(stackae, tmp_path):
    answer = stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL)
    assert answer.code == 0
    assert answer.out == f"64-8-3 fitted on 1,437 rows in 6 epochs, {answer.out.split(', ')[-1]}"
    assert len(answer.err.splitlines()) == 6
    assert answer.err.startswith("layer 1  epoch 1/2  loss ")


def test_a_folder_of_parts_is_pretrained_on_within_its_memory(stackae, tmp_path):
    X = np.random.default_rng(0).normal(size=(30_000, 48)).astype(np.float32)
    (tmp_path / "parts").mkdir()
    for k in range(2):
        np.save(tmp_path / "parts" / f"{k}.npy", X[k * 15_000 : (k + 1) * 15_000])
    run = tmp_path / "run"
    answer = stackae("pretrain", tmp_path / "parts", "--out", run, *SMALL, "--max-memory", "17MB")
    assert (answer.code, answer.out[:25]) == (0, "48-8-3 fitted on 30,000 r")
    assert sorted(path.name for path in run.iterdir()) == OF_A_RUN
    again = tmp_path / "again"
    config = run / "config.toml"
    stackae("pretrain", tmp_path / "parts", "--config", config, "--out", again)
    models = [load(folder / "model.safetensors") for folder in (run, again)]
    assert [(m.max_memory, m.cache_folder) for m in models] == [("17MB", None)] * 2
    assert (models[0].components_ == models[1].components_).all()


def test_an_amount_of_memory_that_is_none_is_refused_before_anything_is_made(stackae, tmp_path):
    answer = stackae("pretrain", "--out", tmp_path / "run", "--max-memory", "lots")
    assert answer.code == 2
    assert "max_memory must be bytes or a text like '500MB' or '2GiB', got 'lots'" in answer.err
    assert not (tmp_path / "run").exists()


def test_quiet_prints_nothing_but_the_result(stackae, tmp_path):
    answer = stackae("pretrain", "--quiet", "--out", tmp_path / "run", *SMALL)
    assert answer.err == ""
    assert len(answer.out.splitlines()) == 1


def test_a_configuration_replays_the_run_to_the_same_bits(stackae, finished_run, tmp_path):
    stackae("pretrain", "--config", finished_run / "config.toml", "--out", tmp_path / "again")
    first, again = (load(folder / "model.safetensors") for folder in (finished_run, tmp_path / "again"))
    X = load_data("digits").X
    np.testing.assert_array_equal(first.transform(X), again.transform(X))
    configs = [tomllib.loads((f / "config.toml").read_text()) for f in (finished_run, tmp_path / "again")]
    assert configs[0] == configs[1]


def test_the_command_line_wins_over_the_configuration(stackae, finished_run, tmp_path):
    config = finished_run / "config.toml"
    assert stackae("pretrain", "--config", config, "--layer", "5", "--out", tmp_path / "again").code == 0
    assert load(tmp_path / "again" / "model.safetensors")._layer_widths == [5]


def test_a_run_without_a_seed_writes_down_the_one_it_drew(stackae, tmp_path):
    stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL[:-2])
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert load(tmp_path / "run" / "model.safetensors").random_state == config["random_state"]


def test_layers_can_be_specified_in_full(stackae, tmp_path):
    layers = ["12:masking=0.1:tied", "8:kl=0.1,weight=0.5:squared_error", "4:activation=tanh:l1=0.01", "2"]
    options = [word for layer in layers for word in ("--layer", layer)]
    assert stackae("pretrain", "digits", *options, "--epochs", 1, "--out", tmp_path / "run").code == 0
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
    answer = stackae(
        "pretrain", "digits", *options, "--epochs", 1, "--finetune-epochs", 1, "--out", tmp_path / "run"
    )
    assert answer.code == 0
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
    assert answer.out.startswith("64-64-6-5-4-2 fitted")


def test_every_name_in_every_table_is_a_word_of_a_layer():
    for parameter, table in TABLES.items():
        for name in table:
            layer = parse_layer(f"8:{name}")
            assert type(getattr(layer, parameter)) is table[name]
            layer.check_parameters()


def test_no_fine_tuning_on_request(stackae, tmp_path):
    stackae(
        "pretrain",
        "digits",
        "--layer",
        8,
        "--layer",
        3,
        "--epochs",
        1,
        "--finetune-epochs",
        0,
        "--out",
        tmp_path / "r",
    )
    assert {r["phase"] for r in load(tmp_path / "r" / "model.safetensors").history_} == {"pretrain"}


@pytest.mark.parametrize("ending", ["npy", "csv", "parquet"])
def test_transform_writes_what_the_model_gives(stackae, finished_run, tmp_path, ending):
    out = tmp_path / f"codes.{ending}"
    answer = stackae("transform", finished_run, "digits:test", "--out", out)
    assert (answer.code, answer.err) == (0, "")
    from stackae.data import read_table

    expected = load(finished_run / "model.safetensors").transform(load_data("digits:test").X)
    written = read_table(out)
    np.testing.assert_array_equal(written.X.astype(np.float32), expected)
    if ending != "npy":
        assert written.feature_names == [f"stackedautoencoder{i}" for i in range(3)]


def test_reconstruct_keeps_columns_and_units(stackae, csv, tmp_path):
    run = tmp_path / "run"
    assert stackae("pretrain", csv, "--drop", "kind", "--layer", 3, "--out", run).code == 0
    assert stackae("reconstruct", run, csv, "--drop", "kind", "--out", tmp_path / "back.csv").code == 0
    from stackae.data import read_table

    given, back = read_table(csv, drop=["kind"]), read_table(tmp_path / "back.csv")
    assert back.feature_names == ["a", "b", "c"]
    np.testing.assert_allclose(back.X.mean(0), given.X.mean(0), atol=1)


def test_score_prints_the_error_and_writes_it_by_row(stackae, finished_run, tmp_path):
    answer = stackae("score", finished_run, "digits:test", "--out", tmp_path / "errors.npy")
    errors = np.load(tmp_path / "errors.npy")
    model, X = load(finished_run / "model.safetensors"), load_data("digits:test").X
    np.testing.assert_allclose(errors[:, 0], -model.score_samples(X))
    assert errors[:, 1].sum() == 36  # a tenth of the rows
    lines = dict(line.rsplit(maxsplit=1) for line in answer.out.splitlines())
    assert float(lines["squared error a row"]) == pytest.approx(errors[:, 0].mean(), rel=1e-4)
    assert float(lines["R²"]) == pytest.approx(model.score(X), abs=1e-5)


def test_export_writes_the_encoder_as_onnx(stackae, finished_run, tmp_path):
    import onnxruntime

    out = tmp_path / "encoder.onnx"
    answer = stackae("export", finished_run, "--out", out)
    assert (answer.code, answer.out, answer.err) == (0, f"64 features to 3 codes: {out}\n", "")
    X = load_data("digits:test").X.astype(np.float32)
    (codes,) = onnxruntime.InferenceSession(out).run(["codes"], {"rows": X})
    np.testing.assert_allclose(codes, load(finished_run / "model.safetensors").transform(X), atol=1e-5)


def test_info_tells_the_parts_of_every_layer(stackae, finished_run):
    answer = stackae("info", finished_run, "--json")
    summary = json.loads(answer.out)
    assert (summary["features"], summary["outputs"], summary["finetune epochs"]) == (64, 3, 2)
    assert [layer["units"] for layer in summary["layers"]] == [8, 3]
    assert summary["layers"][0]["corruption"] == "GaussianNoise()"
    assert summary["layers"][0]["health"]["rows"] == 1437
    assert 1 <= summary["layers"][0]["health"]["effective_rank"] <= 8
    text = stackae("info", finished_run).out
    assert "effective rank" in text
    assert "relu" in text
    assert "SquaredError()" in text
    assert "1 of 3 units of the code are principal components" in text


def test_a_model_file_serves_where_a_run_does(stackae, finished_run):
    assert stackae("info", finished_run / "model.safetensors").out == stackae("info", finished_run).out


def test_evaluate_prints_a_table_against_pca_and_a_verdict_a_column(stackae, finished_run, tmp_path):
    answer = stackae("evaluate", finished_run, "digits", "--json", tmp_path / "table.json")
    assert (answer.code, answer.err) == (0, "")
    for word in (
        "1,437 training rows, 360 test rows",
        "stackae",
        "PCA",
        "raw rows",
        "linear probe:",
        "k-NN probe:",
        "R²:",
    ):
        assert word in answer.out
    table = json.loads((tmp_path / "table.json").read_text())
    assert [(r["method"], r["features"]) for r in table["records"]] == [
        ("stackae", 3),
        ("PCA", 3),
        ("whitened PCA", 3),
        ("random projection", 3),
        ("random features", 3),
        ("untrained stack", 3),
        ("raw rows", 64),
    ]
    assert {"10 labels", "1,000 labels", "clusters", "fit seconds"} <= set(table["records"][0])
    assert len(table["verdicts"]) == 5


def test_evaluate_without_a_run_trains_a_stack_at_each_width_on_each_split(stackae, csv, tmp_path):
    picture = tmp_path / "table.png"
    options = ("--layer", 4, "--width", 2, "--splits", 2, "--jobs", 2, "--few-labels", 6, "--method", "PCA")
    answer = stackae("evaluate", csv, "--labels", "kind", *options, "--picture", picture)
    assert answer.code == 0, answer.err
    assert "45 training rows, 15 test rows, 2 splits" in answer.out
    assert answer.err.splitlines()[0].startswith("1 of 2 splits and widths, ")
    assert "6 labels" in answer.out
    assert "linear probe: at 2 " in answer.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_evaluate_lets_the_workers_of_a_dask_cluster_train(stackae, csv):
    from distributed import LocalCluster

    options = (
        "--labels",
        "kind",
        "--layer",
        2,
        "--width",
        1,
        "--splits",
        1,
        "--few-labels",
        6,
        "--method",
        "PCA",
    )
    here = stackae("evaluate", csv, *options, "--quiet")
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None
    ) as cluster:
        there = stackae("evaluate", csv, *options, "--quiet", "--dask", cluster.scheduler_address)
    assert (there.code, there.err) == (0, "")
    judged = [[line for line in answer.out.splitlines() if " probe: " in line] for answer in (here, there)]
    assert judged[0] == judged[1]


def test_evaluate_takes_data_for_a_run_only_where_a_run_lies(stackae, finished_run, tmp_path):
    on_digits = stackae("evaluate", finished_run, "--method", "PCA").out
    assert "360 test rows" in on_digits
    assert "whitened" not in on_digits
    for option in ("--width", "--splits", "--jobs"):
        answer = stackae("evaluate", finished_run, "digits", option, 3)
        assert answer.code == 2
        assert f"{option} is for DATA alone" in answer.err
    assert stackae("evaluate", finished_run, "digits", "digits").code == 2
    assert "known are all, stackae, PCA" in stackae("evaluate", "digits", "--method", "pca").err
    assert "no-such" in stackae("evaluate", "no-such.csv", "--labels", "y").err


def test_evaluate_never_learns_from_the_test_rows_of_a_data_set(stackae, finished_run):
    tables = [
        stackae("evaluate", finished_run, name, "--method", "PCA", "--few-labels", 10).out
        for name in ("digits", "digits:train", "digits:test")
    ]
    assert "1,437 training rows, 360 test rows" in tables[2]
    # PCA's fit seconds differ from call to call; everything that is judged does not.
    judged = [
        [line for line in table.splitlines() if "probe:" in line or line.startswith("R²")] for table in tables
    ]
    assert judged[0] == judged[1] == judged[2]


def test_evaluate_judges_a_file_by_a_label_column(stackae, csv, tmp_path):
    stackae("pretrain", csv, "--drop", "kind", "--layer", 2, "--out", tmp_path / "run")
    answer = stackae("evaluate", tmp_path / "run", csv, "--labels", "kind")
    assert answer.code == 0
    assert "both were fitted on all rows" in answer.out
    assert "45 training rows, 15 test rows" in answer.out


def test_evaluate_judges_an_array_by_a_file_of_labels(stackae, tmp_path):
    data = load_data("digits")
    np.save(tmp_path / "x.npy", data.X)
    np.save(tmp_path / "y.npy", data.y)
    stackae("pretrain", tmp_path / "x.npy", "--layer", 4, "--epochs", 1, "--out", tmp_path / "run")
    options = ("--labels", tmp_path / "y.npy", "--method", "PCA", "--few-labels", 10)
    answer = stackae("evaluate", tmp_path / "run", tmp_path / "x.npy", *options)
    assert answer.code == 0, answer.err


def test_mnist_is_read_from_idx_files(stackae, data_home, tmp_path):
    options = ("--data-home", data_home, "--layer", "16", "--epochs", 1, "--quiet")
    assert stackae("pretrain", "mnist", *options, "--out", tmp_path / "run").out.startswith(
        "784-16 fitted on 60,000 rows"
    )
    scores = stackae("score", tmp_path / "run", "mnist:test", "--data-home", data_home).out
    assert "10,000" in scores
