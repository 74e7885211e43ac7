"""The shortcut beside a stack: it starts as PCA, half of it stays so, and the stack does not end below it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SHORT, small_stack
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from stackae import (
    Autoencoder,
    StackedAutoencoder,
    StackedAutoencoderClassifier,
    StackedAutoencoderDetector,
    Training,
    from_pca,
    load,
)
from stackae.fitting.finetune import RECIPES, completed
from stackae.fitting.shortcut import dependence
from stackae.modules.scaling import two_valuedness

DIGITS = load_digits().data[:600] / 16
BINARY = (DIGITS > 0.5).astype(np.float64)


def short(layers=(32, 6), **parameters):
    return StackedAutoencoder(layers, **{"pretrain": SHORT, "random_state": 0, **parameters})


def same_up_to_sign(codes, known, **tolerance):
    assert_allclose(codes * np.sign((codes * known).sum(0)), known, **tolerance)


def test_a_table_too_small_to_hold_rows_out_has_the_codes_of_pca():
    X = load_wine().data
    model = small_stack((32, 5), finetune="auto").fit(X)
    assert model.is_pca_
    assert {record["phase"] for record in model.history_} == {"pretrain"}
    assert model.layers_[-1].health_["dead_units"] == 0  # of the code that is handed out
    z = StandardScaler().fit_transform(X)
    pca = PCA(5).fit(z)
    same_up_to_sign(model.transform(X), pca.transform(z), atol=1e-4)
    expected = 1 - np.square(z - pca.inverse_transform(pca.transform(z))).sum() / np.square(z).sum()
    errors = np.square((model.reconstruct(X) - X) / X.std(0)).sum()
    assert_allclose(1 - errors / np.square(z).sum(), expected, atol=1e-5)


@pytest.mark.parametrize("X", [DIGITS, BINARY], ids=["squared error", "cross-entropy"])
def test_where_pca_is_better_the_stack_becomes_pca(X, monkeypatch):
    monkeypatch.setattr(from_pca, "_MOST_LOST", -1.0)
    model = short(finetune=Training(max_epochs=1)).fit(X)
    assert model.is_pca_
    pca = PCA(6, svd_solver="full").fit(X)
    same_up_to_sign(model.transform(X), pca.transform(X), atol=1e-4)
    assert_allclose(model.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-4)


def test_where_there_is_nothing_else_to_find_code_and_reconstruction_are_those_of_pca():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 10)) @ rng.normal(size=(10, 12))
    model = short(scale=None).fit(X)
    assert model.is_pca_
    assert {record["phase"] for record in model.history_} == {"pretrain"}
    pca = PCA(6).fit(X)
    same_up_to_sign(model.transform(X), pca.transform(X), atol=1e-3)
    bent = np.column_stack([X, X[:, :4] ** 2])
    assert not short(scale=None, finetune=Training(validation_fraction=0, max_epochs=2)).fit(X).is_pca_
    components = torch.from_numpy(PCA(6).fit_transform(bent))
    assert dependence(components, 3) > 0.05


def test_the_dependence_of_components_worked_by_hand():
    a = torch.tensor([1.0, -1.0, 2.0, -2.0])
    # Whatever the signs, the squares are the same: a correlation of 1, less 1/4 by chance.
    assert_allclose(dependence(torch.stack([a, -a], 1), 1), np.sqrt(1 - 1 / 4))
    # Squares 1, 1, 4, 4 and 1, 4, 1, 4 are uncorrelated: less than chance.
    assert dependence(torch.tensor([[1.0, 1.0], [-1.0, 2.0], [2.0, -1.0], [-2.0, -2.0]]), 1) == 0
    # With a third column of the same size everywhere: half of the pairs of the last two are of none.
    three = torch.stack([a, -a, torch.ones(4)], 1)
    assert_allclose(dependence(three, 1), np.sqrt(1 / 4 - 1 / 4))
    assert dependence(a[:, None], 0) == float("inf")


def test_half_of_the_code_stays_principal_components_of_the_training_rows():
    model = short().fit(DIGITS)
    shortcut = model.module_.shortcut
    assert shortcut.n_kept == 3
    axes, mean = shortcut.kept.double().numpy(), shortcut.mean.double().numpy()
    assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
    assert_allclose(model.transform(DIGITS)[:, :3], (DIGITS - mean) @ axes.T, atol=1e-5)
    # Of nine tenths of the rows, so near to those of all.
    assert np.linalg.svd(PCA(3).fit(DIGITS).components_ @ axes.T)[1].min() > 0.95


def test_data_that_are_nearly_two_valued_have_no_shortcut_unless_the_layers_alone_fall_behind():
    model = StackedAutoencoder((64, 6), random_state=0).fit(BINARY)
    assert model.module_.shortcut is None
    assert model.module_.shallow[0].parts.output == "sigmoid"
    assert not model.is_pca_
    # Of one epoch they know next to nothing.
    assert short(finetune=Training(max_epochs=1)).fit(BINARY).module_.shortcut is not None
    assert short(finetune=Training(max_epochs=1), shortcut=None).fit(BINARY).module_.shortcut is None


def test_what_is_left_open_is_the_recipes():
    recipe = RECIPES["two-valued"]
    given = completed(Training(max_epochs=7, batch_size=16), recipe)
    assert (given.max_epochs, given.batch_size, given.learning_rate) == (7, 16, 4e-3)
    assert (given.patience, given.updates) == (None, "auto")
    given.check_parameters()
    assert given.corruption.level == (0.5, 0.0)
    assert completed(Training(), recipe).updates == 5000
    own = Training(learning_rate=0.1, corruption=None, patience=3, updates=70)
    assert completed(own, recipe).get_params() == own.get_params()
    # The recipe's rate is the peak of a schedule, for Adam.
    assert completed(Training(optimizer="sgd"), recipe).learning_rate == "auto"
    assert completed(Training(schedule="constant"), recipe).learning_rate == "auto"


def test_stacks_of_bare_widths_are_pretrained_briefly():
    def epochs(**own):
        history = StackedAutoencoder(**{"layers": (8, 2), "random_state": 0, **own}).fit(DIGITS).history_
        return [max(r["epoch"] for r in history if r["phase"] == p) for p in ("pretrain", "finetune")]

    # 540 rows, without those held out, are 17 batches of 32. Pretraining may end early, fine-tuning does not.
    brief, long = epochs()
    assert brief <= round(500 / 17)
    assert long == round(5000 / 17)
    assert epochs(pretrain=Training(3), finetune=Training(updates=170)) == [3, 10]


def test_the_reconstruction_is_no_worse_than_that_of_pca():
    X, held_out = DIGITS[:500], DIGITS[500:]
    for rows, others in ((X, held_out), (BINARY[:500], BINARY[500:])):
        model = StackedAutoencoder((64, 6), random_state=0).fit(rows)
        pca = PCA(6).fit(rows)
        error = np.square(pca.inverse_transform(pca.transform(others)) - others).sum()
        assert model.score(others) > 1 - error / np.square(others - others.mean(0)).sum() + 0.02


def test_two_valuedness_worked_by_hand():
    assert two_valuedness(np.array([[0.0, 1.0], [1.0, 1.0]])) == 1.0
    # Variance 1/16 of at most 1/4; the constant column has none, and could have 1/4.
    assert_allclose(two_valuedness(np.array([[0.25, 0.5], [0.75, 0.5]])), (1 / 16) / (1 / 2))
    assert two_valuedness(np.zeros((3, 2))) == 0.0


def started(X, n_kept=2):
    """A fine-tuned stack with a shortcut, and its rows."""
    model = short((16, 4), finetune=Training(max_epochs=3)).fit(X)
    assert model.module_.shortcut.n_kept == n_kept
    return model.module_, torch.from_numpy(X.astype(np.float32))


def test_the_solved_decoder_is_the_least_squares_map_where_the_penalty_is_small(monkeypatch):
    stack, rows = started(DIGITS)
    monkeypatch.setattr(from_pca, "_RIDGES", (1e-9,))
    with torch.no_grad():
        for parameter in (stack.shortcut.decoder_weight, stack.shallow[0].network.decoder_weight):
            parameter.mul_(0.5)  # so that there is something to gain
        from_pca.solve_decoder(stack, rows, rows)
        behind = from_pca._regressors(stack, rows).numpy()
        answer = stack.reconstruct_scaled(rows).numpy()
    known = LinearRegression().fit(behind[:, :-1], rows.numpy()).predict(behind[:, :-1])
    assert np.square(DIGITS - answer).sum() < 1.001 * np.square(DIGITS - known).sum()


def test_a_solution_that_is_worse_on_the_held_out_rows_is_not_taken():
    stack, rows = started(DIGITS)
    misleading = rows.flip(1)
    with torch.no_grad():
        error = float((stack.reconstruct_scaled(rows) - rows).square().sum())
        from_pca.solve_decoder(stack, misleading, rows)
        assert float((stack.reconstruct_scaled(rows) - rows).square().sum()) <= error * (1 + 1e-6)


def test_the_error_by_products_is_that_of_the_answers():
    stack, rows = started(DIGITS)
    with torch.no_grad():
        a = from_pca._regressors(stack, rows)
        weights = torch.rand(a.shape[1], rows.shape[1], generator=torch.Generator().manual_seed(0)).double()
        expected = float((a @ weights - rows).square().sum() - rows.double().square().sum())
        found = from_pca._squared_error(weights, *from_pca._products(stack, rows))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("X", "parameters"),
    [
        (DIGITS, {"shortcut": None}),
        (DIGITS, {"finetune": None}),
        (DIGITS, {"layers": (6,)}),
        (DIGITS, {"layers": (32, 64)}),
        (DIGITS[:6], {}),
        (DIGITS, {"layers": [Autoencoder(32), Autoencoder(6)]}),
        (DIGITS, {"missing_values": np.nan}),
    ],
    ids=str,
)
def test_where_there_is_no_shortcut(X, parameters):
    model = short(**{"finetune": SHORT, **parameters}).fit(X)
    assert model.module_.shortcut is None


def test_training_without_held_out_rows_is_left_as_it_is():
    assert not short(finetune=Training(max_epochs=2, validation_fraction=0.0)).fit(DIGITS[:100]).is_pca_


@pytest.mark.parametrize("X", [DIGITS, BINARY, load_wine().data], ids=["digits", "binary", "wine"])
def test_a_shortcut_is_kept_in_the_model_file_the_pickle_and_the_onnx_file(X, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = short(finetune=SHORT).fit(X)
    codes = model.transform(X)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert_array_equal(again.transform(X), codes)
    assert_array_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    assert [layer.tied_weights for layer in again.layers_] == [layer.tied_weights for layer in model.layers_]
    assert again.is_pca_ == model.is_pca_
    rows = X.astype(np.float32)
    model.export_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert_allclose(session.run(None, {"rows": rows})[0], model.transform(rows), atol=1e-4)


def test_the_codes_of_all_layers_end_with_the_joint_code():
    model = short(finetune=SHORT, output="all").fit(DIGITS)
    codes = model.transform(DIGITS)
    assert codes.shape == (600, 38)
    assert_array_equal(codes[:, 32:], clone(model).set_params(output="code").fit_transform(DIGITS))
    assert_array_equal(model.inverse_transform(codes), model.reconstruct(DIGITS))


def test_another_fit_and_a_clone_give_the_same_bits():
    model = short(finetune=SHORT).fit(DIGITS)
    codes = model.transform(DIGITS)
    assert_array_equal(clone(model).fit(DIGITS).transform(DIGITS), codes)
    assert_array_equal(model.fit(DIGITS).transform(DIGITS), codes)


def test_sparse_rows_and_rows_on_the_disk_are_narrowed_alike(tmp_path):
    model = short(finetune=Training(max_epochs=20)).fit(DIGITS)
    np.save(tmp_path / "rows.npy", DIGITS.astype(np.float32))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for rows, parameters in ((csr_array(DIGITS), {}), (mapped, {"max_memory": "16MiB"})):
        other = clone(model).set_params(**parameters).fit(rows)
        assert other.module_.shortcut is not None
        assert abs(other.score(DIGITS) - model.score(DIGITS)) < 0.03


def test_partial_fit_goes_on_with_the_shortcut_that_fit_left_and_starts_none():
    model = short(finetune=SHORT).fit(DIGITS)
    before = model.score(DIGITS)
    kept = model.module_.shortcut.kept.clone()
    for _ in range(10):
        model.partial_fit(DIGITS)
    assert model.module_.shortcut.kept.equal(kept)
    assert model.score(DIGITS) > before
    assert short(finetune=SHORT).partial_fit(DIGITS).module_.shortcut is None


def test_estimators_on_a_fitted_stack_see_its_codes_through_the_shortcut():
    y = load_digits().target[:600]
    stack = short(finetune=SHORT).fit(DIGITS)
    detector = StackedAutoencoderDetector(encoder=stack).fit(DIGITS)
    assert_array_equal(detector.transform(DIGITS), stack.transform(DIGITS))
    classifier = StackedAutoencoderClassifier(
        encoder=stack, finetune=Training(max_epochs=1, learning_rate=1e-12), random_state=0
    ).fit(DIGITS, y)
    assert_allclose(classifier.transform(DIGITS), stack.transform(DIGITS), atol=1e-5)
    assert classifier.module_.shortcut is not stack.module_.shortcut
    assert StackedAutoencoderDetector((32, 6), random_state=0).fit(DIGITS).module_.shortcut is None


def test_rows_that_do_not_vary_have_a_code():
    model = short(finetune=SHORT).fit(np.ones((300, 10)))
    assert np.isfinite(model.transform(np.ones((3, 10)))).all()
    assert_allclose(model.reconstruct(np.ones((3, 10))), 1, atol=1e-4)
