"""The spellings of ``encoder=``: widths, an autoencoder that is fitted, and one that is frozen; none of version 0.1.0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SHORT, small_autoencoder, small_stack, train_briefly
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    StackedAutoencoderRegressor,
    load,
)
from stackae._utils.constraints import InvalidParameterError
from stackae.estimators._fitting import BaseAutoencoder
from stackae.exceptions import DataError, ParameterError

KINDS = [StackedAutoencoderClassifier, StackedAutoencoderRegressor, StackedAutoencoderDetector]
every_kind = pytest.mark.parametrize("kind", KINDS)
MOVED = ("layers", "pretrain", "scale", "missing_values", "add_indicator", "memory")


@pytest.fixture
def brief(monkeypatch):
    """Default budgets of some updates."""
    train_briefly(monkeypatch)


@pytest.fixture(scope="module")
def y(table):
    return (table[:, 0] > 0).astype(int)


@pytest.fixture
def fitted(table):
    return small_stack().fit(table)


def on(kind, encoder, **parameters):
    own = {} if kind is StackedAutoencoderDetector else {"finetune": SHORT}
    return kind(encoder, **{"random_state": 0, **own, **parameters})


def bits(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def assert_same_bits(module, others):
    for (name, tensor), (other_name, other) in zip(bits(module).items(), bits(others).items(), strict=True):
        assert name == other_name
        assert torch.equal(tensor, other)


# Version 0.1.0 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [*((kind, name) for kind in KINDS for name in MOVED), (StackedAutoencoderDetector, "finetune")],
)
def test_a_parameter_of_version_0_1_0_is_refused_with_the_new_spelling(kind, name):
    given = "widths" if name == "layers" else rf"StackedAutoencoder\(widths, {name}=..., shortcut=None\)"
    new = rf"{kind.__name__} has no parameter '{name}'.*encoder={given}"
    with pytest.raises(ParameterError, match=new):
        kind(**{name: None})
    with pytest.raises(ParameterError, match=new):
        kind().set_params(**{name: None})


@every_kind
def test_what_was_inside_such_a_parameter_is_refused_too(kind):
    with pytest.raises(ParameterError, match=r"\(widths, pretrain=..., shortcut=None\)"):
        kind().set_params(pretrain__max_epochs=3)
    with pytest.raises(ParameterError, match="encoder=widths"):
        kind().set_params(layers__0__corruption__level=0.1)


def test_several_such_parameters_are_named_together():
    with pytest.raises(ParameterError, match=r"\(\(8, 3\), pretrain=..., scale=..., shortcut=None\)"):
        StackedAutoencoderClassifier(layers=(8, 3), scale=None, pretrain=SHORT)
    with pytest.raises(ParameterError, match=r"\(\(8, 3\), finetune=..., shortcut=None\)"):
        StackedAutoencoderDetector(layers=(8, 3), finetune=None)


def test_nothing_is_set_where_a_parameter_is_refused():
    model = StackedAutoencoderClassifier((8, 3))
    with pytest.raises(ParameterError):
        model.set_params(encoder=(5, 2), scale="minmax")
    assert model.encoder == (8, 3)


# Widths, and autoencoders that are fitted ----------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("widths", [(8, 3), [8, 3], np.array([8, 3])], ids=["tuple", "list", "array"])
def test_widths_are_a_stack_without_a_shortcut_bit_for_bit(kind, widths, table, y, brief):
    by_widths = on(kind, widths).fit(table, y)
    by_stack = on(kind, StackedAutoencoder((8, 3), shortcut=None)).fit(table, y)
    assert_same_bits(by_widths.module_, by_stack.module_)
    assert [r["loss"] for r in by_widths.history_] == [r["loss"] for r in by_stack.history_]
    np.testing.assert_array_equal(by_widths.predict(table), by_stack.predict(table))


@every_kind
def test_layers_may_stand_among_the_widths(kind, table, y, brief):
    layers = [Autoencoder(8, corruption="masking", training=SHORT), 3]
    by_layers = on(kind, layers).fit(table, y)
    by_stack = on(kind, StackedAutoencoder(layers)).fit(table, y)
    assert_same_bits(by_layers.module_, by_stack.module_)
    assert not hasattr(layers[0], "module_")


@every_kind
@pytest.mark.parametrize("make", [small_stack, small_autoencoder])
def test_an_unfitted_autoencoder_is_fitted_and_left_unfitted(kind, make, table, y):
    encoder = make()
    model = on(kind, encoder).fit(table, y)
    assert "pretrain" in {record["phase"] for record in model.history_}
    assert not hasattr(encoder, "module_")
    assert model.encoder is encoder


@every_kind
def test_what_an_encoder_of_widths_computes_with_is_the_estimators(kind, table, y, capfd, brief, tmp_path):
    on(kind, (8, 3), verbose=1).fit(table, y)
    assert "layer 1" in capfd.readouterr().err
    for impossible, said in (
        ({"max_memory": 1}, "max_memory must be at least"),
        ({"cache_folder": tmp_path / "none"}, "cache_folder must be a folder"),
        ({"device": "cuda:77"}, "device must be one that is there"),
    ):
        with pytest.raises(ParameterError, match=said):
            on(kind, (8, 3), **impossible).fit(table, y)


@every_kind
def test_one_seed_decides_everything(kind, table, y):
    first, again, other = (
        on(kind, small_stack(random_state=None), random_state=seed).fit(table, y) for seed in (1, 1, 2)
    )
    assert_same_bits(first.module_, again.module_)
    assert first.history_[0]["loss"] != other.history_[0]["loss"]
    # A seed of the encoder's own decides how the encoder is fitted.
    seeded = [on(kind, small_stack(random_state=5), random_state=seed).fit(table, y) for seed in (1, 2)]
    losses = [[r["loss"] for r in model.history_ if r["phase"] != "supervised"] for model in seeded]
    assert losses[0] == losses[1]


@every_kind
def test_the_parameters_of_an_unfitted_encoder_are_searched(kind, table, y):
    model = on(kind, small_stack())
    model.set_params(encoder__layers__0=Autoencoder(6), encoder__layers__0__corruption="masking")
    assert model.get_params()["encoder__layers__0__corruption"] == "masking"
    grid = {"encoder__layers": [(8, 3), (6, 2)], "encoder__scale": ["minmax"]}
    scoring = None if hasattr(model, "score") else lambda model, X, y: model.score_samples(X).mean()
    search = GridSearchCV(model, grid, cv=2, error_score="raise", scoring=scoring).fit(table, y)
    assert search.best_estimator_.encoder.layers in grid["encoder__layers"]


# Frozen ------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("make", [small_stack, small_autoencoder])
def test_a_fitted_encoder_given_bare_is_refused(kind, make, table, y):
    encoder = make().fit(table)
    said = r"encoder= is fitted already: give FrozenEstimator\(encoder\).*or clone\(encoder\) to fit it anew"
    with pytest.raises(ParameterError, match=said):
        on(kind, encoder).fit(table, y)


@every_kind
def test_what_is_frozen_must_be_a_fitted_autoencoder(kind, table, y):
    for unfitted in (small_stack(), small_autoencoder()):
        with pytest.raises(
            ParameterError, match=r"must hold a fitted .*Autoencoder, got one that is not; fit"
        ):
            on(kind, FrozenEstimator(unfitted)).fit(table, y)
    with pytest.raises(ParameterError, match="must hold a fitted StackedAutoencoder or Autoencoder, got PCA"):
        on(kind, FrozenEstimator(PCA(2).fit(table))).fit(table, y)


@every_kind
def test_a_frozen_encoder_is_kept_by_clone_and_by_searches(kind, fitted, table, y, monkeypatch):
    before, history = bits(fitted.module_), list(fitted.history_)
    model = on(kind, FrozenEstimator(fitted))
    assert clone(model).encoder.estimator is fitted
    fits = []
    monkeypatch.setattr(BaseAutoencoder, "_fit_matrix", lambda *_, **__: fits.append(1))
    of_detector = kind is StackedAutoencoderDetector
    grid = {"contamination": [0.1, 0.2]} if of_detector else {"finetune__learning_rate": [1e-3, 1e-4]}
    scoring = (lambda model, X, y: model.score_samples(X).mean()) if of_detector else None
    search = GridSearchCV(model, grid, cv=2, error_score="raise", scoring=scoring).fit(table, y)
    assert fits == []
    assert search.best_estimator_.encoder.estimator is fitted
    after = bits(fitted.module_)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert fitted.history_ == history


@every_kind
def test_a_frozen_encoder_must_fit_the_columns(kind, table, y):
    frame = pd.DataFrame(table, columns=list("abcdef"))
    model = on(kind, FrozenEstimator(small_stack().fit(frame)))
    with pytest.raises(DataError, match=r"encoder= was fitted on 6 features, got X with 5"):
        model.fit(table[:, :5], y)
    with pytest.raises(DataError, match="the feature names should match those that were fitted"):
        model.fit(frame[list("fedcba")], y)


@every_kind
def test_what_is_kept_in_a_model_file_is_how_the_encoder_was_made(kind, fitted, table, y, tmp_path):
    on(kind, FrozenEstimator(fitted)).fit(table, y).save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert repr(again.encoder) == repr(clone(fitted))
    again.fit(table, y)
    assert again.n_iter_ > 0


@every_kind
def test_parameters_within_widths_are_refused_with_what_to_write(kind):
    with pytest.raises(ParameterError, match="an encoder that is not an estimator"):
        kind((8, 3)).set_params(encoder__0__n_components=4)


@every_kind
@pytest.mark.parametrize("encoder", [8, "auto", True])
def test_what_is_no_encoder_is_refused_in_one_sentence(kind, encoder):
    with pytest.raises(InvalidParameterError, match=r"'encoder' parameter.* sequence of widths"):
        kind(encoder).check_parameters()


@pytest.mark.parametrize("kind", [StackedAutoencoderClassifier, StackedAutoencoderRegressor])
def test_without_an_encoder_it_is_the_default_stack_whose_widths_follow_the_columns(kind, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 6))
    y = (X[:, 0] > 0).astype(int)
    training = SHORT
    plain = kind(finetune=training, random_state=0).fit(X, y)
    spelt = kind(StackedAutoencoder(), finetune=training, random_state=0).fit(X, y)
    np.testing.assert_array_equal(plain.transform(X), spelt.transform(X))
    assert plain.transform(X).shape == (60, 3)
    plain.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "model.safetensors").predict(X), plain.predict(X))
