"""Lakes that the pipeline fills: schemas of their own on the session's server, since made-up and recorded data never mix."""

from __future__ import annotations

import pytest
from engine import Engine
from market_lake import MarketLake


@pytest.fixture(scope="session")
def replayed(engine: Engine) -> MarketLake:
    """A lake for the recordings."""
    return MarketLake(engine, "replay_")


@pytest.fixture(scope="session")
def life(engine: Engine) -> MarketLake:
    """A lake for the made-up market over two weeks."""
    return MarketLake(engine, "life_")
