"""The pipeline's own lake and server: its runs live at moments of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine import start_engine
from market_lake import MarketLake

from smart_trader.lakehouse import server


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketLake]:
    """A lake with its server running."""
    running = start_engine(tmp_path_factory.mktemp("market lake"))
    yield MarketLake(running)
    server.stop(running.paths, print)


@pytest.fixture(scope="session")
def replayed(lake: MarketLake) -> MarketLake:
    """The same server, with schemas of another target: made-up and recorded data never mix."""
    return MarketLake(lake.engine, "ci_")
