"""One lake on each engine for the whole test session, in folders with a space in their names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine import EmbeddedLake, Engine, own_engine
from market_lake import FIRST, MarketLake

pytest_plugins = ["dbt.tests.fixtures.project"]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The session's server; stopped at the end, whatever happened."""
    with own_engine(tmp_path_factory.mktemp("lake with space")) as running:
        yield running


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedLake:
    """The session's lake for the embedded engine; those who write to it take schemas of their own."""
    return EmbeddedLake(tmp_path_factory.mktemp("embedded lake"))


@pytest.fixture(scope="session")
def lake(embedded: EmbeddedLake) -> MarketLake:
    """A lake for the made-up market, with schemas of its own."""
    return MarketLake(embedded, "market_")


@pytest.fixture(scope="session")
def shown(lake: MarketLake) -> str:
    """What the market's first run showed; it builds and tests everything once."""
    return lake.demo(FIRST)


@pytest.fixture(scope="session")
def spark_lake(engine: Engine) -> MarketLake:
    """A lake for the same market on the session's server, after its first run: the one whole demo on Spark."""
    lake = MarketLake(engine, "spark_")
    assert "engine: spark" in lake.demo(FIRST)
    return lake
