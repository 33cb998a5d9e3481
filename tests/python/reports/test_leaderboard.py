"""`leaderboard`: its columns, filters, orders and formats, and that no one takes a made-up market for a real one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import simplejson
from deltalake import DeltaTable, write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SettingsError
from smart_trader.lake.identity import LakeIdentity, write_identity
from smart_trader.lake.reader import Lake
from smart_trader.reports.board_query import BoardQuery
from smart_trader.reports.leaderboard import board_text, read_board
from smart_trader.reports.tables import PLAIN, Screen
from smart_trader.sandbox.market.names import address
from tests.python.support.market_lake import MarketLake

AT = datetime(2026, 9, 21, 9, tzinfo=UTC)
WALLETS = [address(1, "wallet", number) for number in range(6)]
MONEY = pa.decimal128(38, 6)
SCHEMA = pa.schema(
    {
        "overall_rank": pa.int32(),
        "wallet_address": pa.string(),
        "tier": pa.string(),
        "grade": pa.string(),
        "former": pa.bool_(),
        "former_reason": pa.string(),
        "smart_trader_score": MONEY,
        "skill_low": pa.float64(),
        "total_pnl": MONEY,
        "win_rate": MONEY,
        "last_transaction": pa.timestamp("us", "UTC"),
        "data_source": pa.string(),
        "calculation_date": pa.timestamp("us", "UTC"),
    }
)
# beyond what a float holds
LARGE = Decimal("12345678901234567890.123456")


def row(number: int, tier: str, grade: str, pnl: str, skill_low: float | None, **more: Any) -> dict[str, Any]:
    return {
        "overall_rank": number + 1,
        "wallet_address": WALLETS[number],
        "tier": tier,
        "grade": grade,
        "former": False,
        "smart_trader_score": Decimal("50.5"),
        "skill_low": skill_low,
        "total_pnl": Decimal(pnl),
        "win_rate": Decimal("0"),
        "last_transaction": AT,
        "data_source": "birdeye",
        "calculation_date": AT,
        **more,
    }


ROWS = [
    row(0, "ELITE", "A", "100.5", 0.3),
    row(1, "STRONG", "B", str(LARGE), 0.1),
    row(2, "STRONG", "C", "-3", None),
    row(3, "QUALIFIED", "D", "100.5", -0.1),
    row(4, "STRONG", "X", "7", 0.05, overall_rank=None, former=True, former_reason="flagged: launch"),
]


def make(folder: Path, source: str | None = "birdeye", rows: list[dict[str, Any]] | None = None) -> Lake:
    lake = Lake(LakePaths(folder, str(folder)))
    table = pa.Table.from_pylist(ROWS[::-1] if rows is None else rows, schema=SCHEMA)
    write_deltalake(lake.location("gold", "leaderboard"), table, mode="overwrite")
    tiers = [{"tier_rank": rank, "tier": tier} for rank, tier in enumerate(["ELITE", "STRONG", "PROMISING"], 1)]
    write_deltalake(lake.location("silver", "trader_tiers"), pa.Table.from_pylist(tiers), mode="overwrite")
    if source is not None:
        write_identity(lake.paths, LakeIdentity.new(source), "")
    return lake


@pytest.fixture
def board_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    return make(tmp_path)


@pytest.mark.parametrize(
    ("query", "wallets"),
    [
        pytest.param({}, [0, 1, 2, 3, 4], id="ranked-then-former"),
        pytest.param({"top": 2}, [0, 1], id="top"),
        pytest.param({"tiers": ["strong"]}, [1, 2, 4], id="tier"),
        pytest.param({"tiers": ["ELITE", "QUALIFIED"]}, [0, 3], id="tiers-one-of-them-gone-from-the-seed"),
        pytest.param({"tiers": ["PROMISING"]}, [], id="tier-that-nobody-holds"),
        pytest.param({"grades": ["a", "X"]}, [0, 4], id="grades"),
        pytest.param({"minimums": ["total_pnl=100.5"]}, [0, 1, 3], id="minimum-itself-counts"),
        pytest.param({"minimums": ["total_pnl=12345678901234567890.123457"]}, [], id="minimum-is-exact"),
        pytest.param({"minimums": ["total_pnl=1", "skill_low=0.1"]}, [0, 1], id="unknown-is-below-any-minimum"),
        pytest.param({"minimums": ["skill_low=0.3"]}, [0], id="minimum-of-a-float-itself-counts"),
        pytest.param({"minimums": ["score=50.5"], "top": 1}, [0], id="by-the-head-of-the-table"),
        pytest.param({"sort": "-total_pnl"}, [1, 0, 3, 4, 2], id="largest-first-ties-by-rank"),
        pytest.param({"sort": "skill_low"}, [3, 4, 1, 0, 2], id="smallest-first-unknown-last"),
        pytest.param({"sort": "-skill_low"}, [0, 1, 4, 3, 2], id="largest-first-unknown-last"),
        pytest.param({"grades": ["B"], "minimums": ["rank=3"]}, [], id="nothing-left"),
    ],
)
def test_rows_are_selected(board_lake: Lake, query: Mapping[str, Any], wallets: list[int]) -> None:
    found = read_board(board_lake, BoardQuery(**query)).rows["wallet_address"].to_pylist()
    assert [WALLETS.index(wallet) for wallet in found] == wallets


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"columns": ["totl_pnl"]}, ["--columns", "'totl_pnl'", "did you mean total_pnl"]),
        ({"columns": ["xyzzy"]}, ["the columns are overall_rank, wallet_address"]),
        ({"sort": "-wallett"}, ["--sort", "did you mean wallet"]),
        ({"tiers": ["SUPER"]}, ["--tier", "'SUPER'", "ELITE, STRONG, PROMISING, QUALIFIED"]),
        ({"grades": ["E"]}, ["--grade", "A, B, C, D, X"]),
        ({"minimums": ["total_pnl"]}, ["--min", "COLUMN=VALUE"]),
        ({"minimums": ["total_pnl=many"]}, ["'many' is no number"]),
        ({"minimums": ["total_pnl=nan"]}, ["'nan' is no number"]),
        ({"minimums": ["tier=1"]}, ["tier is no number"]),
    ],
)
def test_what_is_not_there_is_named_with_what_is(board_lake: Lake, query: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        read_board(board_lake, BoardQuery(**query))
    assert all(words in str(raised.value) for words in said), str(raised.value)


def written(lake: Lake, form: str, screen: Screen = PLAIN, **query: Any) -> str:
    return board_text(lake, read_board(lake, BoardQuery(**query)), form, screen)


def test_csv_and_json_hold_every_digit(board_lake: Lake) -> None:
    lines = list(csv.DictReader(io.StringIO(written(board_lake, "csv"))))
    assert [line["total_pnl"] for line in lines[:3]] == ["100.500000", str(LARGE), "-3.000000"]
    assert (lines[2]["skill_low"], lines[0]["win_rate"]) == ("", "0.000000")
    rows = simplejson.loads(written(board_lake, "json"), use_decimal=True)
    assert rows[1]["total_pnl"] == LARGE
    assert rows[0]["last_transaction"] == "2026-09-21T09:00:00+00:00"
    assert isinstance(json.loads(written(board_lake, "json"))[0]["total_pnl"], float)


@pytest.mark.parametrize(("form", "top"), [("csv", 1), ("json", 1), ("csv", None), ("json", None)])
def test_columns_come_in_the_order_asked_for_with_the_source(board_lake: Lake, form: str, top: int | None) -> None:
    text = written(board_lake, form, columns=["total_pnl", "wallet", "total_pnl"], top=top)
    names = list(csv.DictReader(io.StringIO(text)).fieldnames or ()) if form == "csv" else list(json.loads(text)[0])
    assert names == ["total_pnl", "wallet_address", "data_source"]


@pytest.mark.parametrize(
    ("identity", "of_rows", "warning"),
    [
        ("birdeye", "birdeye", None),
        ("sandbox", "sandbox", "MADE-UP MARKET"),
        ("sandbox", None, "MADE-UP MARKET"),
        (None, "sandbox", "MADE-UP MARKET"),
        # rows that say they are made up are not believed to be real
        ("birdeye", "sandbox", "MADE-UP MARKET"),
        ("replay", "replay", "RECORDED DATA"),
        (None, None, "NOT KNOWN TO BE REAL"),
    ],
)
def test_what_is_not_real_is_marked_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str | None, of_rows: str | None, warning: str | None
) -> None:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    lake = make(tmp_path, identity, [{**one, "data_source": of_rows} for one in ROWS])
    for form in ("table", "markdown"):
        text = written(lake, form)
        assert ("MADE-UP" in text or "RECORDED" in text or "NOT KNOWN" in text) == (warning is not None)
        assert warning is None or warning in text.splitlines()[0]
    source = of_rows or identity or "unknown"
    assert {line["data_source"] for line in csv.DictReader(io.StringIO(written(lake, "csv")))} == {source}
    assert {one["data_source"] for one in json.loads(written(lake, "json", columns=["rank"]))} == {source}


def test_an_empty_board_and_an_empty_choice_are_told_apart(board_lake: Lake, tmp_path: Path) -> None:
    assert "none of the 5 wallets on the leaderboard" in written(board_lake, "table", tiers=["PROMISING"])
    assert written(board_lake, "csv", tiers=["PROMISING"], columns=["rank"]) == "overall_rank,data_source"
    empty = make(tmp_path / "empty", rows=[])
    assert "no wallet is listed" in written(empty, "table")
    assert written(empty, "json") == "[]"


def test_markdown_escapes_what_would_end_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    lake = make(tmp_path, rows=[row(0, "EL|TE", "A", "1", 0.1, former_reason="<b>*")])
    line = written(lake, "markdown", columns=["tier", "former_reason", "total_pnl"]).splitlines()[-1]
    assert line == "| EL\\|TE | &lt;b\\>\\* | 1.00 |"


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_a_terminal(board_lake: Lake, width: int) -> None:
    lines = written(board_lake, "table", Screen(width)).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[5].startswith("former")
    # the choice of a person is kept from the left
    chosen = written(board_lake, "table", Screen(width), columns=[*SCHEMA.names[::-1], "rank"]).splitlines()
    assert max(map(len, chosen)) <= width
    assert chosen[0].split()[0] == "as_of"


def test_parquet_of_a_real_lake_is_its_leaderboard(calm: MarketLake, tmp_path: Path) -> None:
    path = tmp_path / "board.parquet"
    done = calm.smart_trader("leaderboard", "-o", str(path))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = pyarrow.parquet.read_table(path)
    gold = DeltaTable(calm.engine.paths.table(f"{calm.prefix}gold", "leaderboard")).to_pyarrow_table()
    assert found.schema.field("total_pnl").type == pa.decimal128(38, 6)
    assert found.schema.metadata[b"data_source"] == b"sandbox"
    assert found.to_pylist() == gold.sort_by("overall_rank").to_pylist()
