"""The hard market's kernel as machine code, for large worlds; numba is imported only then."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from smart_trader.sandbox.market import pool_math
from smart_trader.sandbox.market.hard import agents, events, forms, loops, picking, running, schemes, trading, watching

Run = Callable[..., Any]
# below so many wallets plain Python is done before machine code is made for the first time, which takes a minute
FEWEST_COMPILED = 30_000
MODULES = (pool_math, loops, events, trading, watching, picking, schemes, agents, running)


@cache
def compiled_run() -> Run:
    """Return the kernel as machine code, kept for later processes where a folder for it can be written."""
    from numba.extending import overload, register_jitable

    from smart_trader.sandbox.market.keeping import machine_code

    for function in kernel_functions():
        register_jitable(function)
    for name, plain in functions_of(forms):
        overload(plain, strict=False)(_always(getattr(loops, name)))
    run: Run = machine_code(running.run)
    return run


def kernel_functions() -> list[Callable[..., Any]]:
    """Return every function the kernel is made of as machine code."""
    return [function for module in MODULES for _, function in functions_of(module)]


def functions_of(module: Any) -> list[tuple[str, Callable[..., Any]]]:
    """Return the functions a module defines itself."""
    found = inspect.getmembers(module, inspect.isfunction)
    return [(name, function) for name, function in found if function.__module__ == module.__name__]


def _always(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what numba asks for the form that goes with some types: this one, whatever they are."""
    return lambda *types: function
