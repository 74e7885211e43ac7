"""``stackae finetune`` and ``predict``."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from helpers import SHORT, SMALL, small_stack
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from stackae import StackedAutoencoder, StackedAutoencoderClassifier, load
from stackae.data import load_data
from stackae_cli.run_folder import sha256


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    small_stack((32, 8)).fit(load_data("digits").X).save(folder / "stack.safetensors")
    return folder / "stack.safetensors"


def test_a_run_is_fine_tuned_and_predicts(stackae, pretrained, tmp_path):
    options = ("--epochs", 10, "--random-state", 0, "--held-out", 0)
    options += ("--corruption", "masking=0.1", "--corruption", "dropout=0.1")
    done = stackae("finetune", pretrained, "digits", "--out", tmp_path / "run", *options)
    assert done.code == 0, done.err
    assert done.out.startswith("classifier fine-tuned on 1,437 labelled rows in 10 epochs")
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
    done = stackae("predict", tmp_path / "run", "digits:test", "--out", "-")
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == ["prediction", *map(str, model.predict(test.X))]
    for command in (("transform", "--out", tmp_path / "codes.npy"), ("info",)):
        data = () if command[0] == "info" else ("digits:test",)
        done = stackae(command[0], tmp_path / "run", *data, *command[1:])
        assert done.code == 0, done.err


def test_labels_in_a_column_may_be_text_numbers_or_left_out(stackae, pretrained, tmp_path):
    data = load_data("digits")
    rows = [",".join(map(str, row)) for row in data.X[:300].tolist()]
    header = ",".join(data.feature_names)
    for name, label in (
        ("text", lambda k: "" if k % 3 else f"digit {data.y[k]}"),
        ("number", lambda k: "nan" if k % 3 else str(data.y[k] + 0.5)),
    ):
        lines = [f"{header},label", *(f"{row},{label(k)}" for k, row in enumerate(rows))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        done = stackae(
            "finetune", pretrained, tmp_path / f"{name}.csv", "--labels", "label", "--epochs", 2,
            "--held-out", 0, "--out", tmp_path / name,
        )  # fmt: skip
        assert done.code == 0, done.err
        kind = "classifier" if name == "text" else "regressor"
        assert done.out.startswith(f"{kind} fine-tuned on 100 labelled rows of 300 in 2 epochs")
        done = stackae("predict", tmp_path / name, "digits:test", "--out", tmp_path / f"{name}-p.csv")
        assert done.code == 0, done.err
    assert (tmp_path / "text-p.csv").read_text().splitlines()[1].startswith("digit ")
    assert 0 < float((tmp_path / "number-p.csv").read_text().splitlines()[1]) < 10


def test_one_pretraining_serves_many_fine_tunings_and_stays_as_it_is(stackae, pretrained, tmp_path):
    before = pretrained.read_bytes()
    for name, epochs in (("a", 1), ("b", 2)):
        options = ("--epochs", epochs, "--quiet", "--out", tmp_path / name)
        done = stackae("finetune", pretrained, "digits", *options)
        assert (done.code, done.err) == (0, "")
        (line,) = done.out.splitlines()
        assert line.startswith("accuracy ")
        assert " held-out rows; " in line
    assert pretrained.read_bytes() == before


@pytest.fixture(scope="module")
def impossible(pretrained, tmp_path_factory):
    """A classifier, rows without labels, and too few labels for them."""
    folder, data = tmp_path_factory.mktemp("impossible"), load_data("digits")
    classifier = StackedAutoencoderClassifier(FrozenEstimator(load(pretrained)), finetune=SHORT)
    classifier.fit(data.X[:100], data.y[:100]).save(folder / "c.safetensors")
    np.save(folder / "rows.npy", data.X)
    np.save(folder / "few.npy", data.y[:5])
    np.save(folder / "names.npy", [f"row {k}" for k in range(len(data.y))])
    np.save(folder / "text.npy", np.array(list("abcdefghij"))[data.y])
    return folder


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ("predict PRETRAINED digits --out p.csv", 2, "give what stackae finetune or detect makes of it"),
        ("predict c.safetensors digits --id who --out p.csv", 2, "are for files"),
        ("predict c.safetensors rows.npy --id who --out p.npy", 2, ".npy has no place for ids"),
        (
            "finetune PRETRAINED rows.npy --labels names.npy --out r",
            2,
            "names rather than classes; say --task",
        ),
        ("finetune PRETRAINED rows.npy --labels text.npy --task regress --out r", 3, "must be numbers"),
        ("finetune PRETRAINED digits --out r --task regress --unlabelled -1", 2, "for classes"),
        ("reconstruct c.safetensors digits --out p.csv", 2, "holds a classifier, where"),
        ("finetune c.safetensors digits --out r", 2, "give a run of stackae pretrain"),
        ("finetune PRETRAINED rows.npy --out r", 2, "give --labels"),
        ("finetune PRETRAINED rows.npy --labels few.npy --out r", 3, "5 labels for the 1,437 rows"),
        ("finetune PRETRAINED digits --out r --corruption haze", 2, "must be one of masking"),
        ("finetune PRETRAINED digits --out r --layerwise-rate nan", 2, "--layerwise-rate must be"),
        (
            "finetune PRETRAINED digits --out r --task regress --balanced",
            2,
            "--balanced is for classes, and the labels are numbers to predict; leave it out",
        ),
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


def numbers_file(folder, label, *, n_rows=200, n_columns=5):
    """A table of numbers, with a column of labels."""
    X = np.random.default_rng(0).normal(size=(n_rows, n_columns))
    lines = [*(f"{','.join(f'{v:.5f}' for v in x)},{label(k, x)}" for k, x in enumerate(X))]
    header = ",".join([*(f"c{k}" for k in range(n_columns)), "y"])
    path = folder / "table.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


BRIEF = ("--layer", 8, "--layer", 3, "--epochs", 1, "--finetune-epochs", 1, "--random-state", 0)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_model_is_judged_on_rows_that_it_has_not_seen_beside_simpler_ones(stackae, tmp_path, kind):
    def label(k, x):
        return ("" if k % 4 == 0 else "up" if x[0] > 0 else "down") if kind == "classes" else f"{x[0]:.3f}"

    path, run = numbers_file(tmp_path, label), tmp_path / "run"
    assert stackae("pretrain", path, "--labels", "y", "--out", run, *BRIEF).code == 0
    done = stackae("finetune", run, path, "--epochs", 2, "--random-state", 0, "--out", tmp_path / "tuned")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "tuned" / "held_out.json").read_text())
    names = (
        ["fine-tuned", "logistic regression on the columns", "most frequent class"]
        if kind == "classes"
        else ["fine-tuned", "ridge regression on the columns", "mean"]
    )
    assert list(found["scores"]) == names
    n_labelled = 150 if kind == "classes" else 200
    assert found["rows"] == n_labelled // 5
    assert found["scores"][names[1]] > 0.9  # the first column tells
    said = "accuracy" if kind == "classes" else "R²"
    assert done.out.startswith(f"{said} ")
    assert f" on {n_labelled // 5} held-out rows; {names[1]} " in done.out
    if kind == "classes":
        low, high = found["interval"]
        share = found["scores"]["fine-tuned"]
        assert low < share <= high
        between = f"{100 * share:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %) on 30 held-out"
        assert f"accuracy {between} rows" in done.out
    else:
        assert "interval" not in {*found, *done.out.split()}
    assert f"fine-tuned on {n_labelled} labelled rows" in done.out
    # The model that is left has learned from all.
    whole = stackae(
        "finetune",
        run,
        path,
        "--epochs",
        2,
        "--random-state",
        0,
        "--held-out",
        0,
        "--out",
        tmp_path / "whole",
    )
    assert whole.code == 0, whole.err
    assert sha256(tmp_path / "whole" / "model.safetensors") == sha256(
        tmp_path / "tuned" / "model.safetensors"
    )


@pytest.mark.filterwarnings("always::stackae.exceptions.StackaeWarning")
def test_too_few_labels_are_all_learned_from(stackae, pretrained, tmp_path):
    data = load_data("digits")
    np.save(tmp_path / "X.npy", data.X[:60])
    np.save(tmp_path / "y.npy", np.where(np.arange(60) < 15, data.y[:60], -1).astype(float))
    done = stackae(
        "finetune", pretrained, tmp_path / "X.npy", "--labels", tmp_path / "y.npy", "--epochs", 1,
        "--out", tmp_path / "r",
    )  # fmt: skip
    assert done.code == 0, done.err
    said = "warning: y: -1, in 45 of 60 rows, is taken as no label beside"
    assert done.err.count(said) == 1
    assert "15 labels are too few to hold some out" in done.err
    assert done.out.startswith("classifier fine-tuned on 15 labelled rows of 60")


def test_a_class_too_rare_to_be_on_both_sides_is_said_where_nothing_is_held_out(
    stackae, pretrained, tmp_path
):
    _, held_out = train_test_split(np.arange(60), test_size=0.2, random_state=0)
    np.save(tmp_path / "X.npy", load_data("digits").X[:60])
    np.save(tmp_path / "y.npy", (np.arange(60) == held_out[0]).astype(int))
    labels = ("--labels", tmp_path / "y.npy", "--random-state", 0, "--epochs", 1)
    done = stackae("finetune", pretrained, tmp_path / "X.npy", *labels, "--out", tmp_path / "r")
    assert done.code == 0, done.err
    assert "the labels of all classes but one are too few to hold some out" in done.err


def test_many_whole_numbers_are_to_be_predicted_and_it_is_said(stackae, pretrained, tmp_path):
    np.save(tmp_path / "y.npy", np.arange(1437) % 214)
    np.save(tmp_path / "X.npy", load_data("digits").X)
    options = ("--labels", tmp_path / "y.npy", "--epochs", 1, "--held-out", 0)
    done = stackae("finetune", pretrained, tmp_path / "X.npy", *options, "--out", tmp_path / "r")
    assert done.code == 0, done.err
    said = "the labels are 214 different whole numbers in 1,437 rows: taken as numbers to predict; --task classify"
    assert said in done.err
    assert done.out.startswith("regressor fine-tuned on 1,437 labelled rows")
    done = stackae(
        "finetune", pretrained, tmp_path / "X.npy", *options, "--task", "classify", "--out", tmp_path / "c"
    )
    assert done.out.startswith("classifier fine-tuned"), done.err


def test_minus_one_is_what_the_option_says(stackae, pretrained, tmp_path):
    data = load_data("digits")
    np.save(tmp_path / "X.npy", data.X[:90])
    np.save(tmp_path / "y.npy", np.arange(90) % 3 - 1)
    options = ("--labels", tmp_path / "y.npy", "--epochs", 1, "--held-out", 0)
    for unlabelled, classes in (("-1", [0, 1]), ("none", [-1, 0, 1])):
        out = tmp_path / unlabelled
        done = stackae(
            "finetune", pretrained, tmp_path / "X.npy", *options, "--unlabelled", unlabelled, "--out", out
        )
        assert done.code == 0, done.err
        assert load(out / "model.safetensors").classes_.tolist() == classes


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


def test_a_run_that_was_killed_after_its_first_fit_goes_on_without_it(stackae, dying, pretrained, tmp_path):
    options = ("--epochs", 3, "--random-state", 0, "--checkpoint-every", 0)
    whole = stackae("finetune", pretrained, "digits", *options, "--out", tmp_path / "whole")
    assert whole.code == 0, whole.err
    for n_epochs, is_judged in ((2, False), (5, True)):  # in the first fit, and in the second
        out = tmp_path / f"killed {n_epochs}"
        dying(n_epochs)
        killed = stackae("finetune", pretrained, "digits", *options, "--out", out)
        assert killed.code == 130
        assert "go on with: stackae finetune --resume" in killed.err
        assert (out / "held_out.json").exists() == is_judged
        done = stackae("finetune", pretrained, "digits", "--resume", "--out", out)
        assert done.code == 0, done.err
        assert done.out.splitlines()[0] == whole.out.splitlines()[0]
        assert sha256(out / "model.safetensors") == sha256(tmp_path / "whole" / "model.safetensors")


def half_labelled(path):
    """300 digits as CSV, of which every third has a label."""
    data = load_data("digits")
    lines = [",".join([*data.feature_names, "label"])]
    for k, row in enumerate(data.X[:300].tolist()):
        lines.append(",".join([*map(str, row), "" if k % 3 else f"digit {data.y[k]}"]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("given", "expected", "told"),
    [
        (["propagation"], "[Propagation()]", "rows and 200 with spread labels"),
        (
            ["propagation,surest=0.5"],
            "[Propagation(surest=0.5)]",
            r"rows and 1\d\d with spread labels \(\d+ others are not used\)",
        ),
        (["propagation,vat"], "[Propagation(), VirtualAdversarial()]", "rows and 200 with spread labels"),
        (
            ["propagation,surest=0.5", "vat"],
            "[Propagation(surest=0.5), VirtualAdversarial()]",
            r"rows, 1\d\d with spread labels and \d+ without a label",
        ),
        (
            ["vat=0.3,weight=2", "ladder"],
            "[VirtualAdversarial(eps=0.3, weight=2), Ladder()]",
            "rows and 200 without a label",
        ),
    ],
)
def test_rows_without_a_label_are_learned_from_too(given, expected, told, stackae, pretrained, tmp_path):
    rows = half_labelled(tmp_path / "rows.csv")
    options = [option for spec in given for option in ("--semi", spec)]
    command = ("finetune", pretrained, rows, "--labels", "label", "--epochs", 2, "--out", tmp_path / "run")
    done = stackae(*command, *options)
    assert done.code == 0, done.err
    assert re.search(f"fine-tuned on 100 labelled {told} in 2 epochs", done.out)
    assert repr(load(tmp_path / "run" / "model.safetensors").semi) == expected
    assert json.loads((tmp_path / "run" / "held_out.json").read_text())["rows"] == 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "vats",
            "must be auto or one of propagation, vat, consistency, ladder, got 'vats'",
        ),
        ("vat=no", "eps must be a number above 0 or 'auto', got 'no'"),
        ("auto,vat", "auto stands alone, and takes no parameter"),
        ("auto=3", "auto stands alone, and takes no parameter"),
        ("vat=", "lacks its number; write vat or vat=0.5"),
        ("propagation,vat=0.3", "got 'vat'; give vat its own --semi"),
        ("propagation=5,reach=2", "takes n_neighbors, alpha, weight, surest, got 'reach'"),
        ("vat,propagation,vat", "semi names 'vat' more than once; leave all but one out"),
    ],
)
def test_a_semi_supervised_method_that_cannot_be_is_refused(given, message, stackae, pretrained, tmp_path):
    done = stackae("finetune", pretrained, "digits", "--semi", given, "--out", tmp_path / "run")
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_methods_that_meet_no_row_without_a_label_or_too_few_rows_are_told(stackae, pretrained, tmp_path):
    rows = half_labelled(tmp_path / "rows.csv")
    learn = ("finetune", pretrained, "--epochs", 1, "--held-out", 0, "--semi")
    done = stackae(*learn, "propagation=1000000", rows, "--labels", "label", "--out", tmp_path / "wide")
    assert done.code == 0, done.err
    assert "propagation to 1,000,000 neighbours: each row has only 299 others, and is joined" in done.err
    done = stackae(*learn, "propagation,vat", "digits", "--out", tmp_path / "all")
    assert done.code == 0, done.err
    told = "every row has a label: propagation has nothing to spread, vat applies to the labelled rows"
    assert f"stackae: {told}\n" in done.err


def test_auto_says_what_it_chose_and_stands_alone(stackae, pretrained, tmp_path):
    rows = half_labelled(tmp_path / "rows.csv")
    run = tmp_path / "run"
    command = (
        "finetune",
        pretrained,
        rows,
        "--labels",
        "label",
        "--epochs",
        2,
        "--semi",
        "auto",
        "--out",
        run,
    )
    refused = stackae(*command, "--semi", "vat")
    assert refused.code == 2
    assert "--semi auto stands alone" in refused.err
    assert not run.exists()
    done = stackae(*command)
    assert done.code == 0, done.err
    model = load(run / "model.safetensors")
    assert model.semi == "auto"
    assert f"--semi auto: labels were {'' if model.semi_ else 'not '}spread to other rows" in done.out
    assert ("with spread labels" in done.out) == bool(model.semi_)
    assert f"auto: {' and '.join(model.semi_) or 'none'}" in stackae("info", run).out
    rows.write_text(rows.read_text().replace("digit ", "0.5"))
    numbers = stackae(*command[:-1], tmp_path / "other")
    assert numbers.code == 2
    assert "--semi auto is for classes; for numbers choose vat, consistency or ladder" in numbers.err


@pytest.mark.parametrize(
    ("judged", "final", "told"),
    [
        ([], [], "labels were not spread to other rows, since that predicted held-out labels no better\n"),
        (["propagation"], [], "no better; the fit that was judged on held-out rows spread them\n"),
        ([], ["propagation"], "better; the fit that was judged on held-out rows did not spread them\n"),
    ],
)
def test_auto_says_where_the_fit_that_was_judged_chose_otherwise(
    judged, final, told, stackae, pretrained, tmp_path, monkeypatch
):
    choices = iter([judged, final])
    monkeypatch.setattr(
        "stackae.estimators._supervised.chosen_by_evidence", lambda *args, **kwargs: next(choices)
    )
    rows, run = half_labelled(tmp_path / "rows.csv"), tmp_path / "run"
    command = ("finetune", pretrained, rows, "--labels", "label", "--epochs", 1, "--semi", "auto")
    done = stackae(*command, "--out", run)
    assert done.code == 0, done.err
    assert told in done.out
    assert json.loads((run / "held_out.json").read_text())["semi"] == judged


def test_how_much_more_labels_would_help_is_said_and_kept(stackae, pretrained, tmp_path):
    rows = half_labelled(tmp_path / "rows.csv")
    run = tmp_path / "run"
    command = ("finetune", pretrained, rows, "--labels", "label", "--epochs", 1, "--held-out", 0)
    done = stackae(*command, "--label-curve", "--out", run)
    assert done.code == 0, done.err
    table = done.out.splitlines()[:6]
    assert table[0].split() == ["labels", "accuracy", "in", "%"]
    assert [line.split()[0] for line in table[1:5]] == ["14", "23", "42", "80"]
    assert table[5].startswith("from 42 to 80 labels: ")
    quiet = stackae(*command, "--label-curve", "--quiet", "--out", tmp_path / "quiet")
    assert (quiet.out.splitlines()[0], quiet.err) == (table[0], "")
    kept = json.loads((run / "label_curve.json").read_text())
    assert kept["labels"] == [14, 23, 42, 80]
    assert np.shape(kept["scores"]) == (4, 5)


@pytest.mark.parametrize("option", [("--unlabelled", "none"), ("--calibration", 3)])
def test_what_is_for_classes_is_refused_by_its_name_where_numbers_are_learned(
    option, stackae, pretrained, tmp_path
):
    rows = half_labelled(tmp_path / "rows.csv")
    rows.write_text(rows.read_text().replace("digit ", "0.5"))
    done = stackae("finetune", pretrained, rows, "--labels", "label", *option, "--out", tmp_path / "run")
    assert done.code == 2
    mend = "leave it out, or say --task classify if they are classes"
    assert f"{option[0]} is for classes, and the labels are numbers to predict; {mend}\n" in done.err


def test_labels_of_numbers_do_not_spread(stackae, pretrained, tmp_path):
    rows = half_labelled(tmp_path / "rows.csv")
    rows.write_text(rows.read_text().replace("digit ", "0.5"))
    done = stackae(
        "finetune", pretrained, rows, "--labels", "label", "--semi", "propagation", "--out", tmp_path / "run"
    )
    assert done.code == 2
    assert "Propagation spreads classes, and numbers are to be learned; choose among vat" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (
            ("--semi", "vat=zz"),
            "--semi: eps must be a number above 0 or 'auto', got 'zz' ('vat' in 'vat=zz')",
        ),
        (("--semi", "vat=0.5,wei=2"), "takes eps, weight, n_iter, got 'wei'"),
        (("--label-smoothing", 3), "--label-smoothing must be a number of at least 0 and below 1, got 3.0"),
        (("--adversarial", -1), "--adversarial must be a number of at least 0, got -1.0"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_read(
    stackae, pretrained, tmp_path, option, says
):
    done = stackae("finetune", pretrained, tmp_path / "nowhere.csv", "--out", tmp_path / "run", *option)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
