"""The models on what landed of corrupted answers: one build, in which nobody's rows harm anybody else's numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from smart_trader.sandbox.replay import parse
from tests.python.reference import compute_reference, differences
from tests.python.support.engine import EmbeddedLake
from tests.python.support.loader_lake import NO_FILTERS
from tests.python.support.market_lake import MarketLake, quote_assets

from .corrupted_market import NOW, TOKEN_LIST
from .invariants import SETTINGS, Corrupted, Landed
from .mutations import TEXTS, Fields, Written, read, write

pytestmark = pytest.mark.slow

# what no sum of money can hold is no number
NO_NUMBER = Decimal("1e30")
AS_OF = datetime.fromtimestamp(NOW, UTC)


class HostilePrices:
    """Gives two of three tokens a price or a liquidity that is no number."""

    def corrupt(self, body: str) -> bytes:
        envelope = read(body)
        for index, row in enumerate(dict(dict(envelope)["data"])["items"]):
            name = ("price", "liquidity", "")[index % 3]
            row[:] = Fields((key, Written("1e400") if key == name else value) for key, value in row)
        return write(envelope).encode()


@dataclass(frozen=True)
class Built:
    """The built lake, and what it was loaded from."""

    lake: MarketLake
    engine: EmbeddedLake
    corrupted: Corrupted

    def dbt(self, *selection: str) -> None:
        """Build some models once, without their tests."""
        command = ("build", "--exclude-resource-type", "test", "unit_test", "--select", *selection)
        done = self.engine.dbt(*command, SMART_TRADER_AS_OF=AS_OF.isoformat())
        assert done.success, done.failures

    def pnl(self, wallets: set[str]) -> list[dict[str, Any]]:
        return [row for row in self.lake.rows("silver", "wallet_pnl") if row["wallet_address"] in wallets]


@pytest.fixture(scope="module")
def built(landed: Landed) -> Built:
    """The corrupted lake, built once."""
    lake, corrupted = landed.lake, landed.corrupted
    corrupted.cases[TOKEN_LIST] = HostilePrices()
    lake.load("tokens", corrupted.url, as_of=NOW, **SETTINGS, **NO_FILTERS).raise_if_failed()
    engine = EmbeddedLake(lake.root)
    made = Built(MarketLake(engine), engine, corrupted)
    made.dbt("+wallet_pnl")
    return made


def test_the_others_have_the_numbers_of_an_uncorrupted_market(built: Built) -> None:
    clean = built.corrupted.clean
    lists = {row["fetch_id"] for row in built.lake.rows("bronze", "fetch_log") if row["item"] == TOKEN_LIST}
    tokens = [row for row in built.lake.rows("bronze", "token_metrics") if row["fetch_id"] in lists]
    verdict = compute_reference(
        {wallet: [[parse(text) for text in built.corrupted.crowd.swaps(wallet)]] for wallet in clean},
        as_of=AS_OF,
        quote_assets=quote_assets(),
        history_complete=dict.fromkeys(clean, True),
        token_observations=[(_without_monsters(parse(row["item"])), AS_OF) for row in tokens],
    )
    assert differences(verdict.wallet_pnl, built.pnl(set(clean))) == []
    assert any(row["current_position_value"] for row in verdict.wallet_pnl)


def _without_monsters(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, Decimal) and abs(value) >= NO_NUMBER else value for name, value in item.items()
    }


def test_whose_swaps_landed_is_calculated(built: Built) -> None:
    log = [row for row in built.lake.rows("bronze", "fetch_log") if row["kind"] == "swaps"]
    landed = {row["item"] for row in log if row["outcome"] == "complete"}
    totals = {row["wallet_address"] for row in built.pnl(landed) if row["token_address"] == "ALL_TOKENS"}
    assert sorted(landed - totals) == []
    assert landed > set(built.corrupted.clean)


def test_every_number_is_finite(built: Built) -> None:
    for schema in ("silver", "gold"):
        for path in sorted((built.engine.paths.local_root / schema).iterdir()):
            if (path / "_delta_log").is_dir():
                odd = [
                    row
                    for row in built.lake.rows(schema, path.name)
                    if any(isinstance(value, float) and not math.isfinite(value) for value in row.values())
                ]
                assert odd == [], path.name


def test_what_would_be_code_elsewhere_stands_as_text(built: Built) -> None:
    read = {
        ("token_metrics", "token_observations"): {"symbol": "symbol", "name": "token_name", "address": "token_address"},
        ("whale_holders", "holder_observations"): {"owner": "wallet_address"},
        ("transaction_history", "wallet_swaps"): {"tx_hash": "tx_hash", "address": "pool_address"},
    }
    texts, seen = set(TEXTS.values()), set()
    for (bronze, silver), columns in read.items():
        for landed, built_as in columns.items():
            before = {row[landed] for row in built.lake.rows("bronze", bronze)} & texts
            assert {row[built_as] for row in built.lake.rows("silver", silver)} & texts == before, (bronze, landed)
            seen |= before
    assert len(seen) > 3


def test_everything_else_is_built_of_corrupted_answers_too(built: Built) -> None:
    built.dbt("fqn:*")
    assert built.lake.rows("silver", "transaction_fetch_queue")
