"""The whole pipeline on the made-up market: from the first run through the lake's life, against an independent reference."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from smart_trader.lake.file_lock import lake_lock
from smart_trader.pipeline.steps import STEP_NAMES
from tests.python.reference import differences
from tests.python.support.market_lake import FIRST, HOUR, MarketLake
from tests.python.support.trust import (
    fetched_verdict,
    flag_differences,
    judge_trust,
    skill_differences,
    standing_differences,
)


def test_the_first_run_ends_with_a_ranked_list(lake: MarketLake, shown: str) -> None:
    assert [line.split()[1].rstrip(":") for line in shown.splitlines() if line.startswith("[")] == list(STEP_NAMES)
    board = sorted(lake.rows("gold", "leaderboard"), key=lambda row: row["overall_rank"])
    assert len(board) >= 3
    assert [row["overall_rank"] for row in board] == list(range(1, len(board) + 1))
    assert {row["tier"] for row in board} <= {"ELITE", "STRONG", "PROMISING", "QUALIFIED"}
    assert board[0]["wallet_address"] in shown
    assert "wallets evaluated" in shown
    assert re.search(r"^\[5/8\] load_transactions: reading the trades of \d+ wallets$", shown, re.MULTILINE)
    assert re.search(r"^      \d+ tables built, \d+ tests run in [\d.]+ s$", shown, re.MULTILINE)
    assert re.search(r"^ +\d+  win_rate +win rate below 40 %, or unknown$", shown, re.MULTILINE)
    assert "made up: the easy market of seed 11 with 30 wallets; nothing in it is real\n" in shown
    assert f"next: smart-trader explain {board[0]['wallet_address']}" in shown


def test_the_reference_finds_the_same_profit_and_loss_for_every_wallet(lake: MarketLake, shown: str) -> None:
    verdict = lake.verdict(FIRST)
    found = lake.rows("silver", "wallet_pnl")
    assert len({row["wallet_address"] for row in found}) == len(verdict.evaluations) > 10
    assert differences(verdict.wallet_pnl, found) == []


def test_the_reference_qualifies_the_same_wallets(lake: MarketLake, shown: str) -> None:
    verdict = lake.verdict(FIRST)
    found = {row["wallet_address"]: row for row in lake.rows("gold", "trader_evaluations")}
    assert set(found) == set(verdict.evaluations)
    for wallet, expected in verdict.evaluations.items():
        row = found[wallet]
        assert (row["is_qualified"], row["uncapped_tier"]) == (expected.is_qualified, expected.tier), (wallet, row)


def test_listed_are_those_who_qualify_without_a_hard_flag_by_tier_and_skill(lake: MarketLake, shown: str) -> None:
    evaluations = {row["wallet_address"]: row for row in lake.rows("gold", "trader_evaluations")}
    flagged = {row["wallet_address"] for row in lake.rows("gold", "wallet_flags") if row["severity"] == "hard"}
    board = sorted(lake.rows("gold", "leaderboard"), key=lambda row: row["overall_rank"])
    qualified = {wallet for wallet, row in evaluations.items() if row["is_qualified"]}
    assert {row["wallet_address"] for row in board} == qualified - flagged
    tiers = ["ELITE", "STRONG", "PROMISING", "QUALIFIED"]
    assert [row["wallet_address"] for row in board] == [
        row["wallet_address"]
        for row in sorted(
            board,
            key=lambda row: (
                tiers.index(row["tier"]),
                row["skill_low"] is None,
                -(row["skill_low"] or 0),
                -row["total_pnl"],
                row["wallet_address"],
            ),
        )
    ]
    best = dict(zip("ABCD", tiers, strict=True))
    for row in board:
        worst = max(tiers.index(row["uncapped_tier"]), tiers.index(best[row["grade"]]))
        assert tiers.index(row["tier"]) >= worst
        assert row["flags"] or tiers.index(row["tier"]) == worst
        assert row["tier"] == evaluations[row["wallet_address"]]["tier"]


def test_the_reference_finds_the_same_flags_skill_and_ranks(calm: MarketLake) -> None:
    trust = judge_trust(calm, FIRST, fetched_verdict(calm, FIRST))
    assert trust.ranking
    assert flag_differences(calm, trust) + skill_differences(calm, trust) + standing_differences(calm, trust) == []


def test_every_step_leaves_a_record(lake: MarketLake, shown: str) -> None:
    records = sorted(lake.rows("bronze", "pipeline_runs"), key=lambda row: row["started_at"])
    assert [row["step"] for row in records] == list(STEP_NAMES)
    assert {row["outcome"] for row in records} == {"complete"}
    assert len({row["run_id"] for row in records}) == 1
    loads = {row["step"]: row for row in records if row["step"].startswith("load")}
    assert loads["load_tokens"]["requests"] == 1
    landed = len(lake.rows("bronze", "transaction_history"))
    assert loads["load_transactions"]["rows"] == landed > 500
    assert all(float(row["seconds"]) > 0 for row in records)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_the_leaderboard_is_read_without_a_jvm(lake: MarketLake, shown: str, form: str) -> None:
    done = lake.smart_trader("leaderboard", "--top", "2", "--format", form, LAKEHOUSE_JAVA="/nowhere", PATH="/usr/bin")
    assert done.returncode == 0, done.stderr
    best = [row["wallet_address"] for row in lake.rows("gold", "leaderboard") if (row["overall_rank"] or 9) <= 2]
    assert all(wallet in done.stdout for wallet in best)
    if form == "json":
        assert [row["overall_rank"] for row in json.loads(done.stdout)] == [1, 2]
    if form == "csv":
        assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == 2


def test_the_log_that_an_error_names_covers_every_model(lake: MarketLake, shown: str) -> None:
    log = (lake.engine.paths.home / "logs" / "dbt.log").read_text()
    for model in ("silver.whale_fetch_queue", "silver.fifo_positions", "gold.leaderboard"):
        assert f"model market_{model}" in log


def explained(lake: MarketLake, wallet: str) -> str:
    """Return what explain tells of a wallet."""
    done = lake.smart_trader("explain", wallet)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("MADE-UP MARKET")
    return done.stdout


def test_a_listed_wallet_is_explained(lake: MarketLake, shown: str) -> None:
    board = {row["overall_rank"]: row for row in lake.rows("gold", "leaderboard")}
    best = board[1]
    wallet = best["wallet_address"]
    text = explained(lake, wallet)
    lines = text.splitlines()
    verdict = " ".join(lines[1 : lines.index("")])
    assert verdict.startswith(
        f"{wallet} is listed: rank 1 of {len(board)}, tier {best['tier']}, grade {best['grade']}."
    )
    assert ("By its size it would be" in verdict) == (best["tier"] != best["uncapped_tier"])
    (score,) = (row for row in lake.rows("gold", "skill_scores") if row["wallet_address"] == wallet)
    assert f"Grade {score['grade']}: " in text
    figures = {line[2:36].strip(): line[36:].strip().split("   ")[0] for line in lines if line.startswith("  ")}
    assert figures["positions of the last 90 days"] == str(score["position_count"])
    assert figures["skill exceeds, with 95 %"] == f"{100 * score['skill_low']:+,.1f} %"
    assert figures["it exceeds, with 95 %"] == f"{100 * score['money_return_low']:+,.1f} %"
    assert figures["share of them that made money"] == f"{100 * score['good_period_share']:,.1f} %"
    assert figures["of it realized"] == f"{best['realized_pnl']:,.2f}"
    assert "Rules it failed" not in text


def test_the_tokens_that_matter_are_told_with_their_age(lake: MarketLake, shown: str) -> None:
    wallet = next(row["wallet_address"] for row in lake.rows("gold", "leaderboard") if row["overall_rank"] == 1)
    positions = [row for row in lake.rows("silver", "position_pnl") if row["wallet_address"] == wallet]
    profits = {row["token_address"]: row["realized_pnl_usd"] + row["unrealized_pnl_usd"] for row in positions}
    largest = sorted(profits, key=lambda token: (-abs(profits[token]), token))[:10]
    ages = {
        row["token_address"]: row["seconds_after_launch"]
        for row in lake.rows("silver", "position_returns")
        if row["wallet_address"] == wallet
    }
    assert any(ages.get(token) is not None for token in largest)
    lines = explained(lake, wallet).splitlines()
    for token in largest:
        (line,) = (line for line in lines if token in line)
        assert f" {profits[token]:,.2f} " in line
        # the age is the one column that ends in a unit of time
        has_age = line.split()[-1] in ("d", "h", "min", "s")
        assert has_age == (ages.get(token) is not None), line


def test_the_lots_of_a_position_are_told_with_their_transactions(lake: MarketLake, shown: str) -> None:
    positions = [row for row in lake.rows("silver", "position_pnl") if row["matched_sell_count"] > 1]
    row = max(positions, key=lambda row: row["realized_pnl_usd"])
    wallet, token = row["wallet_address"], row["token_address"]
    done = lake.smart_trader("explain", wallet, "--token", token[:20], "--lots", "--format", "json")
    assert done.returncode == 0, done.stderr
    lots = json.loads(done.stdout)["lots"]
    hashes = {
        trade["tx_hash"]: trade["side"]
        for trade in lake.rows("silver", "wallet_trades")
        if (trade["wallet_address"], trade["token_address"]) == (wallet, token)
    }
    matched = [match for match in lots["matches"] if match["profit_usd"] is not None]
    assert matched
    assert all((hashes[match["sell_tx"]], hashes[match["buy_tx"]]) == ("sell", "buy") for match in matched)
    profit = sum(match["profit_usd"] for match in matched)
    assert round(profit, 2) == round(float(row["realized_pnl_usd"]), 2)
    assert lots["differences"] == {}
    text = lake.smart_trader("explain", wallet, "--token", token, "--lots").stdout
    assert "The lots come to the position's row above, to the cent." in text
    assert all(match["sell_tx"] in text and match["buy_tx"] in text for match in matched)


def test_an_unlisted_wallet_is_explained(lake: MarketLake, shown: str) -> None:
    standings = [row for row in lake.rows("gold", "wallet_standings") if not row["is_listed"] and row["trade_count"]]
    failed = next(row for row in standings if "total_pnl" in (row["failed_rules"] or "").split(", "))
    text = explained(lake, failed["wallet_address"])
    assert f"{failed['wallet_address']} is not listed: " in text
    # each failed minimum with its figure, and what was asked for
    (line,) = (line for line in text.splitlines() if line.startswith("  total_pnl") and "at least" in line)
    assert line.split() == ["total_pnl", f"{failed['total_pnl']:,.2f}", "at", "least", "10"]
    flags = lake.rows("gold", "wallet_flags")
    flagged = next(row for row in flags if row["severity"] == "hard")
    text = explained(lake, flagged["wallet_address"])
    assert "Grade X: " in text
    for row in flags:
        if row["wallet_address"] == flagged["wallet_address"]:
            assert f"  {row['flag']} ({row['severity']}" in text
            assert "".join(row["sentence"].split()) in "".join(text.split())


def test_a_wallet_that_was_never_calculated_is_named(lake: MarketLake, shown: str) -> None:
    calculated = {row["wallet_address"] for row in lake.rows("silver", "wallet_pnl")}
    pools = {row["pool_address"] for row in lake.rows("silver", "pool_addresses")} - calculated
    for nobody, said in (
        ("1" * 32, "is an account of a program (System program), not a trader"),
        (min(pools), "is a liquidity pool"),
        ("2" * 40, "was never calculated in this lake"),
    ):
        unknown = lake.smart_trader("explain", nobody)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert f"{nobody} {said}" in unknown.stderr


def test_status_reports_rows_work_and_the_last_run(lake: MarketLake, shown: str) -> None:
    text = lake.smart_trader("status").stdout
    facts = json.loads(lake.smart_trader("status", "--format", "json").stdout)
    rows = {fact["table"]: fact["rows"] for fact in facts["tables"]}
    assert rows["bronze.transaction_history"] == len(lake.rows("bronze", "transaction_history"))
    assert rows["gold.leaderboard"] == len(lake.rows("gold", "leaderboard"))
    assert [row["step"] for row in facts["last_run"]] == list(STEP_NAMES)
    assert "wallets whose swaps" in text
    assert "data from  a made-up market" in text
    assert "in use by  nobody" in text


def test_an_hour_later_only_what_was_never_fetched_is_requested(lake: MarketLake, shown: str) -> None:
    before = {table: Counter(lake.business(*table)) for table in lake.tables()}
    log = lake.rows("bronze", "fetch_log")
    runs = len(lake.rows("bronze", "pipeline_runs"))
    lake.demo(FIRST + HOUR)
    news = [row for row in lake.rows("bronze", "fetch_log") if row["as_of"].timestamp() == FIRST + HOUR]
    assert [row["item"] for row in news if row["kind"] == "tokens"] == ["token_list"]
    known = {(row["kind"], row["item"]) for row in log}
    # what a wallet holds that is calculated now is priced now
    always = ("tokens", "prices")
    assert all((row["kind"], row["item"]) not in known for row in news if row["kind"] not in always)
    assert len(lake.rows("bronze", "pipeline_runs")) == runs + len(STEP_NAMES)
    for table, rows in before.items():
        after = Counter(lake.business(*table))
        if table[1] in ("token_observations", *RANKED):
            continue
        gone = rows - after
        assert not gone or table[1] in STATES, (table, list(gone)[:2])
    # who was calculated keeps every figure
    assert not before["silver", "pnl_history"] - Counter(lake.business("silver", "pnl_history"))


def test_a_fetch_that_no_build_came_after_is_taken_out_of_the_work_list(lake: MarketLake, shown: str) -> None:
    """A run that is killed in its last build has fetched all: the next one must not pay for the same again."""
    at = FIRST + 2 * HOUR
    before = {row["item"]: row["due_at"] for row in lake.rows("silver", "transaction_fetch_queue")}
    wallet = max(before, key=lambda item: (before[item], item))
    lake.demo(at, "--step", "load_transactions", "--run-id", "cut-short", "--wallets", wallet)
    assert " built" in lake.demo(at, "--step", "build_whales", "--run-id", "next")
    after = {row["item"]: row["due_at"] for row in lake.rows("silver", "transaction_fetch_queue")}
    assert after[wallet] > before[wallet]
    assert "nothing to build" in lake.demo(at, "--step", "build_whales", "--run-id", "next")


# a new wallet takes a place and moves others; a new token makes new work
RANKED = ("leaderboard", "whale_fetch_queue", "transaction_fetch_queue", "price_fetch_queue", "launch_fetch_queue")
STATES = (
    "tokens",
    "tracked_tokens",
    "tracked_whales",
    "whale_wallets",
    "tracked_tokens_history",
    "tracked_whales_history",
)


def test_a_run_on_another_source_is_refused(lake: MarketLake, shown: str, tmp_path: Path) -> None:
    done = lake.smart_trader("run", BIRDEYE_API_KEY="k")
    assert done.returncode == 2
    assert "this lake holds sandbox data, this run would land birdeye data" in done.stderr


def test_a_run_without_a_source_is_refused(lake: MarketLake) -> None:
    done = lake.smart_trader("run")
    assert done.returncode == 2
    assert "no source: there is no BIRDEYE_API_KEY" in done.stderr


def test_a_second_run_learns_who_holds_the_lake(lake: MarketLake, shown: str) -> None:
    with lake_lock(lake.engine.paths.local_root, "another run"):
        done = lake.smart_trader("run", "--demo")
    assert done.returncode == 1
    assert "in use by 'another run'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--step", "load_all"], "no step 'load_all'", id="step"),
        pytest.param(["--demo", "--var", "pnl_refresh_hour=5"], "did you mean pnl_refresh_hours?", id="misspelt"),
        pytest.param(["--demo", "--var", "win_threshold_usd=-1"], "win_threshold_usd = -1", id="negative"),
        pytest.param(["--demo", "--var", "min_liquidity=9e9"], "min_liquidity = 9e+09 is above", id="bounds-crossed"),
        pytest.param(["--demo", "--replay", "x"], "name two sources", id="two-sources"),
        pytest.param(["--demo", "--wallets", "gone.txt"], "no such file", id="no-file"),
    ],
)
def test_a_wrong_request_is_refused_by_name(lake: MarketLake, arguments: list[str], message: str) -> None:
    done = lake.smart_trader("run", *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_nearly_full_disk_is_refused_before_a_load(lake: MarketLake) -> None:
    done = lake.smart_trader("run", "--demo", "--var", "disk_warn_percent=0", "--var", "disk_refuse_percent=0")
    assert done.returncode == 1
    assert "% full, loads start below 0 %" in done.stderr


@pytest.mark.full
def test_maintenance_keeps_every_row(lake: MarketLake, shown: str) -> None:
    before = {table: lake.business(*table) for table in lake.tables()}
    bronze = len(lake.rows("bronze", "fetch_log"))
    done = lake.smart_trader("maintain")
    assert done.returncode == 0, done.stderr
    assert "tables: old files removed from 0, " in done.stderr
    assert {table: lake.business(*table) for table in lake.tables()} == before
    assert len(lake.rows("bronze", "fetch_log")) == bronze
