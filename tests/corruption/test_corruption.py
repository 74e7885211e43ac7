"""What each corruption does to a batch."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from helpers import shallow

from stackae import L1, Autoencoder, Dropout, GaussianNoise, Masking, SaltAndPepper, Swap, Training
from stackae._utils.constraints import InvalidParameterError
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import choose_cells


@pytest.fixture
def batch(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(2000, 100, generator=generator) + 0.5


@pytest.mark.parametrize("level", [0.1, 0.25, 0.5, 0.9])
def test_masking_zeroes_the_stated_share_and_leaves_the_rest_untouched(level, batch, generator):
    corrupted = Masking(level)(batch, generator)
    zeroed = corrupted == 0
    # Five standard deviations of the share of 200,000 independent cells.
    assert abs(zeroed.float().mean().item() - level) < 5 * (level * (1 - level) / batch.numel()) ** 0.5
    assert torch.equal(corrupted[~zeroed], batch[~zeroed])


@pytest.mark.parametrize("level", [0.1, 0.25, 0.3])
def test_cells_are_chosen_independently_of_sample_and_column(level, generator):
    chosen = choose_cells(torch.empty(4000, 64), level, generator).double()
    for axis in (0, 1):
        shares = chosen.mean(axis)
        n = chosen.shape[axis]
        assert shares.sub(level).abs().max() < 5 * (level * (1 - level) / n) ** 0.5
    pairs = (chosen[:, :-1] * chosen[:, 1:]).mean().item()
    assert pairs == pytest.approx(level**2, abs=5 * level / (chosen.numel()) ** 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 9)])
def test_cells_are_chosen_for_shapes_that_are_no_multiple_of_a_word(shape, generator):
    assert choose_cells(torch.empty(shape), 0.5, generator).shape == shape


@pytest.mark.parametrize("level", [0.0, 1e-7, (0.5, 0.0)])
def test_a_level_of_zero_leaves_every_cell(level, generator):
    x = torch.ones(50, 30)
    assert Masking(level)(x, generator, 1.0).equal(x)
    assert Dropout(level)(x, generator, 1.0).allclose(x)


def test_gaussian_noise_has_mean_zero_and_the_stated_deviation(batch, generator):
    noise = GaussianNoise(0.3)(batch, generator) - batch
    assert noise.mean().item() == pytest.approx(0, abs=0.005)
    assert noise.std().item() == pytest.approx(0.3, rel=0.01)


def test_salt_and_pepper_sets_cells_to_zero_or_one_where_the_batch_lies_between(generator):
    batch = torch.rand(2000, 100, generator=generator) * 0.8 + 0.1
    corrupted = SaltAndPepper(0.2)(batch, generator)
    salt, pepper = (corrupted == 1).float().mean().item(), (corrupted == 0).float().mean().item()
    assert salt == pytest.approx(0.1, abs=0.005)
    assert pepper == pytest.approx(0.1, abs=0.005)
    untouched = (corrupted != 0) & (corrupted != 1)
    assert torch.equal(corrupted[untouched], batch[untouched])


def test_salt_and_pepper_takes_each_columns_extremes_elsewhere(generator):
    batch = torch.randn(500, 3, generator=generator) * torch.tensor([1.0, 10.0, 100.0])
    corrupted = SaltAndPepper(0.5)(batch, generator)
    changed = corrupted != batch
    extremes = torch.stack([batch.amin(0), batch.amax(0)])
    is_extreme = (corrupted == extremes[0]) | (corrupted == extremes[1])
    assert is_extreme[changed].all()
    assert 0.4 < changed.float().mean() < 0.6


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_leaves_its_input_and_the_global_generator_alone(name, batch, generator):
    before, state = batch.clone(), torch.get_rng_state()
    CORRUPTIONS[name]()(batch, generator)
    assert torch.equal(batch, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_corruption(name, batch):
    corrupt = CORRUPTIONS[name]()
    first, second = (corrupt(batch, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, corrupt(batch, torch.Generator().manual_seed(4)))


@pytest.mark.parametrize("kind", [Masking, SaltAndPepper])
@pytest.mark.parametrize("level", [-0.1, 1.0, 1.5, float("nan"), True, "half"])
def test_a_level_outside_zero_to_one_is_refused_with_the_value(kind, level):
    with pytest.raises(InvalidParameterError, match=f"level.*Got {level!r}"):
        kind(level).check_parameters()


@pytest.mark.parametrize("scale", [-1.0, float("nan"), None])
def test_an_impossible_noise_scale_is_refused(scale):
    with pytest.raises(InvalidParameterError, match="scale"):
        GaussianNoise(scale).check_parameters()


# Swap and dropout --------------------------------------------------------------------------------------


def test_a_swapped_cell_takes_the_value_of_another_sample_in_the_same_column(generator):
    batch = torch.arange(200.0)[:, None] + torch.tensor([0.0, 1000.0, 2000.0])
    corrupted = Swap(0.3)(batch, generator)
    assert ((corrupted - batch).abs() < 200).all()  # of the same column
    share = (corrupted != batch).float().mean()  # every chosen cell has changed: never its own
    assert share == pytest.approx(0.3, abs=0.05)
    donors = (corrupted[:, 0] - batch[:, 0])[corrupted[:, 0] != batch[:, 0]] % 200
    assert len(donors.unique()) > 20  # drawn for each cell anew


def test_swap_keeps_the_marginals_of_every_column(generator):
    batch = torch.randn(20_000, 3, generator=generator).exp() * torch.tensor([1.0, 10.0, 100.0])
    corrupted = Swap(0.5)(batch, generator)
    for before, after in zip(batch.t(), corrupted.t(), strict=True):
        torch.testing.assert_close(after.mean(), before.mean(), rtol=0.03, atol=0)
        levels = torch.tensor([0.1, 0.5, 0.9])
        torch.testing.assert_close(after.quantile(levels), before.quantile(levels), rtol=0.05, atol=0)


def test_swap_breaks_the_relation_of_columns(generator):
    x = torch.randn(20_000, 1, generator=generator)
    corrupted = Swap(0.5)(torch.cat([x, x], 1), generator)
    assert np.corrcoef(corrupted.numpy().T)[0, 1] == pytest.approx(0.25, abs=0.03)


def test_a_single_sample_has_nobody_to_swap_with(generator):
    batch = torch.rand(1, 8, generator=generator)
    assert torch.equal(Swap(0.9)(batch, generator), batch)


def test_dropout_rescales_the_survivors_so_that_the_mean_is_kept(generator):
    corrupted = Dropout(0.2)(torch.ones(2000, 50), generator)
    assert sorted(corrupted.unique().tolist()) == [0.0, 1.25]
    assert corrupted.mean() == pytest.approx(1.0, abs=0.01)


# Levels that change, and places ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Masking, Dropout])
def test_a_pair_of_levels_is_a_line_over_the_phase(kind, generator):
    x = torch.ones(2000, 50)
    for fraction, level in ((0.0, 0.6), (0.25, 0.5), (1.0, 0.2)):
        zeros = (kind((0.6, 0.2))(x, generator, fraction) == 0).float().mean()
        assert zeros == pytest.approx(level, abs=0.01)


def test_the_scale_of_gaussian_noise_changes_likewise(generator):
    x = torch.zeros(2000, 50)
    spreads = [GaussianNoise((1.0, 0.0))(x, generator, p).std().item() for p in (0.0, 0.5, 1.0)]
    assert spreads == pytest.approx([1.0, 0.5, 0.0], abs=0.01)


def test_training_goes_through_the_levels(digits):
    class Watched(Masking):
        fractions: ClassVar[list[float]] = []

        def __call__(self, x, generator, fraction=1.0):
            self.fractions.append(fraction)
            return super().__call__(x, generator, fraction)

    Autoencoder(4, corruption=Watched((0.5, 0.1)), training=Training(max_epochs=4), random_state=0).fit(
        digits
    )
    assert Watched.fractions[0] == 0
    assert Watched.fractions == sorted(Watched.fractions)
    assert 0.85 < Watched.fractions[-1] < 1


@pytest.mark.parametrize(
    ("on", "damaged_input", "damaged_code"),
    [("input", True, False), ("hidden", False, True), ("both", True, True)],
)
def test_the_place_that_is_damaged(on, damaged_input, damaged_code, generator):
    module = shallow(corruption=Masking(0.5, on=on))
    x = torch.rand(30, 6, generator=generator) + 0.1
    code = torch.rand(30, 4, generator=generator) + 0.1
    assert bool((module.corrupt(x, generator) == 0).any()) is damaged_input
    assert bool((module.corrupt_code(code, generator) == 0).any()) is damaged_code
    assert torch.equal(module.corrupt_code(code, None), code)


def test_a_damaged_code_is_decoded_and_the_penalty_sees_the_whole_one(generator):
    module = shallow(corruption=Dropout(0.5), penalties=(L1(0.3),))
    x = torch.rand(30, 6, generator=generator)
    code = module.encode_scaled(x)
    damaged = Dropout(0.5)(code, torch.Generator().manual_seed(8))
    layer = module[0]
    expected = layer.loss(*layer.decode_scaled(damaged), x) + 0.3 * code.abs().sum(1).mean()
    torch.testing.assert_close(module.objective(x, x, torch.Generator().manual_seed(8)), expected)


# Categories --------------------------------------------------------------------------------------------

#: Of a number, a category of three values, a number and a category of two.
COLUMNS = torch.tensor([0, 1, 1, 1, 2, 3, 3])


def rows_of_categories(generator, n_samples=4000):
    x = torch.rand(n_samples, 7, generator=generator) + 1
    for own in (slice(1, 4), slice(5, 7)):
        x[:, own] = torch.eye(x[:, own].shape[1])[x[:, own].argmax(1)]
    return x


@pytest.mark.parametrize("level", [0.25, 0.3])
@pytest.mark.parametrize("kind", [Masking, Dropout])
def test_all_cells_of_a_category_are_hidden_or_none(kind, level, generator):
    x = torch.ones(20_000, 7)
    hidden = kind(level)(x, generator, 1.0, COLUMNS) == 0
    for own in (slice(1, 4), slice(5, 7)):
        assert torch.equal(hidden[:, own].all(1), hidden[:, own].any(1))
    of_each = hidden[:, [0, 1, 4, 5]].double()  # each what the level says, independently of the others
    torch.testing.assert_close(of_each.mean(0), torch.full((4,), level).double(), atol=0.016, rtol=0)
    together = of_each.t() @ of_each / len(x) - level**2
    assert together.fill_diagonal_(0).abs().max() < 0.016


@pytest.mark.parametrize("kind", [Masking, Dropout, GaussianNoise])
def test_columns_that_stand_for_themselves_are_damaged_as_without_numbers(kind, batch):
    without, by_number = (
        kind(0.3)(batch, torch.Generator().manual_seed(0), 1.0, columns)
        for columns in (None, torch.arange(100))
    )
    assert torch.equal(without, by_number)


def test_a_swapped_category_is_that_of_one_other_row(generator):
    """Rows that hold their own number in every column tell who has given."""
    x = torch.arange(500.0)[:, None].expand(500, 7).contiguous()
    corrupted = Swap(0.3)(x, generator, 1.0, COLUMNS)
    for own in (slice(1, 4), slice(5, 7)):
        assert (corrupted[:, own] == corrupted[:, own][:, :1]).all()
    changed = (corrupted != x)[:, [0, 1, 4, 5]]
    assert changed.float().mean() == pytest.approx(0.3, abs=0.05)
    pairs = corrupted[:, [0, 1, 4, 5]][changed.all(1)]
    assert all(len(set(row)) > 1 for row in pairs.tolist())  # another row for each category
    assert len(corrupted[:, 1][corrupted[:, 1] != x[:, 1]].unique()) > 50


def test_swapped_categories_are_categories(generator):
    x = rows_of_categories(generator)
    corrupted = Swap(0.4)(x, generator, 1.0, COLUMNS)
    for own in (slice(1, 4), slice(5, 7)):
        assert (corrupted[:, own].sum(1) == 1).all()
        torch.testing.assert_close(corrupted[:, own].mean(0), x[:, own].mean(0), atol=0.03, rtol=0)
    assert torch.equal(Swap(0.9)(x[:1], generator, 1.0, COLUMNS), x[:1])


def test_salt_and_pepper_makes_any_value_of_a_category_and_extremes_of_the_others(generator):
    x = rows_of_categories(generator)
    x[:, 1:4] = torch.tensor([1.0, 0.0, 0.0])
    corrupted = SaltAndPepper(0.6)(x, generator, 1.0, COLUMNS)
    for own in (slice(1, 4), slice(5, 7)):
        assert (corrupted[:, own].sum(1) == 1).all()
    expected = torch.tensor([0.4 + 0.2, 0.2, 0.2])
    torch.testing.assert_close(corrupted[:, 1:4].mean(0), expected, atol=0.04, rtol=0)
    for column in (0, 4):
        changed = corrupted[:, column] != x[:, column]
        assert changed.float().mean() == pytest.approx(0.6, abs=0.04)
        extremes = {float(x[:, column].min()), float(x[:, column].max())}
        assert set(corrupted[changed, column].tolist()) == extremes


# Moments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "corruption",
    [Masking(0.3), GaussianNoise(0.7), Swap(0.3), Dropout(0.3, on="input"), Masking((0.9, 0.3))],
    ids=repr,
)
def test_the_moments_are_those_of_very_many_corrupted_copies(corruption, generator):
    mix = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -0.8], [0.0, 0.0, 0.6]], dtype=torch.float64)
    x = torch.randn(400_000, 3, generator=generator, dtype=torch.float64) @ mix + torch.tensor(
        [0.5, -1.0, 2.0]
    )
    covariance = torch.cov(x.t(), correction=0)
    corrupted = corruption(x, generator).double()
    mean, cross, corrupted_covariance = corruption.moments(x.mean(0), covariance)
    together = torch.cov(torch.cat([x, corrupted], 1).t(), correction=0)
    torch.testing.assert_close(corrupted.mean(0), mean, atol=0.015, rtol=0)
    torch.testing.assert_close(together[3:, 3:], corrupted_covariance, atol=0.02, rtol=0)
    torch.testing.assert_close(together[:3, 3:], cross * covariance, atol=0.02, rtol=0)


@pytest.mark.parametrize("level", [(0.5,), (0.5, 0.1, 0.2), (0.5, 1.0), (True, 0.5), ("a", "b")])
def test_an_impossible_pair_of_levels_is_refused(level):
    with pytest.raises(InvalidParameterError, match=r"level.*Got"):
        Masking(level).check_parameters()


def test_an_impossible_place_is_refused():
    with pytest.raises(InvalidParameterError, match=r"'on' parameter of Masking.*Got 'output'"):
        Masking(on="output").check_parameters()
