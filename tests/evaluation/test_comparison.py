"""The comparison with PCA and others is fair and says what it sees."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers import METHODS_HERE, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA

from stackae import Autoencoder
from stackae.evaluation import (
    Comparison,
    Measure,
    Record,
    Split,
    compare,
    compare_fitted,
    resplit,
    summary,
)
from stackae.evaluation.measures import few_labels_measure
from stackae.evaluation.methods import RandomFeatures, Task, fitted, with_width
from stackae.exceptions import DataError, ParameterError


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return Split(X[:600], y[:600], X[600:900], y[600:900])


def test_pca_against_itself_is_a_tie_in_every_verdict(digits):
    pca = PCA(8, random_state=0).fit(digits.X)
    comparison = compare_fitted(pca, digits.X, digits, methods=["PCA", "raw rows"], few_labels=[20])
    ours, theirs, raw = comparison.records
    assert (ours.n_features, theirs.n_features, raw.n_features) == (8, 8, 64)
    assert ours.outcomes.keys() == theirs.outcomes.keys()
    for name in ("linear_probe", "knn_probe", "r2", "few_labels_20"):
        assert ours.measures[name] == pytest.approx(theirs.measures[name], abs=1e-6)
    assert raw.measures["r2"] == 1
    assert comparison.verdicts() == [
        "not worth it at 8 dimensions: no gain beyond chance",
        "at 8 dimensions, against PCA: linear probe +0.0 ± 0.0 points (within chance),"
        " k-NN probe +0.0 ± 0.0 points (within chance), R² +0.000",
    ]


def test_pca_has_the_codes_width_or_as_many_as_there_are_columns(digits):
    wide = small_stack((80,)).fit(digits.X)
    found = compare_fitted(wide, digits.X, digits, methods=["PCA", "random features"], few_labels=())
    assert [r.n_features for r in found.records] == [80, 64, 80]
    assert found.verdicts()[1].startswith("at 80 dimensions, against PCA of 64: linear probe ")


def test_pca_wins_where_it_wins_and_the_verdict_says_so(digits):
    untrained = small_stack((4, 2), shortcut=None).fit(digits.X[:20])
    comparison = compare_fitted(untrained, digits.X, digits, seconds=5.0, methods=["PCA"], few_labels=())
    _, at_2 = comparison.verdicts()
    assert at_2.startswith("at 2 dimensions, against PCA: linear probe -")
    assert "points, k-NN probe -" in at_2  # beyond chance
    assert ", R² -" in at_2
    assert "; fitted in 5.0 s, PCA in " in at_2
    assert comparison.difference("linear_probe", 2).sign == -1
    assert comparison.difference("linear_probe", 2, ours="PCA", theirs="stackae").sign == 1


def test_an_autoencoder_is_compared_without_the_methods_that_need_a_stack(digits):
    model = small_autoencoder(3).fit(digits.X)
    records = compare_fitted(model, digits.X, digits, few_labels=()).records
    assert "untrained stack" not in [r.method for r in records]


@pytest.fixture(scope="module")
def of_wine():
    X, y = load_wine(return_X_y=True)
    return compare(
        small_stack((6, 3)),
        resplit(X, y),
        (2, 4),
        methods=METHODS_HERE,
        n_splits=3,
        few_labels=[9],
        n_draws=2,
    )


def test_splits_that_share_no_rows_need_no_allowance(digits):
    comparison = compare(
        small_stack(), lambda seed: digits, (2,), methods=("PCA",), n_splits=2, few_labels=(), fresh=True
    )
    assert comparison.test_share == 0


@pytest.mark.slow
def test_every_method_is_judged_at_every_width_on_every_split(of_wine):
    assert of_wine.methods == METHODS_HERE
    assert of_wine.widths == [2, 4]
    for method in METHODS_HERE:
        widths = [(r.split, r.width) for r in of_wine.records if r.method == method]
        expected = [(s, w) for s in range(3) for w in ([None] if method == "raw rows" else [2, 4])]
        assert widths == expected
        values = of_wine.values("linear_probe", method, 4)
        assert len(values) == 3
        assert all(0 <= value <= 1 for value in values)
    assert of_wine.test_share == pytest.approx(45 / 133)
    assert not of_wine.values("r2", "Nyström", 2)  # cannot go back
    assert of_wine.values("r2", "raw rows", None) == [1, 1, 1]


@pytest.mark.slow
def test_splits_on_several_processes_give_the_same_figures(of_wine):
    X, y = load_wine(return_X_y=True)
    again = compare(
        small_stack((6, 3)),
        resplit(X, y),
        (2, 4),
        methods=["stackae", "PCA"],
        n_splits=3,
        few_labels=[9],
        n_draws=2,
        n_jobs=2,
    )
    for method in ("stackae", "PCA"):
        for measure in ("linear_probe", "knn_probe", "r2", "clusters", "few_labels_9"):
            assert again.values(measure, method, 2) == of_wine.values(measure, method, 2)


def test_splits_on_a_dask_cluster_give_the_same_figures(of_wine):
    import joblib
    from distributed import Client, LocalCluster

    X, y = load_wine(return_X_y=True)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        again = compare(
            small_stack((6, 3)), resplit(X, y), (2, 4), methods=["stackae"], n_splits=2, few_labels=()
        )
    for width in (2, 4):
        assert again.values("r2", "stackae", width) == of_wine.values("r2", "stackae", width)[:2]


def test_the_table_has_a_line_a_width_and_method_and_the_rows_once(of_wine):
    lines = summary(of_wine)
    assert [line["method"] for line in lines].count("PCA") == 2
    assert [line["method"] for line in lines].count("raw rows") == 1
    (pca, _) = [line for line in lines if line["method"] == "PCA"]
    found = pca["linear_probe"]
    assert found.mean == pytest.approx(np.mean(of_wine.values("linear_probe", "PCA", 2)))
    assert found.half_width > 0


def test_the_table_ends_with_what_the_commonest_class_is_worth():
    X = np.random.default_rng(0).normal(size=(100, 3))
    y, y_test = np.array(["a"] * 60 + ["b"] * 40), np.array(["a"] * 30 + ["b"] * 70)
    split = Split(X, y, X, y_test)
    found = compare_fitted(PCA(2).fit(X), X, split, methods=["PCA"], few_labels=[10])
    assert found.commonest_class == (0.3,)
    last = summary(found)[-1]
    assert (last["method"], last["width"], last["seconds"]) == ("commonest class", 0, None)
    assert (last["linear_probe"].mean, last["knn_probe"].mean) == (0.3, 0.3)
    assert not {"few_labels_10", "clusters", "r2"} & last.keys()
    assert found.as_dict()["commonest_class"] == [0.3]
    of_splits = compare(small_stack(), lambda seed: split, (1, 2), methods=["PCA"], n_splits=2, few_labels=())
    assert of_splits.commonest_class == (0.3, 0.3)


def test_of_targets_no_class_is_the_commonest():
    X = np.random.default_rng(0).normal(size=(100, 3))
    found = compare_fitted(PCA(2).fit(X), X, Split(X, X[:, 0], X, X[:, 0]), methods=["PCA"], few_labels=())
    assert found.commonest_class == ()
    assert "commonest class" not in [line["method"] for line in summary(found)]


def test_a_measures_key_stays_apart_from_its_title(of_wine):
    titles = {measure.key: measure.title for measure in of_wine.measures}
    assert titles == {
        "linear_probe": "linear probe",
        "knn_probe": "k-NN probe",
        "few_labels_9": "9 labels",
        "clusters": "clusters",
        "r2": "R²",
    }
    assert few_labels_measure(1000) == Measure("few_labels_1000", "1,000 labels", n_labels=1000)


def test_what_is_found_goes_into_json(of_wine):
    table = json.loads(json.dumps(of_wine.as_dict(), allow_nan=False))
    assert table["task"] == "classify"
    assert len(table["records"]) == len(of_wine.records)
    assert {test["measure"] for test in table["against_pca"]} == {"linear_probe", "knn_probe"}


def test_reconstructions_are_judged_in_the_units_in_which_methods_work():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) * [1000, 1]
    split = Split(X[:100], np.arange(100) % 2, X[100:], np.arange(100) % 2)

    class Large:
        """Keeps the column of large numbers only."""

        def transform(self, X):
            return X[:, :1]

        def inverse_transform(self, codes):
            return np.hstack([codes, np.full_like(codes, X[100:, 1].mean())])

    (record,) = compare_fitted(Large(), split.X, split, methods=(), few_labels=()).records
    assert record.measures["r2"] == pytest.approx(0.5, abs=0.1)


def values(method, *accuracies):
    return [
        Record(k, method, 2, 2, {"linear_probe": a, "knn_probe": 0.5, "fit_seconds": 1.0})
        for k, a in enumerate(accuracies)
    ]


def test_a_verdict_over_splits_names_gain_and_interval():
    records = [*values("stackae", 0.95, 0.96, 0.94), *values("PCA", 0.90, 0.92, 0.88)]
    assert Comparison(records, 0.0).verdicts() == [
        "worth it at 2 dimensions; by the linear probe alone",
        # Differences .05, .04, .06: mean .05, standard error .01/√3, t of 2 degrees of freedom 4.303.
        "at 2 dimensions, against PCA: linear probe +5.0 ± 2.5 points, k-NN probe +0.0 ± 0.0 points (within"
        " chance); fitted in 1.0 s, PCA in 1.0 s",
    ]
    assert Comparison(values("stackae", 0.9), 0.0).verdicts() == []


def test_of_two_splits_no_interval_is_told():
    records = [*values("stackae", 0.95, 0.97), *values("PCA", 0.90, 0.91)]
    comparison = Comparison(records, 0.0)
    _, at_2 = comparison.verdicts()
    assert "linear probe +5.5 points (within chance), k-NN probe +0.0 points (within chance);" in at_2
    table = json.loads(json.dumps(comparison.as_dict(), allow_nan=False))
    assert [test["half_width"] for test in table["against_pca"]] == [None, None]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0004, "under 0.01 s"), (0.014, "0.01 s"), (0.984, "0.98 s"), (6.24, "6.2 s"), (1234.5, "1,234 s")],
)
def test_the_cost_stands_beside_the_gain_of_each_width(seconds, told):
    def at(method, width, *fits):
        return [
            Record(k, method, width, width, {"knn_probe": 0.5, "fit_seconds": f}) for k, f in enumerate(fits)
        ]

    records = [
        *at("stackae", 2, 1, seconds, 1),
        *at("PCA", 2, 2, 2, 9),
        *at("stackae", 4, 7),
        *at("PCA", 4, 3),
    ]
    records[0].measures["fit_seconds"] = seconds
    _, *widths = Comparison(records, 0.0).verdicts()
    assert [sentence.partition("; fitted in ")[2] for sentence in widths] == [
        f"{told}, PCA in 2.0 s",
        "7.0 s, PCA in 3.0 s",
    ]


def test_a_width_is_worth_it_where_a_probe_gains_and_none_loses():
    def at(width, method, linear, neighbours):
        return [
            Record(
                k,
                method,
                width,
                width,
                {"linear_probe": linear + k / 100, "knn_probe": neighbours + k / 100},
            )
            for k in range(3)
        ]

    records = [
        *(r for width in (2, 4, 8) for r in at(width, "PCA", 0.5, 0.5)),
        *at(2, "stackae", 0.6, 0.5),
        *at(4, "stackae", 0.6, 0.4),
        *at(8, "stackae", 0.5, 0.5),
    ]
    worth = Comparison(records, 0.0).verdicts()[0]
    assert worth == (
        "worth it at 2 dimensions, not at 4 and 8; by the linear probe alone at 2;"
        " better by the linear probe, worse by the k-NN probe at 4"
    )
    only_4 = [record for record in records if record.width == 4]
    assert Comparison(only_4, 0.0).verdicts()[0] == (
        "not worth it at 4 dimensions: the probes disagree; better by the linear probe, worse by the k-NN probe"
    )


def test_a_verdict_on_one_probe_alone_says_which():
    gains = {2: (0.1, 0.0), 4: (0.1, 0.1), 8: (0.0, 0.1)}
    records = [
        Record(k, method, w, w, {"linear_probe": 0.5 + own * a, "knn_probe": 0.5 + own * b})
        for method, own in (("stackae", 1), ("PCA", 0))
        for w, (a, b) in gains.items()
        for k in range(3)
    ]
    assert Comparison(records, 0.0).verdicts()[0] == (
        "worth it at 2, 4 and 8 dimensions; by the linear probe alone at 2; by the k-NN probe alone at 8"
    )


def test_a_stack_takes_the_width_in_its_last_layer():
    stack = small_stack([8, Autoencoder(3, activation="tanh")])
    assert with_width(stack, 5, 7).layers[-1].n_components == 5
    assert with_width(stack, 5, 7).layers[-1].activation == "tanh"
    assert stack.layers[-1].n_components == 3
    with pytest.raises(ParameterError, match="layers='auto'"):
        with_width(small_stack("auto"), 5, 0)


def test_random_features_are_relu_units_of_standardised_drive(digits):
    features = RandomFeatures(50, random_state=1).fit(digits.X)
    drive = digits.X @ features.weights_ + features.bias_
    assert features.transform(digits.X) == pytest.approx(np.maximum(drive, 0))
    assert drive.std(0) == pytest.approx(np.ones(50), abs=1e-3)


def test_factors_that_cannot_be_negative_are_left_out_where_rows_are(digits):
    task = Task(digits.X - 1, 3, small_stack(), 0)
    assert fitted("NMF", task) is None
    assert fitted("NMF", Task(digits.X, 3, small_stack(), 0)).transform(digits.X).min() >= 0


@pytest.fixture(scope="module")
def mixed():
    """Two numbers in units of their own, a dummy and a rare one."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(50, 9, 90), rng.normal(size=90), rng.random((90, 2)) < [0.5, 0.1]])
    return Split(X[:60], (X[:60, 0] > 50).astype(int), X[60:], (X[60:, 0] > 50).astype(int))


@pytest.mark.parametrize("scale", ["auto", "standard", None])
def test_rivals_stand_behind_the_scaling_of_the_stack(scale, mixed):
    stack = small_stack((3, 2), scale=scale)
    scaling = clone(stack).fit(mixed.X).module_[0].scaling
    z = scaling(torch.from_numpy(mixed.X)).numpy()
    for model in (stack, clone(stack).fit(mixed.X)):
        task = Task(mixed.X, 2, model, 0)
        raw, pca = fitted("raw rows", task), fitted("PCA", task)
        np.testing.assert_allclose(raw.transform(mixed.X), z, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(raw.inverse_transform(z), mixed.X, rtol=1e-6, atol=1e-12)
        own = PCA(2).fit(z)
        back = scaling.inverse(torch.from_numpy(own.inverse_transform(own.transform(z)))).numpy()
        np.testing.assert_allclose(pca.inverse_transform(pca.transform(mixed.X)), back, rtol=1e-6, atol=1e-9)


def test_r2_is_reckoned_in_the_units_of_the_stack(mixed):
    comparison = compare_fitted(
        small_autoencoder(2).fit(mixed.X), mixed.X, mixed, methods=["PCA"], few_labels=()
    )
    factor = np.array([*mixed.X[:, :2].std(0), 1, 1])
    z, test = mixed.X / factor, mixed.X_test / factor
    pca = PCA(2).fit(z)
    left = np.square(test - pca.inverse_transform(pca.transform(test))).sum()
    expected = 1 - left / np.square(test - test.mean(0)).sum()
    assert comparison.records[1].measures["r2"] == pytest.approx(expected)


def test_k_means_is_asked_unless_it_is_left_out(digits):
    asked = {"methods": ["PCA"], "few_labels": ()}
    model = PCA(2).fit(digits.X)
    assert "clusters" in compare_fitted(model, digits.X, digits, **asked).records[0].measures
    fast = compare_fitted(model, digits.X, digits, clusters=False, **asked)
    splits = compare(small_stack(), lambda seed: digits, (2,), n_splits=1, clusters=False, **asked)
    for comparison in (fast, splits):
        assert [measure.key for measure in comparison.measures] == ["linear_probe", "knn_probe", "r2"]


def test_what_cannot_be_compared_is_refused(digits):
    split = resplit(digits.X, digits.y)
    with pytest.raises(ParameterError, match="unknown method 'pca'; known are stackae, PCA"):
        compare_fitted(PCA(2).fit(digits.X), digits.X, digits, methods=["pca"])
    with pytest.raises(ParameterError, match="unknown method 'pca'; known are stackae, PCA"):
        compare(small_stack(), split, methods=["pca"])
    with pytest.raises(ParameterError, match="widths must hold numbers of at least 1"):
        compare(small_stack(), split, [0])
    with pytest.raises(DataError, match="at least 2 classes, got 1 class"):
        resplit(digits.X, np.zeros(600))
    with pytest.raises(DataError, match="got 600 for 600 rows; name another column, or take them as targets"):
        resplit(digits.X, [f"row {k}" for k in range(600)], task="classify")
    lonely = resplit(digits.X[:40], np.arange(40) == 7)
    with pytest.raises(DataError, match="one class among its 30 training rows"):
        [lonely(seed) for seed in range(20)]
