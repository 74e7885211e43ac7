"""A classifier on few labels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split

from stackae import (
    Dropout,
    Masking,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderRegressor,
    Training,
    load,
)
from stackae.estimators.classifier import _stratified
from stackae.exceptions import DataError, ModelFileError, ParameterError

LONGER = Training(max_epochs=12, batch_size=32)


def small(layers=(8, 3), **parameters):
    """A classifier with an encoder that is soon fitted."""
    of_encoder = {name: parameters.pop(name) for name in ("pretrain", "max_memory") if name in parameters}
    return StackedAutoencoderClassifier(
        encoder=small_stack(layers, **of_encoder),
        **{
            "finetune": SHORT,
            "random_state": 0,
            **parameters,
            **{name: value for name, value in of_encoder.items() if name == "max_memory"},
        },
    )


@pytest.fixture(scope="module")
def labels(digits):
    from sklearn.datasets import load_digits

    return load_digits().target


@pytest.fixture
def kinds(table):
    """Two kinds of the table's rows, three in four without a label."""
    y = (table[:, 0] > np.median(table[:, 0])).astype(int)
    return y, np.where(np.arange(len(y)) % 4 == 0, y, -1)


def test_unlabelled_rows_help_where_labels_are_few(digits, labels):
    train, test, y_train, y_test = train_test_split(digits, labels, random_state=0, stratify=labels)
    few = np.where(np.arange(len(y_train)) % 20 == 0, y_train, -1)
    budget = Training(max_epochs=25)
    encoder = StackedAutoencoder((128, 32), pretrain=budget, finetune=budget, shortcut=None)
    model = StackedAutoencoderClassifier(encoder=encoder, random_state=0).fit(train, few)
    alone = StackedAutoencoderClassifier(encoder=encoder, random_state=0).fit(train[few >= 0], few[few >= 0])
    assert model.score(test, y_test) > max(0.86, alone.score(test, y_test))


def test_pretraining_is_that_of_a_stack_on_all_rows(table, kinds):
    model = StackedAutoencoderClassifier((8, 3), pretrain=SHORT, finetune=SHORT, random_state=0)
    model.fit(table, kinds[1])
    stack = small_stack(finetune="auto", shortcut=None).fit(table)
    losses = [record["loss"] for record in model.history_ if record["phase"] != "supervised"]
    assert losses == [record["loss"] for record in stack.history_]
    assert {(r["phase"], r["layer"]) for r in model.history_} == {
        ("pretrain", 1),
        ("pretrain", 2),
        ("finetune", None),
        ("supervised", None),
    }


def test_a_given_encoder_is_used_as_it_is_and_left_as_it_was(table, kinds):
    encoder = small_stack().fit(table)
    before = {name: value.clone() for name, value in encoder.module_.state_dict().items()}
    model = StackedAutoencoderClassifier(encoder=encoder, finetune=SHORT, random_state=0).fit(table, kinds[1])
    assert all(record["phase"] == "supervised" for record in model.history_)
    assert all(torch.equal(before[name], value) for name, value in encoder.module_.state_dict().items())
    assert not np.array_equal(model.transform(table), encoder.transform(table))


def test_a_fine_tuning_of_one_tiny_step_leaves_the_encoders_features(table, kinds):
    encoder = small_stack().fit(table)
    one = Training(max_epochs=1, learning_rate=1e-9)
    model = StackedAutoencoderClassifier(encoder=encoder, finetune=one).fit(table, kinds[1])
    np.testing.assert_allclose(model.transform(table), encoder.transform(table), atol=1e-5)


def test_the_head_starts_as_a_logistic_regression_on_the_codes(digits, labels):
    encoder = small_stack((32, 16)).fit(digits)
    one = Training(max_epochs=1, learning_rate=1e-9, validation_fraction=0)
    model = StackedAutoencoderClassifier(encoder=encoder, finetune=one).fit(digits, labels)
    codes = model.module_.code_scaling(torch.from_numpy(encoder.transform(digits))).numpy()
    linear = LogisticRegression(C=10 / 16).fit(codes, labels)
    np.testing.assert_allclose(model.predict_proba(digits), linear.predict_proba(codes), atol=0.01)
    two = StackedAutoencoderClassifier(encoder=encoder, finetune=one).fit(digits, labels % 2)
    codes = two.module_.code_scaling(torch.from_numpy(encoder.transform(digits))).numpy()
    linear = LogisticRegression(C=10 / 16).fit(codes, labels % 2)
    np.testing.assert_allclose(two.decision_function(digits), linear.decision_function(codes), atol=0.05)


def test_rows_without_a_label_have_no_part_in_fine_tuning(table, kinds):
    encoder = small_stack().fit(table)
    model = StackedAutoencoderClassifier(encoder=encoder, finetune=SHORT, random_state=0)
    labelled = kinds[1] >= 0
    whole = clone(model).fit(table, kinds[1]).predict_proba(table)
    part = clone(model).fit(table[labelled], kinds[1][labelled]).predict_proba(table)
    np.testing.assert_array_equal(whole, part)


def test_clone_and_searches_keep_a_fitted_encoder_and_pretrain_one_that_is_not(table, kinds, monkeypatch):
    encoder = small_stack().fit(table)
    model = StackedAutoencoderClassifier(encoder=encoder, finetune=SHORT, random_state=0)
    assert clone(model).encoder is encoder
    fits = []
    monkeypatch.setattr(StackedAutoencoder, "_fit_rows", lambda *_, **__: fits.append(1))
    search = GridSearchCV(model, {"finetune__learning_rate": [1e-3, 1e-4]}, cv=2, error_score="raise")
    search.fit(table, kinds[0])
    assert not fits
    monkeypatch.undo()
    unfitted = small_stack(shortcut=None)
    fresh = StackedAutoencoderClassifier(encoder=unfitted, finetune=SHORT).fit(table, kinds[1])
    assert {record["phase"] for record in fresh.history_} == {"pretrain", "finetune", "supervised"}
    assert not hasattr(fresh.encoder, "module_")


def test_setting_a_parameter_of_the_encoder_leaves_the_users_alone(table):
    encoder = small_stack().fit(table)
    model = StackedAutoencoderClassifier(encoder=encoder).set_params(encoder__finetune=None)
    assert encoder.finetune is not None
    assert model.encoder.finetune is None
    assert not hasattr(model.encoder, "module_")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["rose", "lily", "-1"], ["lily", "rose"]),
        (np.array(["rose", "lily", -1], dtype=object), ["lily", "rose"]),
        ([7, 3, -1], [3, 7]),
        ([1.0, 0.0, -1.0], [0.0, 1.0]),
        ([True, False, False], [False, True]),
        ([1, -1, -1], [-1, 1]),  # no other label: the two classes of a binary problem
    ],
)
def test_labels_may_be_of_any_kind(labels, classes, table):
    y = np.resize(np.asarray(labels), len(table))
    model = small(finetune=LONGER).fit(table, y)
    assert model.classes_.tolist() == classes
    assert set(model.predict(table)) <= set(classes)
    assert model.predict_proba(table).shape == (len(table), 2)


def test_two_classes_have_one_decision_value_and_more_have_one_each(digits, labels):
    two = small().fit(digits, labels % 2)
    assert two.decision_function(digits).shape == (len(digits),)
    np.testing.assert_array_equal(two.predict(digits), two.decision_function(digits) > 0)
    more = small().fit(digits, labels)
    logits, probabilities = more.decision_function(digits), more.predict_proba(digits)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9)
    np.testing.assert_allclose(more.predict_log_proba(digits), np.log(expected), rtol=1e-6, atol=1e-9)


def test_classes_can_be_weighed(digits, labels):
    rare = np.flatnonzero((labels == 1) | ((labels == 0) & (np.arange(len(labels)) % 10 == 0)))
    X, y = digits[rare], labels[rare]
    tuning = Training(max_epochs=20)
    shares = {}
    for weight in (None, "balanced", {0: 1000.0, 1: 0.001}):
        model = small((32, 8), class_weight=weight, finetune=tuning).fit(X, y)
        shares[str(weight)] = (model.predict_proba(X)[:, 0]).mean()
    assert shares["None"] < shares["balanced"] < shares["{0: 1000.0, 1: 0.001}"]
    assert shares["{0: 1000.0, 1: 0.001}"] > 0.8


def test_a_class_of_one_row_is_never_held_out():
    classes = torch.tensor([0.0] * 50 + [1.0] * 49 + [2.0])
    for seed in range(20):
        order = torch.randperm(100, generator=torch.Generator().manual_seed(seed))
        arranged = _stratified(order, classes)
        assert torch.equal(arranged.sort().values, torch.arange(100))
        held_out = classes[arranged[:20]]
        assert 9 <= int((held_out == 0).sum()) <= 11
        assert 2.0 not in held_out.tolist()


def test_label_smoothing_keeps_probabilities_from_the_ends(digits, labels):
    sure = small((32, 8), finetune=LONGER).fit(digits, labels).predict_proba(digits)
    smooth = small((32, 8), finetune=LONGER, label_smoothing=0.3).fit(digits, labels).predict_proba(digits)
    assert smooth.max(1).mean() < sure.max(1).mean() - 0.1


def test_lower_layers_learn_slower_where_asked(table, kinds):
    encoder = small_stack(shortcut=None).fit(table)
    moved = {}
    for rate in (1.0, 0.01):
        tuning = Training(
            max_epochs=1, optimizer="sgd", learning_rate=0.01, layerwise_rate=rate, corruption=None
        )
        model = StackedAutoencoderClassifier(encoder=encoder, finetune=tuning, random_state=0)
        with torch.no_grad():
            after = model.fit(table, kinds[1]).module_.layers
        moved[rate] = [
            float((a.network.encoder_weight - b.network.encoder_weight).norm())
            for a, b in zip(after, encoder.module_.layers, strict=True)
        ]
    assert moved[0.01][0] < 0.05 * moved[1.0][0]
    assert moved[0.01][1] > 0.5 * moved[1.0][1]


def test_several_corruptions_may_be_given_and_are_the_models_no_more_after_fit(table, kinds):
    tuning = Training(max_epochs=2, corruption=[Masking(0.2), "dropout", Dropout(0.1, on="input")])
    model = small(finetune=tuning).fit(table, kinds[1])
    assert model.module_.corruptions == ()
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(table))


def test_a_fitted_classifier_is_saved_and_pickled_to_the_same_bits(table, kinds, tmp_path):
    for number, y in enumerate((kinds[1], np.array(["no", "yes"])[kinds[0]])):
        encoder = small_stack(missing_values=np.nan).fit(table) if number else None
        model = StackedAutoencoderClassifier(encoder=encoder, finetune=SHORT, random_state=0).fit(table, y)
        path = tmp_path / f"{number}.safetensors"
        model.save(path)
        again = load(path)
        assert again.encoder is None
        np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
        np.testing.assert_array_equal(again.predict(table), model.predict(table))
        unpickled = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(unpickled.predict_proba(table), model.predict_proba(table))


def test_memory_maps_larger_than_the_memory_are_fine_tuned_too(digits, labels, tmp_path):
    rows = np.tile(digits, (60, 1)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    y = np.tile(labels, 60)
    training = Training(max_epochs=1, batch_size=256)
    model = small((32, 16), pretrain=training, finetune=training, max_memory="16MiB").fit(mapped, y)
    assert model.score(digits, labels) > 0.8


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(200, -1), "y must have a target for some row, got none among 200 rows"),
        (np.zeros(200), "y must have at least 2 classes, got 1 class, 0.0"),
        (np.arange(199) % 2, "y must have one label a row, 200, got 199"),
        (
            np.where(np.arange(200) == 7, np.nan, 1.0),
            "Input y contains NaN in row 7; mark rows without a label",
        ),
        (np.array([None, "a"] * 100, dtype=object), "Input y contains NaN in row 0"),
        (np.linspace(0, 1, 200), "Unknown label type"),
        (None, "requires y to be passed"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused(y, message, table):
    with pytest.raises(ValueError, match=message):
        small().fit(table, y)


def test_what_contradicts_a_given_encoder_is_refused(table, kinds):
    encoder = small_stack().fit(table)
    with pytest.raises(DataError, match=r"encoder= was fitted on 6 features, got X with 5"):
        StackedAutoencoderClassifier(encoder=encoder).fit(table[:, :5], kinds[1])
    with pytest.raises(ParameterError, match=r"encoder= brings its own layers, got layers=\(9,\) beside it"):
        StackedAutoencoderClassifier((9,), encoder=encoder).fit(table, kinds[1])
    with pytest.raises(ParameterError, match="encoder= brings its own scale"):
        StackedAutoencoderRegressor(encoder=encoder, scale="minmax").fit(table, table[:, 0])
    with pytest.raises(DataError, match="class_weight must name classes of y"):
        small(class_weight={"rose": 2.0}).fit(table, kinds[1])
    with pytest.raises(DataError, match="class_weight must be finite and above 0"):
        small(class_weight={1: -2.0}).fit(table, kinds[1])
    with pytest.raises(ValueError, match="The 'label_smoothing' parameter"):
        small(label_smoothing=1.0).fit(table, kinds[1])
    with pytest.raises(ValueError, match=r"must hold instances of Corruption or names among.*in place 1"):
        small(finetune=Training(corruption=["masking", "nonsense"])).fit(table, kinds[1])
    with pytest.raises(ParameterError, match=r"Training\(layerwise_rate=...\) is for fine-tuning"):
        small(pretrain=Training(layerwise_rate=0.5)).fit(table, kinds[1])


def test_a_single_autoencoder_serves_as_encoder(table, kinds, tmp_path):
    encoder = small_autoencoder(4).fit(table)
    model = StackedAutoencoderClassifier(encoder=encoder, finetune=SHORT, random_state=0).fit(table, kinds[1])
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(table), model.predict(table))


def test_a_class_too_rare_for_the_heads_start_is_learned_all_the_same(table, kinds, monkeypatch):
    from stackae.estimators import _supervised

    monkeypatch.setattr(_supervised, "_MOST_ROWS_OF_START", 2)
    y = np.where(np.arange(200) == 100, 1, 0)
    model = StackedAutoencoderClassifier(encoder=small_stack().fit(np.tile(table, (2, 1))), finetune=SHORT)
    assert model.fit(np.tile(table, (2, 1)), np.tile(y, 2)).predict_proba(table).shape == (200, 2)


def test_the_width_that_a_file_claims_for_its_labels_takes_no_memory():
    model = StackedAutoencoderClassifier()
    model._take_fitted({"classes_": ["a", "bc"], "kind_of_classes": "<U500000000"})
    assert model.classes_.dtype == np.dtype("<U2")
    with pytest.raises(ModelFileError, match="classes must be numbers or text"):
        model._take_fitted({"classes_": ["a", "bc"], "kind_of_classes": "V9"})
