"""What lands while a build is under way is taken in whole, by that build or by the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dbt.adapters.sparkconnect.embedded.lake import Lake as EmbeddedTables
from dbt.adapters.sparkconnect.embedded.snapshots import Snapshot

from tests.python.support.bronze import Bronze, fetch, swap
from tests.python.support.engine import EmbeddedLake

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")
PREFIXED = {"DBT_TARGET": "ci", "SMART_TRADER_AS_OF": T0.isoformat()}


@contextmanager
def unseen(table: Path) -> Iterator[None]:
    """Show a table as a statement sees it that read it before its newest commit."""
    newest = max((table / "_delta_log").glob("*.json"))
    newest.rename(table / newest.name)
    yield
    (table / newest.name).rename(newest)


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


@pytest.fixture
def bronze(engine: EmbeddedLake, tmp_path: Path) -> Bronze:
    return Bronze(engine.paths.local_root, tmp_path / "pipelines", "ci_bronze").init()


def build(engine: EmbeddedLake, *selection: str) -> None:
    done = engine.dbt("build", "--select", *selection, *WITHOUT_TESTS, **PREFIXED)
    assert done.success, done.failures


def land(bronze: Bronze, wallet: str) -> None:
    swaps = [swap(wallet, f"token of {wallet}", T0, tx_hash=f"{wallet} {number}") for number in range(2)]
    bronze.land(transaction_history=swaps, fetch_log=[fetch("swaps", wallet, T0, rows=2)])


@pytest.mark.parametrize("before", [(), ("known",)], ids=["first-build", "later-build"])
def test_swaps_of_a_load_that_was_listed_before_they_were_seen_are_taken_in(
    engine: EmbeddedLake, bronze: Bronze, before: tuple[str, ...]
) -> None:
    for wallet in before:
        land(bronze, wallet)
        build(engine, "+wallet_swaps", "+tokens")
    land(bronze, "late")
    with unseen(engine.paths.local_root / "ci_bronze" / "transaction_history"):
        build(engine, "+swap_load_batches")
    build(engine, "+wallet_swaps", "+tokens")
    wallets = sorted((*before, "late"))
    counts = "select wallet_address, count(*) from ci_silver.wallet_swaps group by 1 order by 1"
    assert engine.sql(counts) == [(wallet, 2) for wallet in wallets]
    named = "select token_address from ci_silver.tokens where token_address like 'token of %' order by 1"
    assert engine.sql(named) == [(f"token of {wallet}",) for wallet in wallets]


def test_a_load_that_lands_in_the_middle_of_a_statement_waits_for_the_next_build(
    engine: EmbeddedLake, bronze: Bronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(bronze, "known")
    build(engine, "+swap_load_batches")
    look = EmbeddedTables.snapshot
    landed = []

    def look_and_land(tables: EmbeddedTables, schema: str, name: str) -> Snapshot:
        seen = look(tables, schema, name)
        if name == "transaction_history" and not landed:
            landed.append("late")
            land(bronze, "late")
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedTables, "snapshot", look_and_land)
        build(engine, "swap_load_batches")
    assert landed
    counts = "select bronze_row_count from ci_silver.swap_load_batches where bronze_row_count > 0"
    assert engine.sql(counts) == [(2,)]
    build(engine, "+wallet_swaps")
    assert engine.sql(counts) == [(2,), (2,)]
    assert engine.sql("select count(distinct wallet_address) from ci_silver.wallet_swaps") == [(2,)]


def test_rows_that_are_left_out_are_reported_of_the_newest_batch(engine: EmbeddedLake, bronze: Bronze) -> None:
    rows = [
        swap("a", "token", T0),
        swap("a", "token", T0, owner="b", tx_hash="foreign"),
        swap("a", "token", T0, base__type_swap="from", tx_hash="undirected"),
    ]
    bronze.land(transaction_history=rows, fetch_log=[fetch("swaps", "a", T0, rows=3)])
    build(engine, "+wallet_swaps")
    assert engine.sql("select tx_hash from ci_silver.wallet_swaps") == [("transaction of a",)]
    tested = engine.dbt("test", "--select", "warn_of_rows_left_out", **PREFIXED)
    assert (tested.success, tested.counts()["warn"]) == (True, 1)
    land(bronze, "c")
    build(engine, "+wallet_swaps")
    tested = engine.dbt("test", "--select", "warn_of_rows_left_out", **PREFIXED)
    assert (tested.success, tested.counts()["pass"]) == (True, 1)
