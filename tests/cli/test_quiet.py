"""``--quiet``: every command takes it, and prints nothing but its result."""

from __future__ import annotations

import pytest
from helpers import SMALL

from stackae_cli.main import cli

#: A call of each command that writes files, and is silent; and of those whose result is what they print.
SILENT = {
    "pretrain": ("digits", "--out", "FOLDER/run", *SMALL),
    "detect": ("RUN", "digits", "--out", "FOLDER/run"),
    "transform": ("RUN", "digits", "--out", "FOLDER/a.npy"),
    "reconstruct": ("RUN", "digits", "--out", "FOLDER/a.npy"),
    "impute": ("GAPPY", "GAPS", "--out", "FOLDER/a.csv"),
    "explain": ("RUN", "digits", "--out", "FOLDER/a.csv"),
    "report": ("RUN", "digits", "--out", "FOLDER/a.html"),
    "predict": ("TUNED", "digits", "--out", "FOLDER/a.npy"),
    "export": ("RUN", "--out", "FOLDER/a.onnx"),
}
PRINTING = {
    "finetune": ("RUN", "digits", "--epochs", 1, "--out", "FOLDER/run"),
    "info": ("RUN",),
    "score": ("RUN", "digits", "--out", "FOLDER/a.npy"),
    "evaluate": ("RUN", "--method", "PCA", "--few-labels", 10, "--json", "FOLDER/a.json"),
}


@pytest.fixture(scope="module")
def tuned(finished_run, tmp_path_factory):
    from helpers import call_stackae

    folder = tmp_path_factory.mktemp("tuned") / "run"
    with pytest.MonkeyPatch.context() as monkeypatch:
        args = ("finetune", finished_run, "digits", "--epochs", 1, "--out", folder)
        assert call_stackae(monkeypatch, *args) == 0
    return folder


@pytest.fixture(scope="module")
def gappy(tmp_path_factory):
    from helpers import call_stackae

    folder = tmp_path_factory.mktemp("gappy")
    (folder / "gaps.csv").write_text("a,b\n" + "1.5,\n2.5,7\n,8\n" * 4)
    with pytest.MonkeyPatch.context() as monkeypatch:
        args = ("pretrain", folder / "gaps.csv", "--out", folder / "run", *SMALL)
        assert call_stackae(monkeypatch, *args) == 0
    return folder


@pytest.fixture
def call(stackae, finished_run, tuned, gappy, tmp_path):
    def call(name, *options):
        places = {"RUN": str(finished_run), "TUNED": str(tuned)}
        places |= {"GAPPY": str(gappy / "run"), "GAPS": str(gappy / "gaps.csv")}
        args = [
            places.get(arg, str(arg).replace("FOLDER", str(tmp_path))) for arg in {**SILENT, **PRINTING}[name]
        ]
        done = stackae(name, *args, *options)
        assert done.code == 0, done.err
        return done

    return call


def test_every_command_is_called_here():
    assert {*SILENT, *PRINTING} == set(cli.commands)


@pytest.mark.parametrize("name", SILENT)
def test_a_command_that_writes_a_file_prints_nothing(name, call, tmp_path):
    done = call(name, "--quiet")
    assert (done.out, done.err) == ("", "")
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("name", PRINTING)
def test_a_command_whose_result_is_printed_prints_it_alone(name, call):
    done = call(name, "--quiet")
    assert done.out
    assert done.err == ""


@pytest.mark.parametrize("name", [*SILENT, "finetune"])
def test_without_it_a_command_says_where_its_file_is(name, call, tmp_path):
    *_, written = call(name).out.splitlines()
    assert str(tmp_path) in written.rpartition(": ")[2]
