"""What is legal is said in a reader's words, within the sentence that scikit-learn's checks look for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stackae._utils.constraints import (
    Constrained,
    HasMethods,
    Integral,
    Interval,
    InvalidParameterError,
    NamedIn,
    Numbers,
    Options,
    Ranges,
    Real,
    StrOptions,
)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
            "a whole number of at least 1 or 'auto'",
        ),
        ([Interval(Integral, 1, 2**40, closed="both")], "a whole number from 1 to 1099511627776"),
        ([Interval(Real, 0, 1, closed="left")], "a number of at least 0 and below 1"),
        ([Interval(Real, 0, 1, closed="right")], "a number above 0 and at most 1"),
        ([Interval(Real, 0, None, closed="neither"), None], "a number above 0 or None"),
        ([Interval(Real, None, None, closed="neither")], "a number"),
        (
            [Numbers(Interval(Integral, 1, None, closed="left"), 2, 3)],
            "2 or 3 numbers, each a whole number of at least 1",
        ),
        ([Ranges()], "several pairs (start, stop) of whole numbers of at least 0"),
        ([Options(Integral, {-1}), None], "-1 or None"),
        ([NamedIn(["masking", "dropout"], "auto")], "'masking', 'dropout' or 'auto'"),
        ([dict, torch.device, Exception], "a dict, a torch.device or an Exception"),
        ([HasMethods("cache")], "an object with the method cache"),
        ([callable, "boolean"], "a function, True or False"),
        (["array-like"], "a list or an array"),
        (["verbose"], "True, False or a whole number of at least 0"),
        (["random_state"], "a whole number from 0 to 4294967295, a RandomState or None"),
    ],
)
def test_a_rule_is_said_in_plain_words(rule, words):
    class Own(Constrained):
        _parameter_constraints = {"a": rule}  # noqa: RUF012

        def __init__(self, a):
            self.a = a

    with pytest.raises(InvalidParameterError) as refused:
        Own(np.nan).check_parameters()
    assert str(refused.value) == f"The 'a' parameter of Own must be {words}. Got nan instead."
