"""The engine against its references: an exact reference, another library, and traces with published answers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smart_trader.fifo import fifo_matches, fifo_table
from smart_trader.fifo.files import answers_of_file
from tests.python.support.engine import PROJECT

from .reference import Trade, compute
from .rp2_reference import realized_by_rp2
from .traces import table, traces

VECTORS = sorted((PROJECT.parent / "shared" / "fifo_vectors").glob("*.json"))
RELATIVE = Decimal("1e-9")

MONEY_AND_QUANTITY = (
    "bought_quantity",
    "sold_quantity",
    "matched_quantity",
    "unknown_basis_quantity",
    "short_quantity",
    "bought_usd",
    "sold_usd",
    "matched_proceeds_usd",
    "unmatched_proceeds_usd",
    "cost_of_sold_usd",
    "gross_profit_usd",
    "gross_loss_usd",
    "unpriced_disposal_cost_usd",
    "round_trip_usd",
    "held_cost_hours",
)
COUNTS = (
    "buy_count",
    "sell_count",
    "matched_sell_count",
    "win_count",
    "loss_count",
    "neutral_count",
    "unpriced_buy_count",
    "unpriced_sell_count",
    "unknown_basis_lot_count",
    "round_trip_count",
)


def close(found: float, exact: Decimal, scale: Decimal) -> bool:
    """Whether a float is within 1e-9 of the exact figure, relative to what it was summed from."""
    return abs(Decimal(found) - exact) <= RELATIVE * max(abs(exact), scale)


@given(trades=traces())
@example(trades=[Trade(0, "sell", 5, Decimal(3)), Trade(1, "buy", 5, Decimal(3))])
@example(
    trades=[
        Trade(0, "buy", 10**10, Decimal(9)),
        Trade(1, "sell", 10**10 - 9, Decimal(9)),
        Trade(2, "sell", 9, Decimal(1)),
    ]
)
@example(trades=[Trade(0, "buy", 10**10, Decimal(9)), Trade(1, "sell", 10**10 + 9, Decimal(9))])
@example(
    trades=[Trade(0, "buy", 4, Decimal(8)), Trade(1, "sell", 2, Decimal(5)), Trade(2, "sell", 2, Decimal("5.000001"))]
)
@settings(max_examples=600, deadline=None)
def test_every_figure_equals_the_exact_reference(trades: list[Trade]) -> None:
    exact = compute(trades)
    found = fifo_table(table(trades)).to_pylist()[0]
    assert {name: found[name] for name in COUNTS} == {name: exact.counts.get(name, 0) for name in COUNTS}
    scale = sum((trade.value or Decimal(0) for trade in trades), Decimal(0))
    traded = Decimal(sum(trade.quantity for trade in trades))
    for name in MONEY_AND_QUANTITY:
        expected = exact.sums.get(name, Decimal(0))
        slack = scale if name.endswith("_usd") or name == "held_cost_hours" else traded
        assert close(found[name], expected, slack), (name, found[name], expected)
    assert close(found["realized_pnl_usd"], exact.sums.get("realized_pnl_usd", Decimal(0)), scale)
    assert close(found["open_quantity"], sum((lot.quantity for lot in exact.lots if lot.known), Decimal(0)), traded)
    assert close(
        found["open_unknown_quantity"], sum((lot.quantity for lot in exact.lots if not lot.known), Decimal(0)), traded
    )
    assert close(found["open_cost_usd"], sum((lot.cost for lot in exact.lots if lot.known), Decimal(0)), scale)
    assert found["oldest_open_lot_time"] == (exact.lots[0].time if exact.lots else None)
    if exact.held:
        assert round(found["median_holding_hours"] * 3600) in exact.medians()
        held = sum((quantity for _, quantity in exact.held), Decimal(0))
        average = exact.sums["held_quantity_hours"] / held
        assert close(found["avg_quantity_holding_hours"], average, average)
    else:
        assert found["median_holding_hours"] is None


covered_moves = st.lists(
    st.tuples(st.booleans(), st.integers(1, 10**6), st.decimals("0.01", 10**5, places=2)), min_size=2, max_size=25
)


@given(moves=covered_moves)
@settings(max_examples=40, deadline=None)
def test_realized_profit_equals_rp2_on_fully_covered_traces(moves: list[tuple[bool, int, Decimal]]) -> None:
    trades: list[Trade] = []
    open_quantity = 0
    for number, (is_sell, quantity, value) in enumerate(moves):
        if is_sell and open_quantity:
            quantity = min(quantity, open_quantity)
        side = "sell" if is_sell and open_quantity else "buy"
        open_quantity += quantity if side == "buy" else -quantity
        trades.append(Trade(number * 3600, side, quantity, value))
    found = fifo_table(table(trades)).to_pylist()[0]["realized_pnl_usd"]
    turnover = sum((trade.value for trade in trades if trade.value), Decimal(0))
    assert close(found, realized_by_rp2(trades), turnover)


@pytest.mark.skipif(not VECTORS, reason="the shared vectors are not beside this checkout")
@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_answers(path: Path) -> None:
    answers = {answer["id"]: answer for answer in answers_of_file(path)}
    for vector in json.loads(path.read_text()):
        check_vector(answers[vector["id"]], vector)


def check_vector(answer: dict[str, Any], vector: dict[str, Any]) -> None:
    """Compare one answer with what the source published."""
    tolerance, expected = Decimal(vector["tolerance"]), vector["expected"]
    found = {sell["i"]: sell for sell in answer["sells"]}
    pairs = [
        (f"sell {sell['i']} {name}", found[sell["i"]][name], value)
        for sell in expected["sells"]
        for name, value in sell.items()
        if name in ("matched_qty", "unmatched_qty", "cost", "realized")
    ]
    if "open_lots" in expected:
        assert [lot["t"] for lot in answer["open_lots"]] == [lot["t"] for lot in expected["open_lots"]]
        for ours, theirs in zip(answer["open_lots"], expected["open_lots"], strict=True):
            pairs += [(f"lot {theirs['t']} {name}", ours[name], theirs[name]) for name in ("qty", "price")]
    if "open_qty" in expected:
        pairs.append(("open", sum(Decimal(lot["qty"]) for lot in answer["open_lots"]), expected["open_qty"]))
    if "total_realized" in expected:
        total = sum(Decimal(sell["realized"]) for sell in answer["sells"] if sell["realized"] is not None)
        pairs.append(("total", total, expected["total_realized"]))
    wrong = [
        (vector["id"], name, str(ours), theirs)
        for name, ours, theirs in pairs
        if abs(Decimal(str(ours)) - Decimal(theirs)) > tolerance * max(1, abs(Decimal(theirs)))
    ]
    assert wrong == []


@given(trades=traces())
@settings(max_examples=150, deadline=None)
def test_matches_add_up_to_the_position(trades: list[Trade]) -> None:
    rows = table(trades)
    position = fifo_table(rows).to_pylist()[0]
    matches = fifo_matches(rows).to_pylist()
    priced = [match for match in matches if match["proceeds_usd"] is not None]
    cost = sum(match["cost_usd"] for match in priced if match["is_basis_known"])
    assert cost == pytest.approx(position["cost_of_sold_usd"], rel=1e-9, abs=1e-9)
    shorts = sum(match["quantity"] for match in matches if match["buy_row"] is None)
    assert shorts == pytest.approx(position["short_quantity"], rel=1e-9)
    for match in matches:
        if match["buy_row"] is not None:
            assert rows["side"][match["buy_row"]].as_py() == "buy"
            assert match["buy_time"] <= match["sell_time"]
