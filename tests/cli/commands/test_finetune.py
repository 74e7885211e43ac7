"""``stackae finetune`` and ``predict``."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import SHORT, SMALL, small_stack
from sklearn.frozen import FrozenEstimator

from stackae import StackedAutoencoder, StackedAutoencoderClassifier, load
from stackae.data import load_data
from stackae_cli.run_folder import sha256


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    small_stack((32, 8)).fit(load_data("digits").X).save(folder / "stack.safetensors")
    return folder / "stack.safetensors"


def test_a_run_is_fine_tuned_and_predicts(stackae, pretrained, tmp_path):
    options = ("--epochs", 10, "--random-state", 0)
    options += ("--corruption", "masking=0.1", "--corruption", "dropout=0.1")
    done = stackae("finetune", pretrained, "digits", "--out", tmp_path / "run", *options, "--quiet")
    assert done.code == 0, done.err
    assert done.out.startswith("classifier fine-tuned on 1,437 labelled rows in 10 epochs")
    assert done.err == ""
    model = load(tmp_path / "run" / "model.safetensors")
    assert isinstance(model, StackedAutoencoderClassifier)
    assert [repr(part) for part in model.finetune.corruption] == ["Masking(level=0.1)", "Dropout(level=0.1)"]
    test = load_data("digits:test")
    for name, options, expected in (
        ("classes.npy", (), model.predict(test.X)),
        ("shares.npy", ("--proba",), model.predict_proba(test.X)),
    ):
        done = stackae("predict", tmp_path / "run", "digits:test", "--out", tmp_path / name, *options)
        assert done.code == 0, done.err
        np.testing.assert_allclose(np.load(tmp_path / name), expected, rtol=1e-5)
    for command in (("transform", "--out", tmp_path / "codes.npy"), ("info",)):
        data = () if command[0] == "info" else ("digits:test",)
        done = stackae(command[0], tmp_path / "run", *data, *command[1:])
        assert done.code == 0, done.err


def test_labels_in_a_column_may_be_text_numbers_or_left_out(stackae, pretrained, tmp_path):
    data = load_data("digits")
    rows = [",".join(map(str, row)) for row in data.X[:300].tolist()]
    header = ",".join(data.feature_names)
    for name, label in (
        ("text", lambda k: "-1" if k % 3 else f"digit {data.y[k]}"),
        ("number", lambda k: "nan" if k % 3 else str(data.y[k] + 0.5)),
    ):
        lines = [f"{header},label", *(f"{row},{label(k)}" for k, row in enumerate(rows))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        done = stackae(
            "finetune", pretrained, tmp_path / f"{name}.csv", "--labels", "label", "--epochs", 2, "--quiet",
            "--out", tmp_path / name,
        )  # fmt: skip
        assert done.code == 0, done.err
        kind = "classifier" if name == "text" else "regressor"
        assert done.out.startswith(f"{kind} fine-tuned on 100 labelled rows in 2 epochs")
        done = stackae("predict", tmp_path / name, "digits:test", "--out", tmp_path / f"{name}-p.csv")
        assert done.code == 0, done.err
    assert (tmp_path / "text-p.csv").read_text().splitlines()[1].startswith("digit ")
    assert 0 < float((tmp_path / "number-p.csv").read_text().splitlines()[1]) < 10


def test_one_pretraining_serves_many_fine_tunings_and_stays_as_it_is(stackae, pretrained, tmp_path):
    before = pretrained.read_bytes()
    for name, epochs in (("a", 1), ("b", 2)):
        options = ("--epochs", epochs, "--quiet", "--out", tmp_path / name)
        assert stackae("finetune", pretrained, "digits", *options).code == 0
    assert pretrained.read_bytes() == before


@pytest.fixture(scope="module")
def impossible(pretrained, tmp_path_factory):
    """A classifier, rows without labels, and too few labels for them."""
    folder, data = tmp_path_factory.mktemp("impossible"), load_data("digits")
    classifier = StackedAutoencoderClassifier(FrozenEstimator(load(pretrained)), finetune=SHORT)
    classifier.fit(data.X[:100], data.y[:100]).save(folder / "c.safetensors")
    np.save(folder / "rows.npy", data.X)
    np.save(folder / "few.npy", data.y[:5])
    return folder


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ("predict PRETRAINED digits --out p.csv", 2, "which predicts nothing; finetune"),
        ("reconstruct c.safetensors digits --out p.csv", 2, "must be one of"),
        ("finetune c.safetensors digits --out r", 2, "give a pretrained run"),
        ("finetune PRETRAINED rows.npy --out r", 2, "give --labels"),
        ("finetune PRETRAINED rows.npy --labels few.npy --out r", 3, "5 labels for the 1,437 rows"),
        ("finetune PRETRAINED digits --out r --corruption haze", 2, "must be one of masking"),
        ("finetune PRETRAINED digits --out r --layerwise-rate nan", 2, "'layerwise_rate'"),
        ("finetune PRETRAINED digits --out r --task regress --balanced", 2, "for classes"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    args, code, message, stackae, pretrained, impossible, monkeypatch
):
    monkeypatch.chdir(impossible)
    before = set(impossible.iterdir())
    done = stackae(*(pretrained if word == "PRETRAINED" else word for word in args.split()))
    assert done.code == code, done.err
    assert message in done.err
    assert done.err.count("\n") == 1
    assert set(impossible.iterdir()) == before
    assert isinstance(load(pretrained), StackedAutoencoder)


def test_runs_of_the_same_seed_data_and_options_leave_the_same_model_files(stackae, finished_run, tmp_path):
    stackae("pretrain", "digits", "--out", tmp_path / "stack", *SMALL, "--quiet")
    files = [run / "model.safetensors" for run in (finished_run, tmp_path / "stack")]
    for k, run in enumerate((finished_run, tmp_path / "stack")):
        out, quiet = tmp_path / f"classifier {k}", ("--quiet",) * k
        done = stackae("finetune", run, "digits", "--out", out, "--epochs", 1, "--random-state", 0, *quiet)
        assert done.code == 0, done.err
        files.append(out / "model.safetensors")
    digests = [sha256(file) for file in files]
    assert digests[0] == digests[1]
    assert digests[2] == digests[3]
