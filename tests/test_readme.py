"""What the README and the guide say can be run, and the figures of the pages are those of the results."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers import call_stackae, train_briefly, write_small_mnist

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


RESULTS = page("reference/results.md")
GUIDE = re.findall(r"^stackae .*$", page("guide/command_line.md") + page("guide/large_data.md"), re.MULTILINE)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_what_the_readme_links_to_is_there():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 12
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_example_of_the_readme_runs_and_prints_what_stands_there_but_for_the_figures(monkeypatch, capsys):
    """The figures are of the run that docs/readme.py made."""
    blocks = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == README.count("```python") == 1
    train_briefly(monkeypatch)
    exec(compile(blocks[0][0], "README.md", "exec"), {})
    assert re.sub(r"[\d.]+", "#", capsys.readouterr().out) == re.sub(r"[\d.]+", "#", blocks[0][1])


def test_the_commands_of_the_readme_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train_briefly(monkeypatch)
    commands = re.findall(r"^\$ (.*)$", README, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        code = call_stackae(monkeypatch, *shlex.split(command)[1:])
        printed = capsys.readouterr()
        assert code == 0, (command, printed.err)
    assert table_words(printed.out) == table_words(README) > {"features", "stackae", "PCA"}


def table_words(text):
    """The words in the lines of a printed table."""
    return {word for line in text.splitlines() if line[:1] in "┃│" for word in re.findall(r"[^\W\d]+", line)}


@pytest.fixture
def beside_the_data(tmp_path, monkeypatch):
    """The files that the commands of the guide name, small, in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_small_mnist(tmp_path)
    monkeypatch.setenv("STACKAE_DATA_HOME", str(tmp_path))
    X = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
    np.save("big.npy", X)
    (tmp_path / "shards").mkdir()
    for k in range(2):
        np.save(tmp_path / "shards" / f"{k}.npy", X[60 * k :][:60])
    lines = [f"{a},{b},{c},{'ant' if a > 0 else 'bee'}" for a, b, c in X[:, :3]]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c,kind", *lines]) + "\n")
    birds = ["Adelie,Dream,39.1,male", "Gentoo,Biscoe,,female", "Gentoo,Biscoe,47.5,"]
    (tmp_path / "penguins.csv").write_text("\n".join(["species,island,bill,sex", *birds * 20]) + "\n")
    lines = [f"p{k},{line}" for k, line in enumerate(lines)]
    for name in ("flowers", "more"):
        (tmp_path / f"{name}.csv").write_text("\n".join(["plant,a,b,c,kind", *lines]) + "\n")


@pytest.mark.usefixtures("beside_the_data")
def test_the_commands_of_the_guide_run_one_after_the_other(monkeypatch, capsys):
    train_briefly(monkeypatch)
    monkeypatch.setattr("stackae.evaluation.experiment.FEW_LABELS", (10,))
    monkeypatch.setattr("stackae.evaluation.experiment.N_SPLITS", 2)
    assert len(GUIDE) > 12
    for command in GUIDE:
        code = call_stackae(monkeypatch, *shlex.split(command, comments=True)[1:])
        assert code == 0, (command, capsys.readouterr().err)


def test_the_readme_has_the_two_commands_on_its_first_screen():
    first_screen = README.splitlines()[:40]
    assert any("make demo" in line for line in first_screen)
    assert any("make test" in line for line in first_screen)


def test_every_command_is_in_the_guide():
    from stackae_cli.main import cli

    text = page("guide/command_line.md")
    assert [name for name in cli.commands if f"\nstackae {name} " not in text] == []


def results_of(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["results"]


def test_the_table_of_the_demo_is_that_of_its_result():
    path = ROOT / "benchmarks" / "results" / "demo.json"
    demo = json.loads(path.read_text(encoding="utf-8"))
    for record in demo["records"]:
        (row,) = [line for line in RESULTS.splitlines() if line.startswith(f"│ {record['method']} ")]
        for measure in (
            "linear_probe",
            "knn_probe",
            *(f"few_labels_{n}" for n in (10, 100, 1000)),
            "clusters",
        ):
            assert f"│ {100 * record[measure]:.1f} %" in row
        assert "r2" not in record or f"│ {record['r2']:.3f}" in row
    narrow = json.loads(path.with_name("demo_8.json").read_text(encoding="utf-8"))
    assert all(verdict in RESULTS.splitlines() for verdict in demo["verdicts"] + narrow["verdicts"])
    of_raw_rows = np.mean([r["linear_probe"] for r in narrow["records"] if r["method"] == "raw rows"])
    assert f"{100 * of_raw_rows:.1f} % in the linear probe" in RESULTS


def test_the_speeds_are_those_of_the_results():
    text = page("reference/performance.md")
    speed = results_of("speed")
    rows = [line for line in text.splitlines() if line.startswith(("| 784-", "| 64-32-64"))]
    for work, row in zip(("layer", "small layer", "greedy"), rows, strict=True):
        for name, ratio in speed[work]["ratios"].items():
            if not name.startswith(("stackae", "PCA")):
                assert f"| {ratio:.2f} |" in row
    shares = {work: speed[work]["share of the product ceiling"] for work in ("layer", "transform")}
    assert f"| {100 * shares['layer']['stackae']:.0f} % |" in rows[0]
    assert f"| {100 * shares['transform']['stackae']:.0f} % |" in text
    in_float32 = speed["layer"]["ratios"]["stackae, float32"]
    assert f"takes {in_float32:.2f} times as long" in text
    assert f"and {100 * shares['layer']['stackae, float32']:.0f} % of that time" in text
    assert f"power {speed['growth']['exponent']:.2f}" in text
    for work, seconds in results_of("speed_versions")["works"].items():
        if (name := work.removesuffix(", all defaults")) != work:
            assert f"{name} {seconds['this']:.1f} s" in text


def test_the_examples_of_the_results_are_those_that_there_are_and_their_figures_are_of_full_runs():
    examples = ROOT / "examples"
    scripts = {path.name for path in examples.glob("[0-9][0-9]_*.py")}
    assert set(re.findall(r"`([0-9][0-9]_[a-z_]+\.py)`", RESULTS)) == scripts
    for script in scripts:
        numbers = json.loads((examples / "figures" / script).with_suffix(".json").read_text(encoding="utf-8"))
        assert numbers["quick"] is False


def test_the_figures_of_examples_are_those_of_their_runs():
    def numbers(stem):
        path = ROOT / "examples" / "figures" / f"{stem}.json"
        return json.loads(path.read_text(encoding="utf-8"))["results"]

    row = {name: line for line in RESULTS.splitlines() for name in re.findall(r"`([0-9]{2})_", line)}
    expected = {
        "01": [f"{net['nats_a_pixel']:.3f}" for net in numbers("01_tutorial_networks").values()],
        "02": [f"{way['psnr_db']:.1f}" for way in numbers("02_denoising_images").values()],
        "03": [
            f"{numbers('03_weather_table')[who]['auc']:.3f}" for who in ("PCA, 3", "stackae 32-3, default")
        ],
        "06": [
            f"{numbers('06_generative_codes')[code]['energy distance']:.3f}"
            for code in ("plain", "variational", "adversarial")
        ],
        "07": [f"{mean:.3f}" for mean in numbers("07_anomalies")["means"].values()],
        "08": [f"{e:.3f}" for kind in numbers("08_inpainting").values() for e in kind["test"].values()],
        "09": [f"{100 * space['map']:.1f}" for space in numbers("09_tsne").values()],
    }
    for number, figures in expected.items():
        for figure in figures:
            assert figure in row[number], (number, figure)


def test_the_figures_of_downstream_work_are_those_of_the_results():
    rows = [
        line
        for line in RESULTS.splitlines()
        if re.match(r"\| (MNIST, .*_labels.py`|the same, 1,000 labels)", line)
    ]
    many, few = results_of("many_labels"), results_of("few_labels")["error in percent"]
    assert f"{many['error in percent']:.2f} %, in {many['seconds']:.0f} s" in rows[0]
    for row, figures in zip(rows[1:3], few.values(), strict=True):
        for method, figure in figures.items():
            spread = f" ± {figure['standard deviation']:.1f} %" if method.startswith("stackae") else ""
            assert f" {figure['mean']:.1f}{spread}" in row
            assert f"{len(figure['errors'])} draws" in row
    (row,) = [line for line in RESULTS.splitlines() if "(`few_labels.py --convolutional`)" in line]
    for figure in results_of("few_labels_convolutional")["error in percent"]["100 labels"].values():
        assert f" {figure['mean']:.1f} ± {figure['standard deviation']:.1f} %" in row
        assert f"{len(figure['errors'])} draws" in row
    (row,) = [line for line in RESULTS.splitlines() if "(`few_labels_tables.py`)" in line]
    tables = results_of("few_labels_tables")
    for method, mean in tables["means"].items():
        assert f" {100 * mean:.1f}" in row, method
    gains = {
        name: 100 * (np.mean(of["stackae"]) - np.mean(of["logistic regression"]))
        for name, of in tables["accuracy"].items()
    }
    for name, gain in gains.items():
        assert (f"{name} by {abs(gain):.1f}" in RESULTS) == (abs(gain) > 2), name
    (row,) = [line for line in RESULTS.splitlines() if "(`anomalies.py`)" in line]
    areas = {name: figure["mean"] for name, figure in results_of("anomalies")["methods"].items()}
    for kind in ("Stacked", "PCA", "Isolation", "OneClass"):
        assert f"{max(area for name, area in areas.items() if name.startswith(kind)):.3f}" in row
    (row,) = [line for line in RESULTS.splitlines() if "(`imputation.py`)" in line]
    tables = results_of("imputation")["tables"]
    for method in ("stackae", "mean", "KNNImputer", "IterativeImputer"):
        assert " / ".join(f"{table[method]['rmse']:.2f}" for table in tables.values()) in row


def test_the_table_of_defaults_for_few_labels_is_that_of_its_run():
    lines = page("defaults.md").splitlines()
    table = results_of("few_labels_choosing")
    accuracy = {method: [] for method in table["means"]}
    for of_set in table["accuracy"].values():
        for method, draws in of_set.items():
            accuracy[method].append(100 * np.mean(draws))
    for name, method in {
        "the default": "stackae",
        "a fifth of the input hidden, too": "hidden cells, too",
        "the head alone, not fine-tuned": "the head alone",
        "an encoder of 256 and 64 units without a shortcut": "256-64, no shortcut",
        '`semi="propagation"`': "stackae, propagation",
        "`SelfTrainingClassifier` on it": "SelfTrainingClassifier",
        "`LabelSpreading`": "LabelSpreading",
    }.items():
        losses = np.subtract(accuracy["logistic regression"], accuracy[method])
        assert f"| {name} | {np.mean(accuracy[method]):.1f} | {(losses > 2).sum() or 'none'} |" in lines
    assert (
        f"| logistic regression on the columns | {np.mean(accuracy['logistic regression']):.1f} | |" in lines
    )


def test_the_figures_beside_the_literatures_are_those_of_the_results():
    tables = results_of("paper_tables")
    rows = {
        line.split("|")[1].split(":")[0].strip(): line for line in RESULTS.splitlines() if "|" in line[:2]
    }
    errors = tables["code30"]["squared error an image"]
    row = rows["30-number codes (784-1000-500-250-30)"]
    assert f"| {errors['stackae']['asked']:.2f} | PCA {errors['PCA']['asked']:.2f} |" in row

    def percent(table, method):
        return f"{tables[table]['methods'][method]['error in percent']:.2f} %"

    row = rows["linear classifier on frozen codes of one convolutional layer, which saw no labels"]
    assert (
        f"| {percent('probe', 'stackae')} | the same layer untrained {percent('probe', 'untrained')} |" in row
    )
    of_filters = {
        name: f"{own['error in percent']:.2f} %"
        for name, own in results_of("filters")["filters"]["methods"].items()
    }
    row = next(line for line in RESULTS.splitlines() if line.startswith("| linear support vector machine"))
    assert f"| {of_filters['stackae']} | with drawn filters {of_filters['drawn filters']} |" in row
    accuracy = {
        name: f"{100 * share:.1f} %" for name, share in results_of("clusters")["clusters"]["accuracy"].items()
    }
    row = rows["k-means on 10-number codes (784-500-500-250-250-250-10), whitened"]
    whitened, plain = accuracy["stackae, whitened"], accuracy["stackae"]
    assert f"| {whitened}, not whitened {plain} | on pixels {accuracy['pixels']} |" in row
    mixture = accuracy["stackae, UMAP, Gaussian mixture"]
    assert (
        f"| {mixture} |" in rows["a Gaussian mixture on UMAP of the 10-number codes without it, not whitened"]
    )
    near = results_of("clusters")["neighbours"]
    row = rows[
        'k-means on 10-number codes of the same widths with a neighbour embedding (`penalty="neighbors"`)'
    ]
    assert f"| {100 * near['accuracy']:.1f} % |" in row
    row = rows["the same codes, linear classifier with 100 labels, mean of ten draws"]
    assert f"| {near['100 labels']['error in percent']:.2f} % |" in row
    on_filters = results_of("clusters")["neighbours on filters"]
    (row,) = [line for line in RESULTS.splitlines() if line.startswith("| k-means on 10-number codes with a")]
    assert f"| {100 * on_filters['accuracy']:.1f} % |" in row
    by_few = f"{on_filters['100 labels']['error in percent']:.2f} %"
    row = rows["these codes, linear classifier with 100 labels, mean of ten draws"]
    assert f"| {by_few} |" in row
    semi = results_of("few_labels")["error in percent"]["100 labels"]["stackae, propagation and VAT"]["mean"]
    by_codes, by_semi = near["100 labels"]["error in percent"], f"on {semi:.2f} %"
    penalties = " ".join(page("how/penalties.md").split())
    assert f"is wrong on {by_codes:.2f} % of MNIST's test images" in penalties
    assert by_semi in penalties
    few = results_of("few_labels_convolutional")["error in percent"]["100 labels"]
    fine_tuned = f"on {few['stackae, propagation and VAT']['mean']:.2f} %"
    assert f"is wrong on {by_few}, and fine-tuning {fine_tuned}" in penalties
    assert f"is wrong {fine_tuned} of MNIST's" in " ".join(README.split())
    guide = " ".join(page("guide/labels.md").split())
    assert f"{100 * near['accuracy']:.1f} % of the test images" in guide
    assert f"is wrong {fine_tuned} of the test images (mean of ten" in guide
    assert f"KMeans(10, n_init=10))` gives {100 * on_filters['accuracy']:.1f} %" in guide
    assert f"without the penalty give {plain}, and {whitened} if they are whitened" in guide
    assert f"give {mixture}:" in guide
    networks = " ".join(page("how/networks.md").split())
    assert f"wrong on {of_filters['stackae']} of the test images" in networks
    assert f"convolutional layer on {percent('probe', 'stackae')}" in networks
    assert f"nearly as well as those of k-means, {of_filters['drawn filters']}:" in networks
    for name, table in (
        ("digits, 10,000 labels", "basic"),
        ("digits on noise, 10,000 labels", "bg-rand"),
        ("rotated digits, 10,000 labels", "rot"),
        ("digits on textures, 10,000 labels", "bg-img"),
        ("rotated digits on textures, 10,000 labels", "bg-img-rot"),
        ("rectangles, 10,000 labels", "rect"),
        ("textured rectangles, 10,000 labels", "rect-img"),
        ("convex sets, 10,000 labels", "convex"),
    ):
        row = rows[name]
        assert f"dense {percent(table, 'SDAE-3')}, convolutional {percent(table, 'convolutional')}" in row
        assert percent(table, "SVM-RBF") in row
        assert f"perceptron {percent(table, 'perceptron')}" in row
    assert f"| {percent('rot', 'frozen codes')} |" in rows["the same, linear classifier on frozen codes"]


def test_the_figures_of_what_was_tried_are_those_of_the_results():
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    fuzz, torture = results_of("fuzz"), results_of("torture")
    counts = {"models": 0, "forged models": 0, "tables": 0}
    for name, count in fuzz["files"].items():
        kind = name.partition(",")[0]
        counts[{"model": "models", "forged model": "forged models"}.get(kind, "tables")] += count
    for words, number, failures in (
        ("mutated models", counts["models"], fuzz["failures"]),
        (
            "models with a forged header and a checksum made right",
            counts["forged models"],
            fuzz["failures"],
        ),
        ("mutated tables", counts["tables"], fuzz["failures"]),
        (
            "runs killed at drawn moments, stopped by signals, or on a full disk, and gone on with",
            sum(torture["survived"].values()),
            torture["failures"],
        ),
    ):
        assert f"| {words} | {number:,} | {len(failures)} |" in security
