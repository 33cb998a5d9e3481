"""What cannot be computed with is refused by row; what only looks odd is computed right."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from smart_trader.fifo import (
    TRADE_SCHEMA,
    TradeInputError,
    fifo_matches,
    fifo_open_lots,
    fifo_positions,
    fifo_table,
)
from tests.python.support.engine import clean_environment, run_module

GOOD = {
    "wallet_address": "w",
    "token_address": "t",
    "block_unix_time": 5,
    "side": "buy",
    "quantity": 2.0,
    "value_usd": 3.0,
    "block_number": 7,
    "tx_hash": "m",
}
LOOSE = pa.schema([field.with_nullable(True) for field in TRADE_SCHEMA])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"quantity": float("nan")}, "quantity is .*nan", id="quantity-nan"),
        pytest.param({"quantity": float("inf")}, "quantity is .*inf", id="quantity-infinite"),
        pytest.param({"quantity": -1.0}, "quantity is .*-1", id="quantity-negative"),
        pytest.param({"quantity": None}, "quantity is null", id="quantity-null"),
        pytest.param({"value_usd": float("nan")}, "value_usd is .*nan", id="value-nan"),
        pytest.param({"value_usd": float("-inf")}, "value_usd is .*-inf", id="value-infinite"),
        pytest.param({"value_usd": -0.01}, "value_usd is .*-0.01", id="value-negative"),
        pytest.param({"side": "swap"}, "unknown side 'swap'", id="unknown-side"),
        pytest.param({"side": None}, "side is null", id="no-side"),
        pytest.param({"wallet_address": None}, "wallet_address is null", id="no-wallet"),
        pytest.param({"token_address": None}, "token_address is null", id="no-token"),
        pytest.param({"block_unix_time": None}, "block_unix_time is null", id="no-time"),
        pytest.param({"block_unix_time": 4}, r"not in order \(wallet w, token t, time 4\)", id="earlier-time"),
        pytest.param({"block_number": 6}, "not in order", id="earlier-block"),
        pytest.param({"tx_hash": "a"}, "not in order", id="earlier-transaction"),
        pytest.param({"wallet_address": "a"}, "not in order", id="earlier-wallet"),
        pytest.param({"token_address": "a"}, "not in order", id="earlier-token"),
    ],
)
@pytest.mark.parametrize("cut", [False, True], ids=["one-batch", "batch-border"])
def test_a_trade_that_cannot_be_used_is_refused_by_row(change: dict[str, Any], message: str, cut: bool) -> None:
    rows = [GOOD, GOOD, {**GOOD, **change}]
    trades = pa.Table.from_pylist(rows, schema=LOOSE)
    if cut:
        trades = pa.Table.from_batches(trades.to_batches(max_chunksize=2))
    with pytest.raises(TradeInputError, match=f"trade 2: {message}") as refused:
        fifo_table(trades)
    assert refused.value.row == 2
    assert refused.value.fix


def test_a_sell_before_a_buy_of_the_same_timestamp_is_out_of_order() -> None:
    rows = [{**GOOD, "side": "sell"}, GOOD]
    with pytest.raises(TradeInputError, match="trade 1: not in order"):
        fifo_table(pa.Table.from_pylist(rows, schema=TRADE_SCHEMA))


def test_a_missing_block_sorts_last() -> None:
    fifo_table(pa.Table.from_pylist([GOOD, {**GOOD, "block_number": None}], schema=TRADE_SCHEMA))
    with pytest.raises(TradeInputError, match="trade 1: not in order"):
        fifo_table(pa.Table.from_pylist([{**GOOD, "block_number": None}, GOOD], schema=TRADE_SCHEMA))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TradeInputError, match="no column side, value_usd"):
        fifo_table(pa.Table.from_pylist([GOOD], schema=TRADE_SCHEMA).drop_columns(["side", "value_usd"]))


def test_no_trades_give_no_rows() -> None:
    empty = TRADE_SCHEMA.empty_table()
    assert fifo_table(empty).num_rows == fifo_matches(empty).num_rows == fifo_open_lots(empty).num_rows == 0


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1.0, 1e9, 1e18])
def test_quantities_of_every_size_give_the_same_money(unit: float) -> None:
    rows = [
        {**GOOD, "quantity": 4 * unit, "value_usd": 8.0},
        {**GOOD, "side": "sell", "block_unix_time": 6, "quantity": 3 * unit, "value_usd": 12.0},
    ]
    found = fifo_table(pa.Table.from_pylist(rows, schema=TRADE_SCHEMA)).to_pylist()[0]
    assert (found["realized_pnl_usd"], found["cost_of_sold_usd"], found["open_cost_usd"]) == pytest.approx((6, 6, 2))
    assert found["open_quantity"] == pytest.approx(unit)


@pytest.mark.parametrize("shape", ["alternating", "all-buys-then-all-sells"])
def test_a_million_swaps_in_one_position(shape: str) -> None:
    size = 1_000_000
    is_sell = np.arange(size) % 2 == 1 if shape == "alternating" else np.arange(size) >= size // 2
    trades = pa.table(
        {
            "wallet_address": pa.array(["w"] * size).dictionary_encode(),
            "token_address": pa.array(["t"] * size).dictionary_encode(),
            "block_unix_time": np.arange(size),
            "side": np.where(is_sell, "sell", "buy"),
            "quantity": np.full(size, 3.0),
            "value_usd": np.where(is_sell, 5.0, 2.0),
        }
    )
    begun = time.monotonic()
    found = pa.Table.from_batches(fifo_positions(trades.to_batches(max_chunksize=50_000)))
    assert time.monotonic() - begun < 20
    row = found.to_pylist()[0]
    assert (row["realized_pnl_usd"], row["win_count"], row["open_quantity"]) == (1_500_000, 500_000, 0)
    assert row["median_holding_hours"] == (1 if shape == "alternating" else size // 2) / 3600


HEADER = "wallet,token,t,side,qty,value\n"


def trade_text(**fields: object) -> str:
    return json.dumps([{"id": "x", "trades": [{"side": "buy", **fields}]}])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.json", "{", "not JSON", id="broken-json"),
        pytest.param("a.json", '{"id": 1}', "not a list of", id="wrong-shape"),
        pytest.param("a.json", '[{"id": "x", "trades": [{"t": 1, "side": "buy"}]}]', "trade 0: x: no qty", id="no-qty"),
        pytest.param(
            "a.json", '[{"id": "x", "trades": [{"t": 1, "side": "b", "qty": 1}]}]', "unknown side 'b'", id="side"
        ),
        pytest.param(
            "a.json", '[{"id": "x", "trades": [{"t": "noon", "side": "buy", "qty": 1}]}]', "t is 'noon'", id="time"
        ),
        pytest.param(
            "a.json", '[{"id": "x", "trades": [{"t": 1, "side": "buy", "qty": "NaN"}]}]', "qty is 'NaN'", id="nan"
        ),
        pytest.param("a.csv", "wallet,token,t\nw,t,1\n", "no column side, qty, value", id="csv-columns"),
        pytest.param(
            "a.csv", "wallet,token,t,side,qty,value\n,t,1,buy,1,1\n", "wallet or token is empty", id="csv-wallet"
        ),
        pytest.param("a.csv", "wallet,token,t,side,qty,value\nw,t,1,buy,-1,1\n", "qty is '-1'", id="csv-negative"),
        pytest.param(
            "a.csv",
            f"{HEADER}w,x,1,buy,1,5\nw,x,1,buy,1\n",
            "trade 1: 5 fields where the header has 6",
            id="csv-cut-row",
        ),
        pytest.param(
            "a.csv", f"{HEADER}w,x,1,buy,1,5,6\n", "trade 0: 7 fields where the header has 6", id="csv-long-row"
        ),
        pytest.param("a.csv", f'{HEADER}"w,x,1,buy,1,5\n', "not CSV: line 1: unexpected end", id="csv-open-quote"),
        pytest.param(
            "a.csv", "wallet,token,t,side,qty,value,fee\nw,x,1,buy,1,5,1\n", "'fee' is not read", id="csv-fee"
        ),
        pytest.param("a.csv", "wallet,token,t,side,qty,value,t\n", "column t is there twice", id="csv-column-twice"),
        pytest.param("a.csv", f"{HEADER}w,t,20261301,buy,1,1\n", "t is '20261301'", id="csv-no-such-month"),
        pytest.param("a.csv", f"{HEADER}w,t,1700000000000,buy,1,1\n", "t is '1700000000000'", id="csv-milliseconds"),
        pytest.param("a.csv", f"{HEADER}w,t,1,buy,1e31,1\n", "qty is '1e31'", id="csv-too-large"),
        pytest.param("a.csv", f"{HEADER}w,t,1,buy,1e-9999,1\n", "qty is '1e-9999'", id="csv-too-small"),
        pytest.param("a.csv", f'{HEADER}w,t,1,buy,"1,000",1\n', "qty is '1,000'", id="csv-thousands"),
        pytest.param("a.csv", f"{HEADER}w,t,1,buy,1_000,1\n", "qty is '1_000'", id="csv-underscore"),
        pytest.param(
            "a.json", '[{"id": "x", "trades": [[1, "buy", 1]]}]', "trade 0: x: .* is not an object", id="list"
        ),
        pytest.param("a.json", '[{"id": "x", "trades": null}]', "^x: trades is None, not a list", id="no-trades"),
        pytest.param(
            "a.json", trade_text(t=1, qty=10**400), f"trade 0: x: qty is 1{'0' * 59}[.]{{3}}", id="huge-integer"
        ),
        pytest.param("a.json", trade_text(t=1, qty=True), "qty is True", id="flag-for-amount"),
        pytest.param("a.json", trade_text(t=True, qty=1), "t is True", id="flag-for-time"),
        pytest.param("a.json", trade_text(t=None, qty=1), "t is None", id="no-time"),
        pytest.param("a.json", trade_text(t=10**400, qty=1), "t is 1000", id="huge-time"),
        pytest.param("a.json", trade_text(t=-5, qty=1), "t is -5", id="before-1970"),
        pytest.param("a.json", trade_text(t=1, qty=1, fee_usd=2), "'fee_usd' is not read", id="fee"),
        pytest.param("a.json", '[{"trades": [{"t": 1, "side": "buy", "qty": NaN}]}]', "qty is 'NaN'", id="bare-nan"),
        pytest.param("a.json", "[" * 100_000, "not JSON", id="too-deep"),
        pytest.param("none.json", None, "cannot read .*none.json: No such file", id="no-file"),
        pytest.param(
            "a.csv", f"{HEADER}w,t,1,buy,1,1\nw,a\x07b,1,buy,1,1\n",
            r"line 3, trade 1: token is 'a\\x07b', with the sign U\+0007 that cannot be seen\n  fix: remove it",
            id="csv-control-character",
        ),
        pytest.param("a.csv", f'{HEADER}"w\nx",t,1,buy,1,1\n', r"line 3, trade 0: wallet is 'w\\nx'", id="csv-two-lines"),
        pytest.param("a.csv", f"{HEADER}w,t\u200b,1,buy,1,1\n", r"U\+200B", id="csv-sign-without-width"),
        pytest.param(
            "a.csv", f"{HEADER.strip()},tx_hash\nw,t,1,buy,1,1,a\x1b[2J\n", r"tx_hash is 'a\\x1b\[2J'", id="csv-escape"
        ),
        pytest.param("a.csv", f"{HEADER}w, ,1,buy,1,1\n", "line 2, trade 0: wallet or token is empty", id="csv-blank"),
        pytest.param(
            "a.csv", f"{HEADER}w,t,1,buy,1,1\nw,t,12345678,buy,1,1\n",
            r"line 3, trade 1: w/t: t is '12345678'; eight digits are a date\n  fix: write it as 2026-01-31T09:00:00Z",
            id="csv-no-date",
        ),
        pytest.param("a.csv", f"{HEADER}w,t,1,buy,1\x1c,1\n", r"qty is '1\\x1c'", id="csv-control-character-in-qty"),
        pytest.param("a.csv", f"{HEADER}w,t,\x1f,buy,1,1\n", r"t is '\\x1f'", id="csv-control-character-for-a-time"),
        pytest.param("a.json", '[{"id": "a\\u0007", "trades": []}]', r"id is 'a\\x07'", id="control-character"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    from smart_trader.fifo.files import answers_of_file

    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(TradeInputError, match=message):
        answers_of_file(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            f"{HEADER}w,t,1,buy,1,1\n".encode("utf-16"), "it is UTF-16 text, not UTF-8\n  fix: save", id="utf-16"
        ),
        pytest.param(HEADER.encode("utf-16-le"), "line 1 holds a zero byte: UTF-16, or no text", id="without-a-mark"),
        pytest.param(HEADER.encode() + b"w,caf\xe9,1,buy,1,1\n", "line 2 holds the byte 0xe9", id="latin-1"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_file_in_another_encoding_is_named_as_such(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    from smart_trader.fifo.files import answers_of_file

    (tmp_path / name).write_bytes(content)
    with pytest.raises(TradeInputError, match=f"cannot read .*{name}: {message}"):
        answers_of_file(tmp_path / name)


def test_blanks_around_a_name_do_not_part_its_lots(tmp_path: Path) -> None:
    from smart_trader.fifo.files import answers_of_file

    (tmp_path / "mine.csv").write_text(f"\ufeff{HEADER}w,t,1,buy,2,4\nw ,\tt,2,sell,2,6\n", encoding="utf-8")
    (answer,) = answers_of_file(tmp_path / "mine.csv")
    assert (answer["id"], answer["sells"][0]["matched_qty"]) == ("w/t", "2")


def test_the_command_prints_answers_and_refuses_with_a_message(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("wallet,token,t,side,qty,value\nw,t,2026-01-02,sell,3,9\nw,t,2026-01-01,buy,2,4\n")
    done = run_module("smart_trader.fifo", str(file), env=clean_environment())
    assert json.loads(done.stdout) == [
        {
            "id": "w/t",
            "sells": [{"i": 0, "matched_qty": "2", "unmatched_qty": "1", "cost": "4", "realized": "2"}],
            "open_lots": [],
        }
    ]
    file.write_text("wallet,token,t,side,qty,value\nw,t,1,buy,x,4\n")
    refused = run_module("smart_trader.fifo", str(file), env=clean_environment())
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: line 2, trade 0: w/t: qty is 'x'")
    assert "Traceback" not in refused.stderr


def answers(tmp_path: Path, *rows: str, header: str = HEADER) -> dict[str, Any]:
    from smart_trader.fifo.files import answers_of_file

    (tmp_path / "mine.csv").write_text(header + "".join(f"w,t,{row}\n" for row in rows))
    (answer,) = answers_of_file(tmp_path / "mine.csv")
    return answer


@pytest.mark.parametrize(
    "quantity", ["1234567890123", "9007199254740993", "123456789012345678901234567", "0.1000000000000000055"]
)
def test_quantities_are_shown_to_the_last_digit(tmp_path: Path, quantity: str) -> None:
    bought = answers(tmp_path, f"1,buy,{quantity},5")
    assert bought["open_lots"] == [{"t": "1", "qty": quantity, "price": bought["open_lots"][0]["price"]}]
    (sold,) = answers(tmp_path, f"1,buy,{quantity},5", f"2,sell,{quantity},7")["sells"]
    assert sold == {"i": 1, "matched_qty": quantity, "unmatched_qty": "0", "cost": "5", "realized": "2"}
    (short,) = answers(tmp_path, f"2,sell,{quantity},7")["sells"]
    assert (short["matched_qty"], short["unmatched_qty"]) == ("0", quantity)


def test_parts_of_a_long_amount_add_up_to_it(tmp_path: Path) -> None:
    answer = answers(tmp_path, "1,buy,9007199254740993,9", "2,sell,1,1", "3,sell,2,1", "4,buy,0.1,1", "5,buy,0.2,1")
    assert [lot["qty"] for lot in answer["open_lots"]] == ["9007199254740990", "0.1", "0.2"]
    assert [sell["matched_qty"] for sell in answer["sells"]] == ["1", "2"]
    # no noise of binary fractions: 0.1 + 0.2 is 0.3
    (sell,) = answers(tmp_path, "1,buy,0.1,1", "2,buy,0.2,1", "3,sell,0.3,1")["sells"]
    assert (sell["matched_qty"], sell["unmatched_qty"]) == ("0.3", "0")


@pytest.mark.parametrize(
    ("rows", "cost"),
    [
        # two buys of one time: which one the sell closes decides the cost
        pytest.param(["1,buy,10,90", "1,buy,9,9", "2,sell,9,9"], "9", id="smaller-amount-first"),
        pytest.param(["1,buy,9,9", "1,buy,10,90", "2,sell,9,9"], "9", id="whatever-the-rows-order"),
        pytest.param(["1,buy,9.0,81", "1,buy,9,9", "2,sell,9,9"], "9", id="then-the-smaller-value"),
        pytest.param(["1,buy,9,100", "1,buy,9,20", "2,sell,9,9"], "20", id="values-by-number"),
        pytest.param(["1,buy,9,5", "1,buy,9,", "2,sell,9,9"], "0", id="a-missing-price-before-a-known-one"),
        pytest.param(["1,sell,9,9", "1,buy,9,5"], "5", id="buys-before-sells"),
    ],
)
def test_equal_times_go_by_number(tmp_path: Path, rows: list[str], cost: str) -> None:
    assert answers(tmp_path, *rows)["sells"][0]["cost"] == cost


def test_a_value_of_nothing_is_free_and_an_empty_one_unknown(tmp_path: Path) -> None:
    (free,) = answers(tmp_path, "1,buy,2,0", "2,sell,2,9")["sells"]
    assert (free["matched_qty"], free["cost"], free["realized"]) == ("2", "0", "9")
    (unknown,) = answers(tmp_path, "1,buy,2,", "2,sell,2,9")["sells"]
    assert (unknown["matched_qty"], unknown["unmatched_qty"], unknown["realized"]) == ("0", "2", "0")


def test_columns_without_effect_are_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("wallet,token,t,side,qty,value,note,Slippage\nw,t,1,buy,2,4,hello,1\n")
    done = run_module("smart_trader.fifo", str(file), env=clean_environment())
    assert done.returncode == 0
    assert "not read, and without effect: 'note', 'Slippage'" in done.stderr
