"""A module in double precision computes what a deep copy of it would."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from helpers import VARIANTS, small_stack
from torch import nn

from stackae import Autoencoder
from stackae.modules.doubled import doubled


@pytest.mark.parametrize("name", VARIANTS)
def test_it_computes_what_a_deep_copy_in_double_precision_does(name):
    X = np.random.default_rng(0).random((40, 6))
    module = small_stack([Autoencoder(4, **VARIANTS[name]), 3]).fit(X).module_
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    x = torch.from_numpy(X)
    with torch.no_grad():
        copy, expected = doubled(module), deepcopy(module).double()
        assert type(copy) is type(module)
        assert torch.equal(copy.encode(x), expected.encode(x))
        assert torch.equal(copy(x), expected(x))
    for key, tensor in module.state_dict().items():
        assert tensor.dtype == before[key].dtype
        assert torch.equal(tensor, before[key])
    assert all(p.dtype == torch.float64 for p in copy.parameters())


def test_what_is_registered_and_found_in_another_way_too_is_doubled_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(2, 2)
            self.listed = [self.first, "a word"]
            self.names = {"no": "tensor"}

        def forward(self, x):
            return self.listed[0](x)

    module = Twice()
    copy = doubled(module)
    assert copy.listed[0] is copy.first
    assert copy.first is not module.first
    assert copy.names is module.names
    assert copy(torch.ones(1, 2, dtype=torch.float64)).dtype == torch.float64


def test_tensors_that_are_not_registered_are_not_shared():
    class Holding(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.seen = [torch.zeros(2)]

    module = Holding()
    assert doubled(module).seen[0] is not module.seen[0]
    assert doubled(module).weight.dtype == torch.float64
