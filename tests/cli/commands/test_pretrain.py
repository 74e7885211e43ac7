"""``stackae pretrain``: from data to a run folder, or to a plan."""

from __future__ import annotations

import json
import re
import tomllib

import numpy as np
import pytest
from helpers import SMALL, timeless, write_small_mnist

from stackae import StackedAutoencoder, Training, load
from stackae.data import load_data

OF_A_RUN = ["config.toml", "history.jsonl", "manifest.json", "model.safetensors"]


def test_pretrain_leaves_model_configuration_history_and_manifest(finished_run):
    assert sorted(path.name for path in finished_run.iterdir()) == OF_A_RUN
    config = tomllib.loads((finished_run / "config.toml").read_text())
    assert config["layers"] == ["8", "3"]
    assert config["ran"]["rows"] == 1437
    records = [json.loads(line) for line in (finished_run / "history.jsonl").read_text().splitlines()]
    assert [r["phase"] for r in records] == ["pretrain"] * 4 + ["finetune"] * 2
    assert all(r["seconds"] > 0 for r in records)
    assert load(finished_run / "model.safetensors").history_ == timeless(records)


def test_pretrain_writes_its_result_to_standard_output_and_progress_to_standard_error(stackae, tmp_path):
    done = stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL)
    assert done.code == 0
    assert re.fullmatch(
        r"64-8-3 fitted on 1,437 rows in 6 epochs, \d+\.\d s, R² -?\d\.\d{3} of the scaled columns: .*model\.safetensors\n",
        done.out,
    )
    lines = done.err.splitlines()
    assert [line.split("  loss ")[0] for line in lines] == [
        line
        for phase in ("layer 1", "layer 2", "finetune")
        for line in (
            f"{phase}  up to 2 epochs of 1,294 rows",
            f"{phase}  epoch 1/2",
            f"{phase}  epoch 2/2",
        )
    ]


def test_a_folder_of_shards_is_pretrained_on_within_its_memory(stackae, tmp_path):
    X = np.random.default_rng(0).normal(size=(30_000, 48)).astype(np.float32)
    shards = tmp_path / "shards"
    shards.mkdir()
    for k in range(2):
        np.save(shards / f"{k}.npy", X[k * 15_000 : (k + 1) * 15_000])
    run = tmp_path / "run"
    one_epoch = ("--layer", 8, "--layer", 3, "--epochs", 1, "--finetune-epochs", 1, "--random-state", 0)
    done = stackae("pretrain", shards, "--out", run, *one_epoch, "--max-memory", "17MB")
    assert (done.code, done.out[:25]) == (0, "48-8-3 fitted on 30,000 r")
    assert sorted(path.name for path in run.iterdir()) == OF_A_RUN
    again = tmp_path / "again"
    stackae("pretrain", shards, "--config", run / "config.toml", "--out", again)
    models = [load(folder / "model.safetensors") for folder in (run, again)]
    assert [(m.max_memory, m.cache_folder) for m in models] == [("17MB", None)] * 2
    assert (models[0].components_ == models[1].components_).all()


def test_an_amount_of_memory_that_is_none_is_refused_before_anything_is_made(stackae, tmp_path):
    done = stackae("pretrain", "--out", tmp_path / "run", "--max-memory", "lots")
    assert done.code == 2
    assert "--max-memory must be bytes or a text like '500MB' or '2GiB', got 'lots'" in done.err
    assert not (tmp_path / "run").exists()


def test_quiet_prints_nothing_where_the_result_is_a_run(stackae, tmp_path):
    done = stackae("pretrain", "--quiet", "--out", tmp_path / "run", *SMALL)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == OF_A_RUN
    done = stackae("pretrain", "--quiet", "--out", tmp_path / "run", "--resume")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_quiet_prints_the_plan_that_is_asked_for(stackae):
    done = stackae("pretrain", "--quiet", "--dry-run", *SMALL)
    assert done.out.startswith("1,437 rows × 64 columns; ")


def test_a_configuration_replays_the_run_to_the_same_bits(stackae, finished_run, tmp_path):
    stackae("pretrain", "--config", finished_run / "config.toml", "--out", tmp_path / "again")
    first, again = (load(folder / "model.safetensors") for folder in (finished_run, tmp_path / "again"))
    X = load_data("digits").X
    np.testing.assert_array_equal(first.transform(X), again.transform(X))
    configs = [tomllib.loads((f / "config.toml").read_text()) for f in (finished_run, tmp_path / "again")]
    assert configs[0] == configs[1]


def test_the_command_line_wins_over_the_configuration(stackae, finished_run, tmp_path):
    config = finished_run / "config.toml"
    assert stackae("pretrain", "--config", config, "--layer", 5, "--out", tmp_path / "again").code == 0
    assert load(tmp_path / "again" / "model.safetensors").module_.widths == [5]


def test_a_run_without_a_seed_writes_down_the_one_it_drew(stackae, tmp_path):
    stackae("pretrain", "digits", "--out", tmp_path / "run", *SMALL[:-2])
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert load(tmp_path / "run" / "model.safetensors").random_state == config["random_state"]


def test_no_fine_tuning_on_request(stackae, tmp_path):
    options = ("--layer", 8, "--layer", 3, "--epochs", 1, "--finetune-epochs", 0)
    stackae("pretrain", "digits", *options, "--out", tmp_path / "run")
    assert {r["phase"] for r in load(tmp_path / "run" / "model.safetensors").history_} == {"pretrain"}


@pytest.mark.parametrize(("shortcut", "has_one"), [("auto", True), ("pca", True), ("none", False)])
def test_a_shortcut_is_there_unless_it_is_declined(stackae, tmp_path, shortcut, has_one):
    run = tmp_path / "run"
    assert stackae("pretrain", "digits", *SMALL, "--shortcut", shortcut, "--out", run).code == 0
    assert tomllib.loads((run / "config.toml").read_text())["shortcut"] == shortcut
    model = load(run / "model.safetensors")
    assert model.shortcut == (None if shortcut == "none" else shortcut)
    assert (model.module_.shortcut is not None) == has_one


def test_a_run_of_ordered_codes_is_replayed_to_the_same_bits(stackae, tmp_path):
    run, again = tmp_path / "run", tmp_path / "again"
    done = stackae("pretrain", "digits", *SMALL, "--ordered", "--out", run)
    assert done.code == 0
    assert "R² from the first numbers of the code, 1: " in done.err
    assert tomllib.loads((run / "config.toml").read_text())["ordered"] is True
    assert stackae("pretrain", "digits", "--config", run / "config.toml", "--out", again).code == 0
    model = load(run)
    assert model.ordered
    assert model.truncated(2).module_.widths == [8, 2]
    files = [(folder / "model.safetensors").read_bytes() for folder in (run, again)]
    assert files[0] == files[1]


def test_a_shortcut_that_cannot_be_is_refused(stackae, tmp_path):
    options = ("--layer", 8, "--shortcut", "pca")
    refused = stackae("pretrain", "digits", *options, "--out", tmp_path / "run")
    assert refused.code == 2
    assert "--shortcut pca cannot be: there is one layer" in refused.err
    assert not (tmp_path / "run").exists()


def test_mnist_is_read_from_idx_files(stackae, tmp_path):
    write_small_mnist(tmp_path)
    options = ("--data-home", tmp_path, "--layer", 4, "--epochs", 1)
    done = stackae("pretrain", "mnist", *options, "--out", tmp_path / "run")
    assert done.out.startswith("784-4 fitted on 90 rows")
    scores = stackae("score", tmp_path / "run", "mnist:test", "--data-home", tmp_path)
    assert scores.out.startswith("rows                30\n")


# The dry run ------------------------------------------------------------------------------------------------


@pytest.fixture
def untrained(monkeypatch):
    """Let whatever trains fail."""

    def refuse(*args):
        raise AssertionError("a dry run trains")

    monkeypatch.setattr("stackae.training.loop.step", refuse)


def test_a_dry_run_prints_the_plan_and_neither_trains_nor_writes(
    stackae, untrained, csv, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    done = stackae("pretrain", csv, "--drop", "kind", "--layer", 2, "--layer", 1, "--epochs", 7, "--dry-run")
    epochs = Training(max_epochs=7)
    model = StackedAutoencoder([2, 1], pretrain=epochs)
    plan = model.plan(load_data(str(csv), drop=["kind"]).named_samples)
    assert (done.code, done.out, done.err) == (0, f"{plan!r}\n", "")
    assert done.out.startswith("60 rows × 3 columns; ")
    assert set(tmp_path.iterdir()) == before


def test_a_dry_run_shows_the_plan_of_a_configuration(stackae, untrained, finished_run, tmp_path):
    out = ("--out", tmp_path / "run", "--dry-run")
    of_options = stackae("pretrain", "digits", *SMALL, *out)
    of_configuration = stackae("pretrain", "--config", finished_run / "config.toml", *out)
    assert of_options.code == of_configuration.code == 0
    assert of_options.out == of_configuration.out
    assert "shortcut from input to code" in of_options.out
    assert "shortcut" not in stackae("pretrain", "digits", *SMALL, *out, "--shortcut", "none").out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("inf.csv", 3),
        ("nowhere.csv", 5),
        ("digits --layer 8:masking=2", 2),
        ("digits --layer 8:topk=9", 2),
        ("digits --layer 1000000000", 2),
        ("digits --layer 8 --shortcut pca", 2),
        ("digits --learning-rate nan", 2),
        ("digits --max-memory lots", 2),
        ("digits --device toaster", 2),
        ("digits --out there", 5),
        ("digits --out there --resume --layer 5", 4),
    ],
)
def test_a_dry_run_refuses_what_a_run_refuses(stackae, finished_run, tmp_path, monkeypatch, options, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inf.csv").write_text("a,b\n1,2\ninf,3\n")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "config.toml").write_bytes((finished_run / "config.toml").read_bytes())
    before = set(tmp_path.rglob("*"))
    dry, wet = (stackae("pretrain", *options.split(), *more) for more in (["--dry-run"], []))
    assert (dry.code, dry.out) == (code, "")
    assert (dry.code, dry.err) == (wet.code, wet.err)
    assert set(tmp_path.rglob("*")) == before


def test_the_last_width_may_be_chosen_by_the_fit(stackae, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 8)) + 0.01 * rng.standard_normal((200, 8))
    np.save(tmp_path / "X.npy", X)
    command = ("pretrain", tmp_path / "X.npy", "--layer", 16, "--layer", "auto", "--random-state", 0)
    done = stackae(*command, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "8-16-2 fitted on 200 rows" in done.out
    done = stackae(*command[:2], "--layer", "auto", "--layer", 2, "--out", tmp_path / "other")
    assert done.code == 2
    assert done.err == "stackae: error: --layer auto must be the last, got it as layer 1\n"


def test_a_column_that_outweighs_the_others_is_told(stackae, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 4)) * [1, 1, 100, 1]
    np.savetxt(tmp_path / "x.csv", X, delimiter=",", header="a,b,mass,d", comments="")

    def told(scale):
        options = ("--epochs", 1, "--finetune-epochs", 1, "--scale", scale, "--out", tmp_path / scale)
        done = stackae("pretrain", tmp_path / "x.csv", *options)
        assert done.code == 0, done.err
        return done.err

    assert "column 'mass' has 97% of the variance" in told("pareto")
    assert "column 'mass' has 100% of the variance" in told("none")
    assert "of the variance" not in told("standard") + told("auto")
    lines = (tmp_path / "x.csv").read_text().splitlines()
    texts = ["word", *["ab"[k % 2] for k in range(60)]]
    (tmp_path / "x.csv").write_text("\n".join(map(",".join, zip(texts, lines, strict=True))))
    (tmp_path / "pareto").rename(tmp_path / "of numbers")
    assert "column 'mass' has" in told("pareto")


@pytest.mark.parametrize(("scale", "meant"), [("paretto", "; did you mean 'pareto'?"), ("x", "")])
def test_a_word_that_is_none_is_answered_with_the_one_most_like_it(scale, meant, stackae, tmp_path):
    done = stackae("pretrain", "digits", "--scale", scale, "--out", tmp_path / "run")
    assert done.code == 2
    assert ("did you mean" in done.err) == bool(meant)
    assert meant in done.err
    assert "'minmax'" in done.err
