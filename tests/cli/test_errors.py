"""Bad input: one clear line, the right exit code, no traceback, nothing overwritten."""

from __future__ import annotations

import os
import sys

import click
import numpy as np
import pytest
from helpers import SMALL

from stackae_cli.errors import run

USAGE, DATA, MODEL, IO, DIVERGED = 2, 3, 4, 5, 6
EXPLAIN = "stackae.StackedAutoencoder.explain"


@pytest.fixture
def refuse(stackae):
    """Call, and hold that the done is one line of error with a code, that names something."""

    def call(code, *args_and_words):
        *args, words = args_and_words
        done = stackae(*args)
        assert done.code == code, done
        lines = [line for line in done.err.splitlines() if not line.startswith("stackae: warning: ")]
        assert len(lines) == 1, done.err
        assert lines[0].startswith("stackae: error: ")
        assert done.out == ""
        for word in words:
            assert str(word) in lines[0]

    return call


def file(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("inf.csv", "a,b\n1,2\n4,inf\n", ["inf.csv", "inf", "row 1", "'b'"]),
        ("ragged.csv", "a,b\n1,2\n4\n", ["ragged.csv", "line 3"]),
        ("empty.csv", "", ["empty.csv"]),
        ("header.csv", "a,b\n", ["header.csv"]),
        ("bytes.csv", b"a,b\n1,2\n4,\x81\n", ["bytes.csv", "line 3", "name the encoding"]),
        ("names.csv", "a,b\nx,1\ny,1\nz,1\n", ["names.csv", "no column is left"]),
        ("broken.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", ["broken.npy"]),
        ("random.npz", os.urandom(300), ["random.npz"]),
        (
            "short-images-idx3-ubyte",
            b"\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x02abc",
            ["short"],
        ),
        ("broken.parquet", b"PAR1 and then nothing", ["broken.parquet"]),
        ("table.xlsx", "a,b", ["table.xlsx", "not an Excel file"]),
        ("table.docx", "a,b", ["table.docx", ".csv", ".npy", ".xlsx"]),
    ],
)
def test_data_that_cannot_be_used_exit_3_and_leave_no_run(name, content, words, refuse, tmp_path):
    path = file(tmp_path, name, content)
    refuse(DATA, "pretrain", path, "--out", tmp_path / "run", *SMALL, words)
    assert not (tmp_path / "run").exists()


def test_arrays_of_text_objects_and_other_shapes_exit_3(refuse, tmp_path):
    for name, array in {
        "text": np.array([["a", "b"]]),
        "flat": np.ones(5),
        "cube": np.ones((2, 2, 2)),
        "none": np.empty((0, 3)),
        "complex": np.ones((3, 3), complex),
    }.items():
        np.save(tmp_path / f"{name}.npy", array)
        refuse(DATA, "pretrain", tmp_path / f"{name}.npy", "--out", tmp_path / "run", [f"{name}.npy"])
    np.save(tmp_path / "object.npy", np.array([[{}]]), allow_pickle=True)
    refuse(DATA, "pretrain", tmp_path / "object.npy", "--out", tmp_path / "run", ["object.npy"])


def test_rows_of_another_width_exit_3_at_transform_and_write_nothing(refuse, finished_run, tmp_path):
    np.save(tmp_path / "wide.npy", np.ones((5, 65)))
    out = tmp_path / "codes.npy"
    refuse(
        DATA, "transform", finished_run, tmp_path / "wide.npy", "--out", out, ["65 features", "64 features"]
    )
    assert not out.exists()


def test_a_missing_column_exits_3_and_is_named(refuse, stackae, csv, tmp_path):
    stackae("pretrain", csv, "--labels", "kind", "--layer", 2, "--epochs", 1, "--out", tmp_path / "run")
    other = file(tmp_path, "other.csv", csv.read_text().replace("a,b,c", "a,e,c"))
    missing = ["no column 'b', which the model knows"]
    refuse(DATA, "transform", tmp_path / "run", other, "--out", tmp_path / "c.npy", missing)


def test_an_output_folder_that_exists_exits_5_and_is_left_alone(refuse, finished_run):
    before = {path: path.read_bytes() for path in finished_run.iterdir()}
    refuse(IO, "pretrain", "digits", "--out", finished_run, *SMALL, [finished_run, "exists", "--out"])
    assert {path: path.read_bytes() for path in finished_run.iterdir()} == before


def test_an_output_file_that_exists_exits_5_and_is_left_alone(refuse, finished_run, tmp_path):
    out = file(tmp_path, "codes.npy", "precious")
    for name in ("transform", "reconstruct", "score"):
        refuse(IO, name, finished_run, "digits", "--out", out, [out, "exists"])
    refuse(IO, "export", finished_run, "--out", out, [out, "exists"])
    assert out.read_text() == "precious"


@pytest.mark.parametrize("name", ["no-such-file.csv", "no-such-set"])
def test_data_that_are_not_there_exit_5(name, refuse, tmp_path):
    refuse(IO, "pretrain", name, "--out", tmp_path / "run", [name])


def test_a_run_that_is_not_there_exits_5(refuse, tmp_path):
    refuse(IO, "info", tmp_path / "nowhere", ["nowhere"])
    (tmp_path / "empty").mkdir()
    refuse(IO, "info", tmp_path / "empty", ["model.safetensors"])


def test_a_data_home_without_the_files_exits_5(refuse, tmp_path):
    refuse(
        IO,
        "pretrain",
        "mnist",
        "--data-home",
        tmp_path,
        "--out",
        tmp_path / "run",
        ["train-images-idx3-ubyte"],
    )


@pytest.mark.parametrize(
    "content", [b"", b"junk" * 100, b"\x80\x04\x95junk"], ids=["empty", "junk", "pickle"]
)
def test_a_model_file_that_is_none_exits_4(content, refuse, tmp_path):
    refuse(MODEL, "info", file(tmp_path, "model.safetensors", content), ["model.safetensors"])


def test_a_flipped_bit_in_the_model_exits_4(refuse, finished_run, tmp_path):
    content = bytearray((finished_run / "model.safetensors").read_bytes())
    content[-100] ^= 4
    broken = file(tmp_path, "model.safetensors", bytes(content))
    refuse(MODEL, "transform", broken, "digits", "--out", tmp_path / "c.npy", ["model.safetensors", "sha256"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layer", "0"], ["width of at least 1", "'0'"]),
        (["--layer", "wide"], ["'wide'", "256:masking=0.25"]),
        (["--layer", "8:sawdust=1"], ["'sawdust'", "masking"]),
        (["--layer", "8:neighbours"], ["'neighbours' in '8:neighbours'", "; did you mean 'neighbors'?"]),
        (["--layer", "8:masking=1.5"], ["level must be a number of at least 0 and below 1", "1.5"]),
        (["--layer", "8:masking=nan"], ["level must be a number of at least 0 and below 1", "nan"]),
        (["--layer", "8:masking=much"], ["level must be a number of at least 0 and below 1", "'much'"]),
        (["--layer", "8:kl=0.1,heavy=3"], ["target, weight", "'heavy'"]),
        (["--layer", "8:activation=exec"], ["activation", "'exec'"]),
        (["--layer", "8:masking=0.1:gaussian=0.1"], ["corruption twice"]),
        (["--layer", "8:kl=0.1:activation=relu"], ["kl is defined for", "'relu'"]),
        (["--layer", "8:l1:dense=3"], ["no parameter"]),
        (["--layer", "8:convolutional=7x8"], ["convolutional=7x8", "56 values", "64"]),
        (["--layer", "8:topk=9"], ["topk,k=9", "got 8"]),
        (["--layer", "8:topk=2:variational"], ["code twice"]),
        (["--layer", "8:marginalised:l1=0.1"], ["marginalised", "l1"]),
        (["--layer", "8:recurrent,cell=rnn"], ["cell", "'rnn'"]),
        (["--epochs", "0"], ["--epochs"]),
        (["--epochs", "many"], ["--epochs"]),
        (["--learning-rate", "nan"], ["--learning-rate must be a number above 0", "nan"]),
        (["--learning-rate", "-1"], ["--learning-rate must be a number above 0", "-1"]),
        (["--batch-size", "0"], ["--batch-size"]),
        (["--random-state", "-1"], ["--random-state"]),
        (["--device", "toaster"], ["device", "'toaster'"]),
        (["--scale", "tiny"], ["--scale"]),
        (["--no-such-option"], ["--no-such-option", "--help"]),
    ],
)
def test_impossible_options_exit_2_and_leave_no_run(options, words, refuse, tmp_path):
    refuse(USAGE, "pretrain", "digits", "--out", tmp_path / "run", *options, words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("command", "option", "value", "rule"),
    [
        ("evaluate", "--width", "0", "a whole number of at least 1, got 0"),
        ("evaluate", "--few-labels", "1", "a whole number of at least 2, got 1"),
        ("evaluate", "--jobs", "few", "a whole number, got 'few'"),
        ("pretrain", "--epochs", "x", "a whole number of at least 1, got 'x'"),
        ("pretrain", "--random-state", "-1", "a whole number of at least 0 and at most 4294967295, got -1"),
        ("pretrain", "--learning-rate", "", "a number, got ''"),
        ("pretrain", "--checkpoint-every", "nan", "a number of at least 0, got nan"),
        ("finetune", "--held-out", "nan", "a number of at least 0 and at most 0.9, got nan"),
        ("detect", "--contamination", "0", "a number above 0 and at most 0.5, got 0.0"),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_rule_and_value(command, option, value, rule, refuse):
    words = f"Invalid value for '{option}': must be {rule} (see 'stackae {command} --help')"
    refuse(USAGE, command, option, value, [words])


@pytest.mark.parametrize(
    ("content", "words"),
    [("layers = [", ["not TOML"]), ("colour = 'red'\n", ["'colour'"]), (b"\xff\xfe", ["not TOML"])],
)
def test_a_configuration_that_cannot_be_used_exits_2(content, words, refuse, tmp_path):
    config = file(tmp_path, "c.toml", content)
    refuse(USAGE, "pretrain", "--config", config, "--out", tmp_path / "run", words)


def test_a_missing_command_shows_the_help_and_an_unknown_one_is_named(stackae):
    done = stackae()
    assert (done.code, done.out) == (USAGE, "")
    assert len(done.err.splitlines()) > 5
    assert stackae("frobnicate").code == USAGE
    assert "frobnicate" in stackae("frobnicate").err


def test_an_unknown_output_format_exits_2_before_any_work(refuse, finished_run, tmp_path):
    refuse(
        USAGE, "transform", finished_run, "digits", "--out", tmp_path / "codes.txt", [".npy, .csv, .parquet"]
    )


def test_export_without_onnx_or_without_the_folder_writes_nothing(
    refuse, finished_run, tmp_path, monkeypatch
):
    refuse(IO, "export", finished_run, "--out", tmp_path / "nowhere" / "m.onnx", ["nowhere", "create it"])
    monkeypatch.setitem(sys.modules, "onnx", None)
    out = tmp_path / "m.onnx"
    refuse(USAGE, "export", finished_run, "--out", out, ["m.onnx", "pip install 'stackae[onnx]'"])
    assert list(tmp_path.iterdir()) == []


def test_labels_that_are_missing_or_no_classes_exit_3(refuse, stackae, csv, tmp_path):
    stackae("pretrain", csv, "--drop", "kind", "--layer", 2, "--epochs", 1, "--out", tmp_path / "run")
    refuse(DATA, "evaluate", tmp_path / "run", csv, "--drop", "kind", ["--labels"])
    refuse(DATA, "evaluate", tmp_path / "run", csv, "--labels", "kynd", ["kynd", "kind"])
    own = file(tmp_path, "own.csv", "kind\n" + "\n".join(f"k{i}" for i in range(60)) + "\n")
    its_own = ("evaluate", tmp_path / "run", csv, "--drop", "kind", "--labels", own)
    refuse(USAGE, *its_own, ["60 different texts in 60 rows, names rather than classes"])
    refuse(DATA, *its_own, "--task", "classify", ["classes"])


def test_labels_that_nothing_can_be_learned_from_are_refused_before_any_note(refuse, stackae, csv, tmp_path):
    lines = csv.read_text().splitlines()
    rows = [lines[0] + ",none,one,three,code", *(f"{line},,x,3,-1" for line in lines[1:])]
    table, run = file(tmp_path, "t.csv", "\n".join(rows) + "\n"), tmp_path / "run"
    features = ("--drop", "none", "--drop", "one", "--drop", "three", "--drop", "code", "--drop", "kind")
    stackae("pretrain", table, *features, "--layer", 2, "--epochs", 1, "--out", run)
    for command in (
        ("finetune", run, table, "--out", tmp_path / "tuned", "--labels"),
        ("evaluate", run, table, "--labels"),
        ("evaluate", table, "--labels"),
    ):
        for task in ("auto", "classify", "regress"):
            mend = "give another --labels COLUMN or FILE"
            nothing = f"{table}: no row of 60 has a label in 'none'; {mend}"
            refuse(DATA, *command, "none", "--task", task, [nothing])
            alike = f"{table}: all labels in 'three' are 3, where two that differ are needed; {mend}"
            refuse(DATA, *command, "three", "--task", task, [alike])
        refuse(DATA, *command, "one", ["all labels in 'one' are 'x'"])
        refuse(DATA, *command, "code", ["no row of 60 has a label in 'code'"])
        refuse(DATA, *command, "code", "--unlabelled", "none", ["all labels in 'code' are -1"])
    assert not (tmp_path / "tuned").exists()


def test_evaluate_refuses_before_it_trains(refuse, csv, tmp_path):
    there = file(tmp_path, "there.json", "{}")
    refuse(IO, "evaluate", csv, "--labels", "kind", "--json", there, [str(there), "--json"])
    refuse(USAGE, "evaluate", csv, "--labels", "kind", "--picture", tmp_path / "x.docx", ["docx", "png"])
    refuse(USAGE, "evaluate", csv, "--labels", "kind", "--method", "pca", ["'pca'", "whitened PCA"])
    refuse(DATA, "evaluate", csv, "--drop", "kind", ["--labels"])
    refuse(
        DATA, "evaluate", csv, "--drop", "kind", "--labels", "a", "--task", "classify", ["classes", "60 rows"]
    )


def test_a_run_that_diverges_exits_6_and_leaves_no_run(refuse, tmp_path):
    options = ("--layer", "8:squared_error", "--learning-rate", "1e30", "--quiet")
    refuse(DIVERGED, "pretrain", "digits", "--out", tmp_path / "run", *options, ["epoch", "learning_rate="])
    assert not (tmp_path / "run").exists()


def test_a_layer_too_wide_for_the_memory_exits_2(refuse, tmp_path):
    for width in (10**9, 10**12):
        words = ["the layers up to the 1. take", "make them narrower"]
        refuse(USAGE, "pretrain", "digits", "--layer", width, "--out", tmp_path / "run", "--quiet", words)
    assert not (tmp_path / "run").exists()


def test_debug_shows_the_traceback(stackae, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        stackae("pretrain", tmp_path / "none.csv", "--out", tmp_path / "run", "--debug")


def test_characters_that_cannot_be_written_are_no_usage_error(capfd, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *args: None)
    monkeypatch.setattr("warnings.showwarning", None, raising=False)
    spell = click.Command("spell", callback=lambda: "±".encode("ascii"))
    assert run(spell, []) == IO
    assert capfd.readouterr().err.startswith("stackae: error: 'ascii' codec can't encode")


@pytest.mark.parametrize(
    ("args", "work"),
    [
        (("evaluate", "RUN"), "stackae.evaluation.compare_fitted"),
        (("evaluate", "digits"), "stackae.evaluation.compare"),
        (("transform", "RUN", "digits", "--out", "c.npy"), "stackae.data.load_data"),
        (("score", "RUN", "digits", "--out", "c.npy", "--explain", "e.npy"), EXPLAIN),
        (("pretrain", "digits", "--out", "run"), "stackae.data.load_data"),
        (("info", "RUN"), "stackae.serialization.description.describe_model"),
    ],
)
def test_what_is_interrupted_says_that_nothing_was_written(
    args, work, refuse, finished_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, interrupt)
    args = [finished_run if word == "RUN" else word for word in args]
    refuse(
        130,
        *args,
        ["the evaluation was stopped" if args[0] == "evaluate" else "interrupted", "; nothing was written"],
    )
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_picture_leaves_the_figures_and_says_so(stackae, finished_run, tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("stackae.plotting.ComparisonDisplay.save", interrupt)
    monkeypatch.chdir(tmp_path)
    options = ("--method", "PCA", "--few-labels", 10, "--json", "t.json", "--picture", "t.png", "--quiet")
    done = stackae("evaluate", finished_run, *options)
    assert (done.code, done.err) == (130, "stackae: error: stopped; t.json was written\n")
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


@pytest.mark.parametrize("name", ["evaluate", "pretrain"])
def test_a_bare_command_shows_its_help_and_begins_no_work(name, stackae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = stackae(name)
    assert (done.code, done.out) == (USAGE, "")
    assert done.err.startswith(f"Usage: stackae {name} [OPTIONS]")
    assert list(tmp_path.iterdir()) == []


def test_of_several_processes_that_pretrain_the_first_says_what_is_wrong(stackae, monkeypatch):
    wrong = {name: (name, "nowhere.csv", "--decimal", "x") for name in ("pretrain", "evaluate")}
    said = {name: stackae(*args).err for name, args in wrong.items()}
    monkeypatch.setenv("RANK", "1")
    quiet, other = (stackae(*args) for args in wrong.values())
    assert (quiet.code, quiet.err) == (2, "")
    assert (other.code, other.err) == (2, said["evaluate"])
    assert said["pretrain"].startswith("stackae: error: Invalid value for '--decimal'")


def test_what_is_no_pretraining_is_refused_where_several_processes_are_started(stackae, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    first = stackae("finetune", "run", "data.csv", "--out", "tuned")
    message = "finetune is run by one process, and torchrun has started 2; run it without torchrun"
    assert (first.code, first.err) == (USAGE, f"stackae: error: {message}\n")
    assert stackae("--version").code == 0
    monkeypatch.setenv("RANK", "1")
    assert stackae("finetune", "run", "data.csv", "--out", "tuned").err == ""
