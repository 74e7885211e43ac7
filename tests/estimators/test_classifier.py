"""A classifier on few labels."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, train_test_split

from stackae import Dropout, Masking, StackedAutoencoder, StackedAutoencoderClassifier, Training, load
from stackae.exceptions import DataError, ModelFileError, ParameterError, StackaeWarning
from stackae.fitting import supervised
from stackae.training.batches import SamplesInMemory

LONGER = Training(max_epochs=12, batch_size=32)


def small(layers=(8, 3), **parameters):
    """A classifier with an encoder that is soon fitted."""
    return on(small_stack(layers), **parameters)


def on(encoder, **parameters):
    """A classifier on an encoder, as it is where it was fitted."""
    if hasattr(encoder, "module_"):
        encoder = FrozenEstimator(encoder)
    own = {"finetune": SHORT, "unlabelled": -1, "random_state": 0, **parameters}
    return StackedAutoencoderClassifier(encoder, **own)


@pytest.fixture(scope="module")
def labels():
    return load_digits().target


@pytest.fixture(scope="module")
def encoder(table):
    """A fitted one; tests leave it as it is."""
    return small_stack().fit(table)


@pytest.fixture
def kinds(table):
    """Two kinds of the table's samples, three in four without a label."""
    y = (table[:, 0] > np.median(table[:, 0])).astype(int)
    return y, np.where(np.arange(len(y)) % 4 == 0, y, -1)


@pytest.mark.slow
def test_unlabelled_samples_help_where_labels_are_few(digits, labels):
    train, test, y_train, y_test = train_test_split(digits, labels, random_state=0, stratify=labels)
    few = np.where(np.arange(len(y_train)) % 60 == 0, y_train, -1)
    budget = Training(max_epochs=10)
    encoder = StackedAutoencoder((128, 32), pretrain=budget, finetune=budget, shortcut=None)
    model = on(encoder, finetune="auto", random_state=1)
    with_all = clone(model).fit(train, few).score(test, y_test)
    alone = clone(model).fit(train[few >= 0], few[few >= 0]).score(test, y_test)
    assert with_all > max(0.7, alone + 0.02)


def test_pretraining_is_that_of_a_stack_on_all_samples(table, kinds):
    encoder = small_stack(shortcut=None)
    model = on(encoder).fit(table, kinds[1])
    stack = clone(encoder).fit(table)
    losses = [record["loss"] for record in model.history_ if record["phase"] != "supervised"]
    assert losses == [record["loss"] for record in stack.history_]
    assert {(r["phase"], r["layer"]) for r in model.history_} == {
        ("pretrain", 1),
        ("pretrain", 2),
        ("finetune", None),
        ("supervised", None),
    }


def test_a_frozen_encoder_is_used_as_it_is_and_left_as_it_was(encoder, table, kinds):
    before = {name: value.clone() for name, value in encoder.module_.state_dict().items()}
    model = on(encoder).fit(table, kinds[1])
    assert all(record["phase"] == "supervised" for record in model.history_)
    assert all(torch.equal(before[name], value) for name, value in encoder.module_.state_dict().items())
    assert not np.array_equal(model.transform(table), encoder.transform(table))


def test_a_fine_tuning_of_one_tiny_step_leaves_the_encoders_features(encoder, table, kinds):
    model = on(encoder, finetune=Training(max_epochs=1, learning_rate=1e-9)).fit(table, kinds[1])
    np.testing.assert_allclose(model.transform(table), encoder.transform(table), atol=1e-5)


def test_the_head_starts_as_a_logistic_regression_on_the_codes(digits, labels):
    digits, labels = digits[:600], labels[:600]
    encoder = small_stack((32, 16)).fit(digits)
    one = Training(max_epochs=1, learning_rate=1e-9, validation_fraction=0)
    model = on(encoder, finetune=one).fit(digits, labels)
    codes = model.module_.code_scaling(torch.from_numpy(encoder.transform(digits))).numpy()
    linear = LogisticRegression(C=10 / 16).fit(codes, labels)
    np.testing.assert_allclose(model.predict_proba(digits), linear.predict_proba(codes), atol=0.01)
    two = on(encoder, finetune=one).fit(digits, labels % 2)
    codes = two.module_.code_scaling(torch.from_numpy(encoder.transform(digits))).numpy()
    linear = LogisticRegression(C=10 / 16).fit(codes, labels % 2)
    np.testing.assert_allclose(two.decision_function(digits), linear.decision_function(codes), atol=0.05)


def test_samples_without_a_label_have_no_part_in_fine_tuning(encoder, table, kinds):
    model = on(encoder)
    labelled = kinds[1] >= 0
    whole = clone(model).fit(table, kinds[1]).predict_proba(table)
    part = clone(model).fit(table[labelled], kinds[1][labelled]).predict_proba(table)
    np.testing.assert_array_equal(whole, part)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["rose", "lily", "-1"], ["lily", "rose"]),
        (np.array(["rose", "lily", -1], dtype=object), ["lily", "rose"]),
        (["rose", None, "lily", ""], ["lily", "rose"]),
        ([7, 3, -1], [3, 7]),
        ([1.0, 0.0, -1.0, np.nan], [0, 1]),
        ([True, False, False], [False, True]),
    ],
)
def test_labels_may_be_of_any_kind(labels, classes, table):
    y = np.resize(np.asarray(labels), len(table))
    model = small(finetune=LONGER).fit(table, y)
    assert model.classes_.tolist() == classes
    assert set(model.predict(table)) <= set(classes)
    assert model.predict_proba(table).shape == (len(table), 2)


def test_minus_one_is_what_its_company_or_the_parameter_says(encoder, table):
    three, two = np.resize([-1, 0, 1], len(table)), np.resize([-1, 1], len(table))
    with pytest.warns(
        StackaeWarning, match="y: -1, in 67 of 200 rows, is taken as no label beside 2 classes"
    ):
        assert on(encoder, unlabelled="auto").fit(table, three).classes_.tolist() == [0, 1]
    with pytest.warns(StackaeWarning, match="is taken as a class beside 1; unlabelled=None"):
        assert on(encoder, unlabelled="auto").fit(table, two).classes_.tolist() == [-1, 1]
    assert on(encoder, unlabelled=None).fit(table, three).classes_.tolist() == [-1, 0, 1]
    assert on(encoder, unlabelled=-1).fit(table, three).classes_.tolist() == [0, 1]
    with pytest.raises(DataError, match="at least 2 classes, got 1 class, 1"):  # a fold that lacks a class
        on(encoder, unlabelled=-1).fit(table, two)
    for wrong in (-2, 0, True, "none"):
        with pytest.raises(ValueError, match="The 'unlabelled' parameter"):
            on(encoder, unlabelled=wrong).fit(table, three)


@pytest.mark.parametrize("nothing", [np.nan, None, -1])
def test_score_leaves_out_what_has_no_label(encoder, table, kinds, nothing):
    model = on(encoder).fit(table, kinds[0])
    known = kinds[1] >= 0
    some = np.where(known, kinds[0].astype(object), nothing)
    assert model.score(table, some) == model.score(table[known], kinds[0][known])
    weights = np.arange(len(table))
    assert model.score(table, some, weights) == model.score(table[known], kinds[0][known], weights[known])
    with pytest.raises(DataError, match="must have a target for some row to judge by, got none among 200"):
        model.score(table, np.full(len(table), nothing))
    with pytest.raises(DataError, match="one target a row, 200, got 3"):
        model.score(table, [0, 1, 0])


def test_score_counts_minus_one_where_it_is_a_class(encoder, table, kinds):
    y = np.where(kinds[0] == 1, 1, -1)
    model = on(encoder, unlabelled=None).fit(table, y)
    assert model.score(table, y) == (model.predict(table) == y).mean()


def test_searches_judge_by_labelled_samples_alone(table, kinds):
    few = np.where(kinds[1] >= 0, kinds[0], np.nan)
    search = GridSearchCV(small(), {"label_smoothing": [0.0, 0.1]}, cv=KFold(2, shuffle=True, random_state=0))
    scores = search.fit(table, few).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert (scores > 0.5).all()  # of all samples a quarter has a label


def test_two_classes_have_one_decision_value_and_more_have_one_each(encoder, table):
    X, labels = table, np.arange(len(table)) % 3
    two = on(encoder).fit(X, labels % 2)
    assert two.decision_function(X).shape == (len(X),)
    np.testing.assert_array_equal(two.predict(X), two.decision_function(X) > 0)
    more = on(encoder).fit(X, labels)
    logits, probabilities = more.decision_function(X), more.predict_proba(X)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9)
    np.testing.assert_allclose(more.predict_log_proba(X), np.log(expected), rtol=1e-6, atol=1e-9)


def test_classes_can_be_weighted(digits, labels):
    rare = np.flatnonzero((labels == 1) | ((labels == 0) & (np.arange(len(labels)) % 10 == 0)))
    X, y = digits[rare], labels[rare]
    tuning = Training(max_epochs=20)
    shares = {}
    for weight in (None, "balanced", {0: 1000.0, 1: 0.001}):
        model = small((32, 8), class_weight=weight, finetune=tuning).fit(X, y)
        shares[str(weight)] = (model.predict_proba(X)[:, 0]).mean()
    assert shares["None"] < shares["balanced"] < shares["{0: 1000.0, 1: 0.001}"]
    assert shares["{0: 1000.0, 1: 0.001}"] > 0.5


def test_a_class_of_one_sample_is_never_held_out():
    classes = torch.tensor([0.0] * 50 + [1.0] * 49 + [2.0])
    for seed in range(20):
        order = torch.randperm(100, generator=torch.Generator().manual_seed(seed))
        samples = SamplesInMemory(classes[:, None], order)
        samples.stratify(classes)
        assert torch.equal(samples.order.sort().values, torch.arange(100))
        held_out = samples.hold_out(20)[0]
        assert 9 <= int((held_out == 0).sum()) <= 11
        assert 2.0 not in held_out


def test_label_smoothing_keeps_probabilities_from_the_ends(encoder, table, kinds):
    model = on(encoder, finetune=Training(max_epochs=60, learning_rate=0.01))
    sure, smooth = (
        clone(model).set_params(label_smoothing=share).fit(table, kinds[0]).predict_proba(table)
        for share in (0.0, 0.3)
    )
    assert smooth.max(1).mean() < sure.max(1).mean() - 0.1


def test_lower_layers_learn_slower_where_asked(table, kinds):
    encoder = small_stack(shortcut=None).fit(table)
    moved = {}
    for rate in (1.0, 0.01):
        tuning = Training(
            max_epochs=1, optimizer="sgd", learning_rate=0.01, layerwise_rate=rate, corruption=None
        )
        after = on(encoder, finetune=tuning).fit(table, kinds[1]).module_
        moved[rate] = [
            float((a.network.encoder_weight - b.network.encoder_weight).norm())
            for a, b in zip(after, encoder.module_, strict=True)
        ]
    assert moved[0.01][0] < 0.05 * moved[1.0][0]
    assert moved[0.01][1] > 0.5 * moved[1.0][1]


def test_several_corruptions_may_be_given_and_are_the_models_no_more_after_fit(encoder, table, kinds):
    tuning = Training(max_epochs=2, corruption=[Masking(0.2), "dropout", Dropout(0.1, on="input")])
    model = on(encoder, finetune=tuning).fit(table, kinds[1])
    assert model.module_.corruptions == ()
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(table))


@pytest.mark.slow
def test_a_fitted_classifier_is_saved_and_pickled_to_the_same_bits(table, kinds, tmp_path):
    with_gaps = small_stack(missing_values=np.nan).fit(table)
    names = np.array(["no", "yes"])[kinds[0]]
    for encoder, y in (((8, 3), kinds[1]), (small_stack(), kinds[1]), (with_gaps, names)):
        model = on(encoder).fit(table, y)
        path = tmp_path / "m.safetensors"
        model.save(path)
        again = load(path)
        # What was frozen comes back as its parameters.
        assert repr(again.encoder) == repr(clone(with_gaps) if encoder is with_gaps else encoder)
        np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
        np.testing.assert_array_equal(again.predict(table), model.predict(table))
        unpickled = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(unpickled.predict_proba(table), model.predict_proba(table))


@pytest.mark.slow
def test_memory_maps_larger_than_the_memory_are_fine_tuned_too(digits, labels, tmp_path):
    wide = np.tile(digits, 8).astype(np.float32)
    np.save(tmp_path / "X.npy", np.tile(wide, (5, 1)))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert mapped.nbytes > 2**24
    once = Training(max_epochs=1, batch_size=64)
    encoder = small_stack((32, 16), pretrain=once, finetune=once, max_memory="16MiB")
    model = on(encoder, finetune=once, max_memory="16MiB").fit(mapped, np.tile(labels, 5))
    assert model.score(wide, labels) > 0.8


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(200, -1), "y must have a target for some row, got none among 200 rows"),
        (np.zeros(200), "y must have at least 2 classes, got 1 class, 0.0"),
        (np.arange(199) % 2, "y must have one label a row, 200, got 199"),
        (np.where(np.arange(200) == 7, np.inf, 1.0), "Input y contains infinity in row 7"),
        (np.array([None, "a"] * 100, dtype=object), "at least 2 classes, got 1 class, 'a'"),
        (np.array([1, "a"] * 100, dtype=object), "y must hold labels of one type, got int, str"),
        (np.linspace(0, 1, 200), "Unknown label type"),
        (None, "requires y to be passed"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused(y, message, table):
    with pytest.raises(ValueError, match=message):
        small().fit(table, y)


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        lambda y: y.astype(bool),
        np.ndarray.tolist,
        pd.DataFrame,
        lambda y: pd.DataFrame(y, dtype="boolean"),
    ],
)
def test_one_hot_labels_are_refused_with_what_to_give(convert, table):
    y = np.eye(3)[np.arange(200) % 3]
    said = (
        r"^y must have one label a row, got one-hot labels of shape \(200, 3\); give np.argmax\(y, axis=1\)$"
    )
    with pytest.raises(DataError, match=said):
        small().fit(table, convert(y))
    with pytest.raises(
        DataError, match=r"got an array of shape \(200, 3\); a classifier predicts one output"
    ):
        small().fit(table, np.ones((200, 3)))


def test_what_cannot_be_is_refused(encoder, table, kinds):
    with pytest.raises(DataError, match=r"encoder= was fitted on 6 features, got X with 5"):
        on(encoder).fit(table[:, :5], kinds[1])
    with pytest.raises(DataError, match="class_weight must name classes of y"):
        small(class_weight={"rose": 2.0}).fit(table, kinds[1])
    with pytest.raises(DataError, match="class_weight must be finite and above 0"):
        small(class_weight={1: -2.0}).fit(table, kinds[1])
    with pytest.raises(ValueError, match="The 'label_smoothing' parameter"):
        small(label_smoothing=1.0).fit(table, kinds[1])
    with pytest.raises(ValueError, match=r"must hold instances of Corruption or names among.*in place 1"):
        small(finetune=Training(corruption=["masking", "nonsense"])).fit(table, kinds[1])
    with pytest.raises(ParameterError, match=r"Training\(layerwise_rate=...\) is for fine-tuning"):
        on(small_stack(pretrain=Training(layerwise_rate=0.5))).fit(table, kinds[1])


def test_a_single_autoencoder_serves_as_encoder(table, kinds, tmp_path):
    model = on(small_autoencoder(4).fit(table)).fit(table, kinds[1])
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(table), model.predict(table))


def test_a_class_too_rare_for_the_heads_start_is_learned_all_the_same(table, kinds, monkeypatch):
    monkeypatch.setattr(supervised, "_MOST_SAMPLES_OF_HEAD", 2)
    X, y = np.tile(table, (2, 1)), np.arange(400) % 200 == 100
    assert on(small_stack().fit(X)).fit(X, y).predict_proba(table).shape == (200, 2)


def test_the_width_that_a_file_claims_for_its_labels_takes_no_memory():
    model = StackedAutoencoderClassifier()
    model._take_kept({"classes_": ["a", "bc"], "kind_of_classes": "<U500000000"})
    assert model.classes_.dtype == np.dtype("<U2")
    with pytest.raises(ModelFileError, match="classes must be numbers, text or dates"):
        model._take_kept({"classes_": ["a", "bc"], "kind_of_classes": "V9"})
