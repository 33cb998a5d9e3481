"""The loaders against whole worlds: the seeded market over time, and the shared recordings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import requests

from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.replay import load_recordings, parse
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from smart_trader.sandbox.source import SwapQuery
from tests.python.support.engine import PROJECT
from tests.python.support.loader_lake import NO_FILTERS, Lake

SAMPLES = PROJECT.parent / "shared" / "birdeye" / "samples"
HOUR = 3600
GENESIS = 1_750_000_000 // 86400 * 86400
RECORDED = 1_760_000_000
FIRST = GENESIS + 20 * 24 * HOUR


@dataclass(frozen=True)
class Walked:
    """A lake that was loaded twice, 13 hours apart, and the market it was loaded from."""

    lake: Lake
    source: MarketSource
    url: str
    second: int

    def served(self, wallet: str) -> Counter[str]:
        """Return every row that the market shows of a wallet at the second timestamp."""
        query = SwapQuery(wallet, "swap", 0, self.second, 0, 10**9, False)
        texts, _ = self.source.swap_texts(query, self.second)
        return Counter(texts)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    source = market(7, 150, GENESIS, FIRST)
    second = FIRST + 13 * HOUR
    lake = Lake(tmp_path_factory.mktemp("market"))
    with serving(sandbox_app(source, clock=FIRST)) as url:
        lake.load("tokens", url, as_of=FIRST, **NO_FILTERS)
        mints = ",".join(row["address"] for row in lake.rows("token_metrics"))
        wallets = ",".join(source.wallets)
        lake.load("whales", url, mints, as_of=FIRST, max_whales_per_token=150)
        lake.load("transactions", url, wallets, as_of=FIRST, max_pages_per_wallet=100)
        requests.post(f"{url}/sandbox/clock", json={"now": second}, timeout=60).raise_for_status()
        lake.load("transactions", url, wallets, as_of=second, max_pages_per_wallet=100)
        yield Walked(lake, source, url, second)


def distinct(rows: list[dict[str, Any]]) -> Counter[str]:
    """Count items as the project does: numbered rows once, others as often as the largest number seen."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row["item"]] = max(found[row["item"]], row["occurrence"] if row["ins_index"] is None else 1)
    return found


def test_every_swap_of_the_market_lands_as_served(walked: Walked) -> None:
    by_wallet: dict[str, list[dict[str, Any]]] = {}
    for row in walked.lake.rows("transaction_history"):
        by_wallet.setdefault(row["wallet_address"], []).append(row)
    assert sum(map(len, by_wallet.values())) > 10_000
    for wallet in walked.source.wallets:
        assert distinct(by_wallet.get(wallet, [])) == walked.served(wallet), wallet


def test_a_row_served_twelve_hours_late_is_found(walked: Walked) -> None:
    rows = walked.lake.rows("transaction_history")
    log = {row["fetch_id"]: row for row in walked.lake.rows("fetch_log")}
    newest = {row["item"]: row["newest_time"] for row in log.values() if row["as_of"].timestamp() == FIRST}
    early = {row["item"] for row in rows if row["fetched_at"].timestamp() == FIRST}
    late = [
        row
        for row in rows
        if row["item"] not in early and (newest[row["wallet_address"]] or 0) >= row["block_unix_time"]
    ]
    assert late
    assert max(newest[row["wallet_address"]] - row["block_unix_time"] for row in late) > HOUR


def test_a_refetch_requests_little_more_than_the_overlap(walked: Walked) -> None:
    log = walked.lake.rows("fetch_log")
    pages = {
        as_of: sum(row["pages"] for row in log if row["kind"] == "swaps" and row["as_of"].timestamp() == as_of)
        for as_of in (FIRST, walked.second)
    }
    assert pages[walked.second] < pages[FIRST]
    assert all(row["outcome"] == "complete" for row in log)


def test_the_markets_strange_rows_are_there(walked: Walked) -> None:
    rows = walked.lake.rows("transaction_history")
    assert any(row["ins_index"] is None and row["occurrence"] > 1 for row in rows)
    assert any(row["base__price"] is None or row["quote__price"] is None for row in rows)
    assert any("." in (row["base__amount"] or "") for row in rows)
    assert any(row["signers"] is None for row in rows)
    # split routes and token-to-token swaps: several rows with one transaction
    assert Counter(Counter(row["tx_hash"] for row in rows).values())[3]


def test_holders_and_tokens_of_the_market_land_as_served(walked: Walked) -> None:
    holders = walked.lake.rows("whale_holders")
    mints = {row["address"] for row in walked.lake.rows("token_metrics")}
    assert {row["token_address"] for row in holders} <= mints
    assert all(json.loads(row["item"])["amount"] == row["amount"] for row in holders)
    assert max(Counter(row["token_address"] for row in holders).values()) > 20


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    if not SAMPLES.is_dir():
        pytest.skip("the shared recordings are not beside this checkout")
    recordings = load_recordings(SAMPLES)
    lake = Lake(tmp_path_factory.mktemp("replayed"))
    with serving(sandbox_app(recordings)) as url:
        lake.load("tokens", url, as_of=RECORDED, **NO_FILTERS)
        lake.load("whales", url, ",".join(recordings.holders), as_of=RECORDED)
        lake.load("transactions", url, ",".join(recordings.swaps), as_of=RECORDED)
    return lake


def test_the_shared_recordings_land_whole(replayed: Lake) -> None:
    recordings = load_recordings(SAMPLES)
    rows = replayed.rows("transaction_history")
    served = [row for swaps in recordings.swaps.values() for row in swaps]
    assert len(rows) == len(served) == 1155
    assert sorted(row["tx_hash"] for row in rows) == sorted(row["tx_hash"] for row in served)
    assert len(replayed.rows("token_metrics")) == len(recordings.tokens) == 23
    assert len(replayed.rows("whale_holders")) == 2


def test_the_shared_recordings_keep_every_value(replayed: Lake) -> None:
    """Every field of every leg, compared as exact decimals with what the file holds."""
    files = [parse(path.read_text()) for path in sorted((SAMPLES / "wallets").glob("*.json"))]
    held = {json.dumps(row, sort_keys=True, default=str) for rows in files for row in rows}
    seen = 0
    for row in replayed.rows("transaction_history"):
        item = parse(row["item"])
        seen += json.dumps(item, sort_keys=True, default=str) in held
        for leg in ("base", "quote"):
            for name, value in item[leg].items():
                landed = row[f"{leg}__{name}"]
                if isinstance(value, str) or isinstance(landed, bool) or value is None:
                    assert landed == value, name
                else:
                    assert Decimal(landed) == Decimal(str(value)), name
    assert seen == len(held) == 1139
