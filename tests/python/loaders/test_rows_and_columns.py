"""A page becomes columns: every digit kept, new fields kept, wrong types refused by name."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from loaders.errors import RowRefusedError
from loaders.responses import page_table, read_page, readable_table
from loaders.swap_keys import row_keys
from loaders.tables import (
    MOST_NEW_COLUMNS,
    TOKEN_METRICS,
    TRANSACTION_HISTORY,
    WHALE_HOLDERS,
    NewColumns,
    Table,
)
from tests.python.support.api_rows import address, holder, leg, page, swap, token

WALLET = address("wallet")


def cut(table: Table, *rows: str) -> pa.Table:
    return page_table(table, read_page(page(rows), "here"), "here", {})


@pytest.mark.parametrize(
    "written",
    ["1", "0", "0.0", "-0.0", "9.7e-05", "1E+5", "1.500", "26301.000000000001", "123456789.123456789123456789"],
)
def test_numbers_keep_the_digits_of_the_wire(written: str) -> None:
    assert cut(TOKEN_METRICS, token(address("a"), price=written))["price"].to_pylist() == [written]


@pytest.mark.parametrize(
    ("written", "landed"),
    [
        pytest.param("31447000000", "31447000000", id="number"),
        pytest.param('"31447000000"', "31447000000", id="text"),
        pytest.param("499899173.99999994", "499899173.99999994", id="fractional"),
        pytest.param('"8.587448933914839e+24"', "8.587448933914839e+24", id="scientific-text"),
        pytest.param("123456789012345678901234567890", "123456789012345678901234567890", id="beyond-64-bits"),
        pytest.param("null", None, id="null"),
    ],
)
def test_amounts_come_as_number_or_text(written: str, landed: str | None) -> None:
    rows = cut(TRANSACTION_HISTORY, swap(WALLET, 1, "t", base=leg("to", amount=written)))
    assert rows["base__amount"].to_pylist() == [landed]


def test_the_item_lands_untouched() -> None:
    row = swap(WALLET, 5, "t").replace(":", " : ", 3)
    assert cut(TRANSACTION_HISTORY, row)["item"].to_pylist() == [row]


def test_nested_fields_land_as_their_json() -> None:
    rows = cut(TOKEN_METRICS, token(address("a")), token(address("b"), extensions="null"))
    assert rows["extensions"].to_pylist() == ['{"website":"https://example.org","rank":1.50}', None]


@pytest.mark.parametrize(
    ("field", "written", "landed"),
    [
        pytest.param("brand_new", "1.50", "1.50", id="number"),
        pytest.param("brand_new", '"text"', "text", id="text"),
        pytest.param("brand_new", "true", "true", id="flag"),
        pytest.param("brand_new", '{"a":1.0}', '{"a":1.0}', id="object"),
        pytest.param("brandNew", "7", "7", id="camel-case"),
    ],
)
def test_a_field_never_seen_becomes_a_column(field: str, written: str, landed: str) -> None:
    rows = cut(TOKEN_METRICS, token(address("a"), **{field: written}), token(address("b")))
    assert rows["brand_new"].to_pylist() == [landed, None]


def test_a_new_field_of_a_leg_is_named_by_it() -> None:
    rows = cut(TRANSACTION_HISTORY, swap(WALLET, 1, "t", quote=leg("from", tax="0.10")))
    assert rows["quote__tax"].to_pylist() == ["0.10"]


@pytest.mark.parametrize("field", ["observedAt", "_dlt_id", "item", "__", "Price"])
def test_a_new_field_never_takes_the_place_of_a_column(field: str) -> None:
    rows = cut(TOKEN_METRICS, token(address("a"), **{field: '"x"'}))
    assert rows["price"].to_pylist() == ["9.7e-05"]
    assert "observed_at" not in rows.column_names
    assert "_dlt_id" not in rows.column_names
    assert json.loads(rows["item"][0].as_py())[field] == "x"


def test_what_older_rows_lack_is_null() -> None:
    missing: dict[str, Any] = dict.fromkeys(
        ("block_number", "volume_usd", "volume", "inner_ins_index", "signers", "interacted_program_id")
    )
    rows = cut(TRANSACTION_HISTORY, swap(WALLET, 1, "t", None, **missing))
    assert [rows[name][0].as_py() for name in (*missing, "ins_index")] == [None] * 7


@pytest.mark.parametrize(
    ("table", "row", "field", "problem"),
    [
        pytest.param(TOKEN_METRICS, token(address("a"), price='"12"'), "price", "'12' is not a number", id="number-as-text"),
        pytest.param(TOKEN_METRICS, token(address("a"), holder='"many"'), "holder", "not a whole number", id="count-as-text"),
        pytest.param(TOKEN_METRICS, token(address("a"), holder="1.5"), "holder", "not a whole number", id="half-a-holder"),
        pytest.param(
            TOKEN_METRICS, token(address("a"), holder="9223372036854775808"), "holder", "64 bits", id="count-too-large"
        ),
        pytest.param(TOKEN_METRICS, token(address("a"), symbol="5"), "symbol", "5 is not text", id="text-as-number"),
        pytest.param(TOKEN_METRICS, token(address("a"), liquidity="{}"), "liquidity", "not a number", id="number-as-object"),
        pytest.param(TOKEN_METRICS, token(address("a"), price="true"), "price", "True is not a number", id="number-as-flag"),
        pytest.param(TOKEN_METRICS, token(address("a"), address="null"), "address", "None is not text", id="no-address"),
        pytest.param(
            TOKEN_METRICS, token("\x1b]0;title\x07"), "address", r"is not a Solana address", id="address-that-steers-a-terminal"
        ),
        pytest.param(TOKEN_METRICS, token("0xdAC17F958D2ee523a2206206994597C13D831ec7"), "address", "Solana", id="address-of-another-chain"),
        pytest.param(WHALE_HOLDERS, holder(address("a"), "me", address("t")), "owner", "'me' is not a Solana", id="no-owner"),
        pytest.param(WHALE_HOLDERS, holder(address("a"), WALLET, "t"), "token_account", "Solana", id="no-account"),
        pytest.param(TRANSACTION_HISTORY, swap("me", 1, "t1"), "owner", "Solana", id="no-wallet"),
        pytest.param(
            TRANSACTION_HISTORY, swap(WALLET, 1, "t1", quote=leg("from", "A\tB")), "quote.address", "Solana", id="no-mint-in-a-leg"
        ),
        pytest.param(
            WHALE_HOLDERS, holder(address("a"), WALLET, address("t"), '"1e"'), "amount", "'1e' is not a number", id="odd-amount"
        ),
        pytest.param(
            TRANSACTION_HISTORY, swap(WALLET, 1, "t1", base="[]"), "base", "not an object", id="leg-as-list"
        ),
        pytest.param(
            TRANSACTION_HISTORY,
            swap(WALLET, 1, "t1", base=leg("to", price='"cheap"')),
            "base.price",
            "'cheap' is not a number",
            id="price-in-a-leg",
        ),
        pytest.param(
            TRANSACTION_HISTORY, swap(WALLET, 1, "t1", block_unix_time='"now"'), "block_unix_time", "unix seconds", id="time"
        ),
        pytest.param(
            TRANSACTION_HISTORY,
            swap(WALLET, 1, "t1", block_unix_time="1750000000000"),
            "block_unix_time",
            "1750000000000 is not a time in unix seconds",
            id="time-in-milliseconds",
        ),
        pytest.param(
            TRANSACTION_HISTORY, swap(WALLET, 1, "t1", block_unix_time="-5"), "block_unix_time", "unix seconds", id="time-before-1970"
        ),
        pytest.param(TOKEN_METRICS, token(address("a"), holder="1e9999999"), "holder", "64 bits", id="exponent-of-millions"),
        pytest.param(
            TOKEN_METRICS, token(address("a"), holder="1e99999999999999999999"), "holder", "64 bits", id="exponent-beyond-all"
        ),
        pytest.param(
            TRANSACTION_HISTORY,
            swap(WALLET, 1, "t1", base=leg("to", amount="1e-9999999")),
            "base.amount",
            "is not a number",
            id="amount-too-small-to-compute",
        ),
    ],
)  # fmt: skip
def test_another_type_is_refused_by_field_and_row(table: Table, row: str, field: str, problem: str) -> None:
    good = {TOKEN_METRICS: token(address("b")), WHALE_HOLDERS: holder(address("a"), WALLET, address("u"))}
    first = good.get(table, swap(WALLET, 2, "t0"))
    with pytest.raises(RowRefusedError) as refused:
        cut(table, first, row)
    assert (refused.value.field, refused.value.row) == (field, 1)
    assert problem in str(refused.value)
    assert str(refused.value).startswith("here, row 1")


@pytest.mark.parametrize(
    ("data", "count", "has_next"),
    [
        pytest.param(b"null", 0, None, id="null"),
        pytest.param(b"{}", 0, None, id="no-items"),
        pytest.param(b'{"items":null,"hasNext":true}', 0, True, id="null-items"),
        pytest.param(b'{"has_next":false,"items":[{}]}', 1, False, id="has_next"),
        pytest.param(b'{"items":[{}],"hasNext":false}', 1, False, id="hasNext"),
        pytest.param(b'{"items":[{}],"total":9}', 1, None, id="says-nothing"),
    ],
)
def test_every_shape_of_a_listing_is_read(data: bytes, count: int, has_next: bool | None) -> None:
    read = read_page(data, "here")
    assert (len(read.rows), read.has_next) == (count, has_next)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"items":7}', id="number"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"items":[7]}', id="row-as-number"),
        pytest.param(b'{"items":[{}],"has_next":"yes"}', id="has_next-as-text"),
        pytest.param(b'{"items":[' + b"[" * 5000 + b"]" * 5000 + b"]}", id="nested-too-deep"),
    ],
)
def test_what_is_no_listing_is_refused(data: bytes) -> None:
    with pytest.raises(RowRefusedError, match="here"):
        read_page(data, "here")


@pytest.mark.parametrize("written", ["1753511140", "1753511140.0", "1.753511140e9", "1753511140.000"])
def test_an_integer_is_one_however_it_is_written(written: str) -> None:
    odd = cut(TRANSACTION_HISTORY, swap(WALLET, 0, "t", "2.0", block_unix_time=written, inner_ins_index="1E0"))
    plain = cut(TRANSACTION_HISTORY, swap(WALLET, 1753511140, "t", "2", inner_ins_index="1"))
    names = ("block_unix_time", "ins_index", "inner_ins_index")
    assert [odd[name].to_pylist() for name in names] == [[1753511140], [2], [1]]
    assert row_keys(odd) == row_keys(plain)


@pytest.mark.parametrize(("one", "other"), [("5", '"5"'), ("5", "5.0"), ("5e2", '"500"'), ("-0", "0")])
def test_equal_amounts_are_one_key(one: str, other: str) -> None:
    keys = [
        row_keys(cut(TRANSACTION_HISTORY, swap(WALLET, 1, "t", base=leg("to", amount=text)))) for text in (one, other)
    ]
    assert keys[0] == keys[1]


CORRUPTED = {
    "half-a-surrogate-pair": (token(address("corrupted"), symbol='"\\ud800"'), "symbol", r"\ud800"),
    "NaN": (token(address("corrupted"), price="NaN"), "price", "NaN"),
    "infinity": (token(address("corrupted"), price="-Infinity"), "price", "-Infinity"),
    "raw-control-character": (token(address("corrupted"), name='"a\x01"'), "name", r"\x01"),
    "no-utf-8": (token(address("corrupted"), name='"a\udcff"'), "name", "no JSON value"),
    "another-type": (token(address("corrupted"), price='"cheap"'), "price", "'cheap' is not a number"),
}


@pytest.mark.parametrize(("corrupted", "field", "message"), CORRUPTED.values(), ids=CORRUPTED)
def test_one_odd_row_is_set_apart_by_name(corrupted: str, field: str, message: str) -> None:
    rows = [token(address("a")), corrupted, token(address("b"))]
    data = f'{{"items":[{",".join(rows)}],"has_next":true}}'.encode("utf-8", "surrogateescape")
    read = read_page(data, "here", sets_apart=True)
    table, page = readable_table(TOKEN_METRICS, read, "here", lambda page: {"list_position": pa.array(page.numbers)})
    assert table["address"].to_pylist() == [address("a"), address("b")]
    assert table["list_position"].to_pylist() == [0, 2]
    assert page.has_next is True
    (odd,) = page.odd
    assert (odd.row, odd.field) == (1, field)
    assert str(odd).startswith(f"here, row 1 (address '{address('corrupted')}'): field {field}: ")
    assert message in str(odd)
    assert str(odd).replace("\n", "").isprintable()


@pytest.mark.parametrize(("corrupted", "field", "message"), CORRUPTED.values(), ids=CORRUPTED)
def test_where_no_row_may_lack_an_odd_one_is_refused_by_name(corrupted: str, field: str, message: str) -> None:
    data = f'{{"items":[{token(address("a"))},{corrupted}]}}'.encode("utf-8", "surrogateescape")
    with pytest.raises(RowRefusedError) as refused:
        page_table(TOKEN_METRICS, read_page(data, "here"), "here", {})
    assert (refused.value.row, refused.value.field) == (1, field)


@pytest.mark.parametrize(
    ("good", "odd"),
    [pytest.param(0, 1, id="all"), pytest.param(8, 2, id="two-of-ten"), pytest.param(17, 2, id="two-of-19")],
)
def test_many_odd_rows_are_a_change_of_the_api(good: int, odd: int) -> None:
    rows = [token(address(f"a{n}")) for n in range(good)] + [token(address("x"), price='"1"')] * odd
    with pytest.raises(RowRefusedError, match="'1' is not a number"):
        readable_table(TOKEN_METRICS, read_page(page(rows), "here", sets_apart=True), "here", lambda _: {})


def test_rows_beyond_the_limit_are_left_out_and_counted() -> None:
    read = read_page(page([token(address(f"a{n}")) for n in range(7)], has_next=False), "here", 5)
    # what is left out follows
    assert (len(read.rows), read.surplus, read.has_next) == (5, 2, True)


def test_a_table_gains_no_more_than_so_many_columns(caplog: pytest.LogCaptureFixture) -> None:
    columns = NewColumns(TOKEN_METRICS, ["address", "zz_known"])
    fields = {f"extra{n:04}": "1" for n in range(MOST_NEW_COLUMNS + 5)}
    for name in ("first", "second"):
        row = token(address(name), **fields, zz_known="2", **{f"{name}_new": "3"})
        landed = page_table(TOKEN_METRICS, read_page(page([row]), "here"), "here", {}, columns)
        new = set(landed.column_names) - set(TOKEN_METRICS.schema.names)
        assert len(new) == MOST_NEW_COLUMNS
        # what the lake has stays; what finds no place is in the row's own text
        assert landed["zz_known"].to_pylist() == ["2"]
        assert json.loads(landed["item"][0].as_py())[f"{name}_new"] == 3
    assert len(caplog.records) == 1
    assert "more than 100 unknown fields" in caplog.text
