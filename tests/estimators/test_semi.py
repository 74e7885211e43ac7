"""Predictors that learn from rows without a target."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import SHORT, small_autoencoder, small_stack
from sklearn.base import clone
from sklearn.datasets import load_digits, make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold

from stackae import (
    Consistency,
    Convolutional,
    Ladder,
    Propagation,
    Recurrent,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderRegressor,
    Training,
    VirtualAdversarial,
    load,
)
from stackae._utils.constraints import InvalidParameterError
from stackae.exceptions import ParameterError
from stackae.training.callbacks import Callback, Checkpoints

WAYS = ["propagation", "vat", "consistency", "ladder"]


@pytest.fixture(scope="module")
def blobs():
    """Three long clusters that lie side by side, three labels each, and all labels."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.standard_normal((300, 6)) * [3, 3, 0.3, 0.3, 0.3, 0.3]
    X[:, 2] += 2 * y
    few = np.full(300, np.nan)
    few[:9] = y[:9]
    return X, few, y


def small(**parameters):
    own = {"finetune": SHORT, "random_state": 0, **parameters}
    return StackedAutoencoderClassifier(small_stack((8, 4), shortcut=None), **own)


@pytest.mark.parametrize(
    "semi",
    [*WAYS, WAYS, [Propagation(5, 0.9), VirtualAdversarial(0.1)], Consistency(teacher=0.9), Ladder(top=1.0)],
    ids=repr,
)
def test_a_classifier_learns_from_all_rows_and_is_saved_without_what_only_training_needed(
    semi, blobs, tmp_path
):
    X, few, _ = blobs
    model = small(semi=semi).fit(X, few)
    names = set(small().fit(X, few).module_.state_dict())
    assert set(model.module_.state_dict()) == names
    assert model.module_.costs == ()
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert repr(again.semi) == repr(model.semi)
    other = clone(model).fit(X, few)
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    assert (model.predict_proba(X) != small().fit(X, few).predict_proba(X)).any()


def test_labels_that_spread_are_worth_more_than_few():
    X, y = load_digits(return_X_y=True)
    few = np.where(np.arange(len(y)) < 40, y, np.nan)
    encoder = StackedAutoencoder((64, 10), shortcut=None, pretrain=None, random_state=0).fit(X / 16)

    def accuracy(**own):
        training = Training(updates=300)
        model = StackedAutoencoderClassifier(
            FrozenEstimator(encoder), finetune=training, random_state=0, **own
        )
        return (model.fit(X / 16, few).predict(X / 16) == y).mean()

    assert accuracy(semi="propagation") > accuracy() + 0.03


@pytest.fixture
def moons():
    """Two thin half circles, five labels each, which no line tells apart; and all labels."""
    X, y = make_moons(400, noise=0.03, random_state=0)
    few = np.full(400, np.nan)
    few[[*np.flatnonzero(y == 0)[:5], *np.flatnonzero(y == 1)[:5]]] = [0] * 5 + [1] * 5
    return X, few, y


def test_auto_spreads_labels_where_those_held_out_speak_for_it(moons, tmp_path):
    X, few, y = moons
    encoder = FrozenEstimator(StackedAutoencoder((8, 2), finetune=None, random_state=3).fit(X))
    long = Training(updates=2000)
    model = StackedAutoencoderClassifier(encoder, finetune=long, semi="auto", random_state=3)
    auto = clone(model).fit(X, few)
    assert auto.semi_ == ["propagation"]
    told = clone(model).set_params(semi="propagation").fit(X, few)
    np.testing.assert_array_equal(auto.predict_proba(X), told.predict_proba(X))
    assert not hasattr(told, "semi_")
    auto.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").semi_ == ["propagation"]
    alone = clone(model).set_params(semi=None).fit(X, few)
    assert (auto.predict(X) == y).mean() > (alone.predict(X) == y).mean() + 0.03


def test_auto_spreads_nothing_where_that_is_no_better(blobs):
    X, few, _ = blobs
    noise = np.where(np.isnan(few), np.nan, np.random.default_rng(1).permutation(300) % 3)
    for labels in (noise, np.where(np.arange(300) < 3, few, np.nan)):  # the latter cannot be held out
        model = small(semi="auto").fit(X, labels)
        assert model.semi_ == []
        np.testing.assert_array_equal(model.predict_proba(X), small().fit(X, labels).predict_proba(X))


def test_auto_without_rows_that_lack_a_label_changes_nothing(moons):
    X, _, y = moons
    model = small(semi="auto").fit(X, y)
    assert model.semi_ == []
    np.testing.assert_array_equal(model.predict_proba(X), small().fit(X, y).predict_proba(X))
    assert repr(small(semi="auto").plan(X, y)) == repr(small().plan(X, y))


def test_auto_is_of_classes(blobs):
    X, few, _ = blobs
    with pytest.raises(InvalidParameterError, match="'semi' parameter of StackedAutoencoderRegressor"):
        StackedAutoencoderRegressor(small_stack((3,)), finetune=SHORT, semi="auto").fit(X, few)
    with pytest.raises(InvalidParameterError, match="'auto' in place 0"):
        small(semi=["auto"]).fit(X, few)


@pytest.mark.parametrize("semi", [["vat", "vat"], ("ladder", VirtualAdversarial(), VirtualAdversarial(0.3))])
def test_a_method_that_is_named_twice_is_refused(semi, blobs):
    X, few, _ = blobs
    with pytest.raises(ParameterError, match="semi names 'vat' more than once; leave all but one out"):
        small(semi=semi).fit(X, few)


@pytest.mark.parametrize("semi", [None, "propagation", Ladder(0.0), [Ladder(top=0.0)], []], ids=repr)
def test_what_is_idle_is_supervised_fine_tuning_bit_for_bit(semi, blobs):
    X, few, y = blobs
    labels = y if semi == "propagation" else few  # nothing is left to be spread
    expected = small().fit(X, labels)
    found = small(semi=semi).fit(X, labels)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    assert [r["loss"] for r in found.history_] == [r["loss"] for r in expected.history_]


@pytest.mark.parametrize("semi", ["vat", "consistency", "ladder", ["vat", "ladder"]])
def test_a_regressor_learns_from_all_rows(semi, blobs):
    X, few, _ = blobs
    y = np.where(np.isnan(few), np.nan, X[:, 0])
    model = StackedAutoencoderRegressor(
        small_stack((8, 4), shortcut=None), finetune=SHORT, semi=semi, random_state=0
    )
    plain = clone(model).set_params(semi=None).fit(X, y)
    assert (model.fit(X, y).predict(X) != plain.predict(X)).any()
    two = np.column_stack([y, np.where(np.arange(300) < 5, y, np.nan)])
    assert np.isfinite(model.fit(X, two).predict(X)).all()


def test_a_regressor_refuses_what_spreads_classes(blobs):
    X, few, _ = blobs
    with pytest.raises(ParameterError, match="Propagation spreads classes, and numbers are to be learned"):
        StackedAutoencoderRegressor(small_stack((3,)), finetune=SHORT, semi="propagation").fit(X, few)


@pytest.mark.parametrize("semi", WAYS)
@pytest.mark.parametrize("network", [Convolutional(image_shape=(8, 8)), Recurrent((8, 8))], ids=repr)
def test_any_encoder_will_do(network, semi, digits):
    few = np.where(np.arange(len(digits)) < 20, np.arange(len(digits)) % 2, np.nan)
    encoder = StackedAutoencoder(
        [small_autoencoder(3, network=network), small_autoencoder(4)], finetune=None, random_state=0
    )
    model = StackedAutoencoderClassifier(encoder, finetune=SHORT, semi=semi, random_state=0)
    assert np.isfinite(model.fit(digits, few).predict_proba(digits)).all()


@pytest.mark.parametrize("semi", WAYS)
def test_gaps_and_a_shortcut_are_taken(semi, blobs):
    X, few, _ = blobs
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    for encoder, rows in (
        (small_stack((8, 4), missing_values=np.nan), holes),
        (small_stack((8, 4), shortcut="pca"), X),
    ):
        model = StackedAutoencoderClassifier(encoder, finetune=SHORT, semi=semi, random_state=0)
        assert np.isfinite(model.fit(rows, few).predict_proba(rows)).all()


@pytest.mark.parametrize(
    "semi", ["consistency", ["propagation", "vat"], Consistency(teacher=0.9), "ladder"], ids=repr
)
def test_a_fit_that_is_broken_off_goes_on_to_the_same_bits(semi, blobs, tmp_path):
    X, few, _ = blobs
    encoder = FrozenEstimator(small_stack((8, 4), shortcut=None).fit(X))
    model = StackedAutoencoderClassifier(encoder, finetune=Training(max_epochs=5), semi=semi, random_state=0)

    class Stop(Callback):
        def end_epoch(self, record, run):
            if record["epoch"] == 3 and run is not None:
                raise KeyboardInterrupt

    whole = clone(model).fit(X, few)
    with pytest.raises(KeyboardInterrupt):
        clone(model).set_callbacks(Checkpoints(tmp_path, "k", 0.0), Stop()).fit(X, few)
    again = clone(model).set_callbacks(Checkpoints(tmp_path, "k", 0.0)).fit(X, few)
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))


def test_its_parameters_are_searched(blobs):
    X, few, _ = blobs
    model = small(semi=[Propagation(), "vat"])
    model.set_params(semi__0__alpha=0.5, semi__1__eps=0.2)
    assert (model.semi[0].alpha, model.semi[1].eps) == (0.5, 0.2)
    search = GridSearchCV(
        small(semi="propagation"), {"semi__n_neighbors": [3, 5]}, cv=KFold(2, shuffle=True, random_state=0)
    )
    assert search.fit(X, few).best_params_["semi__n_neighbors"] in (3, 5)


@pytest.mark.parametrize(
    ("semi", "message"),
    [
        ("vats", "must be .*propagation.* Got 'vats'"),
        (["vat", 3], "instances of SemiSupervised or names among .* Got 3 in place 1"),
        (VirtualAdversarial(eps=0.0), "'eps' parameter of VirtualAdversarial"),
        (Propagation(alpha=1.0), "'alpha' parameter of Propagation"),
        (Consistency(teacher=1.0), "'teacher' parameter of Consistency"),
        (Ladder(decay=2.0), "'decay' parameter of Ladder"),
    ],
)
def test_what_cannot_be_is_refused(semi, message, blobs):
    with pytest.raises(InvalidParameterError, match=message):
        small(semi=semi).fit(*blobs[:2])


def test_the_plan_says_how_many_updates_there_are_at_most(blobs):
    X, few, _ = blobs
    model = small(semi="vat")
    planned = model.plan(X, few).supervised.budget
    assert planned.n_samples == 300
    assert planned.n_held_out == 0
    model.fit(X, few)
    assert model.history_[-1]["validation_loss"] is None


def test_a_fit_that_fails_leaves_what_auto_chose_before(moons, monkeypatch):
    X, few, y = moons
    model = small(semi="auto").fit(X, few)
    before = model.semi_

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("stackae.estimators._supervised.fit_predictor", fail)
    with pytest.raises(MemoryError):
        model.set_params(semi=None).fit(X, y)
    assert model.semi_ == before
