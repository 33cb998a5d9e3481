"""Pairs and followings of wallets, made of new trades alone, are those that a full refresh makes of all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.python.support.bronze import Bronze, swap
from tests.python.support.engine import EmbeddedLake

T0 = datetime(2026, 5, 1, tzinfo=UTC)
START = int((T0 - timedelta(days=3)).timestamp())
WALLETS = [f"wallet{number:02}" for number in range(14)]
TOKENS = [f"token{letter}" for letter in "ABCDE"]
TABLES = ("wallet_counterparties", "followed_buys", "wallet_followers")
HOUR, DAY = 3600, 86_400


def trade(wallet: str, token: str, side: str, at: int, usd: int, tx_hash: str, **more: Any) -> dict[str, Any]:
    """Return a swap of a token against USDC."""
    sold, bought = ("base", "quote") if side == "sell" else ("quote", "base")
    return {
        **swap(wallet, token, T0, tx_hash=tx_hash),
        f"{sold}__type_swap": "from",
        f"{bought}__type_swap": "to",
        "base__amount": str(usd * 10**6),
        "base__ui_amount": str(usd),
        "quote__amount": str(usd * 10**6),
        "quote__ui_amount": str(usd),
        "block_unix_time": at,
        **more,
    }


class Market:
    """Swaps of wallets that meet in few tokens at few times, and buy in crowds."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def _name(self) -> str:
        self._count += 1
        return f"tx{self._count:05}"

    def meetings(self, pairs: list[tuple[str, str]], since: int, until: int) -> Iterator[dict[str, Any]]:
        """Yield sales and purchases that lie about as far apart as a meeting may."""
        for one, other in pairs:
            for seller, buyer in ((one, other), (other, one)):
                token, at = self._random.choice(TOKENS), self._random.randrange(since, until)
                yield trade(seller, token, "sell", at, 100, self._name())
                usd, late = self._random.choice((65, 71, 100, 150)), self._random.choice((-61, -60, 0, 30, 60, 61))
                yield trade(buyer, token, "buy", at + late, usd, self._name())

    def crowds(self, leaders: list[str], since: int, until: int) -> Iterator[dict[str, Any]]:
        """Yield purchases with others' behind them, and sometimes one before."""
        for leader in leaders:
            token, at = self._random.choice(TOKENS), self._random.randrange(since, until)
            yield trade(leader, token, "buy", at, 50, self._name())
            for late in self._random.sample((-3600, -3540, -1, 60, 61, 900, 1800, 3000, 3599, 3600, 3601), 5):
                yield trade(self._random.choice(WALLETS), token, "buy", at + late, 50, self._name())


class Lake:
    """A lake with the tables' models, built by new trades."""

    def __init__(self, folder: Path) -> None:
        self.engine = EmbeddedLake(folder / "lake")
        self.bronze = Bronze(folder / "lake", folder / "pipelines").init()
        self.market = Market(7)
        self.landed: list[dict[str, Any]] = []

    def land(self, *rows: dict[str, Any]) -> None:
        """Land swaps in one load."""
        self.landed += rows
        self.bronze.land(transaction_history=rows)

    def built(self, *arguments: str) -> dict[str, list[str]]:
        """Build, and return each table's rows in an order of their own."""
        wanted = [f"+{name}" for name in TABLES]
        done = self.engine.dbt("build", "--exclude-resource-type", "test", "unit_test", "--select", *wanted, *arguments,
                               SMART_TRADER_AS_OF=T0.isoformat())  # fmt: skip
        assert done.success, done.failures
        return {name: self.rows(name) for name in TABLES}

    def rows(self, name: str) -> list[str]:
        """Return a table's rows."""
        return sorted(map(str, DeltaTable(self.engine.paths.table("silver", name)).to_pyarrow_table().to_pylist()))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("behaviour"))
    pairs = [(WALLETS[number], WALLETS[number + 1]) for number in range(0, 12)] * 3
    end = START + 2 * DAY
    lake.land(*lake.market.meetings(pairs, START, end), *lake.market.crowds(WALLETS * 4, START, end))
    first = lake.built()
    assert all(len(rows) > 5 for rows in first.values()), first
    return lake


def new_trades(lake: Lake) -> None:
    """Two wallets trade on, one of them late for its time, and a new one begins."""
    later, latest = START + 2 * DAY, START + 3 * DAY
    pairs = [(WALLETS[0], WALLETS[1]), (WALLETS[3], WALLETS[2]), (WALLETS[3], "new")]
    lake.land(*lake.market.meetings(pairs * 2, START, later), *lake.market.crowds(["new", WALLETS[0]], START, latest))


def a_transaction_that_becomes_another(lake: Lake) -> None:
    """Later legs of known transactions: purchases that net to nothing, become sales, or are worth twice as much."""
    known = [row for row in lake.landed if row["base__type_swap"] == "to"][::9]
    legs = []
    for number, row in enumerate(known):
        factor = (1, 3, 1)[number % 3]
        side = ("sell", "sell", "buy")[number % 3]
        usd = factor * int(row["base__ui_amount"])
        wallet, token = row["owner"], row["base__address"]
        legs.append(trade(wallet, token, side, row["block_unix_time"], usd, row["tx_hash"], ins_index=50))
    lake.land(*legs)


def launches(lake: Lake) -> None:
    """Of one token the launch becomes known, of another a trade earlier than all."""
    made = {"token_address": TOKENS[0], "block_unix_time": START - DAY, "observed_at": T0}
    lake.bronze.land(token_creations=[made])
    lake.land(trade("first", TOKENS[1], "sell", START - 5 * HOUR, 10, "tx-first"))


def nothing(lake: Lake) -> None:
    """Nothing lands."""


@pytest.mark.parametrize("change", [new_trades, a_transaction_that_becomes_another, launches, nothing])
def test_new_trades_make_what_all_trades_make(lake: Lake, change: Any) -> None:
    before = {name: lake.rows(name) for name in TABLES}
    change(lake)
    incremental = lake.built()
    if change is not nothing:
        changed = {name: set(map(_figures, before[name])) != set(map(_figures, incremental[name])) for name in TABLES}
        assert any(changed.values()), changed
    assert incremental == lake.built("--full-refresh")


def _figures(row: str) -> str:
    return row.partition(", 'covered_batch'")[0]
