"""Columns side by side by their kind, and back."""

from __future__ import annotations

import torch

from stackae.losses._arrangement import arranged

CPU = torch.device("cpu")


def test_columns_are_split_by_kind_and_come_back():
    """Ten columns that hold their own numbers: two binary ones, two categories of two values, one of three."""
    columns = arranged((0, 9), ((1, 3), (3, 6), (7, 9)), 10, CPU)
    rows = torch.arange(10.0).expand(4, 10)
    numbers, binary, of_two, of_three = columns.split(rows)
    assert numbers[0].tolist() == [6]
    assert binary[0].tolist() == [0, 9]
    assert of_two[0].tolist() == [[1, 7], [2, 8]]  # value by value
    assert of_three[0].tolist() == [3, 4, 5]
    assert torch.equal(columns.join([numbers, binary, of_two, of_three]), rows)


def test_a_column_that_is_named_twice_is_one():
    rows = torch.arange(3.0).expand(2, 3)
    columns = arranged((1, 1), (), 3, CPU)
    assert columns.split(rows)[1].tolist() == [[1], [1]]
    assert torch.equal(columns.join(columns.split(rows)), rows)


def test_no_rows_are_split_too():
    columns = arranged((), ((0, 2), (2, 4)), 4, CPU)
    assert columns.join(columns.split(torch.zeros(0, 4))).shape == (0, 4)


def test_an_arrangement_made_where_no_gradients_are_serves_where_there_are():
    with torch.inference_mode():
        columns = arranged((1,), ((2, 5),), 6, CPU)
    rows = torch.rand(3, 6, requires_grad=True)
    columns.join(columns.split(rows)).sum().backward()
    assert torch.equal(rows.grad, torch.ones(3, 6))
    with torch.device("meta"):
        assert not arranged((0,), ((2, 4),), 4, CPU).split(torch.zeros(1, 4, device="cpu"))[0].is_meta
