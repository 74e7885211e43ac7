"""The stack as a transformer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers import BRIEF, SHORT, small_stack
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stackae import (
    Autoencoder,
    GaussianNoise,
    KLSparsity,
    Masking,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    Training,
    load,
)
from stackae.exceptions import ParameterError


@pytest.mark.parametrize("finetune", [None, "auto"])
def test_a_stack_of_one_layer_equals_that_autoencoder_bit_for_bit(finetune, digits):
    layer = Autoencoder(8, corruption=Masking(0.2), training=SHORT)
    stack = StackedAutoencoder([clone(layer)], finetune=finetune, random_state=3).fit(digits)
    alone = clone(layer).set_params(random_state=3).fit(digits)
    np.testing.assert_array_equal(stack.transform(digits), alone.transform(digits))
    np.testing.assert_array_equal(stack.reconstruct(digits), alone.reconstruct(digits))
    assert [r["loss"] for r in stack.history_] == [r["loss"] for r in alone.history_]


def test_layers_are_fitted_autoencoders_that_chain_to_the_stack(digits):
    stack = small_stack((16, 8, 3), shortcut=None).fit(digits)
    codes = digits
    for layer, width in zip(stack.layers_, (16, 8, 3), strict=True):
        assert isinstance(layer, Autoencoder)
        codes = layer.transform(codes)
        assert codes.shape[1] == width
    np.testing.assert_array_equal(codes, stack.transform(digits))


def test_all_codes_are_concatenated_on_request_and_can_be_decoded(digits):
    stack = small_stack((16, 3), output="all", shortcut=None).fit(digits)
    features = stack.transform(digits)
    first = stack.layers_[0].transform(digits)
    np.testing.assert_array_equal(features, np.hstack([first, stack.layers_[1].transform(first)]))
    assert len(stack.get_feature_names_out()) == 19
    np.testing.assert_allclose(stack.inverse_transform(features), stack.reconstruct(digits))


def test_an_int_stands_for_a_denoising_layer(digits):
    by_int = small_stack([8, 3], shortcut=None).fit(digits)
    layers = [Autoencoder(n, corruption="gaussian", tied_weights=True) for n in (8, 3)]
    np.testing.assert_array_equal(by_int.transform(digits), small_stack(layers).fit_transform(digits))


def test_kinds_mix_in_one_stack(digits):
    layers = [
        Autoencoder(16, corruption=GaussianNoise(0.1), tied_weights=True),
        Autoencoder(8, penalty=KLSparsity(0.1, 0.5)),
        Autoencoder(4, activation="tanh", penalty="l1"),
        2,
    ]
    stack = small_stack(layers).fit(digits)
    assert stack.transform(digits).shape == (1797, 2)
    assert [layer.parts.activation for layer in stack.module_] == [
        "relu",
        "sigmoid",
        "tanh",
        "identity",
    ]


def test_fine_tuning_lowers_the_reconstruction_error_that_pretraining_left(digits):
    before, after = (
        small_stack((32, 8), finetune=tuning).fit(digits).score(digits) for tuning in (None, SHORT)
    )
    assert after > before


def test_history_tells_layers_and_phases_in_order(digits):
    stack = small_stack((8, 3)).fit(digits)
    assert [(r["phase"], r["layer"], r["epoch"]) for r in stack.history_] == [
        *(("pretrain", 1, e) for e in (1, 2, 3)),
        *(("pretrain", 2, e) for e in (1, 2, 3)),
        *(("finetune", None, e) for e in (1, 2, 3)),
    ]
    assert stack.n_iter_ == 9
    assert list(pd.DataFrame(stack.history_).columns)[:3] == ["phase", "layer", "epoch"]


def test_a_layers_own_training_wins_over_the_stacks(digits):
    stack = small_stack([Autoencoder(8, training=Training(max_epochs=1)), 3], finetune=None).fit(digits)
    assert [layer.n_iter_ for layer in stack.layers_] == [1, 3]


@pytest.mark.parametrize("layers", [(8, 3), [Autoencoder(8), 3]])
def test_nested_parameters_reach_into_the_layers(layers):
    stack = StackedAutoencoder(layers)
    stack.set_params(layers__0__corruption=Masking(), layers__1__n_components=5, finetune__max_epochs=3)
    stack.set_params(layers__0__corruption__level=0.4)
    params = stack.get_params()
    assert params["layers__0__corruption__level"] == 0.4
    assert params["layers__1__n_components"] == 5
    assert params["layers__1__corruption"] == "gaussian"
    assert params["finetune__max_epochs"] == 3
    assert isinstance(stack.layers, type(layers))


def test_a_whole_layer_can_be_replaced_and_then_reached_into():
    stack = StackedAutoencoder((8, 3)).set_params(layers__1=Autoencoder(4), layers__1__activation="tanh")
    assert (stack.layers[1].n_components, stack.layers[1].activation) == (4, "tanh")


def test_setting_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ParameterError, match=r"'layers__2__n_components' names no element.* 0 to 1"):
        StackedAutoencoder((8, 3)).set_params(layers__2__n_components=4)


def test_a_clone_is_unfitted_independent_and_equal_in_parameters(digits):
    stack = small_stack([Autoencoder(8, corruption=Masking(0.1)), 3]).fit(digits)
    copy = clone(stack)
    assert not hasattr(copy, "module_")
    assert copy.layers[0] is not stack.layers[0]
    copy.set_params(layers__0__corruption__level=0.9)
    assert stack.get_params()["layers__0__corruption__level"] == 0.1


def test_fitting_leaves_the_parameters_as_they_were_given(digits):
    layers = [Autoencoder(8, corruption="masking"), 3]
    stack = small_stack(layers)
    before = repr(stack)
    stack.fit(digits)
    assert repr(stack) == before
    assert stack.layers is layers
    assert not hasattr(layers[0], "module_")


def test_a_layers_corruption_is_grid_searched(digits):
    X, target = digits[:400], np.arange(400) % 2
    pipeline = make_pipeline(small_stack([Autoencoder(8, corruption=Masking()), 3]), LogisticRegression())
    name = "stackedautoencoder__layers__0__corruption__level"
    search = GridSearchCV(pipeline, {name: [0.0, 0.3]}, cv=2, error_score="raise").fit(X, target)
    assert set(search.cv_results_[f"param_{name}"]) == {0.0, 0.3}
    alone = small_stack([Autoencoder(8, corruption=Masking()), 3])
    by_score = GridSearchCV(alone, {"layers__0__corruption__level": [0.2]}, cv=2).fit(X)
    assert np.isfinite(by_score.best_score_)


def test_it_is_a_step_in_a_pipeline_and_in_a_column_transformer(digits):
    digits = digits[:300]
    frame = pd.DataFrame(digits, columns=[f"p{i}" for i in range(64)])
    half = ColumnTransformer([("left", small_stack(), [f"p{i}" for i in range(32)])], remainder="drop")
    half.set_output(transform="pandas")
    features = half.fit_transform(frame)
    assert list(features.columns) == [f"left__stackedautoencoder{i}" for i in range(3)]
    labels = (digits[:, 20] > 0.5).astype(int)
    assert make_pipeline(half, LogisticRegression()).fit(frame, labels).predict(frame).shape == (300,)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ((), r"non-empty sequence .* Got \(\)"),
        ([0], r"of 1 to 2\*\*40, .* Got 0 in layers\[0\]"),
        ([8, True], r"Got True in layers\[1\]"),
        ([8, 2.5], r"Got 2\.5 in layers\[1\]"),
        ([8, "3"], r"Got '3' in layers\[1\]"),
        (0, r"Got 0 instead"),
        (True, r"Got True instead"),
        ([Autoencoder(0)], r"'n_components' parameter of Autoencoder .* Got 0"),
        ([Autoencoder(8, device="cpu")], r"takes device from its stack, got device='cpu' in layers\[0\]"),
        ([Autoencoder(8, scale=None), 8], r"takes scale from its stack, got scale=None in layers\[0\]"),
    ],
)
def test_impossible_layers_are_refused_with_place_and_value(layers, match, digits):
    with pytest.raises(ValueError, match=match):
        StackedAutoencoder(layers).fit(digits)


def test_the_same_seed_gives_the_same_bits(digits):
    first, second, other = (small_stack(random_state=seed).fit(digits) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.transform(digits), second.transform(digits))
    assert not np.array_equal(first.transform(digits), other.transform(digits))


def test_the_layers_alone_reconstruct_as_pca_of_their_width_does_where_causes_are_linear(table):
    """Two hidden causes behind six columns: two linear codes explain them, two learned ones no less."""
    X = StandardScaler().fit_transform(table[:, :5])
    pca = PCA(2).fit(X)
    r2 = 1 - ((pca.inverse_transform(pca.transform(X)) - X) ** 2).sum() / (X**2).sum()
    model = small_stack((32, 2), finetune=Training(updates=1000), shortcut=None).fit(X)
    assert model.score(X) > r2 - 0.02


def test_without_pretraining_and_fine_tuning_the_layers_keep_their_starting_weights():
    X = np.random.default_rng(0).random((60, 6)).astype(np.float32)
    untrained = small_stack(pretrain=None, finetune=None).fit(X)
    assert untrained.history_ == []
    assert untrained.n_iter_ == 0
    trained = small_stack(finetune=None).fit(X)
    # Both began with the same draws; the first layer's biases begin at zero.
    assert not untrained.module_[0].network.encoder_bias.any()
    assert trained.module_[0].network.encoder_bias.any()


def test_without_pretraining_the_stack_is_trained_end_to_end_only():
    X = np.random.default_rng(0).random((60, 6)).astype(np.float32)
    model = small_stack(pretrain=None, shortcut=None).fit(X)
    assert {record["phase"] for record in model.history_} == {"finetune"}
    of_one_layer = small_stack((3,), pretrain=None, finetune="auto").fit(X)
    assert of_one_layer.n_iter_ > 0
    # A layer's own training is still its own.
    own = small_stack([Autoencoder(4, training=SHORT), 2], pretrain=None, finetune=None).fit(X)
    assert {record["layer"] for record in own.history_} == {1}


@pytest.mark.parametrize(
    ("n_columns", "layers", "widths"),
    [(4, 2, [32, 2]), (30, 5, [120, 5]), (64, 8, [256, 8]), (3, None, [32, 2]), (13, None, [52, 7])],
)
def test_widths_follow_from_the_columns(tmp_path, n_columns, layers, widths):
    X = np.random.default_rng(0).random((60, n_columns))
    model = small_stack(layers).fit(X)
    assert model.layers is layers
    assert [layer.n_units for layer in model.module_] == widths
    assert [layer.parts.n_units for layer in model.plan(X).layers] == widths
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.layers == layers
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    pieces = small_stack(layers).partial_fit(X).partial_fit(X)
    assert [layer.n_units for layer in pieces.module_] == widths
    assert pieces.transform(X).shape == (60, widths[-1])


def test_an_ordered_code_of_a_width_alone_is_cut():
    X = np.random.default_rng(0).random((60, 12))
    model = small_stack(6, ordered=True).fit(X)
    assert model.truncated(2).layers == (48, 2)


def test_a_stack_of_many_columns_has_a_code_of_64(digits):
    assert [layer.parts.n_units for layer in small_stack(None).plan(np.hstack(3 * [digits])).layers] == [
        256,
        64,
    ]


def test_a_predictor_stands_on_an_encoder_of_default_widths(tmp_path, digits):
    y = np.arange(len(digits)) % 2
    model = StackedAutoencoderClassifier(small_stack(None), random_state=0).fit(digits, y)
    assert model.transform(digits).shape[1] == 32
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(digits), model.predict(digits))


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples"])
def test_what_is_computed_of_a_row_does_not_depend_on_how_many_stand_behind_it(method):
    X = np.random.default_rng(0).normal(size=(2100, 784)).astype(np.float32)
    model = StackedAutoencoder((300, 20), pretrain=BRIEF, finetune=None, random_state=0).fit(X[:500])
    computed = getattr(model, method)
    whole = computed(X)  # blocks of 1,337 rows, and 763 are left
    for n_samples in (1024, 1338, 1339, 1400, 2000):
        np.testing.assert_array_equal(computed(X[:n_samples]), whole[:n_samples])
