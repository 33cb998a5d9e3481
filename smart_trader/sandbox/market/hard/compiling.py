"""The hard market's kernel as machine code, for large worlds; numba is imported only then."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from smart_trader.sandbox.market import pool_math
from smart_trader.sandbox.market.hard import agents, events, trading

Run = Callable[..., Any]
# below so many wallets plain Python is done before machine code is made for the first time, which takes a minute
FEWEST_COMPILED = 30_000


@cache
def compiled_run() -> Run:
    """Return the kernel as machine code, kept for later processes where a folder for it can be written."""
    import numba
    from numba.extending import register_jitable

    for function in kernel_functions():
        register_jitable(function)
    try:
        run: Run = numba.njit(nogil=True, cache=True)(agents.run)
    except RuntimeError:
        # no folder for compiled code can be written, so it lasts as long as the process
        run = numba.njit(nogil=True)(agents.run)
    return run


def kernel_functions() -> list[Callable[..., Any]]:
    """Return every function the kernel is made of."""
    return [
        function
        for module in (pool_math, events, trading, agents)
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
    ]
