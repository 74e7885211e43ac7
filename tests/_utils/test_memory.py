"""Amounts of memory."""

from __future__ import annotations

import pytest

from stackae import Autoencoder
from stackae._utils import memory
from stackae._utils.memory import parse_memory
from stackae.exceptions import ParameterError


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1GB", 10**9), ("1.5 gb", 15 * 10**8), ("2GiB", 2**31), ("64M", 64 * 10**6), (2**25, 2**25), ("20000000", 2 * 10**7)],
)  # fmt: skip
def test_amounts_are_read(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "GB", "1XB", "-1GB", "1e9", "nan", "1 MB", 1000])
def test_what_is_no_amount_or_too_little_is_refused_before_anything_is_computed(text):
    with pytest.raises(ParameterError, match="max_memory must be"):
        Autoencoder(2, max_memory=text).fit([[0.0, 1.0], [1.0, 0.0]])


def test_a_containers_limit_counts_where_there_is_one(tmp_path, monkeypatch):
    unlimited = memory.machine_memory()
    for text, expected in (("123456789\n", 123_456_789), ("max\n", unlimited)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(memory, "_LIMITS", (tmp_path / "limit", tmp_path / "missing"))
        assert memory.machine_memory() == min(expected, memory._physical_memory())


def test_the_default_is_half_of_the_machine():
    assert 2**26 < parse_memory(None) < 2**45
