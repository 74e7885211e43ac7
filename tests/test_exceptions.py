"""The name that somebody meant."""

from __future__ import annotations

import pytest

from stackae.exceptions import ParameterError, did_you_mean
from stackae.penalties import PENALTIES


@pytest.mark.parametrize(
    ("given", "meant"), [("neighbours", "neighbors"), ("contractve", "contractive"), ("lasso", None)]
)
def test_a_name_is_offered_only_if_it_is_like_the_given_one(given, meant):
    assert did_you_mean(given, PENALTIES) == (f"; did you mean {meant!r}?" if meant else "")


def test_a_table_of_parts_offers_the_name():
    with pytest.raises(ParameterError, match=r"got 'neighbours'; did you mean 'neighbors'\?$"):
        PENALTIES["neighbours"]
