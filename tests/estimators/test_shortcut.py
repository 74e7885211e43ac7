"""The shortcut beside a stack: it starts as PCA, half of it stays so, and the stack does not end below it."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from helpers import SHORT
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    Training,
    load,
)
from stackae._utils import memory
from stackae.exceptions import ParameterError

DIGITS = load_digits().data[:600] / 16
BINARY = (DIGITS > 0.5).astype(np.float64)
#: Of so few samples none are held out.
WINE = load_wine().data


def short(layers=(32, 6), **parameters):
    return StackedAutoencoder(
        layers, **{"pretrain": SHORT, "finetune": SHORT, "random_state": 0, **parameters}
    )


def r2(x, reconstruction):
    return 1 - np.square(x - reconstruction).sum() / np.square(x - x.mean(0)).sum()


def r2_of_pca(x, others, n_components):
    pca = PCA(n_components).fit(x)
    return r2(others, pca.inverse_transform(pca.transform(others)))


# Where there is one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X", [DIGITS, WINE, DIGITS[:30], BINARY[:150]], ids=["many", "few", "30", "two-valued"]
)
def test_samples_that_are_not_nearly_two_valued_and_few_samples_of_any_kind_have_one(X):
    model = short().fit(X)
    assert model.module_.shortcut is not None
    assert {record["phase"] for record in model.history_} == {"pretrain", "finetune"}


def test_nearly_two_valued_data_have_none():
    model = short().fit(BINARY)
    assert model.module_.shortcut is None
    assert model.module_[0].parts.output == "sigmoid"
    everything = Training(max_epochs=2, validation_fraction=0)
    assert short(finetune=everything).fit(BINARY[:150]).module_.shortcut is None
    assert short(finetune=everything).fit(DIGITS).module_.shortcut is not None


@pytest.mark.parametrize(
    ("X", "parameters", "why"),
    [
        (DIGITS, {"finetune": None}, "there is no fine-tuning"),
        (DIGITS, {"layers": (6,)}, "there is one layer"),
        (DIGITS, {"layers": (32, 64)}, "a code of 64 is not narrower than the 64 columns"),
        (DIGITS[:6], {}, "a code of 6 is not narrower than there are rows, 6"),
        (DIGITS, {"layers": [Autoencoder(32), Autoencoder(6)]}, "not all layers are given by their widths"),
        (DIGITS, {"missing_values": np.nan}, "values may be missing"),
    ],
    ids=["not fine-tuned", "one layer", "no narrower", "few samples", "layers", "gaps"],
)
def test_where_there_can_be_none_auto_has_none_and_pca_is_refused(X, parameters, why):
    assert short(**parameters).fit(X).module_.shortcut is None
    refused = short(shortcut="pca", **parameters)
    for method in (refused.fit, refused.plan):
        with pytest.raises(ParameterError, match=rf"shortcut='pca' cannot be: {why}; set shortcut='auto'"):
            method(X)
    assert not hasattr(refused, "module_")


@pytest.mark.parametrize(
    "X", [DIGITS, BINARY, WINE, BINARY[:30]], ids=["digits", "binary", "wine", "30 of binary"]
)
def test_none_has_none_and_pca_insists(X):
    assert short(shortcut=None).fit(X).module_.shortcut is None
    model = short(shortcut="pca").fit(X)
    assert model.module_.shortcut is not None
    assert model.module_[0].parts.output == "identity"
    assert model.module_[0].parts.loss.output is None


def test_another_shortcut_is_refused():
    with pytest.raises(ValueError, match="The 'shortcut' parameter of StackedAutoencoder"):
        short(shortcut="linear").fit(DIGITS)


# What becomes of it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [DIGITS, WINE, WINE[:20]], ids=["digits", "wine", "twenty"])
def test_the_stack_is_the_one_that_was_asked_for(X):
    model = short((32, 5), finetune=Training(max_epochs=30)).fit(X)
    assert [layer.n_units for layer in model.module_] == [32, 5]
    for layer in model.module_:
        assert layer.network.encoder_weight.any()
        assert layer.network.decoder_weight.any()
    # Code and reconstruction have a share of the layers', which PCA does not.
    shortcut = model.module_.shortcut
    z = model.module_[0].scaling(torch.from_numpy(X)).float()
    own = model.module_.encode_scaled(z) - shortcut.code(z, torch.zeros(len(z), 5))
    assert (own[:, shortcut.n_kept :].std(0) > 1e-3).all()
    assert not own[:, : shortcut.n_kept].any()


def test_few_samples_are_reconstructed_better_than_by_pca():
    z = StandardScaler().fit_transform(WINE)
    model = short((32, 5), finetune=Training(updates=500)).fit(WINE)
    assert r2(z, (model.reconstruct(WINE) - WINE.mean(0)) / WINE.std(0)) > r2_of_pca(z, z, 5) + 0.01
    assert all(record["validation_loss"] is None for record in model.history_)


@pytest.mark.slow
@pytest.mark.parametrize("X", [DIGITS, BINARY], ids=["squared error", "cross-entropy"])
def test_samples_held_out_are_reconstructed_no_worse_than_by_pca(X):
    X, others = X[:500], X[500:]
    model = StackedAutoencoder((64, 6), finetune=Training(updates=500), random_state=0).fit(X)
    assert model.score(others) > r2_of_pca(X, others, 6) + 0.02


@pytest.mark.parametrize("X", [DIGITS, WINE], ids=["some held out", "all trained on"])
def test_half_of_the_code_stays_principal_components_of_the_training_samples(X):
    model = short(finetune=Training(max_epochs=20)).fit(X)
    shortcut, z = model.module_.shortcut, model.module_[0].scaling(torch.from_numpy(X)).numpy()
    assert shortcut.n_kept == 3
    axes, mean = shortcut.kept.double().numpy(), shortcut.mean.double().numpy()
    assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
    assert_allclose(model.transform(X)[:, :3], (z - mean) @ axes.T, atol=1e-5)
    # Where samples are held out, of nine tenths of them, so near to those of all.
    least = 0.95 if X is DIGITS else 1 - 1e-5
    assert np.linalg.svd(PCA(3).fit(z).components_ @ axes.T)[1].min() > least


def test_stacks_of_bare_widths_are_pretrained_briefly_and_fine_tuned_for_long():
    def epochs(**own):
        plan = StackedAutoencoder(**{"layers": (8, 2), **own}).plan(DIGITS)
        return [phase.budget.max_epochs for _, phase in plan.phases]

    # 540 samples, without those held out, are 17 batches of 32.
    updates = 60 * 600**0.5
    assert epochs() == [round(500 / 17), round(500 / 17), round(updates / 17)]
    assert epochs(shortcut=None) == [round(2000 / 17), round(2000 / 17), round(2500 / 17)]
    assert epochs(pretrain=Training(3), finetune=Training(updates=170)) == [3, 3, 10]


def test_fine_tuning_beside_a_shortcut_takes_more_updates_of_more_samples_and_2000_at_most():
    def updates(n_samples):
        plan = StackedAutoencoder((8, 2)).plan(np.random.default_rng(0).normal(size=(n_samples, 5)))
        return plan.finetune.budget.n_updates

    assert updates(150) == pytest.approx(60 * 150**0.5, rel=0.02)
    assert updates(900) == pytest.approx(60 * 900**0.5, rel=0.02)
    assert updates(4000) == pytest.approx(2000, rel=0.02)


def test_samples_that_do_not_vary_have_a_code():
    model = short().fit(np.ones((300, 10)))
    assert np.isfinite(model.transform(np.ones((3, 10)))).all()
    assert_allclose(model.reconstruct(np.ones((3, 10))), 1, atol=1e-4)


# What it goes with -------------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [DIGITS, BINARY, WINE], ids=["digits", "binary", "wine"])
def test_a_shortcut_is_kept_in_the_model_file_and_the_onnx_file(X, tmp_path):
    model = short().fit(X)
    codes = model.transform(X)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert (again.module_.shortcut is None) == (X is BINARY)
    assert_array_equal(again.transform(X), codes)
    assert_array_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    assert [layer.tied_weights for layer in again.layers_] == [layer.tied_weights for layer in model.layers_]
    narrow = X.astype(np.float32)
    model.export_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert_allclose(session.run(None, {"X": narrow})[0], model.transform(narrow), atol=1e-4)


def test_the_codes_of_all_layers_end_with_the_joint_code():
    model = short(output="all").fit(DIGITS)
    codes = model.transform(DIGITS)
    assert codes.shape == (600, 38)
    assert_array_equal(codes[:, 32:], clone(model).set_params(output="code").fit_transform(DIGITS))
    assert_array_equal(model.inverse_transform(codes), model.reconstruct(DIGITS))


def test_another_fit_and_a_clone_give_the_same_bits():
    model = short().fit(DIGITS)
    codes = model.transform(DIGITS)
    assert_array_equal(clone(model).fit(DIGITS).transform(DIGITS), codes)
    assert_array_equal(model.fit(DIGITS).transform(DIGITS), codes)


@pytest.mark.slow
def test_sparse_samples_and_samples_on_the_disk_are_narrowed_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_LEAST", 1)
    digits = load_digits().data / 16
    model = short(finetune=Training(max_epochs=5)).fit(digits)
    np.save(tmp_path / "X.npy", digits.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for X, max_memory in ((csr_array(digits), None), (mapped, 900_000)):
        other = clone(model).set_params(max_memory=max_memory)
        assert other.plan(X).is_streamed == (X is mapped)
        other.fit(X)
        assert other.module_.shortcut is not None
        # PCA and the ridge are found on as many samples as the memory holds.
        assert abs(other.score(digits) - model.score(digits)) < (0.1 if X is mapped else 1e-6)


def test_partial_fit_goes_on_with_the_shortcut_that_fit_left_and_starts_none():
    model = short().fit(DIGITS)
    before = model.score(DIGITS)
    kept = model.module_.shortcut.kept.clone()
    for _ in range(5):
        model.partial_fit(DIGITS)
    assert model.module_.shortcut.kept.equal(kept)
    assert model.score(DIGITS) > before
    assert short().partial_fit(DIGITS).module_.shortcut is None


def test_estimators_on_a_fitted_stack_see_its_codes_through_the_shortcut():
    stack = short().fit(DIGITS)
    detector = StackedAutoencoderDetector(FrozenEstimator(stack)).fit(DIGITS)
    assert_array_equal(detector.transform(DIGITS), stack.transform(DIGITS))
    tiny = Training(max_epochs=1, learning_rate=1e-12)
    classifier = StackedAutoencoderClassifier(FrozenEstimator(stack), finetune=tiny, random_state=0)
    classifier.fit(DIGITS, load_digits().target[:600])
    assert_allclose(classifier.transform(DIGITS), stack.transform(DIGITS), atol=1e-5)
    assert classifier.module_.shortcut is not stack.module_.shortcut


def test_an_encoder_that_is_no_bare_widths_may_have_one():
    detector = StackedAutoencoderDetector(short()).fit(DIGITS)
    assert detector.module_.shortcut is not None
    y = load_digits().target[:600]
    assert StackedAutoencoderClassifier(short(), finetune=SHORT).fit(DIGITS, y).module_.shortcut is not None
