"""Engines whose lakes may be damaged and whose server may be killed, and what undisturbed runs leave on them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.python.support.engine import EmbeddedLake, Engine, own_engine
from tests.python.support.kill_targets import Reference, lake_at
from tests.python.support.market_lake import FIRST, REFRESH


@pytest.fixture(scope="session", params=["embedded", "spark"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine | EmbeddedLake]:
    """A lake of each engine, with a server of its own, since this one gets killed."""
    home = tmp_path_factory.mktemp("crash lake")
    if request.param == "embedded":
        yield EmbeddedLake(home)
        return
    with own_engine(home) as running:
        yield running


@pytest.fixture(scope="session")
def references(target: Engine | EmbeddedLake) -> dict[int, Reference]:
    """What undisturbed runs leave: the first one, and one two weeks later that requests everything again."""
    return {at: lake_at(target, "calm_", at).reference() for at in (FIRST, REFRESH)}
