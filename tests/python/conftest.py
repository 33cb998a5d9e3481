"""One lake on each engine for the whole test session, in folders with a space in their names."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.python.support.engine import EmbeddedLake, Engine, own_engine
from tests.python.support.market_lake import FIRST, MarketLake

pytest_plugins = ["dbt.tests.fixtures.project"]

# A shell's background jobs, and what `nohup` starts, ignore these; the programs that tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The session's server; stopped at the end, whatever happened."""
    # a small heap, so that tests can fill it
    with own_engine(tmp_path_factory.mktemp("lake with space"), driver_memory="1g") as running:
        yield running


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


@pytest.hookimpl(tryfirst=True)  # before the groups become part of the names
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a module's tests to one process, and all that need the session's server to the one that begins with them."""
    modules = {item.path for item in items if "engine" in getattr(item, "fixturenames", ())}
    on_server = {item: item.path in modules or _is_on_thrift(item) for item in items}
    items.sort(key=lambda item: not on_server[item])
    for item in items:
        item.add_marker(
            pytest.mark.xdist_group("server" if on_server[item] else f"{item.path.parent.name}.{item.path.stem}")
        )


def _is_on_thrift(item: pytest.Item) -> bool:
    # dbt's own tests run with each connection method, ours with this one unless they name another
    callspec = getattr(item, "callspec", None)
    return "dbt_profile_target" in getattr(item, "fixturenames", ()) and (
        callspec is None or callspec.params.get("method", "thrift") == "thrift"
    )
