"""Stacks of ordered codes: prefixes, the narrower models cut from them, and the width that is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, small_autoencoder
from sklearn.base import clone

from stackae import Autoencoder, Nested, StackedAutoencoder, StackedAutoencoderClassifier, Training, load
from stackae.exceptions import ParameterError

BRIEF = Training(max_epochs=6)


def fitted(kind, X):
    given = {"pretrain": BRIEF, "finetune": BRIEF, "random_state": 0, "ordered": True}
    if kind == "shortcut":
        return StackedAutoencoder((24, 8), shortcut="pca", **given).fit(X)
    if kind == "layers alone":
        return StackedAutoencoder((24, Autoencoder(8, training=BRIEF)), **given).fit(X)
    return Autoencoder(8, code="nested", training=BRIEF, tied_weights=True, random_state=0).fit(X)


KINDS = ("shortcut", "layers alone", "lone")


@pytest.fixture(params=KINDS)
def model(request, digits):
    return fitted(request.param, digits)


def test_a_truncated_models_codes_are_the_first_of_the_wide_ones(model, digits):
    codes = model.transform(digits)
    for k in (1, 3, 8):
        narrow = model.truncated(k)
        np.testing.assert_allclose(narrow.transform(digits), codes[:, :k], rtol=1e-12, atol=1e-12)
        assert narrow.module_.widths[-1] == narrow._asked_widths()[-1] == k
        assert len(narrow.get_feature_names_out()) == k
        assert narrow.inverse_transform(codes[:, :k]).shape == digits.shape
        assert len(narrow.prefix_r2_) == k
    assert clone(model.truncated(3)).get_params().keys() == model.get_params().keys()
    np.testing.assert_array_equal(model.transform(digits), codes)


def test_without_solved_decoders_a_prefix_decodes_as_the_whole_code_with_zeros(digits):
    model = fitted("layers alone", digits)
    codes = model.transform(digits)
    codes[:, 3:] = 0
    np.testing.assert_allclose(
        model.truncated(3).reconstruct(digits), model.inverse_transform(codes), rtol=1e-9, atol=1e-9
    )


def test_decoders_solved_for_prefixes_reconstruct_better_than_the_whole_codes(digits):
    model = StackedAutoencoder(
        (32, 16), ordered=True, shortcut="pca", finetune=Training(updates=500), random_state=0
    ).fit(digits)
    with_own = [model.truncated(k).score(digits) for k in range(1, 17)]
    assert with_own[-1] == pytest.approx(model.score(digits))
    model.module_.shortcut.prefixes = None
    shared = [model.truncated(k).score(digits) for k in range(1, 17)]
    assert all(own > other + 0.02 for own, other in zip(with_own[:10], shared[:10], strict=True))
    assert np.diff(with_own).min() > -0.01


def test_prefix_r2_is_the_score_of_truncated_models_on_rows_held_out(digits):
    training = Training(max_epochs=3, validation_fraction=0.0)
    model = Autoencoder(4, code="nested", training=training, random_state=0).fit(digits)
    rows = digits.astype(np.float32)
    expected = [model.truncated(k).score(rows) for k in range(1, 5)]
    np.testing.assert_allclose(model.prefix_r2_, expected, atol=1e-5)  # none were: those of the fit
    assert not np.allclose(fitted("lone", digits).prefix_r2_[:4], expected)


def test_files_keep_order_prefixes_and_decoders(model, digits, tmp_path):
    for k, own in enumerate((model, model.truncated(5))):
        path = tmp_path / f"{k}.safetensors"
        own.save(path)
        again = load(path)
        np.testing.assert_array_equal(again.transform(digits), own.transform(digits))
        np.testing.assert_array_equal(again.prefix_r2_, own.prefix_r2_)
        np.testing.assert_array_equal(
            again.truncated(3).reconstruct(digits), own.truncated(3).reconstruct(digits)
        )


def test_a_truncated_model_is_exported(model, digits, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    narrow, X = model.truncated(3), digits.astype(np.float32)
    narrow.export_onnx(tmp_path / "narrow.onnx")
    codes = onnxruntime.InferenceSession(tmp_path / "narrow.onnx").run(["codes"], {"X": X})[0]
    np.testing.assert_allclose(codes, narrow.transform(X), atol=1e-4)


def test_a_truncated_model_has_loadings_and_goes_on_learning_alone(digits):
    model = fitted("shortcut", digits)
    before, narrow = model.transform(digits), model.truncated(4)
    assert narrow.loadings(digits).shape[-1] in (4, digits.shape[1])
    narrow.partial_fit(digits)
    assert narrow.module_.shortcut.prefixes is None  # they were for other weights
    assert narrow.prefix_r2_.shape == (4,)
    np.testing.assert_array_equal(model.transform(digits), before)


def test_codes_without_order_are_not_cut(digits):
    with pytest.raises(ParameterError, match=r"fit with code='nested' \(the last layer must be dense\)"):
        small_autoencoder(4).fit(digits).truncated(2)
    stack = StackedAutoencoder((8, 4), pretrain=SHORT, finetune=SHORT, random_state=0).fit(digits)
    with pytest.raises(ParameterError, match=r"fit with ordered=True \(the last layer must be dense\)"):
        stack.truncated(2)
    assert not hasattr(stack, "prefix_r2_")


@pytest.mark.parametrize("n_components", [0, 9, 2.0, True])
def test_widths_that_there_are_not_are_refused(n_components, digits):
    with pytest.raises(ParameterError, match="n_components must be an integer from 1 to 8, got"):
        fitted("lone", digits).truncated(n_components)


def test_ordered_is_a_nested_last_code_whatever_the_layer_is_given_as(digits):
    for layers in ((8, 4), (8, Autoencoder(4)), (8, Autoencoder(4, code=Nested(0.8)))):
        stack = StackedAutoencoder(layers, pretrain=SHORT, finetune=SHORT, ordered=True, random_state=0)
        parts = stack.fit(digits).module_[1].parts
        assert parts.code.whole == (0.8 if layers[1] != 4 and layers[1].code else 0.3)
    assert stack.module_[0].parts.code is None


def test_a_refit_without_order_forgets_the_prefixes(digits):
    model = fitted("shortcut", digits).set_params(ordered=False).fit(digits)
    assert not hasattr(model, "prefix_r2_")
    assert model.module_.shortcut.prefixes is None


def test_few_rows_of_many_columns_are_cut_too(generator):
    X = torch.randn(40, 120, generator=generator).numpy()
    training = Training(max_epochs=20, validation_fraction=0.2)
    model = StackedAutoencoder(
        (16, 4), ordered=True, pretrain=training, finetune=training, shortcut="pca", random_state=0
    )
    assert model.plan(X).in_span
    codes, narrow = model.fit(X).transform(X), model.truncated(2)
    np.testing.assert_allclose(narrow.transform(X), codes[:, :2], atol=1e-5)
    np.testing.assert_allclose(narrow.inverse_transform(codes[:, :2]), narrow.reconstruct(X), atol=1e-5)


# The width that is chosen ------------------------------------------------------------------------------


def of_rank_three(rng):
    return rng.normal(size=(400, 3)) @ rng.normal(size=(3, 12)) + 0.01 * rng.normal(size=(400, 12))


def test_the_last_width_is_the_narrowest_within_a_hundredth_of_the_whole(tmp_path):
    X = of_rank_three(np.random.default_rng(0))
    model = StackedAutoencoder((16, "auto"), random_state=0).fit(X)
    assert len(model.prefix_r2_) == 11  # fewer than columns
    enough = np.flatnonzero(model.prefix_r2_ >= model.prefix_r2_[-1] - 0.01)[0] + 1
    assert model.n_components_ == model.module_.widths[-1] == enough == 3
    assert model.layers == (16, "auto")
    assert model.transform(X).shape == (400, 3)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.truncated(2).layers == (16, 2)


def test_a_width_to_be_chosen_is_planned_and_not_chosen_on_a_piece():
    X = of_rank_three(np.random.default_rng(0))
    model = StackedAutoencoder((16, "auto"))
    assert [layer.parts.n_units for layer in model.plan(X).layers] == [16, 11]
    with pytest.raises(ParameterError, match="partial_fit cannot compare widths on a piece of the rows"):
        model.partial_fit(X)


def test_only_the_last_width_may_be_left_open(digits):
    with pytest.raises(ValueError, match=r"Got 'auto' in layers\[0\]"):
        StackedAutoencoder(("auto", 4)).fit(digits)


def test_a_predictor_stands_on_an_encoder_whose_width_was_chosen(tmp_path):
    X = of_rank_three(np.random.default_rng(0))
    y = X[:, 0] > 0
    for encoder in ((16, "auto"), StackedAutoencoder((16, "auto"))):
        model = StackedAutoencoderClassifier(encoder, random_state=0).fit(X, y)
        model.save(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(load(tmp_path / "model.safetensors").predict(X), model.predict(X))
