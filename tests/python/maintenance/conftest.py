"""A small lake that loaders have filled from the made-up market, with tables as builds leave them; no server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.engine import clean_environment, run_module
from tests.python.support.market_lake import DAY, FIRST

GENESIS = (FIRST // DAY - 30) * DAY
SOURCE = market(WorldSpec("easy", 3, 20, GENESIS), FIRST)
BUILT = ("silver.wallet_trades", "silver.pnl_history", "gold.leaderboard", "snapshots.tracked_tokens_history")


@dataclass(frozen=True)
class LoadedLake:
    """A lake of its own folder, and the programs on it."""

    root: Path

    @property
    def paths(self) -> LakePaths:
        return LakePaths(self.root, str(self.root))

    def smart_trader(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = clean_environment(LAKEHOUSE_HOME=str(self.root), **environment)
        return run_module("smart_trader.cli", *arguments, env=env)

    def load(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a loader against the made-up market."""
        if arguments == ("init",):
            return run_module("loaders", "init", env=clean_environment(LAKEHOUSE_HOME=str(self.root)))
        with serving(sandbox_app(SOURCE, clock=FIRST)) as url:
            env = clean_environment(LAKEHOUSE_HOME=str(self.root))
            return run_module("loaders", *arguments, "--sandbox", url, "--as-of", str(FIRST), env=env)

    def table(self, name: str) -> Path:
        return self.root / name.replace(".", "/", 1)

    def files(self, name: str) -> list[Path]:
        """Return the data files that a table's newest version names."""
        actions = DeltaTable(str(self.table(name))).get_add_actions(flatten=True)
        return [self.table(name) / str(path) for path in actions["path"].to_pylist()]

    def rows(self, name: str) -> list[str]:
        return sorted(map(str, DeltaTable(str(self.table(name))).to_pyarrow_table().to_pylist()))

    def tables(self) -> dict[str, list[str]]:
        """Return the rows of every table."""
        found = [log.parent for log in sorted(self.root.glob("*/*/_delta_log"))]
        return {f"{path.parent.name}.{path.name}": self.rows(f"{path.parent.name}.{path.name}") for path in found}


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> LoadedLake:
    """The lake that the others are copies of; never written to by a test."""
    lake = LoadedLake(tmp_path_factory.mktemp("filled") / "a lake")
    for arguments in (("tokens",), ("transactions", "--wallets", ",".join(SOURCE.wallets[:8]))):
        done = lake.load(*arguments)
        assert done.returncode == 0, done.stderr
    for number, name in enumerate(BUILT):
        write_deltalake(str(lake.table(name)), pa.table({"wallet_address": ["a", "b"], "value": [number, 2.5]}))
    return lake


@pytest.fixture
def loaded(filled: LoadedLake, tmp_path: Path) -> LoadedLake:
    """A copy of the filled lake."""
    shutil.copytree(filled.root, tmp_path / "lake")
    return LoadedLake(tmp_path / "lake")


@pytest.fixture
def made_lake(tmp_path: Path) -> Callable[[str], LoadedLake]:
    """Makes empty lakes by name."""
    return lambda name: LoadedLake(tmp_path / name)
