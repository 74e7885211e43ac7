"""The neighbour embedding against its formula, and what it does to codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import layer_of
from sklearn.manifold import trustworthiness
from torch.nn.functional import cross_entropy

from stackae import Autoencoder, NeighborEmbedding, StackedAutoencoder, Training, load
from stackae._utils.constraints import InvalidParameterError
from stackae.exceptions import ParameterError
from stackae.fitting.context import FitContext
from stackae.fitting.refusals import refuse_no_pairs
from stackae.training.processes import Group


def codes(n_rows, n_units=3):
    return torch.randn(n_rows, n_units, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_hand(code, weight):
    """Row by row, as the docstring has it."""
    n, total = len(code), 0.0
    kernel = 1 / (1 + ((code[:, None] - code[None]) ** 2).sum(2))
    for i in range(n):
        partner = i + 1 if i % 2 == 0 else i - 1
        total -= np.log(kernel[i, partner] / (kernel[i].sum() - kernel[i, i]))
    return weight * (total / n + np.log(255 / (n - 1)))


def test_it_equals_its_formula():
    code = codes(12)
    assert NeighborEmbedding(0.7).value(code).item() == pytest.approx(by_hand(code.numpy(), 0.7), rel=1e-12)


def test_it_is_the_cross_entropy_of_telling_the_partner_from_the_other_rows():
    code = codes(10)
    logits = -(torch.cdist(code, code) ** 2).log1p()
    logits.fill_diagonal_(-torch.inf)
    partners = torch.arange(10) ^ 1
    expected = cross_entropy(logits, partners)
    of_256_rows = expected + np.log(255 / 9)
    torch.testing.assert_close(NeighborEmbedding(1.0).value(code), of_256_rows)


def test_batches_of_other_sizes_have_about_the_same_penalty():
    near = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).repeat_interleave(2, 0)
    few, many = (NeighborEmbedding(1.0).value(near[:n]).item() for n in (64, 8000))
    assert few == pytest.approx(many, abs=0.05)


@pytest.mark.parametrize("n_rows", [2, 7, 16])
def test_its_gradient_is_that_of_autograd(n_rows):
    code = codes(n_rows).requires_grad_()
    penalty = NeighborEmbedding(3.0)
    penalty.value(code).backward()
    torch.testing.assert_close(penalty.gradient(code.detach()), code.grad)


def test_it_does_not_change_when_codes_are_turned_and_moved():
    code = codes(12)
    turned = code @ torch.linalg.qr(codes(3))[0] + 5.0
    penalty = NeighborEmbedding(1.0)
    torch.testing.assert_close(penalty.value(turned), penalty.value(code))


def test_a_row_without_a_partner_is_left_out():
    code, penalty = codes(5), NeighborEmbedding(1.0)
    assert penalty.value(code) == penalty.value(code[:4])
    assert penalty.gradient(code)[4].abs().sum() == 0
    assert penalty.value(code[:1]) == 0
    assert penalty.gradient(code[:1]).abs().sum() == 0


def test_pairs_at_one_point_far_from_all_others_cost_the_least():
    code = torch.tensor([[0.0, 0], [0, 0], [1e6, 0], [1e6, 0]])
    assert NeighborEmbedding(1.0).value(code).item() == pytest.approx(np.log(255 / 3), abs=1e-6)
    assert torch.isfinite(NeighborEmbedding().gradient(code)).all()


def test_codes_in_half_precision_are_compared_in_float32():
    code = codes(8).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        value = NeighborEmbedding(1.0).value(code)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, NeighborEmbedding(1.0).value(code.float()))
    assert NeighborEmbedding(1.0).gradient(code).dtype == torch.bfloat16


def stack(penalty=None, **parameters):
    layers = [64, Autoencoder(2, penalty=penalty)]
    return StackedAutoencoder(layers, **{"random_state": 0} | parameters)


def test_a_map_keeps_neighbourhoods_that_one_without_it_loses(digits):
    train, new = digits[:1000], digits[1000:1400]
    maps = [stack(penalty).fit(train) for penalty in ("neighbors", None)]
    for X, margin in ((train, 0.02), (new, 0.0)):
        kept, lost = (trustworthiness(X, model.transform(X), n_neighbors=10) for model in maps)
        assert kept > lost + margin


def test_with_weight_0_it_costs_nothing_but_rows_come_in_pairs(digits):
    plan = stack(NeighborEmbedding(0.0, 5)).plan(digits[:200])
    assert [phase.n_neighbors for _, phase in plan.phases] == [None, 5, 5]
    assert "neighbours" in repr(plan)
    assert "neighbours" not in repr(stack().plan(digits[:200]))


def test_units_are_not_bounded(digits):
    layer = Autoencoder(2, penalty="neighbors", training=Training(max_epochs=2), random_state=0)
    assert (layer.fit_transform(digits[:200]) < 0).any()
    with pytest.raises(ParameterError, match="NeighborEmbedding is defined for activation='identity'"):
        layer.set_params(activation="sigmoid").fit(digits[:200])


def test_there_are_no_more_neighbours_than_other_rows(digits):
    plan = stack(NeighborEmbedding(n_neighbors=9999)).plan(digits[:150])  # none are held out
    assert [phase.n_neighbors for _, phase in plan.phases] == [None, 149, 149]


def test_fits_are_repeated_saved_and_gone_on_with(digits, tmp_path):
    X, short = digits[:301], Training(max_epochs=2)
    model = stack("neighbors", pretrain=short, finetune=short).fit(X)
    again = stack("neighbors", pretrain=short, finetune=short).fit(X)
    np.testing.assert_array_equal(model.transform(X), again.transform(X))
    model.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert loaded.layers[1].penalty == "neighbors"
    before = model.transform(X)
    for rows in (X[:1], X[1:3], X):
        model.partial_fit(rows)
    assert np.isfinite(model.transform(X)).all()
    assert (model.transform(X) != before).any()


@pytest.mark.parametrize("batch_size", [33, 1, 2])
@pytest.mark.parametrize("phase", ["pretrain", "finetune"])
def test_a_batch_without_pairs_to_compare_is_refused(phase, batch_size, digits):
    layers = [8, Autoencoder(2, penalty="neighbors")][phase == "pretrain" :]
    model = StackedAutoencoder(layers, **{phase: Training(batch_size=batch_size)})
    with pytest.raises(ParameterError, match=f"even, and at least 4, got {batch_size}; leave it"):
        model.fit(digits[:100])


def test_rows_on_the_disk_are_refused():
    model = Autoencoder(2, penalty="neighbors", max_memory="16MiB")
    with pytest.raises(
        ParameterError, match=r"needs the rows and their codes in memory, .* raise it, or fit"
    ):
        model.fit(np.zeros((20_000, 300), np.float32))


class Pairs(NeighborEmbedding):
    """One that is not stackae's own."""


def test_several_processes_are_refused():
    cpu = torch.device("cpu")
    several = FitContext(cpu, "auto", torch.Generator(), group=Group(cpu, 0, 2))
    layer = layer_of(4, 2, penalties=(Pairs(),), activation="identity")
    with pytest.raises(ParameterError, match=r"^Pairs is trained by one process, got 2; start it without "):
        refuse_no_pairs([layer], 32, several, 10, 20)


def test_codes_are_never_compared_in_bfloat16(digits):
    plan = stack("neighbors").plan(digits[:200])
    assert {phase.precision for _, phase in plan.phases[1:]} == {"float32"}
    with pytest.raises(ParameterError, match="got 'bfloat16', which cannot tell near"):
        stack("neighbors", precision="bfloat16").fit(digits[:200])


@pytest.mark.parametrize(
    "penalty", [NeighborEmbedding(-1), NeighborEmbedding(n_neighbors=0), NeighborEmbedding(1, 2.5)]
)
def test_impossible_parameters_are_refused(penalty):
    with pytest.raises(InvalidParameterError, match="Got"):
        penalty.check_parameters()
