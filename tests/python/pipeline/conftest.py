"""Lakes that the pipeline fills: schemas of their own, since made-up and recorded data never mix."""

from __future__ import annotations

import pytest

from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import MarketLake


@pytest.fixture(scope="session")
def replayed(embedded: EmbeddedLake) -> MarketLake:
    """A lake for the recordings."""
    return MarketLake(embedded, "replay_")


@pytest.fixture(scope="session")
def life(embedded: EmbeddedLake) -> MarketLake:
    """A lake for the made-up market over two weeks."""
    return MarketLake(embedded, "life_")
