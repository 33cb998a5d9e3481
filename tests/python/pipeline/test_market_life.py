"""A demo lake over two weeks: what is due when, run by run."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.python.reference import differences
from tests.python.support.market_lake import DAY, FIRST, HOUR, MarketLake

pytestmark = pytest.mark.full


def count_requests(lake: MarketLake, at: int) -> Counter[str]:
    """Return how many items of each kind a run requested."""
    return Counter(row["kind"] for row in lake.rows("bronze", "fetch_log") if row["as_of"].timestamp() == at)


def known(lake: MarketLake, kind: str, before: int) -> set[str]:
    """Return the items that were requested before a timestamp."""
    return {
        row["item"]
        for row in lake.rows("bronze", "fetch_log")
        if row["kind"] == kind and row["as_of"].timestamp() < before
    }


def again(lake: MarketLake, kind: str, at: int) -> set[str]:
    """Return the items that a run requested though they had been requested before."""
    news = {
        row["item"]
        for row in lake.rows("bronze", "fetch_log")
        if row["kind"] == kind and row["as_of"].timestamp() == at
    }
    return news & known(lake, kind, at)


def test_the_lake_lives_through_two_weeks(life: MarketLake) -> None:
    lake = life
    lake.demo(FIRST)
    start = FIRST + HOUR
    lake.demo(start)
    first_tokens, first_wallets = known(lake, "holders", start), known(lake, "swaps", start)
    assert first_tokens
    assert first_wallets

    lake.demo(FIRST + 71 * HOUR)
    assert count_requests(lake, FIRST + 71 * HOUR)["tokens"] == 1
    assert not again(lake, "holders", FIRST + 71 * HOUR)
    assert not again(lake, "swaps", FIRST + 71 * HOUR)

    lake.demo(FIRST + 73 * HOUR)
    active = {row["token_address"] for row in lake.rows("silver", "tracked_tokens") if row["is_active"]}
    assert again(lake, "holders", FIRST + 73 * HOUR) == first_tokens & active
    assert not again(lake, "swaps", FIRST + 73 * HOUR)

    lake.demo(FIRST + 13 * DAY)
    assert not again(lake, "swaps", FIRST + 13 * DAY) & first_wallets
    calculations = Counter(row["wallet_address"] for row in lake.rows("gold", "trader_evaluations"))
    assert all(calculations[wallet] == 1 for wallet in first_wallets)

    lake.demo(FIRST + 15 * DAY)
    # a pool among the holders was fetched once, before its swaps showed what it is
    first_wallets -= {row["wallet_address"] for row in lake.rows("silver", "whale_wallets") if row["is_pool"]}
    assert len(first_wallets) > 5
    assert again(lake, "swaps", FIRST + 15 * DAY) >= first_wallets
    calculations = Counter(row["wallet_address"] for row in lake.rows("gold", "trader_evaluations"))
    assert all(calculations[wallet] == 2 for wallet in first_wallets)

    newest = [
        row for row in lake.rows("silver", "wallet_pnl") if row["calculation_date"].timestamp() == FIRST + 15 * DAY
    ]
    verdict = lake.verdict(FIRST + 15 * DAY)
    expected = [row for row in verdict.wallet_pnl if row["wallet_address"] in first_wallets]
    found = [row for row in newest if row["wallet_address"] in first_wallets]
    assert differences(expected, found) == []
