"""Where and how the products are computed: device, number format, threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import torch

from stackae._utils.threads import LITTLE_WORK, SharedSetting
from stackae.exceptions import ParameterError


def resolve_device(device: str | torch.device) -> torch.device:
    """The device meant: ``"auto"`` is a GPU where there is one, else the processor.

    Raises
    ------
    ParameterError
        The device is unknown, or not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ParameterError(f"device must be one that is there, got {str(device)!r} ({reason})") from None
    return resolved


def _in_a_forked_process() -> None:
    """The threads of torch's pool did not come along, and would be waited for without end."""
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_forked_process)


@cache
def has_fast_bfloat16(device_type: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device_type == "cpu" and bool(
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def uses_bfloat16(precision: str, device: torch.device, work: float) -> bool:
    """Whether training computes its products in bfloat16; the weights are float32 all the same.

    Of little work (multiplications in one step) the conversions take longer than the products.
    """
    if precision == "auto":
        return work >= LITTLE_WORK and has_fast_bfloat16(device.type)
    return precision == "bfloat16"


@contextmanager
def computing(device: torch.device, *, bfloat16: bool = False, work: float = float("inf")) -> Iterator[None]:
    """Number format and threads for a piece of work; what was set before is restored after it.

    Parameters
    ----------
    device : torch.device
    bfloat16 : bool, default=False
        Compute products in bfloat16.
    work : float
        Multiplications in one step. Little work is done by one thread.
    """
    threads = torch.get_num_threads()
    single = device.type == "cpu" and work < LITTLE_WORK and threads > 1
    if single:
        torch.set_num_threads(1)
    try:
        # Without autocast's cache: it would keep the weights of the first step.
        with (
            _fast_products(device),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16, cache_enabled=False),
        ):
            yield
    finally:
        if single:
            torch.set_num_threads(threads)


def _prefer_onednn() -> Callable[[], None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    return lambda: torch.set_float32_matmul_precision(before)


_onednn = SharedSetting(_prefer_onednn)


def _fast_products(device: torch.device) -> AbstractContextManager[None]:
    """Leave float32 products to oneDNN, which is as exact as MKL (4e-7) and faster on recent processors.

    Not on a GPU: there it would mean TF32, which rounds to 10 bits.
    """
    return _onednn() if device.type == "cpu" else nullcontext()
