"""How much there is to compute."""

from __future__ import annotations

from typing import Any

from stackae.networks.base import NetworkModule


def multiplications(module: Any) -> int:
    """Those of one row on its way through a module: one a weight, or as a network counts them."""
    if isinstance(module, NetworkModule):
        return module.multiplications
    own: int = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    return own + sum(map(multiplications, module.children()))
