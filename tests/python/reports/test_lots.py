"""Lots of positions: every one of a real lake comes to its row, and each kind of match is told apart."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal, FloatOperation, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.fifo import Rules
from smart_trader.reports.lots import SUMS, Lots, match_lots
from tests.python.support.market_lake import MarketLake

WALLET, TOKEN = "wallet", "token"
SCHEMA = pa.schema(
    {
        "tx_hash": pa.string(),
        "wallet_address": pa.string(),
        "token_address": pa.string(),
        "side": pa.string(),
        "quantity": pa.float64(),
        "value_usd": pa.float64(),
        "is_basis_unknown": pa.bool_(),
        "bought_quantity": pa.float64(),
        "sold_quantity": pa.float64(),
        "round_trip_usd": pa.float64(),
        "decimals": pa.int32(),
        "block_unix_time": pa.int64(),
        "block_number": pa.int64(),
        "load_batch": pa.int64(),
    }
)


def trade(tx: str, time: int, side: str, quantity: float, value: float | None, **more: Any) -> dict[str, Any]:
    bought, sold = (quantity, 0.0) if side == "buy" else (0.0, quantity)
    return {
        "tx_hash": tx,
        "wallet_address": WALLET,
        "token_address": TOKEN,
        "side": side,
        "quantity": quantity,
        "value_usd": value,
        "is_basis_unknown": False,
        "bought_quantity": bought,
        "sold_quantity": sold,
        "round_trip_usd": 0.0,
        "decimals": 0,
        "block_unix_time": time,
        "block_number": time,
        "load_batch": 1,
        **more,
    }


def lots_of(*trades: dict[str, Any], covered_batch: int | None = None) -> Lots:
    # the order in the lake means nothing
    return match_lots(pa.Table.from_pylist(list(trades)[::-1], schema=SCHEMA), covered_batch, Rules())


def told(lots: Lots) -> list[tuple[Any, ...]]:
    return [
        (match.kind, match.sell_tx, match.buy_tx, match.quantity, match.cost_usd, match.proceeds_usd, match.profit_usd)
        for match in lots.matches
    ]


@pytest.mark.parametrize(
    ("trades", "matches"),
    [
        pytest.param(
            [trade("b1", 1, "buy", 10, 100), trade("b2", 2, "buy", 10, 200), trade("s", 3, "sell", 15, 300)],
            [("matched", "s", "b1", 10, 100, 200, 100), ("matched", "s", "b2", 5, 100, 100, 0)],
            id="oldest-first",
        ),
        pytest.param(
            [trade("b", 1, "buy", 10, 100), trade("s", 2, "sell", 30, 60)],
            [("matched", "s", "b", 10, 100, 20, -80), ("unmatched", "s", None, 20, None, 40, None)],
            id="beyond-the-lots",
        ),
        pytest.param(
            [trade("s", 1, "sell", 30, 60)], [("unmatched", "s", None, 30, None, 60, None)], id="nothing-was-bought"
        ),
        pytest.param(
            [trade("b", 1, "buy", 10, 100, is_basis_unknown=True), trade("s", 2, "sell", 10, 60)],
            [("unknown_cost", "s", "b", 10, None, 60, None)],
            id="cost-not-known",
        ),
        pytest.param(
            [trade("b", 1, "buy", 10, None), trade("s", 2, "sell", 10, 60)],
            [("unknown_cost", "s", "b", 10, None, 60, None)],
            id="bought-without-a-price",
        ),
        pytest.param(
            [trade("b", 1, "buy", 10, 100), trade("s", 2, "sell", 10, None)],
            [("matched", "s", "b", 10, 100, None, None)],
            id="sold-without-a-price",
        ),
        pytest.param(
            [trade("b", 1, "buy", 10, 100), trade("s", 1, "sell", 10, 150)],
            [("matched", "s", "b", 10, 100, 150, 50)],
            id="buys-before-sells-of-one-time",
        ),
    ],
)
def test_each_kind_of_match_is_told(trades: list[dict[str, Any]], matches: list[tuple[Any, ...]]) -> None:
    assert told(lots_of(*trades)) == matches


def test_a_lots_dust_is_closed_with_it_and_a_sells_own_counts_as_matched() -> None:
    # at most a billionth of the largest holding is dust: 1 of 1e9
    buys = [trade("b1", 1, "buy", 1e9, 1000), trade("b2", 2, "buy", 2, 2)]
    (first, second) = lots_of(*buys, trade("s1", 3, "sell", 1e9 - 1, 1000), trade("s2", 4, "sell", 2.5, 5)).matches
    assert (first.quantity, first.dust_quantity, first.cost_usd, first.proceeds_usd) == (1e9 - 1, 1, 1000, 1000)
    assert (second.buy_tx, second.quantity, second.dust_quantity, second.proceeds_usd) == ("b2", 2.5, 0, 5)


def test_what_is_left_and_what_one_transaction_bought_and_sold_is_told() -> None:
    both = {"bought_quantity": 5.0, "sold_quantity": 5.0, "round_trip_usd": 7.5, "side": None}
    lots = lots_of(
        trade("b1", 1, "buy", 10, 100),
        {**trade("trip", 2, "buy", 0, None), **both},
        trade("b2", 3, "buy", 4, None),
        trade("s", 4, "sell", 4, 80),
    )
    assert [(lot.buy_tx, lot.quantity, lot.cost_usd) for lot in lots.open_lots] == [("b1", 6, 60), ("b2", 4, None)]
    assert [(trip.tx, trip.gain_usd) for trip in lots.round_trips] == [("trip", Decimal("7.5"))]
    assert {name: value for name, value in lots.sums.items() if value} == {
        "bought_usd": 100,
        "sold_usd": 80,
        "matched_proceeds_usd": 80,
        "cost_of_sold_usd": 40,
        "realized_pnl_usd": 40,
        "open_cost_usd": 60,
        "round_trip_usd": Decimal("7.5"),
    }


def test_trades_after_the_calculation_are_counted_and_left_out() -> None:
    lots = lots_of(trade("b", 1, "buy", 10, 100), trade("s", 2, "sell", 10, 150, load_batch=2), covered_batch=1)
    assert (lots.later_count, lots.matches, len(lots.open_lots)) == (1, [], 1)


def test_lots_are_the_same_under_a_callers_decimal_context() -> None:
    trades = [trade("b", 1, "buy", 3e15, 1234567890.123456), trade("s", 2, "sell", 1e15, 987654321.654321)]
    lots = lots_of(*trades)
    with localcontext() as context:
        context.prec = 6
        context.traps[FloatOperation] = True
        assert lots_of(*trades) == lots


def test_a_difference_of_a_cent_is_named() -> None:
    lots = lots_of(trade("b", 1, "buy", 10, 100))
    assert lots.differences({"open_cost_usd": Decimal("100.009"), "realized_pnl_usd": Decimal(0)}) == {}
    assert lots.differences({"open_cost_usd": Decimal("100.01"), "other": 1}) == {"open_cost_usd": Decimal("-0.01")}


def test_the_lots_of_every_position_of_a_real_lake_come_to_its_row(calm: MarketLake) -> None:
    settings = read_variables(ProjectVariables)
    rules = Rules(settings.win_threshold_usd, settings.dust_share)
    location = calm.engine.paths.table(f"{calm.prefix}silver", "wallet_trades")
    trades = DeltaTable(location).to_pyarrow_table()
    covered = {row["wallet_address"]: row["covered_batch"] for row in calm.rows("silver", "pnl_due_wallets")}
    positions = calm.rows("silver", "position_pnl")
    kinds: Counter[str] = Counter()
    for row in positions:
        mine = (pc.field("wallet_address") == row["wallet_address"]) & (
            pc.field("token_address") == row["token_address"]
        )
        lots = match_lots(trades.filter(mine), covered[row["wallet_address"]], rules)
        assert lots.differences(row) == {}, row
        # far below a cent: what is printed adds up too
        assert all(abs(lots.sums[name] - row[name]) <= Decimal("1e-5") for name in SUMS), row
        assert sum(lot.quantity for lot in lots.open_lots if lot.cost_usd is not None) == pytest.approx(
            row["open_quantity"]
        )
        assert lots.later_count == 0
        kinds.update(match.kind for match in lots.matches)
    assert len(positions) > 50
    assert kinds["matched"] > 100
