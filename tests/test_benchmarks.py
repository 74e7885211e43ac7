"""The benchmarks run, on next to nothing; their figures are not judged here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

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
    work = speed.Work("work", {"stackae": lambda: None}, ceiling=lambda: 1e-9)
    assert 0 < speed.run(work, turns=3, agreement=0.5)["share of the product ceiling"] < 1
    assert speed.product_ceiling(64, 8, 4, 32, "cpu") > 0


def test_growth_is_an_exponent(benchmark_named):
    speed = benchmark_named("speed")
    assert 0 < speed.growth((2000, 20_000), 1, "cpu")["exponent"] < 2


def test_the_large_file_is_a_table_of_the_shape_asked_for(benchmark_named, tmp_path):
    larger = benchmark_named("larger_than_memory")
    larger.make_file(tmp_path / "rows.npy", larger.BLOCK + 7)
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert rows.shape == (larger.BLOCK + 7, larger.WIDTH)
    assert rows.dtype == np.float32
    assert 0.5 < rows[:1000].std() < 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imputation", ["iris", "KNNImputer", "IterativeImputer"]),
        ("few_labels", ["100 labels", "without pretraining", "LabelSpreading"]),
        ("many_labels", ["error on 360 test rows", "pretraining"]),
    ],
)
def test_downstream_work_is_compared(name, words, benchmark_named, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", [name, "--quick", "--json", str(tmp_path / "figures.json")])
    benchmark_named(name).main()
    said = capsys.readouterr().out
    assert all(word in said for word in words)
    assert set(json.loads((tmp_path / "figures.json").read_text())) >= {"results", "versions", "machine"}


def test_every_digit_is_held_out_once(benchmark_named):
    anomalies = benchmark_named("anomalies")
    data = anomalies.images(validate=True, quick=True, data_home=None)
    result = anomalies.measure(anomalies.Method("PCA", anomalies.pca(4), "same length"), data)
    assert len(result["digits"]) == 10
    assert 0.5 < result["mean"] < 1
