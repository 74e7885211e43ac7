"""``--tensorboard`` and ``--mlflow``: logs beside the run, which is the same without them."""

from __future__ import annotations

import pytest
from helpers import SMALL
from mlflow_stand_in import MLFLOWS, store_in

from stackae_cli.run_folder import read_config, sha256

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
pytest.importorskip("PIL")


def events(folder):
    return accumulator.EventAccumulator(str(folder), {"scalars": 0, "images": 0}).Reload()


def steps(folder):
    found = events(folder)
    return {tag: [e.step for e in found.Scalars(tag)] for tag in found.Tags()["scalars"] if "loss" in tag}


LOSSES = {
    f"{what}/{phase}": [1, 2]
    for what in ("loss", "validation_loss")
    for phase in ("layer_1", "layer_2", "finetune")
}


def test_a_run_is_logged_for_tensorboard_and_is_the_same(stackae, finished_run, tmp_path):
    run, logs = tmp_path / "run", tmp_path / "logs"
    done = stackae("pretrain", "digits", "--out", run, "--tensorboard", logs, *SMALL, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert steps(logs / "run") == LOSSES
    images = events(logs / "run").Tags()["images"]
    assert {"reconstructions/finetune", "weights/layer_1"} <= set(images)
    assert sha256(run / "model.safetensors") == sha256(finished_run / "model.safetensors")
    assert read_config(run / "config.toml") == read_config(finished_run / "config.toml")


def test_a_stopped_run_says_how_to_go_on_with_its_logs_and_does_so_once(stackae, dying, tmp_path):
    run, logs = tmp_path / "run", tmp_path / "logs"
    dying(2)
    stopped = stackae("pretrain", "digits", "--out", run, *SMALL, "--tensorboard", logs, "--quiet")
    assert stopped.code == 130
    go_on = f"stackae pretrain --resume --out {run} digits --tensorboard {logs}"
    assert stopped.err == f"stackae: error: stopped; go on with: {go_on}\n"
    assert stackae(*go_on.split()[1:], "--quiet").code == 0
    assert steps(logs / "run") == LOSSES


def test_fine_tuning_is_logged_too(stackae, finished_run, tmp_path):
    logs = tmp_path / "logs"
    done = stackae(
        "finetune", finished_run, "digits", "--out", tmp_path / "tuned", "--epochs", 2, "--held-out", 0,
        "--tensorboard", logs, "--quiet",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert steps(logs / "tuned")["loss/supervised"] == [1, 2]


@pytest.mark.parametrize(
    ("option", "value", "package", "logger"),
    [
        ("--tensorboard", "logs", "tensorboard", "TensorBoardLogger"),
        ("--mlflow", "digits", "mlflow", "MLflowLogger"),
    ],
)
def test_a_missing_package_is_told_before_anything_is_read(
    option, value, package, logger, stackae, monkeypatch, tmp_path
):
    monkeypatch.setattr("stackae.training.callbacks.logger.find_spec", lambda name: None)
    done = stackae("pretrain", "nowhere.csv", "--out", tmp_path / "run", option, value)
    assert done.code == 2
    assert done.err == f"stackae: error: {logger} needs {package}; pip install 'stackae[{package}]'\n"
    assert not (tmp_path / "run").exists()


def test_events_of_another_run_are_refused_before_training(stackae, tmp_path):
    (tmp_path / "logs" / "run").mkdir(parents=True)
    (tmp_path / "logs" / "run" / "events.out.tfevents.1.host").touch()
    done = stackae(
        "pretrain", "digits", "--out", tmp_path / "run", "--tensorboard", tmp_path / "logs", *SMALL
    )
    assert done.code == 2
    assert "holds events of another run" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mlflow", MLFLOWS)
def test_a_run_is_logged_to_mlflow(mlflow, stackae, monkeypatch, tmp_path):
    store = store_in(tmp_path, mlflow, monkeypatch)
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    done = stackae("pretrain", "digits", "--out", "run", "--mlflow", "digits", *SMALL, "--quiet")
    assert done.code == 0
    client = MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.metrics.keys() >= LOSSES.keys()
