"""What each corruption does to a batch."""

from __future__ import annotations

import pytest
import torch

from stackae import GaussianNoise, Masking, SaltAndPepper
from stackae.constraints import InvalidParameterError
from stackae.corruption import CORRUPTIONS
from stackae.corruption.base import choose_cells


@pytest.fixture
def batch(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(2000, 100, generator=generator) + 0.5


@pytest.mark.parametrize("level", [0.1, 0.25, 0.5, 0.9])
def test_masking_zeroes_the_stated_share_and_leaves_the_rest_untouched(level, batch, generator):
    seen = Masking(level)(batch, generator)
    zeroed = seen == 0
    # Five standard deviations of the share of 200,000 independent cells.
    assert abs(zeroed.float().mean().item() - level) < 5 * (level * (1 - level) / batch.numel()) ** 0.5
    assert torch.equal(seen[~zeroed], batch[~zeroed])


@pytest.mark.parametrize("level", [0.1, 0.25, 0.3])
def test_cells_are_chosen_independently_of_row_and_column(level, generator):
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


def test_gaussian_noise_has_mean_zero_and_the_stated_deviation(batch, generator):
    noise = GaussianNoise(0.3)(batch, generator) - batch
    assert noise.mean().item() == pytest.approx(0, abs=0.005)
    assert noise.std().item() == pytest.approx(0.3, rel=0.01)


def test_salt_and_pepper_sets_cells_to_zero_or_one_where_the_batch_lies_between(generator):
    batch = torch.rand(2000, 100, generator=generator) * 0.8 + 0.1
    seen = SaltAndPepper(0.2)(batch, generator)
    salt, pepper = (seen == 1).float().mean().item(), (seen == 0).float().mean().item()
    assert salt == pytest.approx(0.1, abs=0.005)
    assert pepper == pytest.approx(0.1, abs=0.005)
    untouched = (seen != 0) & (seen != 1)
    assert torch.equal(seen[untouched], batch[untouched])


def test_salt_and_pepper_takes_each_columns_extremes_elsewhere(generator):
    batch = torch.randn(500, 3, generator=generator) * torch.tensor([1.0, 10.0, 100.0])
    seen = SaltAndPepper(0.5)(batch, generator)
    changed = seen != batch
    extremes = torch.stack([batch.amin(0), batch.amax(0)])
    is_extreme = (seen == extremes[0]) | (seen == extremes[1])
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
