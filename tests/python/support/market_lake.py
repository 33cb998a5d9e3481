"""A lake that `smart-trader run` fills from the made-up market, and what the market serves about it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.replay import parse
from smart_trader.sandbox.source import SwapQuery
from tests.python.reference import Verdict, compute_reference

from .engine import PROJECT, EmbeddedLake, Engine, run_module

# what a build or a load writes about itself
OWN_FIELDS = frozenset({"processed_at", "batch_id", "landed_at", "_dlt_load_id", "load_batch", "run_id"})
WALLETS = 30
SEED = 11
# rows, counts and kill points of these tests are those of the easy market
MARKET = ("--demo", "--market", "easy", "--seed", str(SEED), "--market-wallets", str(WALLETS))
HOUR = 3600
DAY = 24 * HOUR
# `as_of` of the first run
FIRST = 1_790_000_000
# by then everything is due again
REFRESH = FIRST + 15 * DAY


@dataclass(frozen=True)
class MarketLake:
    """The lake on its engine, the prefix of its schemas, and the project that fills it."""

    engine: Engine | EmbeddedLake
    prefix: str = ""
    project: Path = PROJECT

    def smart_trader(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a person does."""
        env = {**self.environment, **environment}
        return run_module("smart_trader.cli", *arguments, env=env, timeout=580, cwd=self.project)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name the lake."""
        target = {"DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": self.prefix.rstrip("_")} if self.prefix else {}
        return {**self.engine.environment, **target}

    def demo(self, at: int, *arguments: str) -> str:
        """Run the pipeline on the market at a timestamp; returns what it showed."""
        done = self.smart_trader("run", *MARKET, "--as-of", str(at), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr + done.stdout

    def rows(self, schema: str, table: str) -> list[dict[str, Any]]:
        """Return a table's rows."""
        location = self.engine.paths.table(f"{self.prefix}{schema}", table)
        return list(DeltaTable(location).to_pyarrow_table().to_pylist())

    def business(self, schema: str, table: str) -> list[str]:
        """Return a table's rows without what a run writes about itself, in an order of their own."""
        return sorted(
            str({name: value for name, value in row.items() if name not in OWN_FIELDS})
            for row in self.rows(schema, table)
        )

    def newest(self) -> datetime:
        """Return `as_of` of the lake's newest run."""
        return max(row["as_of"] for row in self.rows("bronze", "fetch_log"))

    def tables(self) -> Iterator[tuple[str, str]]:
        """Yield every table below bronze."""
        for schema in ("silver", "gold", "snapshots"):
            for path in sorted((self.engine.paths.local_root / f"{self.prefix}{schema}").iterdir()):
                if (path / "_delta_log").is_dir():
                    yield schema, path.name

    def copy_to(self, target: MarketLake, *layers: str) -> None:
        """Copy what this lake has more than another one: both are the same lake at two times."""
        root = self.engine.paths.local_root
        for layer in layers or ("bronze", "silver", "gold", "snapshots"):
            name = f"{self.prefix}{layer}"
            shutil.copytree(root / name, target.engine.paths.local_root / name, dirs_exist_ok=True)
        for path in (*root.glob("_lake*.json"), self.engine.paths.market_file):
            if path.is_file():
                shutil.copy(path, target.engine.paths.local_root / path.relative_to(root))

    def source(self, at: int) -> MarketSource:
        """Return the market the lake was filled from."""
        return market(WorldSpec.from_json(json.loads(self.engine.paths.market_file.read_text())), at)

    def verdict(self, at: int) -> Verdict:
        """Let the independent reference compute every fetched wallet from what the market serves."""
        source = self.source(at)
        log = [row for row in self.rows("bronze", "fetch_log") if row["kind"] == "swaps"]
        wallets = sorted({row["item"] for row in log})
        complete = {row["item"] for row in log if row["reached_oldest"]}
        pages = {}
        for wallet in wallets:
            texts, _ = source.swap_texts(SwapQuery(wallet, "swap", 0, at, 0, 10**9, False), at)
            pages[wallet] = [[parse(text) for text in texts]]
        return compute_reference(
            pages,
            as_of=datetime.fromtimestamp(at, UTC),
            quote_assets=quote_assets(),
            history_complete={wallet: wallet in complete for wallet in wallets},
            token_observations=self.observed_prices(),
            holder_observations=self.observed("whale_holders"),
            data_source="sandbox",
        )

    def observed(self, table: str) -> list[tuple[dict[str, Any], datetime]]:
        """Return what a table of bronze observed, as served; nothing where it was never written."""
        if not (self.engine.paths.local_root / f"{self.prefix}bronze" / table / "_delta_log").is_dir():
            return []
        return [(parse(row["item"]), row["observed_at"]) for row in self.rows("bronze", table)]

    def observed_prices(self) -> list[tuple[dict[str, Any], datetime]]:
        """Return the prices of token lists, then those that were looked up, in the shape of a list's items."""
        looked_up = [
            ({"address": row["token_address"], "price": item["value"], "liquidity": item.get("liquidity")}, seen_at)
            for row, (item, seen_at) in zip(
                self.rows("bronze", "token_prices"), self.observed("token_prices"), strict=True
            )
        ]
        return self.observed("token_metrics") + looked_up


def quote_assets() -> dict[str, str]:
    """Return the mints that are money, by kind."""
    with (PROJECT / "seeds" / "quote_assets.csv").open() as file:
        return {row["mint"]: row["kind"] for row in csv.DictReader(file)}
