"""Modules in double precision, to compute with and to throw away."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)
#: What torch itself keeps in any module: hooks, which are shared, and what is registered.
_OF_TORCH = frozenset(vars(nn.Module()))


def doubled(module: M, done: dict[int, Any] | None = None) -> M:
    """What ``deepcopy(module).double()`` computes, in a tenth of the time: all but the numbers is shared.

    It is for computing alone, within ``torch.no_grad``: what is shared must not be written.

    Parameters
    ----------
    module : nn.Module
    done : dict of int to nn.Module, default=None
        What was doubled already, by the identity of what it is of.
    """
    done = {} if done is None else done
    if id(module) in done:
        known: M = done[id(module)]
        return known
    state = vars(module)
    kept = {name: value for name, value in state.items() if name not in _OF_TORCH and _may_hold(value)}
    if any(map(_holds_tensors, kept.values())):  # such as torch's recurrent cells, which know best
        copy = done[id(module)] = deepcopy(module).double()
        return copy
    copy = done[id(module)] = object.__new__(type(module))
    new = vars(copy)
    new.update(state)
    for name, value in kept.items():
        new[name] = _modules_doubled(value, done)
    for name in ("_parameters", "_buffers"):
        new[name] = {k: _double(tensor) for k, tensor in state[name].items()}
    new["_modules"] = {name: _modules_doubled(child, done) for name, child in state["_modules"].items()}
    return copy


def _double(tensor: Tensor | None) -> Tensor | None:
    return tensor if tensor is None or not tensor.is_floating_point() else tensor.double()


def _may_hold(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict, Tensor, nn.Module))


def _modules_doubled(value: Any, done: dict[int, Any]) -> Any:
    """Modules, alone or in a list or tuple, doubled; all else as it is."""
    if isinstance(value, nn.Module):
        return doubled(value, done)
    if type(value) in (list, tuple) and value:
        return type(value)(_modules_doubled(one, done) for one in value)
    return value


def _holds_tensors(value: Any) -> bool:
    """Whether there are tensors that are not registered, or modules where they are not looked for."""
    if isinstance(value, dict):
        return any(isinstance(one, (Tensor, nn.Module)) for one in value.values())
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensors, value))
    return isinstance(value, Tensor)
