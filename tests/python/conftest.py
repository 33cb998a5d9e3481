"""The session's lakes of the embedded engine, in folders with a space in their names."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest

from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import FIRST, MarketLake


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedLake:
    """The session's lake for the embedded engine; those who write to it take schemas of their own."""
    return EmbeddedLake(tmp_path_factory.mktemp("embedded lake"))


@pytest.fixture(scope="session")
def lake(embedded: EmbeddedLake) -> MarketLake:
    """A lake for the made-up market, with schemas of its own."""
    return MarketLake(embedded, "market_")


@dataclass(frozen=True)
class FirstRun:
    """The market's first run: what it showed, and the lake that it left."""

    shown: str
    left: MarketLake


@pytest.fixture(scope="session")
def first_run(lake: MarketLake, tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Run the market once, which builds and tests everything, and keep a copy of its lake."""
    shown = lake.demo(FIRST)
    home = tmp_path_factory.mktemp("first run") / "lake"
    shutil.copytree(lake.engine.paths.home, home)
    return FirstRun(shown, MarketLake(EmbeddedLake(home), lake.prefix))


@pytest.fixture(scope="session")
def shown(first_run: FirstRun) -> str:
    """What the market's first run showed."""
    return first_run.shown


@pytest.fixture(scope="session")
def calm(first_run: FirstRun) -> MarketLake:
    """The market's lake as an undisturbed first run left it; never written to."""
    return first_run.left
