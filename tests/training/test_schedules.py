"""The learning-rate schedules at the points where they are known."""

import pytest

from stackae.training.schedules import SCHEDULES

KNOWN = {
    "constant": {0: 1, 0.5: 1, 1: 1},
    "cosine": {0: 1, 0.5: 0.5, 1: 0},
    "one-cycle": {0: 0.04, 0.15: 0.52, 0.3: 1, 0.65: 0.5, 1: 0},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_passes_through_its_known_points(name):
    for spent, factor in KNOWN[name].items():
        assert SCHEDULES[name](spent) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_never_exceeds_the_peak_or_turns_negative(name):
    assert all(0 <= SCHEDULES[name](k / 1000) <= 1 for k in range(1001))
