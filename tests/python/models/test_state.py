"""The state of a small lake, walked through its life by the run's clock."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.python.support.bronze import Bronze, fetch, holder, swap, token
from tests.python.support.engine import EmbeddedLake

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STATES = ("tracked_tokens", "whale_fetch_queue", "transaction_fetch_queue", "tracked_whales")
TARGET = "ci"
PREFIXED = {"DBT_TARGET": TARGET}


@dataclass
class Lake:
    """The lake under test: its bronze, and dbt at a time of choice."""

    engine: EmbeddedLake
    bronze: Bronze

    def build(self, at: datetime, *arguments: str, succeeds: bool = True) -> list[str]:
        """Build at a time and return the messages of what failed."""
        done = self.engine.dbt(*arguments, **PREFIXED, SMART_TRADER_AS_OF=at.isoformat())
        assert done.success is succeeds, done.failures
        return done.failures

    def rows(self, table: str, columns: str, schema: str = "silver") -> list[tuple[Any, ...]]:
        """Return some columns of a table, sorted."""
        return sorted(self.engine.sql(f"select {columns} from {TARGET}_{schema}.{table}"), key=str)

    def due(self, queue: str, at: datetime) -> list[str]:
        """Return the items a loader would take at a time, in its order."""
        found = self.engine.sql(
            f"select item from {TARGET}_silver.{queue} where due_at <= timestamp '{at.isoformat()}' order by queue_rank"
        )
        return [str(item) for (item,) in found]

    def versions(self, *tables: str) -> dict[str, int]:
        """Return how many commits each table has."""
        return {table: DeltaTable(self.engine.paths.table(f"{TARGET}_silver", table)).version() for table in tables}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with nothing in it, whose schemas have a prefix."""
    engine = EmbeddedLake(tmp_path_factory.mktemp("lake with space"))
    return Lake(engine, Bronze(engine.paths.local_root, tmp_path_factory.mktemp("pipelines"), f"{TARGET}_bronze"))


def test_a_lake_without_bronze_is_refused_with_the_command_that_makes_it(lake: Lake) -> None:
    (message,) = lake.build(T0, "run", "--select", "complete_loads", succeeds=False)[:1]
    assert "python -m loaders init" in message
    assert f"{TARGET}_bronze.fetch_log" in message
    # the build made no table of its own where the loaders' will be
    assert not (lake.engine.paths.local_root / f"{TARGET}_bronze" / "fetch_log").exists()


def test_the_first_run_tracks_and_completes_what_landed(lake: Lake) -> None:
    lake.bronze.init()
    lake.bronze.land(
        token_metrics=[
            token("tokenA", T0),
            token("tokenB", T0, liquidity="999999.99"),
            token("So11111111111111111111111111111111111111112", T0),
        ],
        fetch_log=[fetch("tokens", "token_list", T0, rows=3)],
    )
    lake.bronze.land(
        whale_holders=[
            holder("tokenA", "mega", 1_500_000, T0),
            # two accounts of one owner make one holding
            holder("tokenA", "small", 900, T0),
            holder("tokenA", "small", 100, T0, token_account="another account"),
            holder("tokenA", "minor", 999, T0),
            holder("tokenA", "idle", 50, T0),
            holder("tokenA", "pool", 9_000_000, T0),
            holder("tokenA", "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1", 8_000_000, T0),
        ],
        fetch_log=[fetch("holders", "tokenA", T0, rows=7)],
    )
    lake.bronze.land(
        transaction_history=[swap("mega", "tokenA", T0, address="pool")],
        fetch_log=[
            fetch("swaps", "mega", T0, reached_oldest=True, newest_time=1000, oldest_time=1000),
            fetch("swaps", "small", T0, "partial", newest_time=900, resume_before_time=500, rows=0),
            fetch("swaps", "minor", T0, "failed", rows=0, error="HTTP 500"),
            fetch("swaps", "idle", T0, reached_oldest=True, rows=0),
            fetch("swaps", "guest", T0, origin="given", reached_oldest=True, rows=0),
        ],
    )
    lake.build(T0, "build", "--exclude-resource-type", "test", "unit_test", "--select", "+tracked_whales", *STATES)

    assert lake.rows("token_observations", "substr(token_address, 1, 6), failed_rule, passes_filter, processed") == [
        ("So1111", None, True, True),
        ("tokenA", None, True, True),
        ("tokenB", "min_liquidity", False, True),
    ]
    assert lake.rows("tracked_tokens", "token_address, is_active, liquidity_tier, whale_fetch_status") == [
        ("tokenA", True, "HIGH", "completed")
    ]
    assert lake.rows("whale_wallets", "wallet_address, whale_tier, rank_tier, is_pool") == [
        ("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1", "MEGA", "TOP_3", True),
        ("guest", None, None, False),
        ("idle", "MINOR", "TOP_10", False),
        ("mega", "MEGA", "TOP_3", False),
        ("minor", "MINOR", "TOP_10", False),
        ("pool", "MEGA", "TOP_3", True),
        ("small", "SMALL", "TOP_10", False),
    ]
    assert lake.rows("tracked_whales", "whale_id, txns_fetch_status, pnl_processing_status, txns_fetch_attempts") == [
        ("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1_tokenA", "pending", "pending", 0),  # pragma: allowlist secret
        ("guest_WATCHLIST", "completed", "completed", 0),
        ("idle_tokenA", "completed", "completed", 0),
        ("mega_tokenA", "completed", "completed", 0),
        ("minor_tokenA", "pending", "pending", 1),
        ("pool_tokenA", "pending", "pending", 0),
        ("small_tokenA", "pending", "pending", 0),
    ]
    assert lake.due("whale_fetch_queue", T0 + 71 * HOUR) == []
    # the paused backfill goes on, the failed fetch waits its hour, pools are never requested
    assert lake.due("transaction_fetch_queue", T0) == ["small"]
    assert lake.due("transaction_fetch_queue", T0 + HOUR) == ["small", "minor"]
    assert lake.rows("transaction_fetch_queue", "item, resume_before_time, newest_known_time") == [
        ("guest", None, None),
        ("idle", None, None),
        ("mega", None, 1000),
        ("minor", None, None),
        ("small", 500, 900),
    ]


def test_a_second_build_changes_nothing_and_a_killed_load_counts_for_nothing(lake: Lake) -> None:
    killed = lake.bronze.land(
        token_metrics=[token("tokenX", T0)], fetch_log=[fetch("holders", "tokenA", T0, "failed", rows=0)]
    )
    lake.bronze.forget(killed)
    observations = ("token_observations", "holder_observations")
    derived = ("tracked_tokens", "whale_wallets", "tracked_whales")
    before = lake.versions(*observations), {table: lake.rows(table, "*") for table in derived}
    lake.build(T0, "run", "--select", *observations, *derived)
    assert (lake.versions(*observations), {table: lake.rows(table, "*") for table in derived}) == before


def test_an_hour_later_only_the_unfinished_is_done(lake: Lake) -> None:
    states = "token_address, is_active, whale_fetched_at, state_changed_at"
    before = lake.rows("tracked_tokens", states)
    now = T0 + 2 * HOUR
    lake.bronze.land(token_metrics=[token("tokenA", now)], fetch_log=[fetch("tokens", "token_list", now)])
    lake.bronze.land(
        fetch_log=[
            fetch("swaps", "small", now, reached_oldest=True, newest_time=400, oldest_time=100, rows=0),
            fetch("swaps", "minor", now, "failed", rows=0),
        ]
    )
    lake.build(now, "run", "--select", "token_observations", "whale_wallets", *STATES)
    assert lake.rows("tracked_tokens", states) == before
    assert len(lake.rows("token_observations", "token_address")) == 4
    assert lake.rows(
        "transaction_fetch_queue where item in ('small', 'minor')", "item, attempts, resume_before_time"
    ) == [
        ("minor", 2, None),
        ("small", 0, None),
    ]
    # the pause doubles with each failure in a row
    assert lake.due("transaction_fetch_queue", now + 2 * HOUR) == ["minor"]
    assert lake.due("transaction_fetch_queue", now + 2 * HOUR - timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    ("age", "whale_status", "txns_status", "pnl_status"),
    [
        (timedelta(hours=71), "completed", "completed", "completed"),
        (timedelta(hours=73), "pending", "completed", "completed"),
        (timedelta(days=13), "pending", "completed", "completed"),
        (timedelta(days=15), "pending", "pending", "pending"),
    ],
)
def test_time_alone_makes_work_pending(
    lake: Lake, age: timedelta, whale_status: str, txns_status: str, pnl_status: str
) -> None:
    lake.build(T0 + age, "run", "--select", *STATES)
    assert lake.rows("tracked_tokens", "whale_fetch_status") == [(whale_status,)]
    assert lake.due("whale_fetch_queue", T0 + age) == (["tokenA"] if whale_status == "pending" else [])
    assert lake.rows("tracked_whales where wallet_address = 'mega'", "txns_fetch_status, pnl_processing_status") == [
        (txns_status, pnl_status)
    ]
    due = lake.due("transaction_fetch_queue", T0 + age)
    # a wallet without a swap is completed too, and is not requested again before its time
    assert ("mega" in due, "idle" in due) == ((txns_status == "pending",) * 2)


def test_what_a_seed_takes_out_is_gone_and_comes_back(lake: Lake) -> None:
    now, tables = T0 + 15 * DAY, ("whale_wallets", *STATES)
    before = {table: lake.rows(table, "*") for table in tables}
    seeds = f"{TARGET}_silver"
    lake.engine.sql(f"insert into {seeds}.untracked_tokens values ('tokenA', 'a test')")
    lake.engine.sql(f"insert into {seeds}.watchlist values ('watched', 'a test')")
    for arguments in ((), ("--full-refresh",)):
        lake.build(now, "run", *arguments, "--select", *tables)
        assert lake.rows("tracked_tokens", "token_address") == []
        assert lake.rows("whale_fetch_queue", "item") == []
        for table in ("whale_wallets", "tracked_whales"):
            assert lake.rows(table, "whale_id") == [("guest_WATCHLIST",), ("watched_WATCHLIST",)], (table, arguments)
        assert lake.rows("transaction_fetch_queue", "item") == [("guest",), ("watched",)]
    lake.engine.sql(f"delete from {seeds}.untracked_tokens where token_address = 'tokenA'")
    lake.engine.sql(f"delete from {seeds}.watchlist where wallet_address = 'watched'")
    lake.build(now, "run", "--select", *tables)
    assert {table: lake.rows(table, "*") for table in tables} == before


def test_failures_exhaust_a_wallet_and_a_token_drops_out(lake: Lake) -> None:
    now = T0 + 16 * DAY
    lake.bronze.land(
        token_metrics=[token("tokenC", now)],
        fetch_log=[
            fetch("tokens", "token_list", now),
            *(fetch("swaps", "minor", T0 + (10 + day) * DAY, "failed", rows=0) for day in range(3)),
        ],
    )
    lake.build(
        now,
        "build",
        "--exclude-resource-type",
        "unit_test",
        "--select",
        "token_observations",
        *STATES,
        "tracked_tokens_history",
        "tracked_whales_history",
    )
    assert lake.rows("tracked_tokens", "token_address, is_active") == [("tokenA", False), ("tokenC", True)]
    assert lake.due("whale_fetch_queue", now) == ["tokenC"]
    # the last of five failures was on the thirteenth day: thirty days later it is requested again
    back = T0 + 42 * DAY
    assert "minor" not in lake.due("transaction_fetch_queue", back - timedelta(seconds=1))
    assert "minor" in lake.due("transaction_fetch_queue", back)
    assert lake.rows("tracked_whales where is_exhausted", "wallet_address, txns_fetch_attempts") == [("minor", 5)]


def test_a_request_to_retry_makes_an_exhausted_wallet_due_at_once(lake: Lake) -> None:
    now = T0 + 16 * DAY
    lake.bronze.land(fetch_log=[fetch("swaps", "minor", now, "retry", rows=0, run_id="retry-1")])
    lake.build(now, "run", "--select", *STATES)
    assert lake.rows("tracked_whales where is_exhausted", "wallet_address") == []
    # half-read, then refreshes by their age, then new ones
    due = lake.due("transaction_fetch_queue", now)
    assert due[-1] == "minor"
    assert set(due[:-1]) == {"mega", "idle", "guest", "small"}
    # it is no fetch: not known as one, and its wallet is not taken for one that a person tracks
    assert lake.rows("fetch_attempts where outcome = 'retry'", "fetch_id") == []
    assert lake.rows("whale_wallets where wallet_address = 'minor'", "whale_id") == [("minor_tokenA",)]


def test_an_outage_counts_as_no_attempt(lake: Lake) -> None:
    now = T0 + 17 * DAY
    lake.bronze.land(
        fetch_log=[fetch("swaps", wallet, now, "failed", rows=0, run_id="down") for wallet in ("minor", "mega", "idle")]
    )
    lake.build(now, "run", "--select", *STATES)
    assert lake.rows("transaction_fetch_queue where attempts > 0", "item") == []
    assert {"minor", "mega", "idle"} <= set(lake.due("transaction_fetch_queue", now))


@pytest.mark.full
def test_a_full_refresh_gives_the_same_rows(lake: Lake) -> None:
    tables = {
        "token_observations": "* except (processed_at)",
        "holder_observations": "*",
        "whale_wallets": "*",
        **dict.fromkeys(STATES, "*"),
    }
    before = {table: lake.rows(table, columns) for table, columns in tables.items()}
    lake.build(T0 + 17 * DAY, "run", "--full-refresh", "--select", *tables)
    assert {table: lake.rows(table, columns) for table, columns in tables.items()} == before


def test_a_thin_token_is_tracked_where_the_filter_lets_it_and_fails_no_test(lake: Lake) -> None:
    now = T0 + 17 * DAY
    lake.bronze.land(token_metrics=[token("tokenT", now, liquidity="50000")], fetch_log=[fetch("tokens", "again", now)])
    tables = ["token_observations", "tracked_tokens", "whale_fetch_queue"]
    thin = '{"tracked_min_liquidity": 0, "min_liquidity": 0}'
    lake.build(now, "run", "--vars", thin, "--select", *tables)
    for heals in (False, True):
        if heals:
            # as a version without THIN left it
            observed = f"{TARGET}_silver.token_observations"
            lake.engine.sql(f"update {observed} set liquidity_tier = null where token_address = 'tokenT'")
            lake.build(now, "run", "--select", *tables)
        assert ("tokenT", True, "THIN") in lake.rows("tracked_tokens", "token_address, is_active, liquidity_tier")
        lake.build(now, "test", "--select", "tracked_tokens_hold", "token_observations_hold")
        assert "tokenT" in lake.due("whale_fetch_queue", now)


def test_a_clock_set_back_is_refused(lake: Lake) -> None:
    (message,) = lake.build(T0, "run", "--select", "complete_loads", succeeds=False)[:1]
    assert "is before the lake's newest, 2026-03-18T09:00:00Z" in message


def test_a_time_that_is_none_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    class Words:
        def isoformat(self) -> str:
            return "next tuesday"

    (message,) = lake.build(Words(), "run", "--select", "complete_loads", succeeds=False)[:1]  # type: ignore[arg-type]
    assert "SMART_TRADER_AS_OF: 'next tuesday' is no timestamp" in message


def test_a_build_while_a_run_holds_the_lake_is_refused_by_name(lake: Lake) -> None:
    hold = (
        "import sys; from pathlib import Path; from smart_trader.lake.file_lock import lake_lock\n"
        "with lake_lock(Path(sys.argv[1]), 'smart-trader run'): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(lake.engine.paths.local_root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        (message,) = lake.build(T0 + 20 * DAY, "run", "--select", "complete_loads", succeeds=False)[:1]
    assert f"is in use by 'smart-trader run' (process {holder.pid}" in message
