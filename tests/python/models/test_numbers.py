"""The numbers of a small lake, from landed swaps to the leaderboard; recorded ones to every digit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.python.support.bronze import Bronze, fetch, swap
from tests.python.support.dbt_lake import DbtResult
from tests.python.support.engine import PROJECT, EmbeddedLake

from .recordings import SAMPLES, bronze_swaps, read_items

# the last trade of the recorded wallet
T0 = datetime.fromtimestamp(1753454851, UTC)
T1 = T0 + timedelta(hours=2)
WORKED = "8vMeKNeECuwE2t5YufLZ3YhJBN1YjtdsckpuLbMEkCWt"
TOKEN = "5SGJtEayXVArEk1s1bg5iS5Mc9Hm8CPJmmgiHodtnfW1"
# what a build writes about itself
OWN_FIELDS = frozenset({"processed_at", "batch_id"})
TABLES = (
    "silver.wallet_swaps",
    "silver.wallet_trades",
    "silver.pnl_due_wallets",
    "silver.fifo_positions",
    "silver.position_pnl",
    "silver.pnl_history",
    "silver.calculation_checks",
    "silver.wallet_pnl",
    "silver.position_returns",
    "silver.wallet_behaviour",
    "silver.wallet_counterparties",
    "silver.wallet_followers",
    "gold.wallet_flags",
    "gold.trader_evaluations",
    "gold.smart_traders",
    "gold.leaderboard",
)
# what grows by calculation, and is made of the newest ones alone by a full refresh
BY_CALCULATION = ("silver.fifo_positions", "silver.position_pnl", "silver.wallet_behaviour")
recorded = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recordings are not beside the project")


@dataclass(frozen=True)
class Lake:
    """A lake in the recordings' time: its bronze, and dbt at a time of choice."""

    engine: EmbeddedLake
    bronze: Bronze

    def build(self, at: datetime, command: str = "run", *arguments: str) -> None:
        """Build the numbers at a time, with their seeds and data tests if the command is build."""
        done = self.dbt(
            at,
            command,
            "--select",
            "+leaderboard",
            "+wallet_flags",
            "+position_returns",
            "+wallet_pnl",
            "+quarantined_wallets",
            *arguments,
        )
        assert done.success, done.failures

    def dbt(self, at: datetime, *arguments: str) -> DbtResult:
        """Run dbt at a time."""
        return self.engine.dbt(*arguments, SMART_TRADER_AS_OF=at.isoformat())

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows, sorted."""
        schema, table = name.split(".")
        found = DeltaTable(self.engine.paths.table(schema, table)).to_pyarrow_table().to_pylist()
        return sorted(found, key=str)

    def business(self, name: str, newest: bool = False) -> list[str]:
        """Return a table's rows without what a build writes about itself, in an order of their own.

        Args:
            name: The table.
            newest: Only those of each wallet's newest calculation.
        """
        dates = {row["wallet_address"]: row["calculation_date"] for row in self.table("silver.pnl_due_wallets")}
        return sorted(
            str({column: value for column, value in row.items() if column not in OWN_FIELDS})
            for row in self.table(name)
            if not newest or row["calculation_date"] == dates[row["wallet_address"]]
        )

    def pnl(self, wallet: str, at: datetime) -> dict[str, dict[str, Any]]:
        """Return a wallet's rows of one calculation, by token."""
        return {
            row["token_address"]: row
            for row in self.table("silver.wallet_pnl")
            if row["wallet_address"] == wallet and row["calculation_date"] == at
        }


def trade(wallet: str, name: str, side: str, units: int, usd: int, at: datetime, **more: Any) -> dict[str, Any]:
    """Return a swap of tokenA against USDC, three hours before a run or at another time."""
    sold, bought = ("base", "quote") if side == "sell" else ("quote", "base")
    return {
        **swap(wallet, "tokenA", at, tx_hash=name),
        f"{sold}__type_swap": "from",
        f"{bought}__type_swap": "to",
        "base__amount": str(units * 10**6),
        "base__ui_amount": str(units),
        "quote__amount": str(usd * 10**6),
        "quote__ui_amount": str(usd),
        "block_unix_time": int((T0 - timedelta(hours=3)).timestamp()),
        "data_source": "replay",
        **more,
    }


def odd_rows() -> list[dict[str, Any]]:
    """Return rows of wallets that are odd but right, and of one whose amount is beyond any number."""
    sol, usdc = "So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    return [
        # 900 base units are left of the lot: dust, so that the later sell has no lot at all
        trade("dusty", "d1", "buy", 10**6, 100, T0),
        trade("dusty", "d2", "sell", 10**6, 200, T0, block_number=1001, base__amount=str(10**12 - 900)),
        trade("dusty", "d3", "sell", 10**3, 2, T0, block_number=1002, quote__amount="1500000", quote__ui_amount="1.5"),
        # what it bought it passed on at no difference
        trade("passer", "p1", "buy", 1000, 100, T0, quote__address=sol, quote__ui_amount="1", quote__price="100"),
        trade(
            "passer", "p1", "sell", 1000, 0, T0, ins_index=1,
            quote__address="tokenB", quote__amount="500000000", quote__ui_amount="500", quote__nearest_price=None,
        ),
        trade("huge", "h1", "buy", 10**20, 50, T0),
        trade("huge", "h2", "sell", 10**20, 80, T0, block_number=1001, base__amount="1e26"),
        trade("unreadable", "u1", "buy", 100, 50, T0, base__amount="1e31"),
        trade("unreadable", "u2", "buy", 100, 50, T0, block_number=1001, quote__address=usdc),
        trade("unreadable", "u3", "sell", 100, 500, T0, block_number=1002),
    ]  # fmt: skip


ODD = ("dusty", "passer", "huge", "unreadable")
WALLET_TESTS = (
    "assert_fifo_positions_equal_the_interval_form",
    "assert_all_tokens_is_the_sum_of_the_tokens",
    "wallet_trades_hold",
    "fifo_positions_hold",
    "position_pnl_holds",
    "pnl_history_hold",
)


def first_load(bronze: Bronze) -> None:
    """Land a winner, a wallet without swaps, one whose history is cut, and one recorded wallet."""
    rows = [
        trade("winner", "w1", "buy", 100, 100, T0),
        trade("winner", "w2", "sell", 60, 180, T0, block_number=1001),
        trade("winner", "w2", "sell", 60, 180, T0, block_number=1001, owner="somebody else"),
        trade("cut", "c1", "buy", 100, 100, T0),
        trade("cut", "c2", "sell", 100, 400, T0, block_number=1001),
        *odd_rows(),
    ]
    fetches = [
        fetch("swaps", "winner", T0, reached_oldest=True, data_source="replay"),
        fetch("swaps", "nothing", T0, rows=0, reached_oldest=True, data_source="replay"),
        fetch("swaps", "cut", T0, "partial", resume_before_time=1, data_source="replay"),
        *(fetch("swaps", wallet, T0, reached_oldest=True, data_source="replay") for wallet in ODD),
    ]
    if SAMPLES.is_dir():
        items = read_items(SAMPLES / "trader_seek_by_time" / "D_pump_amm_roundtrips_5_rows.json")
        rows += bronze_swaps(WORKED, items, T0)
        fetches.append(fetch("swaps", WORKED, T0, reached_oldest=True, data_source="replay"))
    bronze.land(transaction_history=rows, fetch_log=fetches)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with one load, built."""
    engine = EmbeddedLake(tmp_path_factory.mktemp("lake with space"))
    bronze = Bronze(engine.paths.local_root, tmp_path_factory.mktemp("pipelines")).init()
    made = Lake(engine, bronze)
    first_load(bronze)
    made.build(T0, "build", "--exclude-resource-type", "unit_test", "test")
    return made


@recorded
def test_the_worked_case_to_every_digit(lake: Lake) -> None:
    rows = lake.pnl(WORKED, T0)
    assert set(rows) == {TOKEN, "ALL_TOKENS"}
    wanted = {
        "trade_count": 5,
        "total_bought": Decimal("107.491710"),
        "total_sold": Decimal("69.802521"),
        "realized_pnl": Decimal("-0.321452"),
        "unrealized_pnl": Decimal(0),
        "total_pnl": Decimal("-0.321452"),
        "win_rate": Decimal(50),
        "roi": Decimal("-0.470097"),
        "avg_holding_time_hours": Decimal("0.675570"),
        "avg_transaction_amount_usd": Decimal("35.458846"),
        "trade_frequency_daily": Decimal(5),
        "current_position_cost_basis": Decimal("39.111723"),
        "current_position_value": Decimal("39.111723"),
        "moved_to_gold": False,
        "gold_processing_status": "completed",
    }
    for row in rows.values():
        assert {name: row[name] for name in wanted} == wanted
    assert rows[TOKEN]["current_position_tokens"] == pytest.approx(45191.275583, rel=1e-9)
    assert rows["ALL_TOKENS"]["current_position_tokens"] is None
    (position,) = [row for row in lake.table("silver.position_pnl") if row["wallet_address"] == WORKED]
    assert position["unmatched_proceeds_usd"] == Decimal("1.743985")
    assert position["cost_of_sold_usd"] == Decimal("68.379987")
    assert (position["gross_loss_usd"], position["gross_profit_usd"]) == (Decimal("2.597825"), Decimal("2.276373"))
    assert position["mark_source"] == "trade"


def test_wallet_pnl_has_its_fields_and_no_others(lake: Lake) -> None:
    names = DeltaTable(lake.engine.paths.table("silver", "wallet_pnl")).to_pyarrow_table().schema.names
    assert names == [
        "wallet_address",
        "token_address",
        "calculation_date",
        "realized_pnl",
        "unrealized_pnl",
        "total_pnl",
        "trade_count",
        "win_rate",
        "total_bought",
        "total_sold",
        "roi",
        "avg_holding_time_hours",
        "avg_transaction_amount_usd",
        "trade_frequency_daily",
        "first_transaction",
        "last_transaction",
        "current_position_tokens",
        "current_position_cost_basis",
        "current_position_value",
        "processed_at",
        "batch_id",
        "data_source",
        "moved_to_gold",
        "gold_processing_status",
        "gold_processed_at",
    ]


def test_a_wallet_without_swaps_is_calculated_too(lake: Lake) -> None:
    (row,) = lake.pnl("nothing", T0).values()
    assert (row["token_address"], row["trade_count"], row["total_pnl"]) == ("ALL_TOKENS", 0, 0)
    assert row["first_transaction"] is row["avg_transaction_amount_usd"] is row["avg_holding_time_hours"] is None
    assert row["gold_processing_status"] == "completed"


def test_a_winner_is_ranked_and_a_cut_history_is_not(lake: Lake) -> None:
    leaders = {row["wallet_address"]: row for row in lake.table("gold.leaderboard")}
    ranks = {wallet: (row["overall_rank"], row["tier"]) for wallet, row in leaders.items()}
    # one position says nothing of skill: what the figures reach is shown, and the tier is capped
    assert ranks == {"winner": (1, "QUALIFIED"), "dusty": (2, "QUALIFIED"), "huge": (3, "QUALIFIED")}
    reached = {wallet: row["uncapped_tier"] for wallet, row in leaders.items()}
    assert reached == {"winner": "PROMISING", "dusty": "PROMISING", "huge": "QUALIFIED"}
    leader = leaders["winner"]
    # 60 of 100 sold for 180, at a cost of 60
    assert leader["realized_pnl"] == 120
    reasons = {row["wallet_address"]: row["failed_rules"] for row in lake.table("gold.trader_evaluations")}
    assert reasons["cut"] == "history_incomplete"
    assert lake.pnl("cut", T0)["ALL_TOKENS"]["moved_to_gold"] is False
    (load,) = [row for row in lake.table("silver.swap_load_batches") if row["bronze_row_count"]]
    assert load["foreign_owner_count"] == 1


def test_odd_rows_have_their_right_numbers(lake: Lake) -> None:
    positions = {(row["wallet_address"], row["token_address"]): row for row in lake.table("silver.position_pnl")}
    dusty, huge = positions["dusty", "tokenA"], positions["huge", "tokenA"]
    assert (dusty["realized_pnl_usd"], dusty["short_quantity"]) == (Decimal("100.000000"), 10.0**9)
    assert (huge["bought_quantity"], huge["realized_pnl_usd"]) == (1e26, Decimal("30.000000"))
    passed, bought = positions["passer", "tokenA"], positions["passer", "tokenB"]
    assert (passed["round_trip_count"], passed["round_trip_usd"], passed["trade_count"]) == (1, 0, 0)
    assert (bought["round_trip_count"], bought["bought_usd"]) == (0, Decimal("100.000000"))
    tested = lake.dbt(T0, "test", "--select", *WALLET_TESTS)
    assert tested.success, tested.failures


def test_an_amount_that_is_none_sets_its_wallet_apart_by_name(lake: Lake) -> None:
    checks = {row["wallet_address"]: row for row in lake.table("silver.calculation_checks")}
    assert {wallet for wallet, row in checks.items() if row["failed_checks"]} == {"unreadable"}
    assert '"tx_hash":"u1"' in checks["unreadable"]["failed_row"]
    (verdict,) = [row for row in lake.table("gold.trader_evaluations") if row["wallet_address"] == "unreadable"]
    assert (verdict["is_qualified"], verdict["failed_rules"]) == (False, "quarantined:unreadable_amount")
    # the row is kept, and what can be read of the wallet is calculated
    assert "u1" in {row["tx_hash"] for row in lake.table("silver.wallet_swaps")}
    assert lake.pnl("unreadable", T0)["ALL_TOKENS"]["realized_pnl"] == 450


@pytest.mark.full
def test_a_second_build_changes_no_row(lake: Lake) -> None:
    before = {name: lake.table(name) for name in TABLES}
    lake.build(T0)
    # the leaderboard is made again, from the same rows
    assert {name: lake.table(name) for name in TABLES} == before


def second_load(bronze: Bronze) -> None:
    """Land a late row of a known transaction, a repeated one, a killed load, and the other recorded wallets."""
    bronze.land(
        transaction_history=[
            # the transaction also bought: it sold 50 net, so its profit was smaller
            trade("winner", "w2", "buy", 10, 35, T1, block_number=1001, ins_index=1),
            trade("winner", "w1", "buy", 100, 100, T1, base__price="9"),
        ],
        fetch_log=[fetch("swaps", "winner", T1, reached_oldest=False, data_source="replay")],
    )
    bronze.forget(
        bronze.land(
            transaction_history=[trade("cut", "c3", "buy", 5, 5, T1)],
            fetch_log=[fetch("swaps", "cut", T1, reached_oldest=True, data_source="replay")],
        )
    )
    rows, fetches = [], []
    for path in sorted((SAMPLES / "wallets").glob("*.json")):
        rows += bronze_swaps(path.stem, read_items(path), T1)
        fetches.append(fetch("swaps", path.stem, T1, reached_oldest=True, data_source="replay"))
    if rows:
        bronze.land(transaction_history=rows, fetch_log=fetches)


@pytest.fixture(scope="module")
def later(lake: Lake) -> Lake:
    """The same lake two hours later, with more loads."""
    second_load(lake.bronze)
    lake.build(T1, "build", "--exclude-resource-type", "unit_test", "test", "seed")
    return lake


def test_a_late_row_nets_its_transaction_again(later: Lake) -> None:
    (trade_row,) = [row for row in later.table("silver.wallet_trades") if row["tx_hash"] == "w2"]
    assert (trade_row["side"], trade_row["quantity"], trade_row["value_usd"]) == ("sell", 50e6, 150.0)
    assert trade_row["round_trip_usd"] == pytest.approx(10 * (3 - 3.5))
    assert later.pnl("winner", T1)["ALL_TOKENS"]["realized_pnl"] == 100
    assert later.pnl("winner", T0)["ALL_TOKENS"]["realized_pnl"] == 120
    (leader,) = [row for row in later.table("gold.leaderboard") if row["wallet_address"] == "winner"]
    assert (leader["realized_pnl"], leader["first_qualified_at"], leader["qualified_count"]) == (100, T0, 2)


def test_what_did_not_land_does_not_count(later: Lake) -> None:
    assert "c3" not in {row["tx_hash"] for row in later.table("silver.wallet_swaps")}
    assert later.pnl("cut", T1) == {}
    assert len([row for row in later.table("silver.wallet_swaps") if row["tx_hash"] == "w1"]) == 1


@recorded
def test_recorded_wallets_are_as_the_reference_has_them(later: Lake) -> None:
    from tests.python.reference import compute_reference, differences
    from tests.python.reference.test_recordings import read

    pages = {path.stem: [read(path)] for path in sorted((SAMPLES / "wallets").glob("*.json"))}
    with (PROJECT / "seeds" / "quote_assets.csv").open() as file:
        quote_assets = {row["mint"]: row["kind"] for row in csv.DictReader(file)}
    verdict = compute_reference(
        pages,
        as_of=T1,
        quote_assets=quote_assets,
        history_complete=dict.fromkeys(pages, True),
        data_source="replay",
    )
    found = [row for wallet in pages for row in later.pnl(wallet, T1).values()]
    assert differences(verdict.wallet_pnl, found) == []
    calculated = [row for row in later.table("silver.position_pnl") if row["calculation_date"] == T1]
    positions = [row for row in calculated if row["wallet_address"] in pages]
    expected = [row for row in verdict.extras if row["token_address"] != "ALL_TOKENS"]
    assert differences(expected, positions, fields=("round_trip_count", "round_trip_usd", "trade_count")) == []
    assert sum(row["round_trip_count"] for row in positions) > 0


def test_a_calculation_is_added_and_the_one_before_stays(later: Lake) -> None:
    for name in BY_CALCULATION:
        dates = [row["calculation_date"] for row in later.table(name) if row["wallet_address"] == "winner"]
        assert dates == [T0, T1], name
        # no file of the earlier build is written again
        newest = DeltaTable(later.engine.paths.table(*name.split("."))).history(1)[0]
        assert newest["operation"] == "WRITE", name
        assert newest["operationParameters"]["mode"] == "Append", name


def test_full_refresh_equals_incremental(later: Lake) -> None:
    before = {name: later.business(name, newest=name in BY_CALCULATION) for name in TABLES}
    later.build(T1, "run", "--full-refresh")
    for name in TABLES:
        assert later.business(name) == before[name], name


def test_what_gold_has_not_evaluated_is_pending_until_it_has(later: Lake) -> None:
    at = T1 + timedelta(hours=1)
    later.bronze.land(fetch_log=[fetch("swaps", "huge", at, reached_oldest=True, data_source="replay", rows=0)])
    before = later.business("silver.wallet_pnl")
    for _ in range(2):
        later.build(at, "run", "--exclude", "calculation_checks", "trader_evaluations", "smart_traders", "leaderboard")
        rows = later.pnl("huge", at)
        assert {token: row["gold_processing_status"] for token, row in rows.items()} == {
            "ALL_TOKENS": "pending",
            "tokenA": "pending",
        }
    later.build(at)
    rows = later.pnl("huge", at)
    assert {row["gold_processing_status"] for row in rows.values()} == {"completed"}
    assert {row["moved_to_gold"] for row in rows.values()} == {True}
    after = later.business("silver.wallet_pnl")
    assert (len(after), set(before) - set(after)) == (len(before) + 2, set())


def test_a_wrong_number_quarantines_its_wallet_and_nobody_else(later: Lake) -> None:
    at = T1 + timedelta(hours=2)
    later.bronze.land(
        fetch_log=[
            fetch("swaps", wallet, at, reached_oldest=True, data_source="replay", rows=0)
            for wallet in ("dusty", "winner")
        ]
    )
    later.build(at, "run", "--exclude", "calculation_checks+")
    # a cent more than the sells earned
    wrong = "set realized_pnl_usd = realized_pnl_usd + 0.01d where wallet_address = 'dusty'"
    later.engine.sql(f"update silver.fifo_positions {wrong}")
    later.build(at)
    tested = later.dbt(at, "test", "--select", *WALLET_TESTS, "warn_of_quarantined_wallets")
    assert tested.success, tested.failures
    assert tested.messages("warn") == ["Got 2 results, configured to warn if != 0"]
    newest = {row["wallet_address"]: row for row in later.table("gold.trader_evaluations") if row["evaluated_at"] == at}
    assert newest["winner"]["is_qualified"]
    assert newest["dusty"]["failed_rules"] == "quarantined:fifo_positions.intervals"
    assert "dusty" not in {row["wallet_address"] for row in later.table("gold.leaderboard") if not row["former"]}


def test_a_number_that_goes_wrong_after_its_check_fails_the_tests(later: Lake) -> None:
    at, wallet = T1 + timedelta(hours=2), "where wallet_address = 'winner'"
    later.engine.sql(f"update silver.fifo_positions set realized_pnl_usd = realized_pnl_usd + 0.01d {wallet}")
    found = later.dbt(at, "test", "--select", "assert_fifo_positions_equal_the_interval_form")
    assert not found.success
    assert found.failures == ["Got 1 result, configured to fail if != 0"]
    later.engine.sql(f"update silver.fifo_positions set realized_pnl_usd = realized_pnl_usd - 0.01d {wallet}")
    assert later.dbt(at, "test", "--select", "assert_fifo_positions_equal_the_interval_form").success
