"""Each loss against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import shallow, small_autoencoder
from scipy.special import expit

from stackae import Masking
from stackae._utils.constraints import InvalidParameterError
from stackae.exceptions import DataError, ParameterError
from stackae.losses import LOSSES
from stackae.networks import ACTIVATIONS


def test_squared_error_is_summed_over_features_and_averaged_over_samples(generator):
    x, guess = torch.randn(2, 10, 4, generator=generator, dtype=torch.float64)
    expected = ((x - guess).numpy() ** 2).sum(1).mean()
    assert LOSSES["squared_error"]()(guess, guess, x).item() == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_equals_its_formula(generator):
    logits = torch.randn(10, 4, generator=generator, dtype=torch.float64)
    x = torch.rand(10, 4, generator=generator, dtype=torch.float64)
    p = expit(logits.numpy())
    expected = -(x.numpy() * np.log(p) + (1 - x.numpy()) * np.log(1 - p)).sum(1).mean()
    assert LOSSES["cross_entropy"]()(logits, logits.sigmoid(), x).item() == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_stays_finite_however_sure_the_decoder_is():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = LOSSES["cross_entropy"]()(logits, logits.sigmoid(), torch.tensor([[0.0, 1.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(400)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_sum_of_its_cells_and_their_weights_count(name, generator):
    loss = LOSSES[name]().fitted_to(4, np.array([False, True, True, False]))
    logits = torch.randn(10, 4, generator=generator, dtype=torch.float64)
    target, weights = torch.rand(2, 10, 4, generator=generator, dtype=torch.float64)
    reconstruction = loss.reconstruction(logits, ACTIVATIONS["sigmoid"])
    cells = loss.cells(logits, reconstruction, target)
    torch.testing.assert_close(loss(logits, reconstruction, target), cells.sum() / 10)
    torch.testing.assert_close(loss(logits, reconstruction, target, weights), (weights * cells).sum() / 10)


def test_emphasis_weighs_what_corruption_has_changed_worked_by_hand():
    """Errors of 2 in a corrupted cell and of 1 in an intact one, α = 1 and β = 0.25 (Vincent et al. 2010)."""
    x = torch.tensor([[5.0, 3.0], [1.0, 1.0]])
    corrupted = torch.tensor([[0.0, 3.0], [1.0, 0.0]])
    reconstruction = x + torch.tensor([[2.0, 1.0], [1.0, 2.0]])
    loss = LOSSES["squared_error"](corrupted=1.0, intact=0.25)
    weights = loss.emphasis(x, corrupted)
    assert weights.tolist() == [[1.0, 0.25], [0.25, 1.0]]
    assert loss(reconstruction, reconstruction, x, weights).item() == (4 + 0.25 + 0.25 + 4) / 2
    assert LOSSES["squared_error"]().emphasis(x, corrupted) is None


def test_emphasis_counts_in_training_and_not_for_samples_held_out(generator):
    module = shallow(loss=LOSSES["squared_error"](corrupted=1.0, intact=0.0), corruption=Masking(0.5))
    x = torch.rand(20, 6, generator=generator) + 0.1
    corrupted = module.corrupt(x, generator)
    error = (module[0].decode_scaled(module.encode_scaled(corrupted))[1] - x).square()
    torch.testing.assert_close(module.objective(x, corrupted), error[corrupted != x].sum() / 20)
    torch.testing.assert_close(module.objective(x), shallow(loss=LOSSES["squared_error"]()).objective(x))


def test_huber_is_the_squared_error_of_small_errors_and_linear_beyond():
    errors = torch.tensor([[0.5, -1.0, 2.0, -4.0]])
    cells = LOSSES["huber"](delta=1.5).cells(errors, errors, torch.zeros(1, 4))
    assert cells.tolist() == [[0.25, 1.0, 2 * 1.5 * 2 - 1.5**2, 2 * 1.5 * 4 - 1.5**2]]


def test_huber_and_squared_error_agree_where_delta_is_large(generator):
    x, guess = torch.randn(2, 10, 4, generator=generator)
    torch.testing.assert_close(
        LOSSES["huber"](delta=100.0)(guess, guess, x), LOSSES["squared_error"]()(guess, guess, x)
    )


def mixed_table(n_samples=300):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=n_samples)
    return np.column_stack(
        [
            100 + 20 * hidden,
            hidden > 0,
            rng.normal(size=n_samples) * 1e-3,
            rng.random(n_samples) < 0.2,
            hidden**2,
        ]
    ).astype(float)


def test_a_mixed_table_is_judged_column_by_column(generator):
    loss = LOSSES["per_feature"](binary=[1], continuous="huber")
    pre, x = torch.randn(6, 2, generator=generator), torch.tensor([[3.0, 1.0]] * 6)
    reconstruction = loss.reconstruction(pre, ACTIVATIONS["identity"])
    torch.testing.assert_close(reconstruction, torch.stack([pre[:, 0], pre[:, 1].sigmoid()], 1))
    huber = LOSSES["huber"]()(pre[:, :1], pre[:, :1], x[:, :1])
    entropy = LOSSES["cross_entropy"]()(pre[:, 1:], reconstruction[:, 1:], x[:, 1:])
    torch.testing.assert_close(loss(pre, reconstruction, x), huber + entropy)


def test_binary_columns_are_found_scaled_onto_the_unit_interval_and_reconstructed_as_probabilities():
    X = mixed_table()
    model = small_autoencoder(3, loss="per_feature").fit(X)
    layer = model.module_[0]
    assert layer.loss.unit_columns == (1, 3)
    assert layer.scaling.shift[[1, 3]].tolist() == [0, 0]
    assert layer.scaling.factor[[1, 3]].tolist() == [1, 1]
    np.testing.assert_allclose(layer.scaling.shift[[0, 2, 4]], X[:, [0, 2, 4]].mean(0))
    reconstruction = model.reconstruct(1000 * X)  # whatever is encoded
    assert ((reconstruction[:, [1, 3]] >= 0) & (reconstruction[:, [1, 3]] <= 1)).all()
    assert np.abs(reconstruction[:, 0]).max() > 1


def test_binary_columns_may_be_named_and_then_need_not_be_zeros_and_ones():
    X = mixed_table()
    X[:, 1] = 2 * X[:, 1] + 5
    model = small_autoencoder(3, loss=LOSSES["per_feature"](binary=[1])).fit(X)
    scaling = model.module_[0].scaling
    assert (float(scaling.shift[1]), float(scaling.factor[1])) == (5, 2)
    reconstruction = model.reconstruct(X)[:, 1]
    assert ((reconstruction >= 5) & (reconstruction <= 7)).all()


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ParameterError, match="must name columns from 0 to 4, got 7"):
        small_autoencoder(3, loss=LOSSES["per_feature"](binary=[1, 7])).fit(mixed_table())


def test_a_later_piece_outside_a_binary_columns_range_is_refused():
    model = small_autoencoder(3, loss="per_feature").partial_fit(mixed_table())
    with pytest.raises(DataError, match="within the range of the first"):
        model.partial_fit(mixed_table() + 2)


# Categories --------------------------------------------------------------------------------------------


def of_categories(**parameters):
    """A number, a category of three values, a binary column, a category of two, a number."""
    return LOSSES["per_feature"](**{"binary": [4], "groups": [(5, 7), (1, 4)], **parameters})


def logits_and_rows(generator, n_samples=10, dtype=torch.float64):
    x = torch.rand(n_samples, 8, generator=generator, dtype=dtype)
    x[:, 4] = x[:, 4].round()
    for start, stop in ((1, 4), (5, 7)):
        x[:, start:stop] = torch.eye(stop - start)[x[:, start:stop].argmax(1)]
    return torch.randn(n_samples, 8, generator=generator, dtype=dtype), x


def test_a_category_costs_one_cross_entropy_worked_by_hand():
    loss = LOSSES["per_feature"](binary=[], groups=[(1, 4)])
    logits = torch.tensor([[5.0, float(np.log(2)), 0.0, 0.0]])  # probabilities 1/2, 1/4, 1/4
    x = torch.tensor([[3.0, 0.0, 1.0, 0.0]])
    reconstruction = loss.reconstruction(logits, ACTIVATIONS["identity"])
    torch.testing.assert_close(reconstruction, torch.tensor([[5.0, 0.5, 0.25, 0.25]]))
    cells = loss.cells(logits, reconstruction, x)
    torch.testing.assert_close(cells, torch.tensor([[4.0, 0.0, float(np.log(4)), 0.0]]))
    shares = torch.tensor([[3.0, 0.5, 0.5, 0.0]])
    assert loss.cells(logits, reconstruction, shares)[0, 1:].sum() == pytest.approx(
        np.log(2) / 2 + np.log(4) / 2
    )


@pytest.mark.parametrize("soft", [False, True])
def test_categories_agree_with_torch_and_the_other_columns_are_judged_as_without(soft, generator):
    logits, x = logits_and_rows(generator)
    if soft:
        for start, stop in ((1, 4), (5, 7)):
            x[:, start:stop] = torch.rand(10, stop - start, generator=generator).softmax(1)
    loss = of_categories(continuous="huber")
    reconstruction = loss.reconstruction(logits, ACTIVATIONS["identity"])
    entropies = [
        torch.nn.functional.cross_entropy(logits[:, own], x[:, own]) for own in (slice(1, 4), slice(5, 7))
    ]
    others, rest = LOSSES["per_feature"](binary=[1], continuous="huber"), [0, 4, 7]
    without = others.reconstruction(logits[:, rest], ACTIVATIONS["identity"])
    torch.testing.assert_close(reconstruction[:, rest], without)
    expected = others(logits[:, rest], without, x[:, rest]) + sum(entropies)
    torch.testing.assert_close(loss(logits, reconstruction, x), expected)
    for own in (slice(1, 4), slice(5, 7)):
        torch.testing.assert_close(reconstruction[:, own].sum(1), torch.ones(10, dtype=torch.float64))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_of_categories_agrees_with_finite_differences(weighted, generator):
    logits, x = logits_and_rows(generator)
    weights = torch.rand(10, 8, generator=generator, dtype=torch.float64) if weighted else None
    loss = of_categories()

    def of(logits):
        return loss(logits, loss.reconstruction(logits, ACTIVATIONS["identity"]), x, weights)

    assert torch.autograd.gradcheck(of, logits.requires_grad_())
    reconstruction = loss.reconstruction(logits, ACTIVATIONS["identity"]).detach()
    value, gradient = loss.with_gradient(logits.detach(), reconstruction, x, weights)
    torch.testing.assert_close(value, of(logits))
    torch.testing.assert_close(gradient, torch.autograd.grad(of(logits), logits)[0])


def test_a_category_stays_finite_however_sure_the_decoder_is():
    logits = torch.tensor([[300.0, -300.0]], requires_grad=True)
    loss = LOSSES["per_feature"](binary=[], groups=[(0, 2)])(
        logits, logits.softmax(1), torch.tensor([[0.0, 1.0]])
    )
    loss.backward()
    assert loss.item() == 600
    assert logits.grad.tolist() == [[1.0, -1.0]]


def test_a_category_that_is_missing_has_no_loss_and_no_gradient(generator):
    loss = of_categories(corrupted=1.0, intact=0.5)
    module = shallow(8, missing=True, indicator=True, loss=loss, corruption=Masking(0.4))
    module[0].fill.fill_(0.3)
    _, z = logits_and_rows(generator, 40, torch.float32)
    z[::2, 1:4] = torch.nan
    module.objective(z, module.corrupt(z, generator)).backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())
    module.zero_grad()
    z[:, 1:4] = torch.nan
    module.objective(z, module.corrupt(z, generator)).backward()
    assert not module[0].network.decoder_bias.grad[1:4].any()
    assert module[0].network.decoder_bias.grad[5:7].any()


def test_emphasis_on_a_category_is_that_on_its_value():
    """A category that was swapped counts as corrupted, one that was not as intact: log 2 once and a quarter."""
    loss = LOSSES["per_feature"](binary=[], groups=[(0, 2), (2, 4)], corrupted=1.0, intact=0.25)
    x, corrupted = torch.tensor([[1.0, 0.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    logits = torch.zeros(1, 4)
    assert loss(logits, logits, x, loss.emphasis(x, corrupted)).item() == pytest.approx(1.25 * np.log(2))


def test_columns_of_categories_are_no_binary_ones_and_count_among_the_unit_columns():
    seen = np.array([False, True, True, True, True, True, True, False])
    loss = LOSSES["per_feature"](groups=[(5, 7), (1, 4)]).fitted_to(8, seen)
    assert (loss.binary, loss.groups) == ((4,), ((1, 4), (5, 7)))
    assert sorted(loss.unit_columns) == [1, 2, 3, 4, 5, 6]


def test_a_loss_that_names_no_categories_is_told_and_one_that_does_is_not():
    assert LOSSES["per_feature"]().fitted_to(4, None, [(0, 2)]).groups == ((0, 2),)
    assert LOSSES["per_feature"](groups=[(2, 4)]).fitted_to(4, None, [(0, 2)]).groups == ((2, 4),)


def test_a_fitted_loss_is_of_its_own_class():
    class Own(LOSSES["per_feature"]):
        pass

    for binary in ("auto", [0]):
        assert type(Own(binary, "huber", 2.0, 0.5).fitted_to(3, np.zeros(3, bool))) is Own


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"groups": [(2, 9)]}, r"groups must be ranges .* stop at most 8, .* got \(2, 9\)"),
        ({"groups": [(2, 3)]}, r"of 2 columns or more, .* got \(2, 3\)"),
        ({"groups": [(0, 3), (2, 5)]}, r"no column in common, got \(0, 3\) and \(2, 5\)"),
        (
            {"binary": [0, 4, 3], "groups": [(3, 6)]},
            r"must name no column of its groups, got 3; leave it out",
        ),
    ],
)
def test_categories_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        LOSSES["per_feature"](**parameters).fitted_to(8, np.zeros(8, bool))


@pytest.mark.parametrize(
    "loss",
    [
        LOSSES["huber"](delta=0),
        LOSSES["huber"](corrupted=-1),
        LOSSES["squared_error"](intact=float("nan")),
        LOSSES["per_feature"](binary=[-1]),
        LOSSES["per_feature"](binary="all"),
        LOSSES["per_feature"](continuous="cross_entropy"),
        LOSSES["per_feature"](groups=(3, 7)),
        LOSSES["per_feature"](groups=[(3, 7, 9)]),
        LOSSES["per_feature"](groups=[(-1, 7)]),
        LOSSES["per_feature"](groups=[(0, 2.5)]),
        LOSSES["per_feature"](groups="auto"),
        LOSSES["per_feature"](groups=None),
    ],
    ids=repr,
)
def test_impossible_parameters_are_refused(loss):
    with pytest.raises(InvalidParameterError, match="Got"):
        loss.check_parameters()
