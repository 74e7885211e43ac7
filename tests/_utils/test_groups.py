"""Ranges of columns that are one category each."""

from __future__ import annotations

import re

import pytest
import torch

from stackae._utils.groups import columns_in, numbered_columns, settled_groups
from stackae.exceptions import ParameterError


def test_ranges_are_put_in_the_order_of_their_columns():
    assert settled_groups([[5, 8], (0, 2)], 8) == ((0, 2), (5, 8))
    assert settled_groups([(2, 4), (0, 2)], 4) == ((0, 2), (2, 4))  # side by side
    assert settled_groups((), 0) == ()
    assert columns_in([(0, 2), (5, 8)]) == [0, 1, 5, 6, 7]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([(0, 2), (6, 9)], "stop at most 8, the number of columns, got (6, 9)"),
        ([(3, 4)], "of 2 columns or more, stop at most 8, the number of columns, got (3, 4)"),
        ([(5, 3)], "got (5, 3)"),
        ([(-2, 1)], "got (-2, 1)"),
        ([(4, 7), (1, 5)], "groups must have no column in common, got (1, 5) and (4, 7)"),
        ([(1, 7), (2, 4)], "got (1, 7) and (2, 4)"),
        ([(1, 3), (1, 3)], "got (1, 3) and (1, 3)"),
    ],
)
def test_ranges_that_cannot_be_are_refused(groups, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        settled_groups(groups, 8)


def test_columns_are_numbered_by_what_they_belong_to():
    assert numbered_columns([(0, 2), (3, 6), (6, 8)], 9).tolist() == [0, 0, 1, 2, 2, 2, 3, 3, 4]
    assert numbered_columns([], 3).tolist() == [0, 1, 2]
    with torch.device("meta"):
        assert not numbered_columns([(0, 2)], 2).is_meta
