"""``stackae finetune``, ``predict`` and the outliers of ``score``, as a user runs them."""

from __future__ import annotations

import numpy as np
import pytest

from stackae import StackedAutoencoder, StackedAutoencoderClassifier, StackedAutoencoderDetector, load
from stackae.data import load_data


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    from helpers import small_stack

    folder = tmp_path_factory.mktemp("runs")
    small_stack((32, 8)).fit(load_data("digits").X).save(folder / "stack.safetensors")
    return folder / "stack.safetensors"


def test_a_run_is_fine_tuned_and_predicts(stackae, pretrained, tmp_path):
    options = (
        "--epochs",
        10,
        "--random-state",
        0,
        "--corruption",
        "masking=0.1",
        "--corruption",
        "dropout=0.1",
    )
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


def test_score_finds_outliers_and_explains_them(stackae, pretrained, tmp_path):
    errors, parts = tmp_path / "errors.csv", tmp_path / "parts.npy"
    done = stackae(
        "score", pretrained, "digits:test", "--contamination", 0.05, "--out", errors, "--explain", parts
    )
    assert done.code == 0, done.err
    assert "outliers            18 of an error over" in done.out
    table = np.loadtxt(errors, delimiter=",", skiprows=1)
    assert table[:, 1].sum() == 18
    np.testing.assert_allclose(np.load(parts).sum(1), table[:, 0], rtol=1e-4)
    model = load(pretrained)
    detector = StackedAutoencoderDetector(encoder=model, contamination=0.2).fit(load_data("digits").X)
    detector.save(tmp_path / "detector.safetensors")
    done = stackae("score", tmp_path / "detector.safetensors", "digits:test")
    assert f"of an error over {-detector.offset_:.5g}" in done.out
    refused = stackae("score", tmp_path / "detector.safetensors", "digits:test", "--contamination", 0.1)
    assert (refused.code, "leave --contamination out" in refused.err) == (2, True)


def test_what_cannot_be_done_is_said_in_one_line(stackae, pretrained, tmp_path):
    classifier = StackedAutoencoderClassifier(encoder=load(pretrained))
    data = load_data("digits")
    classifier.set_params(finetune__max_epochs=1).fit(data.X, data.y).save(tmp_path / "c.safetensors")
    np.save(tmp_path / "rows.npy", data.X)
    np.save(tmp_path / "few.npy", data.y[:5])
    for args, code, message in (
        (
            ("predict", pretrained, "digits", "--out", tmp_path / "p.csv"),
            2,
            "which predicts nothing; finetune",
        ),
        (
            ("reconstruct", tmp_path / "c.safetensors", "digits", "--out", tmp_path / "p.csv"),
            2,
            "must be one of",
        ),
        (
            ("finetune", tmp_path / "c.safetensors", "digits", "--out", tmp_path / "r"),
            2,
            "give a pretrained run",
        ),
        (("finetune", pretrained, tmp_path / "rows.npy", "--out", tmp_path / "r"), 2, "give --labels"),
        (
            (
                "finetune",
                pretrained,
                tmp_path / "rows.npy",
                "--labels",
                tmp_path / "few.npy",
                "--out",
                tmp_path / "r",
            ),
            3,
            "5 labels for the 1,437 rows",
        ),
        (
            ("finetune", pretrained, "digits", "--out", tmp_path / "r", "--corruption", "haze"),
            2,
            "must be one of masking",
        ),
        (
            ("finetune", pretrained, "digits", "--out", tmp_path / "r", "--layerwise-rate", "nan"),
            2,
            "'layerwise_rate'",
        ),
        (
            ("finetune", pretrained, "digits", "--out", tmp_path / "r", "--task", "regress", "--balanced"),
            2,
            "for classes",
        ),
        (("score", pretrained, "digits", "--contamination", 0.9), 2, "'contamination'"),
    ):
        done = stackae(*args)
        assert done.code == code, done.err
        assert message in done.err
        assert done.err.count("\n") == 1
    assert not (tmp_path / "r").exists()
    assert isinstance(load(pretrained), StackedAutoencoder)
