"""The default market, made once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from smart_trader.sandbox.market.market_source import MarketSource
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app

from .sandboxes import CLOCK, make_market, texts_of

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def source() -> MarketSource:
    """A market of the default size and age."""
    return make_market(wallets=200, days=30)


@pytest.fixture(scope="session")
def rows(source: MarketSource) -> Rows:
    """Every row it serves, by wallet."""
    return {owner: [json.loads(text) for text in texts_of(source, owner, CLOCK)] for owner in source.wallets}


@pytest.fixture(scope="session")
def market_url(source: MarketSource) -> Iterator[str]:
    """Where it is served."""
    with serving(sandbox_app(source, clock=CLOCK)) as url:
        yield url
