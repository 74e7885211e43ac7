"""The benchmarks run, on next to nothing; their figures are not judged here."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from helpers import forked, run_script, train_briefly

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmark_named(monkeypatch):
    """A benchmark as a module, imported as its command would import it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: __import__(name)
    for path in BENCHMARKS.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_speed_gives_a_ratio_against_every_peer(benchmark_named, capsys):
    speed = benchmark_named("speed")
    result = speed.run(speed.digits_layer("cpu", 2), turns=1, agreement=1.0)
    assert set(result["ratios"]) == {"plain PyTorch loop", "MLPRegressor"}
    assert set(result["losses"]) == {"stackae", *result["ratios"]}
    assert capsys.readouterr().out.count(" x stackae") == 2


def test_speed_refuses_to_call_fast_what_learned_less(benchmark_named):
    speed = benchmark_named("speed")
    work = speed.Work("nothing", {"stackae": lambda: 2.0, "plain PyTorch loop": lambda: 1.0})
    with pytest.raises(SystemExit, match="stackae is at a loss of 2 where plain PyTorch loop is at 1"):
        speed.run(work, turns=1, agreement=0.5)


def test_speed_measures_the_share_of_the_bare_products(benchmark_named):
    speed = benchmark_named("speed")
    work = speed.Work("work", {"stackae": lambda: None}, ceilings={"stackae": lambda: 1e-9})
    assert 0 < speed.run(work, turns=3, agreement=0.5)["share of the product ceiling"]["stackae"] < 1
    assert speed.product_ceiling(64, 8, 4, 32, "cpu", bfloat16=False) > 0


def test_growth_is_an_exponent(benchmark_named):
    speed = benchmark_named("speed")
    assert 0 < speed.growth((2000, 20_000), 1, "cpu")["exponent"] < 2


def test_the_large_file_is_a_table_of_the_shape_asked_for(benchmark_named, tmp_path):
    larger = benchmark_named("larger_than_memory")
    larger.make_file(tmp_path / "whole.npy", larger.BLOCK + 7)
    X = np.load(tmp_path / "whole.npy", mmap_mode="r")
    assert X.shape == (larger.BLOCK + 7, larger.WIDTH)
    assert X.dtype == np.float32
    assert 0.5 < X[:1000].std() < 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("features_vs_pca", ["pupils", "glass", "better in", "worst difference"]),
        ("ablations", ["tables", "images", "no shortcut", "silu"]),
        ("imputation", ["iris", "KNNImputer", "IterativeImputer"]),
        ("few_labels", ["100 labels", "without pretraining", "LabelSpreading"]),
        ("few_labels --convolutional", ["100 labels", "stackae, propagation and VAT"]),
        ("few_labels_tables", ["glass", "stackae, propagation", "LabelSpreading", "mean"]),
        ("many_labels", ["error on 360 test samples", "pretraining"]),
        ("ordered_codes", ["digits", "probe", "times the time of one fit of 8"]),
        ("mixed_imputation", ["penguins", "KNNImputer", "IterativeImputer", "all but one"]),
        ("mixed_tables", ["penguins", "its codes, linear", "HistGradientBoosting", "above / equal"]),
        ("mixed_ablations", ["accuracy", "default", "the same, written out"]),
    ],
)
def test_downstream_work_is_compared(name, words, benchmark_named, monkeypatch, capsys, tmp_path):
    train_briefly(monkeypatch)
    name, *options = name.split()
    monkeypatch.setattr(sys, "argv", [name, *options, "--quick", "--json", str(tmp_path / "figures.json")])
    benchmark_named(name).main()
    said = capsys.readouterr().out
    assert all(word in said for word in words)
    assert set(json.loads((tmp_path / "figures.json").read_text())) >= {"results", "versions", "machine"}


def test_a_billion_rows_take_what_the_scarcest_resource_takes(benchmark_named):
    billion = benchmark_named("billion_rows")
    calm = replace(
        billion.ASSUMED, slow_share=0.0, jitter=0.0, latency=0.0, between_failures=1e12, start=10.0, cores=10
    )
    # 10^6 rows × 100 columns on 10 cores of 10,000 rows a second: 10 s, and 0.4 + 0.128 GB by a card
    parts = billion.encoding_model(10**6, 100, 1, 1e4, calm)
    assert parts["cores"] == pytest.approx(10)
    assert parts["network cards"] == pytest.approx(0.528 / 1.25)
    assert billion.total(parts) == pytest.approx(20)
    assert billion.simulated_encoding(10**6, 100, 1, 1e4, 4e5, calm, 0) == pytest.approx(20, rel=0.02)
    # ten of a hundred rows' files, of which the last comes alone
    assert billion.simulated_encoding(11_000, 100, 1, 1e4, 4e5, calm, 0) == pytest.approx(10.2, rel=0.01)
    training = billion.training_model(10**6, 100, 4, 1e4, calm)
    assert billion.of_training(training) == pytest.approx(
        billion.simulated_training(10**6, 100, 4, 1e4, calm, 0), rel=0.02
    )
    slow = replace(calm, slow_share=1.0, slowdown=3.0)
    ratio = billion.simulated_encoding(10**6, 100, 1, 1e4, 4e5, slow, 0) - 10
    assert ratio == pytest.approx(30, rel=0.02)
    failing = replace(calm, between_failures=20.0, restart=5.0)
    assert billion.simulated_encoding(10**6, 100, 1, 1e4, 4e5, failing, 0) > 20


def test_dummies_say_which_categories_were_filled_whether_or_not_one_is_left_out(benchmark_named):
    mixed = benchmark_named("mixed_imputation")
    complete = pd.DataFrame({"a": [1.0, 2.0, 3.0, 6.0], "b": list("yxzx"), "c": list("pqpq")})
    table = complete.copy()
    table.loc[0, "a"], table.loc[1, "b"] = None, None
    for drop_first in (False, True):
        dummies = mixed.Dummies(table, drop_first=drop_first)
        encoded = dummies.encoded()
        assert np.isnan(encoded).sum(1).tolist() == [1, 3 - drop_first, 0, 0]
        full = mixed.Dummies(complete, drop_first=drop_first).encoded()
        full[:, 0] = dummies.scaler.transform(complete[["a"]])[:, 0]
        pd.testing.assert_frame_equal(dummies.filled(full), complete)


def test_filled_cells_are_judged_by_their_columns_spread_and_categories_by_being_right(benchmark_named):
    mixed = benchmark_named("mixed_imputation")
    complete = pd.DataFrame({"a": [0.0, 0.0, 10.0, 10.0], "b": list("xyxy")})
    filled = pd.DataFrame({"a": [5.0, 0.0, 10.0, 0.0], "b": list("xxyy")})
    removed = np.array([[True, True], [False, True], [False, False], [False, True]])
    error, right = mixed.judged(filled, complete, removed)
    assert error == pytest.approx(1.0)  # 5 of a standard deviation of 5
    assert right == pytest.approx(2 / 3)
    table, removed = mixed.with_gaps(complete, 0)
    assert np.array_equal(table.isna().to_numpy(), removed)


def test_no_row_that_is_asked_is_among_those_of_choices(benchmark_named):
    tables = benchmark_named("mixed_tables")
    final, choice = (tables.draws("penguins", validate=v, quick=True)[0] for v in (False, True))
    assert not set(final.X_asked.index) & {*choice.X.index, *choice.X_asked.index, *final.X.index}
    assert 25 <= len(final.labelled) <= 26


def test_the_tables_of_the_literature_are_rebuilt(benchmark_named, data_home, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("STACKAE_DATA_HOME", str(data_home))
    path, names = tmp_path / "figures.json", ("code30", "probe", "clusters", "rot", "rect")
    names += "neighbours", "neighbours on filters"
    only = [word for name in names for word in ("--only", name)]
    tables = benchmark_named("paper_tables")
    monkeypatch.setattr(sys, "argv", ["paper_tables", "--quick", "--json", str(path), *only])
    tables.main()
    said = capsys.readouterr().out
    assert all(name in said for name in ("SDAE-3", "frozen codes", "perceptron", "k-sparse", "pixels"))
    results = json.loads(path.read_text())["results"]
    assert set(results) == set(names)


@pytest.mark.parametrize("name", ["rectangles", "textured_rectangles", "convex"])
def test_drawn_shapes_are_what_their_labels_say(name, benchmark_named):
    X, y = getattr(benchmark_named("drawn_images"), name)(60, np.random.default_rng(0))
    images = X.reshape(60, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    assert 15 <= y.sum() <= 45
    if name == "rectangles":
        for image, wider in zip(images, y, strict=True):
            tall, wide = (np.ptp(np.flatnonzero(image.any(axis))) for axis in (1, 0))
            assert (wide > tall) == wider
            assert abs(wide - tall) >= 3
            assert set(np.unique(image)) == {0, 1}


def test_textures_are_uniform_at_each_pixel_and_alike_at_neighbours(benchmark_named):
    textures = benchmark_named("drawn_images").textures(2000, np.random.default_rng(0))
    assert textures.mean() == pytest.approx(0.5, abs=0.01)
    assert textures.var() == pytest.approx(1 / 12, abs=0.005)
    assert np.corrcoef(textures[:, 10, 10], textures[:, 10, 11])[0, 1] > 0.7
    assert abs(np.corrcoef(textures[:, 10, 10], textures[:, 24, 24])[0, 1]) < 0.1


def test_a_rotation_keeps_the_ink_and_turns_it(benchmark_named):
    images = np.zeros((20, 28, 28), np.float32)
    images[:, 10:18, 12:16] = 1
    turned = benchmark_named("drawn_images").rotated(images, np.random.default_rng(0))
    assert turned.sum((1, 2)) == pytest.approx(np.full(20, 32.0), rel=0.05)
    assert np.abs(turned - images).max() > 0.5


CHOOSING = {
    "table": "iris; wine; breast cancer; penguins; credit; attrition; cells; diamonds; telephones; houses; yield"
    "; molecules",
    "spectra": "meats; spectra",
    "omics": "organs",
    "text": "docstrings; tweets; books",
    "images": "digits; letters; MNIST; MNIST on texture",
    "series": "waveforms; cylinder-bell-funnel; electricity; gun or point",
    "shapes": "rectangles",
    "photographs": "patches",
}
REPORTING = {
    "table": "pupils; glass; Alzheimer's; Parkinson's; leaves; cars; developers; computations; trains; baseball; weather"
    "; health; fast food; orange juice",
    "spectra": "tissues; diffraction",
    "omics": "cancers; blood cells",
    "text": "newsgroups; Reuters",
    "images": "faces; MNIST, rotated; MNIST on noise; MNIST, rotated on texture",
    "series": "control charts; arrow heads; outlines of leaves; appliances; vowels",
    "shapes": "convex sets; sprites",
    "photographs": "textures; photographs",
}
ALL = [name for role in (CHOOSING, REPORTING) for names in role.values() for name in names.split("; ")]


def test_data_sets_for_choosing_and_those_reported_stay_apart_and_both_have_every_kind(benchmark_named):
    table = benchmark_named("data_sets")
    for role, expected in (("choosing", CHOOSING), ("reporting", REPORTING)):
        found = table.for_role(role)
        by_kind = {kind: [name for name in found if found[name].kind == kind] for kind in table.KINDS}
        assert {kind: "; ".join(names) for kind, names in by_kind.items()} == expected
    assert sorted(table.DATA_SETS) == sorted(ALL)
    assert len({data_set.draw for data_set in table.DATA_SETS.values()}) == len(ALL)
    reported = table.for_role("reporting").values()
    assert len(ALL) >= 45
    assert len(reported) >= 22
    assert sum(data_set.real for data_set in table.DATA_SETS.values()) >= 25
    assert sum(data_set.real for data_set in reported) >= 14


def test_no_table_of_a_package_is_drawn_twice():
    sources = re.findall(r'(?:table|texts|series)\("([^"]+)"', (BENCHMARKS / "data_sets.py").read_text())
    assert len(sources) == len(set(sources)) > 25


@pytest.mark.parametrize("name", ALL)
def test_a_data_set_has_every_class_in_both_parts_and_another_draw_for_another_seed(
    name, benchmark_named, request
):
    if name.startswith("MNIST"):
        request.getfixturevalue("data_home")
    draw = benchmark_named("data_sets").DATA_SETS[name].draw
    try:
        first, other = draw(0), draw(1)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    assert 40 <= len(first.X) <= 3000
    assert first.X.shape == (len(first.y), first.X_test.shape[1])
    assert len(first.X_test) == len(first.y_test)
    for part in (first.X, first.X_test):
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
    assert len(set(first.y)) >= 2
    assert set(first.y_test) == set(first.y)
    assert not np.array_equal(first.X, other.X)


def test_defaults_are_chosen_on_data_sets_for_choosing_alone(benchmark_named, monkeypatch, capsys):
    ablations = benchmark_named("ablations")
    assert set(ablations.SETS) <= set(ALL[: ALL.index("pupils")])
    monkeypatch.setattr(sys, "argv", ["features_vs_pca", "--only", "iris", "--quick"])
    with pytest.raises(SystemExit):
        benchmark_named("features_vs_pca").main()
    assert "not for reporting: iris" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["wine", "waveforms", "control charts", "cylinder-bell-funnel", "spectra", "patches"]
)
def test_a_draw_of_a_data_set_repeats_and_another_seed_is_another(name, benchmark_named):
    draw = benchmark_named("data_sets").DATA_SETS[name].draw
    first, again, other = draw(0), draw(0), draw(1)
    assert np.array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)
    assert set(first.y_test) == set(first.y)
    assert not set(map(bytes, first.X)) & set(map(bytes, first.X_test))


def test_runs_that_are_killed_anywhere_go_on_to_the_same_bits(benchmark_named, monkeypatch, capsys):
    torture = benchmark_named("torture")
    monkeypatch.setattr(sys, "argv", ["torture.py", "--quick"])
    torture.main()
    assert "3 survived, 0 not" in capsys.readouterr().out


def test_mutated_files_are_refused(tmp_path):
    code, out, err = forked(run_script, BENCHMARKS / "fuzz.py", "--quick", folder=tmp_path)
    assert code == 0, out + err
    assert "1,020 files, 0 failures" in out


def test_the_first_draws_of_mnist_share_no_image_with_another_nor_halves_any(benchmark_named, data_home):
    drawn = benchmark_named("drawn_images")

    def images(half, seed):
        split = drawn.mnist(half=half)(seed)
        return set(map(bytes, np.concatenate([split.X, split.X_test])))

    draws = [images(half, seed) for half in (0, 1) for seed in (0, 1, 4, 100)]
    assert [len(draw) for draw in draws] == [5000] * 8
    assert len(set.union(*draws)) == 40_000


def test_every_digit_is_held_out_once(benchmark_named):
    anomalies = benchmark_named("anomalies")
    data = anomalies.images(validate=True, quick=True, data_home=None)
    result = anomalies.measure(anomalies.Method("PCA", anomalies.pca(4), "same length"), data)
    assert len(result["digits"]) == 10
    assert 0.5 < result["mean"] < 1


def test_the_gradient_and_the_optimizer_are_timed_alone(benchmark_named):
    speed = benchmark_named("speed")
    gradient = speed.run(speed.gradients("cpu", 1), turns=1, agreement=1.0)
    assert set(gradient["ratios"]) == {"stackae, autograd forced"}
    optimizer = speed.run(speed.optimizer_calls("cpu", 3), turns=1, agreement=1.0)
    assert set(optimizer["ratios"]) == {"torch.optim.Adam(fused=True)"}


def test_golden_fits_are_the_same_again_and_a_change_is_told(benchmark_named, tmp_path):
    golden, file, only = benchmark_named("golden"), tmp_path / "golden.json", ["--only", "network tied"]
    runner = CliRunner()
    assert runner.invoke(golden.main, ["record", str(file), *only]).exit_code == 0
    assert runner.invoke(golden.main, ["compare", str(file), *only]).exit_code == 0
    recorded = json.loads(file.read_text())
    changed = next(iter(recorded))
    recorded[changed]["tensors"] = "0" * 64
    file.write_text(json.dumps(recorded))
    found = runner.invoke(golden.main, ["compare", str(file), *only])
    assert found.exit_code == 1
    assert changed in found.output


def test_dialects_judges_readers_by_what_a_file_means(benchmark_named, tmp_path):
    dialects = benchmark_named("dialects")
    file = dialects.FILES["leading zeros"]
    assert dialects.verdict(file, dialects.stackae, tmp_path) == "right"
    assert dialects.verdict(file, dialects.pyarrow, tmp_path) == "zip is int64"
    ragged = dialects.FILES["a row too short"]
    assert dialects.verdict(ragged, dialects.stackae, tmp_path) == "right"
    assert dialects.verdict(ragged, dialects.pandas, tmp_path) == "read: 3 rows"
    assert set(dialects.speeds(20, 1)) == set(dialects.READERS) >= {"pandas", "pyarrow", "stackae"}


def test_reading_and_encoding_are_timed_beside_the_reader(benchmark_named, capsys, tmp_path):
    speed = benchmark_named("table_speed")
    speed.main.callback(rows=2000, turns=1, max_memory="16MiB", json_path=tmp_path / "figures.json")
    said = capsys.readouterr().out
    assert "2,000 rows × 40 columns" in said
    found = json.loads((tmp_path / "figures.json").read_text())["results"]
    assert set(found["rows a second"]) == {"reader alone", "read and encoded", "within memory"}
    assert all(rate > 0 for rate in found["rows a second"].values())


def test_tables_of_the_pages_are_those_of_the_results(benchmark_named):
    tables = benchmark_named("result_tables")
    marks: set[str] = set()
    for page in tables.PAGES:
        text = (BENCHMARKS.parent / page).read_text(encoding="utf-8")
        assert tables.filled(text) == text, f"python benchmarks/result_tables.py --write mends {page}"
        marks |= set(tables._MARKED.findall(text))
    assert marks == set(tables.TABLES)
