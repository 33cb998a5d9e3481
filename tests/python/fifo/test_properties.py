"""What must hold whatever the trades are: cuts, order, scale, conservation."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smart_trader.fifo import POSITION_SCHEMA, fifo_open_lots, fifo_positions, fifo_table
from smart_trader.fifo.files import answers_of_file

from .reference import Trade
from .traces import seeded_table, table, traces

MONEY = [name for name in POSITION_SCHEMA.names if name.endswith("_usd") and name != "last_price_usd"]
COUNTS = [name for name in POSITION_SCHEMA.names if name.endswith("_count")]


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40), seed=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_the_stream_gives_the_same_result(sizes: list[int], seed: int) -> None:
    whole = seeded_table(600, 25, seed)
    cuts, at = [], 0
    for size in sizes:
        cuts.append(whole.slice(at, size))
        at += size
    cuts.append(whole.slice(at))
    batches = [batch for cut in cuts for batch in cut.to_batches()]
    assert pa.Table.from_batches(fifo_positions(batches), POSITION_SCHEMA) == fifo_table(whole)


@given(trades=traces())
@settings(max_examples=100, deadline=None)
def test_open_lots_are_what_the_position_has_left(trades: list[Trade]) -> None:
    other = [Trade(5, "buy", 3, None)]
    lots, positions = fifo_open_lots(table(trades, other)), fifo_table(table(trades, other)).to_pylist()
    assert lots["buy_row"].to_pylist() == sorted(lots["buy_row"].to_pylist())
    for position in positions:
        mine = [lot for lot in lots.to_pylist() if lot["wallet_address"] == position["wallet_address"]]
        known = [lot for lot in mine if lot["unit_cost_usd"] is not None]
        assert sum(lot["quantity"] for lot in known) == position["open_quantity"]
        assert sum(lot["quantity"] for lot in mine if lot not in known) == position["open_unknown_quantity"]
        assert sum(lot["quantity"] * lot["unit_cost_usd"] for lot in known) == position["open_cost_usd"]


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    ("given_decimals", "expected"), [([6, None, 6, 6, 6], 6), ([None] * 5, None), ([None, 0, None, None, 9], 9)]
)
def test_decimals_pass_through_to_the_position(
    given_decimals: list[int | None], expected: int | None, size: int
) -> None:
    trades = table([Trade(time, "buy", 3, None) for time in range(5)])
    at = trades.schema.get_field_index("decimals")
    trades = trades.set_column(at, trades.schema.field(at), pa.array(given_decimals, pa.int64()))
    batches = [batch for at in range(0, 5, size) for batch in trades.slice(at, size).to_batches()]
    (row,) = pa.Table.from_batches(fifo_positions(batches), POSITION_SCHEMA).to_pylist()
    assert row["decimals"] == expected


@given(trades=traces(), factor=st.sampled_from([2.0, 2.0**-20, 1024.0]))
@settings(max_examples=100, deadline=None)
def test_scaling_quantities_changes_no_money(trades: list[Trade], factor: float) -> None:
    rows = table(trades)
    at = rows.schema.get_field_index("quantity")
    scaled = rows.set_column(at, rows.schema.field(at), pa.array(rows["quantity"].to_numpy() * factor))
    before, after = fifo_table(rows).to_pylist()[0], fifo_table(scaled).to_pylist()[0]
    assert {name: after[name] for name in COUNTS + MONEY} == {name: before[name] for name in COUNTS + MONEY}


# without dust: the parts of a buy may be dust where the whole was not
@given(trades=traces(quantities=st.integers(0, 10**6)), parts=st.sampled_from([2, 4, 8]))
@settings(max_examples=100, deadline=None)
def test_splitting_buys_into_equal_parts_changes_no_money(trades: list[Trade], parts: int) -> None:
    split = []
    for trade in trades:
        pieces = parts if trade.side == "buy" else 1
        value = None if trade.value is None else trade.value / pieces
        passed = [trade.round_trip] + [None] * (pieces - 1)
        split += [
            Trade(trade.time, trade.side, trade.quantity * parts // pieces, value, trade.is_unknown, passed[piece])
            for piece in range(pieces)
        ]
    whole = [Trade(t.time, t.side, t.quantity * parts, t.value, t.is_unknown, t.round_trip) for t in trades]
    before, after = fifo_table(table(whole)).to_pylist()[0], fifo_table(table(split)).to_pylist()[0]
    scale = before["bought_usd"] + before["sold_usd"] + 1
    for name in MONEY:
        assert after[name] == pytest.approx(before[name], rel=1e-9, abs=1e-9 * scale), name
    for name in ("win_count", "loss_count", "sell_count", "matched_sell_count"):
        assert after[name] == before[name], name


@given(trades=traces())
@settings(max_examples=200, deadline=None)
def test_quantities_are_conserved(trades: list[Trade]) -> None:
    row = fifo_table(table(trades)).to_pylist()[0]
    slack = 1e-9 * (row["bought_quantity"] + row["sold_quantity"])
    sold = row["matched_quantity"] + row["unknown_basis_quantity"] + row["short_quantity"]
    assert sold == pytest.approx(row["sold_quantity"], abs=slack)
    consumed = row["matched_quantity"] + row["unknown_basis_quantity"]
    left = row["open_quantity"] + row["open_unknown_quantity"]
    assert consumed + left == pytest.approx(row["bought_quantity"], abs=slack)
    assert min(row["open_quantity"], row["open_cost_usd"], row["open_unknown_quantity"], row["short_quantity"]) >= 0
    assert row["matched_proceeds_usd"] + row["unmatched_proceeds_usd"] == pytest.approx(row["sold_usd"], rel=1e-9)
    assert row["win_count"] + row["loss_count"] + row["neutral_count"] == row["matched_sell_count"]


def test_the_order_of_the_rows_of_a_file_does_not_matter(tmp_path: Path) -> None:
    draw = random.Random(3)
    rows = [
        (
            "w1",
            draw.choice(["a", "b"]),
            draw.randrange(5),
            draw.choice(["buy", "sell"]),
            draw.randrange(1, 9),
            draw.random(),
        )
        for _ in range(60)
    ]
    answers = [_by_amount(write_csv(tmp_path / "trades.csv", draw.sample(rows, len(rows)))) for _ in range(4)]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert len(answers[0]) == 2


def write_csv(path: Path, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("wallet", "token", "t", "side", "qty", "value"), *rows])
    return answers_of_file(path)


def _by_amount(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Answers without the rows' places, which do change with their order."""
    return {
        answer["id"]: (
            sorted(json.dumps({**sell, "i": 0}) for sell in answer["sells"]),
            sorted(json.dumps(lot) for lot in answer["open_lots"]),
        )
        for answer in answers
    }
