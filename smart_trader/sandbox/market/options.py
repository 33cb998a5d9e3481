"""The options that name a market, the same wherever one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from smart_trader.sandbox.market.spec import MARKETS

Decorator = Callable[[Any], Any]


def market_option(default: str | None, text: str) -> Decorator:
    """Return `--market`."""
    return click.option(
        "--market", type=click.Choice(MARKETS), default=default, show_default=default is not None, help=text
    )


def strength_option(default: float | None) -> Decorator:
    """Return `--strength`."""
    return click.option(
        "--strength",
        type=click.FloatRange(0, 1),
        default=default,
        help="How well the market's adversaries hide, from 0 to 1. [default: 1]",
    )
