"""A server that may be killed, and what undisturbed runs leave on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine import Engine, own_engine
from market_lake import FIRST, REFRESH
from victims import Reference, lake_at


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A server of its own, since this one gets killed."""
    with own_engine(tmp_path_factory.mktemp("crash lake")) as running:
        yield running


@pytest.fixture(scope="session")
def references(target: Engine) -> dict[int, Reference]:
    """What undisturbed runs leave: the first one, and one two weeks later that asks for everything again."""
    return {at: lake_at(target, "calm_", at).reference() for at in (FIRST, REFRESH)}
