"""A small market over three windows: what was scored, what came after, and the verdict, computed again by hand."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import correlation
from typing import Any

import pytest

from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import DAY, FIRST, MarketLake

pytestmark = pytest.mark.slow

SPACING = 15 * DAY
# the last run closes the third window
RUNS = tuple(FIRST + number * SPACING for number in range(4))
WINDOW = timedelta(days=14)
HISTORIES = ("standing_history", "list_quality", "forward_returns", "score_calibration")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> MarketLake:
    """Four runs, fifteen days apart."""
    lake = MarketLake(EmbeddedLake(tmp_path_factory.mktemp("walked")))
    for at in RUNS:
        lake.demo(at, "--skip-tests")
    return lake


def time_of(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def forward_return(
    trades: Sequence[Mapping[str, Any]], prices: Mapping[str, Sequence[Mapping[str, Any]]], scored_at: datetime
) -> tuple[float, int]:
    """Return cost and return of a wallet's buys after a time, and their number, lot by lot."""
    start, end = scored_at.timestamp(), (scored_at + WINDOW).timestamp()
    tokens: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for trade in trades:
        if trade["block_unix_time"] <= end and trade["quantity"] > 0:
            tokens[trade["token_address"]].append(trade)
    cost = came_back = 0.0
    buy_count = 0
    for token, of_token in tokens.items():
        inside = [trade for trade in of_token if trade["block_unix_time"] > start]
        bought = [trade for trade in inside if trade["side"] == "buy"]
        if not bought or any(trade["value_usd"] is None or trade["is_basis_unknown"] for trade in inside):
            continue
        buy_count += len(bought)
        cost += sum(trade["value_usd"] for trade in bought)
        came_back += value_of_lots(of_token, prices.get(token, ()), start, end)
    return (came_back - cost) / cost if cost >= 50 and buy_count >= 3 else float("nan"), buy_count


def value_of_lots(
    trades: Sequence[Mapping[str, Any]], prices: Sequence[Mapping[str, Any]], start: float, end: float
) -> float:
    """Return what the lots bought after the start were sold for, and the mark of what is left."""
    lots: deque[list[Any]] = deque()
    proceeds = last_price = last_time = 0.0
    for trade in sorted(
        trades,
        key=lambda one: (one["block_unix_time"], one["block_number"] or 10**18, one["side"], one["tx_hash"]),
    ):
        quantity, value = trade["quantity"], trade["value_usd"]
        if value is not None:
            last_price, last_time = value / quantity, trade["block_unix_time"]
        if trade["side"] == "buy":
            lots.append([quantity, (value or 0.0) / quantity, trade["block_unix_time"] > start])
            continue
        left = quantity
        while lots and left > 0:
            part = min(left, lots[0][0])
            lots[0][0] -= part
            left -= part
            if lots[0][2]:
                proceeds += value * part / quantity
            if lots[0][0] <= 1e-9 * quantity:
                lots.popleft()
    units = sum(lot[0] for lot in lots if lot[2])
    lots_cost = sum(lot[0] * lot[1] for lot in lots if lot[2])
    seen = [one for one in prices if 0 <= end - one["observed_at"].timestamp() <= 48 * 3600]
    if seen and units:
        newest = max(seen, key=lambda one: one["observed_at"])
        value = units / 10 ** max(trade["decimals"] for trade in trades) * newest["price_usd"]
        return proceeds + float(min(value, newest["liquidity_usd"] / 2))
    return proceeds + (min(lots_cost, units * last_price) if end - last_time <= 168 * 3600 else 0.0)


def ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def test_each_window_is_measured_at_the_first_run_that_closes_it(walked: MarketLake) -> None:
    assert {row["scored_at"] for row in walked.rows("gold", "standing_history")} == {time_of(at) for at in RUNS}
    rows = walked.rows("gold", "score_calibration")
    measured = {(row["scored_at"], row["window_end"], row["measured_at"]) for row in rows}
    assert measured == {(time_of(at), time_of(at) + WINDOW, time_of(after)) for at, after in pairwise(RUNS)}
    assert len(rows) == 3 * len(measured)
    assert {row["scored_at"] for row in walked.rows("gold", "list_quality")} == {time_of(at) for at in RUNS}


@pytest.mark.parametrize("number", [0, 2])
def test_a_window_is_what_plain_python_makes_of_the_trades(walked: MarketLake, number: int) -> None:
    scored_at = time_of(RUNS[number])
    trades, prices = defaultdict(list), defaultdict(list)
    for row in walked.rows("silver", "wallet_trades"):
        trades[row["wallet_address"]].append(row)
    for row in walked.rows("silver", "token_prices"):
        prices[row["token_address"]].append(row)
    standings = {
        row["wallet_address"]: row
        for row in walked.rows("gold", "standing_history")
        if row["scored_at"] == scored_at and not row["is_flagged"]
    }
    found = {
        row["wallet_address"]: row for row in walked.rows("gold", "forward_returns") if row["scored_at"] == scored_at
    }
    # pools, and others that are fetched no more, are not covered
    measured_at = min(row["measured_at"] for row in found.values())
    fetched = {
        row["item"]
        for row in walked.rows("bronze", "fetch_log")
        if (row["kind"], row["outcome"]) == ("swaps", "complete") and scored_at + WINDOW <= row["as_of"] <= measured_at
    }
    assert found.keys() == standings.keys() & fetched
    expected = {wallet: forward_return(trades[wallet], prices, scored_at) for wallet in found}
    assert {wallet: row["buy_count"] for wallet, row in found.items()} == {
        wallet: count for wallet, (_, count) in expected.items()
    }
    returns = {wallet: row["forward_return"] for wallet, row in found.items() if row["forward_return"] is not None}
    known = {wallet: value for wallet, (value, _) in expected.items() if value == value}
    # the table rounds each token's money to a millionth of a USD, and a wallet has put in 50 USD at least
    assert returns == pytest.approx(known, abs=3e-7)
    for row in walked.rows("gold", "score_calibration"):
        if row["scored_at"] == scored_at:
            check_calibration(row, standings, known)


def check_calibration(
    row: Mapping[str, Any], standings: Mapping[str, Mapping[str, Any]], returns: Mapping[str, float]
) -> None:
    score = row["score_name"]
    wallets = [wallet for wallet in returns if standings[wallet][score] is not None]
    values = [returns[wallet] for wallet in wallets]
    scores = [float(standings[wallet][score]) for wallet in wallets]
    assert row["wallet_count"] == len(wallets) > 3
    assert row["mean_return"] == pytest.approx(sum(values) / len(values))
    # the tables round returns to twelve places, and so may two of them be equal
    rounded = [round(value, 12) for value in values]
    assert row["rank_correlation"] == pytest.approx(correlation(ranks(scores), ranks(rounded)), abs=1e-6)
    assert row["verdict"] == "too_few"
    graded = [returns[wallet] for wallet in wallets if standings[wallet]["grade"] in ("A", "B")]
    assert row["graded_count"] == len(graded)
    if graded:
        assert row["graded_return"] == pytest.approx(sum(graded) / len(graded))


def test_the_commands_tell_the_newest_window(walked: MarketLake) -> None:
    told = walked.smart_trader("calibration")
    assert told.returncode == 0, told.stderr
    newest, end = time_of(RUNS[2]), time_of(RUNS[2]) + WINDOW
    mark, text = told.stdout.split("\n", 1)
    assert mark.startswith("MADE-UP MARKET")
    text = " ".join(text.split())
    assert text.startswith(f"Scored on {newest:%Y-%m-%d}, against what the wallets' buys until {end:%Y-%m-%d}")
    assert "luck alone would grade" in text
    exported = walked.smart_trader("calibration", "--format", "json")
    assert exported.stderr.startswith("MADE-UP MARKET")
    rows = json.loads(exported.stdout)
    assert len(rows) == 9
    assert [row["score_name"] for row in rows[:3]] == ["skill_low", "smart_trader_score", "realized_pnl"]
    last = " ".join(walked.smart_trader("leaderboard").stdout.splitlines()[-3:])
    assert "Too few wallets to tell" in last
    assert f"{newest:%Y-%m-%d}" in last


def test_building_again_changes_nothing_and_a_full_refresh_keeps_the_histories(walked: MarketLake) -> None:
    tables = [("gold", name) for name in (*HISTORIES, "leaderboard", "wallet_standings", "skill_scores")]
    before = {table: walked.business(*table) for table in tables}
    for arguments in ((), ("--full-refresh",)):
        done = walked.engine.dbt(
            "build", "--exclude-resource-type", "unit_test", *arguments, SMART_TRADER_AS_OF=str(RUNS[-1])
        )
        assert done.success, done.failures
        assert {table: walked.business(*table) for table in tables} == before
