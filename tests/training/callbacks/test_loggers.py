"""TensorBoard and MLflow: what they hold is what history_ and health_ say, once, whatever became of the fit."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
from helpers import SHORT, small_autoencoder, small_stack
from mlflow_stand_in import MLFLOWS, store_in

from stackae import Autoencoder, Convolutional, StackedAutoencoder, StackedAutoencoderClassifier, Training
from stackae.exceptions import ParameterError
from stackae.training.callbacks import Callback, Checkpoints, MLflowLogger, TensorBoardLogger

PIL = pytest.importorskip("PIL.Image")
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

WHAT = ("loss", "validation_loss", "learning_rate", "samples_per_second")


class Breaking(Callback):
    """Breaks a fit off in the second epoch of fine-tuning."""

    def __init__(self, error):
        self.error = error

    def end_epoch(self, record, run):
        if (record["phase"], record["epoch"]) == ("finetune", 2):
            raise self.error


@pytest.fixture
def X(digits):
    return digits[:200]


def events(folder):
    found = accumulator.EventAccumulator(str(folder), {"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def scalars(folder):
    found = events(folder)
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def of_history(model):
    """What is to be found of the epochs: name to steps and values."""
    expected = {}
    for record in model.history_:
        phase = f"layer_{record['layer']}" if record["layer"] else record["phase"]
        for what in WHAT:
            if record[what] is not None:
                expected.setdefault(f"{what}/{phase}", []).append((record["epoch"], record[what]))
    return expected


def assert_alike(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert [step for step, _ in found[name]] == [step for step, _ in values], name
        np.testing.assert_allclose([v for _, v in found[name]], [v for _, v in values], rtol=1e-6)


def test_the_numbers_are_those_of_history_and_health(X, tmp_path):
    model = small_stack().set_callbacks(TensorBoardLogger(tmp_path)).fit(X)
    found = scalars(tmp_path)
    health = {name: found.pop(name) for name in list(found) if name.startswith("health/")}
    assert_alike(found, of_history(model))
    layers = {
        f"health/finetune/layer_{k}/{what}": v
        for k, h in enumerate(model.health_, 1)
        for what, v in h.items()
    }
    solved = {"variance_reconstructed", "effective_rank"}  # the ridge that follows fine-tuning changes them
    for name, value in layers.items():
        assert [step for step, _ in health[name]] == [3]
        # The numbers of the last code are then given another spread.
        if "/layer_1/" in name and name.rpartition("/")[2] not in solved:
            np.testing.assert_allclose(health[name][0][1], value, rtol=1e-5)
    assert health["health/layer_1/rows"] == health["health/layer_2/rows"] == [(3, 200)]
    text = events(tmp_path).Tensors("estimator/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text == f"```\n{model!r}\n```"


def test_a_logger_changes_no_bit_of_the_fit(X, tmp_path):
    logger = TensorBoardLogger(tmp_path, every=1, image_shape=(8, 8))
    told, alone = small_stack().set_callbacks(logger).fit(X), small_stack().fit(X)
    other = alone.module_.state_dict()
    assert all((tensor == other[name]).all() for name, tensor in told.module_.state_dict().items())


def picture(event):
    return np.asarray(PIL.open(io.BytesIO(event.encoded_image_string)))


def test_images_are_written_every_few_epochs_and_at_a_phases_end(X, tmp_path):
    model = small_stack(finetune=SHORT)
    logger = TensorBoardLogger(tmp_path, every=2, image_shape=(8, 8))
    model.set_callbacks(logger).fit(X)
    found = events(tmp_path)
    names = {
        f"{what}/{phase}" for what in ("reconstructions", "weights") for phase in ("layer_1", "finetune")
    }
    assert set(found.Tags()["images"]) == names  # rows of codes, of which layer 2 is made, are none
    for name in names:
        assert [event.step for event in found.Images(name)] == [2, 3]

    shown = picture(found.Images("reconstructions/finetune")[-1])
    assert shown.shape[:2] == (17, 8 * 9 - 1)
    grey = shown if shown.ndim == 2 else shown[:, :, 0]
    for k in range(8):  # the upper line holds rows of X
        tile = grey[:8, 9 * k : 9 * k + 8].reshape(1, 64)
        assert np.abs(255 * X - tile).max(1).min() <= 1

    weights = picture(found.Images("weights/finetune")[-1])
    first = model.components_[0].reshape(8, 8)
    grey = weights if weights.ndim == 2 else weights[:, :, 0]
    np.testing.assert_allclose(grey[:8, :8], 255 * (0.5 + 0.5 * first / np.abs(first).max()), atol=1)


def test_a_convolutional_layer_knows_its_shape_and_shows_its_kernels(X, tmp_path):
    network = Convolutional(image_shape=(8, 8))
    Autoencoder(4, network=network, training=SHORT).set_callbacks(TensorBoardLogger(tmp_path)).fit(X)
    found = events(tmp_path)
    assert set(found.Tags()["images"]) == {"reconstructions/layer_1", "weights/layer_1"}
    assert picture(found.Images("weights/layer_1")[0]).shape[:2] == (3, 8 * 4 - 1)


def test_layers_above_frozen_ones_keep_their_numbers_and_show_no_images(X, tmp_path):
    layers = [Autoencoder(8, frozen=True), 4, 3]
    small_stack(layers).set_callbacks(TensorBoardLogger(tmp_path, image_shape=(8, 8), every=1)).fit(X)
    health = {tag.split("/")[2] for tag in scalars(tmp_path) if tag.startswith("health/finetune")}
    assert health == {"layer_2", "layer_3"}
    assert {tag.split("/")[1] for tag in events(tmp_path).Tags()["images"]} == {"layer_1"}


def test_rows_of_colours_and_rows_with_gaps_are_images_too(tmp_path):
    X = np.random.default_rng(0).random((100, 4 * 4 * 3))
    X[::3, 5] = np.nan
    logger = TensorBoardLogger(tmp_path, image_shape=(4, 4, 3))
    small_autoencoder(missing_values=np.nan).set_callbacks(logger).fit(X)
    assert picture(events(tmp_path).Images("reconstructions/layer_1")[0]).shape == (9, 39, 3)


def test_no_images_where_none_are_asked_for_or_the_rows_are_none(X, tmp_path):
    for k, parameters in enumerate(({"every": 0, "image_shape": (8, 8)}, {})):
        small_stack().set_callbacks(TensorBoardLogger(tmp_path / str(k), **parameters)).fit(X)
        assert events(tmp_path / str(k)).Tags()["images"] == []


def test_a_shape_that_is_not_the_rows_is_refused_before_training(X, tmp_path):
    model = small_stack().set_callbacks(TensorBoardLogger(tmp_path, image_shape=(9, 9)))
    with pytest.raises(ParameterError, match=r"image_shape=\(9, 9\) is 81 columns, but the rows have 64"):
        model.fit(X)
    for wrong in ({"every": -1}, {"every": True}, {"image_shape": (8,)}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            TensorBoardLogger(tmp_path / "other", **wrong)


def test_encoder_and_head_are_one_run_and_its_weights_are_shown(X, tmp_path):
    logger = TensorBoardLogger(tmp_path, image_shape=(8, 8))
    model = StackedAutoencoderClassifier(small_stack(), finetune=SHORT, random_state=0)
    model.set_callbacks(logger).fit(X, np.arange(200) % 2)
    found = {name: values for name, values in scalars(tmp_path).items() if not name.startswith("health/")}
    assert_alike(found, of_history(model))
    assert "weights/supervised" in events(tmp_path).Tags()["images"]
    assert len(list(tmp_path.iterdir())) == 1


def test_fits_that_follow_count_on(X, tmp_path):
    model = small_stack().set_callbacks(TensorBoardLogger(tmp_path))
    model.fit(X).partial_fit(X).partial_fit(X)
    assert sorted(step for step, _ in scalars(tmp_path)["loss/finetune"]) == [1, 2, 3, 4, 5]
    StackedAutoencoder("auto", pretrain=SHORT, finetune=None, random_state=0).set_callbacks(
        TensorBoardLogger(tmp_path / "auto")
    ).fit(X)
    steps = sorted(step for step, _ in scalars(tmp_path / "auto")["loss/layer_1"])
    assert steps == list(range(1, len(steps) + 1))


def test_a_folder_with_events_of_another_run_is_refused(X, tmp_path):
    small_autoencoder().set_callbacks(TensorBoardLogger(tmp_path)).fit(X)
    with pytest.raises(ParameterError, match="holds events of another run"):
        TensorBoardLogger(tmp_path)


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()], ids=repr)
def test_a_fit_that_is_broken_off_closes_its_files_and_goes_on_once(error, X, tmp_path):
    folder, kept = tmp_path / "events", tmp_path / "checkpoints"
    logger = TensorBoardLogger(folder, every=1, image_shape=(8, 8))
    model = small_stack().set_callbacks(logger, Checkpoints(kept, "run", 0.0), Breaking(error))
    with pytest.raises(type(error)):
        model.fit(X)
    assert logger._writer is None
    assert [step for step, _ in scalars(folder)["loss/finetune"]] == [1, 2]

    again = TensorBoardLogger(folder, every=1, image_shape=(8, 8), resume=True)
    model = small_stack().set_callbacks(again, Checkpoints(kept, "run", 0.0)).fit(X)
    found = scalars(folder)
    for name, values in of_history(model).items():
        assert [step for step, _ in found[name]] == [step for step, _ in values], name
    assert all(
        [step for step, _ in values] == [3] for name, values in found.items() if name.startswith("health")
    )
    images = events(folder)
    for name in images.Tags()["images"]:
        assert [event.step for event in images.Images(name)] == [1, 2, 3]


KILLED = """
    import os, signal
    import numpy as np
    from stackae import StackedAutoencoder, Training
    from stackae.training.callbacks import Callback, Checkpoints, TensorBoardLogger
    class Dying(Callback):
        def end_epoch(self, record, run):
            if (record["layer"], record["epoch"]) == (2, 4) and {dies}:
                os.kill(os.getpid(), signal.SIGKILL)
    X = np.random.default_rng(0).random((200, 64))
    training = Training(max_epochs=6, batch_size=32)
    model = StackedAutoencoder((8, 3), pretrain=training, finetune=training, random_state=0)
    logger = TensorBoardLogger({folder!r}, resume=True)
    model.set_callbacks(Checkpoints({kept!r}, "run", 0.0), logger, Dying()).fit(X)
"""


def test_a_killed_run_goes_on_in_its_folder_without_gap_or_double(tmp_path):
    folder, kept = str(tmp_path / "events"), str(tmp_path / "checkpoints")
    for dies in (True, False):
        code = textwrap.dedent(KILLED.format(dies=dies, folder=folder, kept=kept))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == (-signal.SIGKILL if dies else 0), done.stderr
    found = scalars(folder)
    for phase in ("layer_1", "layer_2", "finetune"):
        assert [step for step, _ in found[f"loss/{phase}"]] == [1, 2, 3, 4, 5, 6]


def test_a_missing_package_is_told_when_the_logger_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr("stackae.training.callbacks.logger.find_spec", lambda name: None)
    with pytest.raises(ParameterError) as caught:
        TensorBoardLogger(tmp_path)
    assert str(caught.value) == "TensorBoardLogger needs tensorboard; pip install 'stackae[tensorboard]'"
    with pytest.raises(ParameterError) as caught:
        MLflowLogger("experiment")
    assert str(caught.value) == "MLflowLogger needs mlflow; pip install 'stackae[mlflow]'"
    monkeypatch.setattr("stackae.training.callbacks.logger.find_spec", lambda name: name != "PIL" or None)
    with pytest.raises(ParameterError, match="TensorBoardLogger needs pillow; pip"):
        TensorBoardLogger(tmp_path)


@pytest.mark.slow
def test_a_real_tensorboard_shows_the_run(X, tmp_path):
    small_stack().set_callbacks(TensorBoardLogger(tmp_path / "run", image_shape=(8, 8))).fit(X)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/data/plugin"
    options = ["--logdir", str(tmp_path), "--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"]
    with subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    ) as server:
        try:
            curves = _answer(f"{address}/scalars/tags", server)["run"]
            pictures = _answer(f"{address}/images/tags", server)["run"]
            values = _answer(f"{address}/scalars/scalars?run=run&tag=loss/finetune", server)
        finally:
            server.terminate()
    assert {"loss/layer_1", "validation_loss/layer_2", "learning_rate/finetune"} <= curves.keys()
    assert {"reconstructions/finetune", "weights/layer_1"} <= pictures.keys()
    assert [step for _, step, _ in values] == [1, 2, 3]


def _answer(url, server):
    """What the server says, once it has read the run."""
    for _ in range(600):
        assert server.poll() is None, "TensorBoard has ended"
        try:
            with urllib.request.urlopen(url) as response:
                answer = json.load(response)
            if answer:
                return answer
        except URLError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"no answer at {url}")


# MLflow -----------------------------------------------------------------------------------------------


@pytest.fixture(params=MLFLOWS)
def store(request, tmp_path, monkeypatch):
    return store_in(tmp_path, request.param, monkeypatch)


def runs_of(store, experiment):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(store)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, sorted(found, key=lambda run: run.info.start_time)


def metrics(client, run):
    names = run.data.metrics
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in names}
    return {
        name: [(m.step, m.value) for m in sorted(h, key=lambda m: m.step)] for name, h in histories.items()
    }


def test_mlflow_holds_the_history_the_parameters_and_the_versions(X, store):
    import mlflow
    import torch

    logger = MLflowLogger("digits", run_name="first", tracking_uri=store, image_shape=(8, 8))
    model = small_stack().set_callbacks(logger).fit(X)
    client, (run,) = runs_of(store, "digits")
    assert (run.info.status, run.info.run_name, run.info.run_id) == ("FINISHED", "first", logger.run_id)
    found = metrics(client, run)
    assert_alike({n: v for n, v in found.items() if not n.startswith("health/")}, of_history(model))
    assert found["health/layer_1/rows"] == [(3, 200.0)]
    assert run.data.params == {name: str(value)[:500] for name, value in model.get_params().items()}
    assert run.data.tags["version.torch"] == torch.__version__
    assert run.data.tags["estimator"] == "StackedAutoencoder"
    path = client.download_artifacts(run.info.run_id, "reconstructions/finetune/00003.png")
    assert PIL.open(path).size == (71, 17)
    assert mlflow.active_run() is None


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")], ids=repr
)
def test_mlflow_says_how_a_run_ended_and_goes_on_with_it_once(error, status, X, store, tmp_path):
    kept = Checkpoints(tmp_path / "kept", "run", 0.0), Checkpoints(tmp_path / "kept", "run", 0.0)
    logger = MLflowLogger("digits", run_name="run", tracking_uri=store)
    with pytest.raises(type(error)):
        small_stack().set_callbacks(logger, kept[0], Breaking(error)).fit(X)
    _, (run,) = runs_of(store, "digits")
    assert run.info.status == status

    again = MLflowLogger("digits", run_name="run", tracking_uri=store, resume=True)
    model = small_stack().set_callbacks(again, kept[1]).fit(X)
    client, (run,) = runs_of(store, "digits")
    assert (run.info.status, again.run_id) == ("FINISHED", logger.run_id)
    found = metrics(client, run)
    for name, values in of_history(model).items():
        assert [step for step, _ in found[name]] == [step for step, _ in values], name


def test_another_run_of_mlflow_begins_where_none_is_to_be_gone_on_with(X, store):
    small_autoencoder().set_callbacks(MLflowLogger("digits", run_name="a", tracking_uri=store)).fit(X)
    for parameters in ({"run_name": "a"}, {"run_name": "b", "resume": True}):
        small_autoencoder().set_callbacks(MLflowLogger("digits", tracking_uri=store, **parameters)).fit(X)
    _, found = runs_of(store, "digits")
    assert sorted(run.info.run_name for run in found) == ["a", "a", "b"]


def test_both_log_side_by_side(X, store, tmp_path):
    training = Training(max_epochs=2)
    both = TensorBoardLogger(tmp_path / "events"), MLflowLogger("both", tracking_uri=store)
    Autoencoder(3, training=training).set_callbacks(*both).fit(X)
    client, (run,) = runs_of(store, "both")
    found = metrics(client, run)
    assert found.keys() == scalars(tmp_path / "events").keys()
