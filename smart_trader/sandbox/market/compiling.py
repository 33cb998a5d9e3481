"""Compiles the kernel for large worlds and keeps the result; small worlds run it as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from smart_trader.sandbox.market import agents
from smart_trader.sandbox.market.keeping import machine_code
from smart_trader.sandbox.market.state import Intents, Market

Run = Callable[[Market, Intents], None]
# below so many wallets plain Python is done before compiled code is loaded
FEWEST_COMPILED = 3000


@cache
def compiled_run() -> Run:
    """Return the kernel as machine code."""
    run: Run = machine_code(agents.run)
    return run


def kernel_for(wallets: int) -> Run:
    """Return the kernel in the form that is faster for a world of this size; both give the same bits."""
    return compiled_run() if wallets >= FEWEST_COMPILED else agents.run
