"""The nested code against its formula, and against PCA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import gradient_by_hand, layer_of, shallow

from stackae import L1, Autoencoder, Nested, StackedAutoencoder, TopK, Training
from stackae._utils.constraints import InvalidParameterError
from stackae.exceptions import ParameterError
from stackae.modules.autoencoder import DeepAutoencoder
from stackae.modules.scaling import Scaling
from stackae.modules.shortcut import Shortcut
from stackae.training.gradients import by_autograd


def seeded():
    return torch.Generator().manual_seed(7)


def test_each_sample_keeps_a_prefix_and_the_first_number_always_stays():
    code = Nested().build(5)(torch.ones(2000, 5), seeded())
    assert (code[:, 0] == 1).all()
    assert (code.diff(dim=1) <= 0).all()
    assert set(code.unique().tolist()) == {0, 1}


def test_prefixes_have_the_lengths_that_the_formula_says():
    lengths = Nested(0.2).build(4)(torch.ones(200_000, 4), seeded()).sum(1).long()
    shares = np.bincount(lengths.numpy(), minlength=5)[1:] / len(lengths)
    drawn = 1 / np.sqrt(np.arange(1, 5))
    np.testing.assert_allclose(shares, 0.8 * drawn / drawn.sum() + [0, 0, 0, 0.2], atol=0.005)


def test_with_a_share_of_one_nothing_is_dropped():
    assert (Nested(1.0).build(6)(torch.ones(500, 6), seeded()) == 1).all()


def test_outside_of_training_the_code_is_what_the_encoder_gives():
    x = torch.randn(7, 4, generator=seeded())
    assert Nested().build(4)(x, None) is x


def test_the_gradient_of_a_number_that_is_zero_is_dropped_only_with_it():
    module = Nested(0.0).build(3)
    code = module(torch.zeros(400, 3), seeded())
    kept = Nested(0.0).build(3)(torch.ones(400, 3), seeded())
    torch.testing.assert_close(module.backward(torch.ones(400, 3), code), kept)


def test_held_out_samples_have_the_same_loss_whenever_they_are_asked():
    module, z = shallow(code=Nested(0.0)), torch.rand(40, 6, generator=seeded())
    whole = shallow(code=None)
    whole.load_state_dict(module.state_dict())
    assert module.objective(z) == module.objective(z) != whole.objective(z)


@pytest.mark.parametrize("n_kept", [None, 0, 2])
@pytest.mark.parametrize("penalties", [(), (L1(0.1),)])
def test_the_analytic_gradient_is_autograds(n_kept, penalties):
    layers = [layer_of(6, 5), layer_of(5, 4, code=Nested(0.3), activation="identity", penalties=penalties)]
    layers[1].scaling = Scaling(torch.full((5,), 0.2).double(), torch.full((5,), 1.5).double())
    shortcut = None if n_kept is None else Shortcut(6, 4, n_kept)
    if shortcut is not None:
        shortcut.initialise(
            torch.full((6,), 0.4), torch.linalg.qr(torch.randn(6, 6, generator=seeded()))[0][:4]
        )
    module = DeepAutoencoder(layers, shortcut=shortcut)
    z = torch.rand(12, 6, generator=seeded())
    by_hand = gradient_by_hand(module)
    assert by_hand is not None
    (loss, gradients), (known_loss, known) = (way(z, z, seeded()) for way in (by_hand, by_autograd(module)))
    torch.testing.assert_close(loss, known_loss)
    torch.testing.assert_close(list(gradients), list(known), rtol=1e-4, atol=1e-6)


def test_beside_a_shortcut_the_joint_code_is_dropped():
    module = DeepAutoencoder([layer_of(6, 5), layer_of(5, 4, code=Nested(0.0), activation="identity")])
    module.shortcut = Shortcut(6, 4, 2)
    module.shortcut.initialise(torch.zeros(6), torch.eye(6)[:4])
    decoded = []
    module.offset = lambda code: decoded.append(code) or module.shortcut.offset(code)  # type: ignore[method-assign]
    module.objective(torch.rand(200, 6, generator=seeded()), None, seeded())
    lengths = (decoded[0] != 0).sum(1)
    assert set(lengths.tolist()) == {1, 2, 3, 4}
    assert all((row[n:] == 0).all() for row, n in zip(decoded[0], lengths.tolist(), strict=True))


def test_a_linear_nested_code_is_pca_in_its_order():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    X = rng.normal(size=(600, 8)) * [4, 2.8, 2, 1.4, 0.3, 0.3, 0.3, 0.3] @ axes.T
    training = Training(max_epochs=300, batch_size=100, learning_rate=0.01, patience=None)
    given = {"loss": "squared_error", "scale": None, "training": training, "random_state": 0}
    model = Autoencoder(4, code=Nested(0.0), precision="float32", **given).fit(X)
    values = np.linalg.svd(X - X.mean(0), compute_uv=False) ** 2
    scores = [model.truncated(k).score(X) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(scores, values[:4].cumsum() / values.sum(), atol=0.005)
    components = (X - X.mean(0)) @ np.linalg.svd(X - X.mean(0))[2][:4].T
    alike = np.abs(np.corrcoef(components.T, model.transform(X).T)[:4, 4:])
    np.testing.assert_allclose(np.diag(alike), 1, atol=0.02)


@pytest.mark.parametrize("code", [Nested(-0.1), Nested(1.5), Nested("all")])
def test_impossible_shares_are_refused(code):
    with pytest.raises(InvalidParameterError, match="whole"):
        code.check_parameters()


def test_a_stack_of_another_code_cannot_be_ordered(digits):
    for code in (TopK(2), "variational"):
        stack = StackedAutoencoder((16, Autoencoder(4, code=code)), ordered=True)
        with pytest.raises(ParameterError, match="ordered=True nests the last layer's code"):
            stack.fit(digits)
    stack = StackedAutoencoder((Autoencoder(16, network="pca"),), ordered=True)
    with pytest.raises(ParameterError, match="ordered=True needs a dense last layer"):
        stack.fit(digits)
