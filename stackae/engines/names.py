"""The engines that there are, and their libraries, which are imported when an engine is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from stackae.exceptions import ParameterError

#: Each is a module of this folder, and an extra but for the first.
ENGINES = ("local", "ray", "spark", "dask")


def imported(engine: str, *modules: str) -> Any:
    """The last of an engine's modules.

    Raises
    ------
    ParameterError
        The engine is not installed.
    """
    try:
        return [import_module(module) for module in modules][-1]
    except ImportError as error:
        what = f"the engine {engine!r} needs {error.name or modules[0]}; pip install 'stackae[{engine}]'"
        raise ParameterError(what) from None
