"""What is served lands in Delta, to the last digit, in whole loads."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from deltalake import DeltaTable

from loaders.apis import Api
from loaders.bronze import Bronze
from loaders.errors import TerminalApiError
from loaders.tables import FETCH_LOG, MOST_NEW_COLUMNS, TABLES
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.sandbox.replay import parse, render
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import address, holder, leg, swap, token
from tests.python.support.api_rows import recordings as recorded
from tests.python.support.loader_lake import AS_OF, NO_FILTERS, Lake

WALLETS = [address(f"wallet{number}") for number in range(6)]
TOKENS = [address("bigtoken"), address("newtoken"), address("smalltoken")]


def rows_of_the_market() -> list[str]:
    """Return a small recorded market: wallets with 0, 1, 30, 130 and 40 swaps, one of them with strange rows."""
    rows = [
        token(TOKENS[0], "2500000.10"),
        token(TOKENS[1], "1500000", brand_new_field="1.250", price="1"),
        token(TOKENS[2], "900000"),
        *(holder(TOKENS[0], address(f"owner{n}"), address(f"account{n}"), f'"{10**18 - n}"') for n in range(130)),
        holder(TOKENS[1], WALLETS[1], address("single"), '"99999999999999999999"'),
    ]
    for wallet, count in zip(WALLETS[1:5], (1, 30, 130, 40), strict=True):
        rows += [swap(wallet, AS_OF - 60 * n, f"{wallet}-{n}") for n in range(count)]
    rows += [swap(WALLETS[4], AS_OF - 9000, "fills", None, quote=leg("from", amount="499899173.99999994"))] * 3
    return rows


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("recorded")
    with serving(sandbox_app(recorded(folder, *rows_of_the_market()), clock=AS_OF)) as url:
        yield url


@pytest.fixture(scope="module")
def loaded(api: str, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake after one run of each loader."""
    lake = Lake(tmp_path_factory.mktemp("a lake"))
    reports = [
        lake.load("tokens", api, **NO_FILTERS),
        lake.load("whales", api, ",".join(TOKENS)),
        lake.load("transactions", api, ",".join(WALLETS)),
    ]
    assert [report.outcomes for report in reports] == [{"complete": 1}, {"complete": 3}, {"complete": 6}]
    return lake


def test_tokens_land_as_served(loaded: Lake) -> None:
    rows = {row["address"]: row for row in loaded.rows("token_metrics")}
    assert sorted(rows) == sorted(TOKENS)
    assert [row["list_position"] for row in sorted(rows.values(), key=lambda row: row["list_position"])] == [0, 1, 2]
    big = rows[TOKENS[0]]
    assert (big["liquidity"], big["market_cap"], big["price"]) == (
        "2500000.10",
        "123456789.123456789123456789",
        "0.000097",
    )
    assert (big["symbol"], big["holder"], big["recent_listing_time"]) == ("TOK ", 100, None)
    assert big["price_change_24h_percent"] == "26301.000000000001"
    assert (big["observed_at"].timestamp(), big["data_source"]) == (AS_OF, "replay")
    assert [rows[mint]["brand_new_field"] for mint in TOKENS] == [None, "1.250", None]


def test_columns_without_data_exist(loaded: Lake) -> None:
    for table in TABLES:
        found = {field.name for field in DeltaTable(str(loaded.root / "bronze" / table.name)).schema().fields}
        assert {column.name for column in table.columns} | {"_dlt_id", "_dlt_load_id"} <= found, table.name


def test_holders_land_as_served(loaded: Lake) -> None:
    rows = loaded.rows("whale_holders")
    assert Counter(row["token_address"] for row in rows) == {TOKENS[0]: 130, TOKENS[1]: 1}
    assert {row["amount"] for row in rows if row["token_address"] == TOKENS[0]} == {str(10**18 - n) for n in range(130)}
    assert [row["list_position"] for row in rows if row["token_address"] == TOKENS[0]] == list(range(130))
    assert [row["amount"] for row in rows if row["token_address"] == TOKENS[1]] == ["99999999999999999999"]


def test_swaps_land_as_served(loaded: Lake, api: str) -> None:
    rows = loaded.rows("transaction_history")
    assert Counter(row["wallet_address"] for row in rows) == dict(zip(WALLETS[1:5], (1, 30, 130, 43), strict=True))
    assert Counter(row["item"] for row in rows) == Counter(
        render(parse(row)) for row in rows_of_the_market() if '"tx_hash"' in row
    )
    fills = [row for row in rows if row["tx_hash"] == "fills"]
    assert [row["quote__amount"] for row in fills] == ["499899173.99999994"] * 3
    assert sorted(row["occurrence"] for row in fills) == [1, 2, 3]
    assert {row["signers"] for row in fills} == {f'["{WALLETS[4]}"]'}


def test_every_item_leaves_a_line_in_the_log(loaded: Lake) -> None:
    log = {(row["kind"], row["item"]): row for row in loaded.rows("fetch_log")}
    assert len(log) == 10
    long = log["swaps", WALLETS[3]]
    assert (long["outcome"], long["rows"], long["pages"], long["cu"]) == ("complete", 130, 2, 20)
    assert (long["newest_time"], long["oldest_time"], long["reached_oldest"]) == (AS_OF, AS_OF - 60 * 129, True)
    empty = log["swaps", WALLETS[5]]
    assert (empty["outcome"], empty["rows"], empty["newest_time"], empty["reached_oldest"]) == (
        "complete",
        0,
        None,
        True,
    )
    assert log["holders", TOKENS[2]]["rows"] == 0
    assert {row["origin"] for row in log.values()} == {"filter", "given"}
    fetches = {row["fetch_id"] for row in loaded.rows("transaction_history")}
    assert fetches <= {row["fetch_id"] for row in log.values()}


def test_rows_and_their_log_line_share_a_load(loaded: Lake) -> None:
    loads = {row["fetch_id"]: row["_dlt_load_id"] for row in loaded.rows("fetch_log")}
    for table in ("transaction_history", "whale_holders", "token_metrics"):
        assert all(loads[row["fetch_id"]] == row["_dlt_load_id"] for row in loaded.rows(table))


def test_filters_and_limit_go_to_the_api(api: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "filtered")
    lake.load("tokens", api, limit=1)
    assert [row["address"] for row in lake.rows("token_metrics")] == [TOKENS[0]]
    query = requests.get(f"{api}/sandbox/requests", timeout=10).json()[-1]["query"]
    assert query == {
        "sort_by": "liquidity",
        "sort_type": "desc",
        "min_liquidity": "1000000",
        "max_liquidity": "3000000",
        "min_volume_1h_usd": "100000",
        "min_price_change_2h_percent": "0",
        "min_price_change_24h_percent": "30",
        "offset": "0",
        "limit": "1",
    }


@pytest.mark.parametrize(
    ("items", "field"),
    [
        pytest.param([token(TOKENS[n], holder='"many"') for n in range(3)], "holder", id="type-flip"),
        pytest.param([token(TOKENS[0], name="7")], "name", id="number-for-text"),
    ],
)
def test_a_token_list_with_another_type_lands_no_token(items: list[str], field: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "flipped")
    with serving(sandbox_app(recorded(tmp_path / "rows", *items))) as url:
        report = lake.load("tokens", url, **NO_FILTERS)
    assert lake.rows("token_metrics") == []
    assert [row["outcome"] for row in lake.rows("fetch_log")] == ["failed"]
    with pytest.raises(SmartTraderError, match=f"tokens of token_list, row .*field {field}"):
        report.raise_if_failed()


def test_one_odd_token_stops_no_other(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [token(TOKENS[0]), token(TOKENS[1], "1.5e6", holder='"many"'), token(TOKENS[2], "9")]
    with serving(sandbox_app(recorded(tmp_path / "rows", *rows))) as url:
        report = lake.load("tokens", url, **NO_FILTERS)
        report.raise_if_failed()
    assert [row["address"] for row in lake.rows("token_metrics")] == [TOKENS[0], TOKENS[2]]
    (line,) = lake.rows("fetch_log")
    assert (line["outcome"], line["rows"]) == ("complete", 2)
    assert f"1 set apart: tokens of token_list, row 1 (address '{TOKENS[1]}'): field holder" in line["error"]
    assert f"2 rows landed, 1 set apart (tokens of token_list, row 1 (address '{TOKENS[1]}')" in str(report)


def test_an_integer_with_a_point_lands(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    row = swap(WALLETS[0], 0, "t", "2.0", block_unix_time=f"{AS_OF - 60}.0")
    with serving(sandbox_app(recorded(tmp_path / "rows", row))) as url:
        assert lake.load("transactions", url, WALLETS[0]).outcomes == {"complete": 1}
        assert lake.load("transactions", url, WALLETS[0]).outcomes == {"complete": 1}
    assert {(row["block_unix_time"], row["ins_index"]) for row in lake.rows("transaction_history")} == {(AS_OF - 60, 2)}


def test_columns_that_names_make_up_are_capped_over_all_loads(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for number, wallet in enumerate(WALLETS[:2]):
        row = swap(wallet, AS_OF, "t", **{f"extra_{number}_{n}": "1" for n in range(MOST_NEW_COLUMNS - 20)})
        with serving(sandbox_app(recorded(tmp_path / f"rows{number}", row))) as url:
            assert lake.load("transactions", url, wallet).outcomes == {"complete": 1}
    rows = lake.rows("transaction_history")
    assert len([name for name in rows[0] if name.startswith("extra_")]) == MOST_NEW_COLUMNS
    assert all(row["item"].count('"extra_') == MOST_NEW_COLUMNS - 20 for row in rows)


def test_one_bad_wallet_does_not_stop_the_others(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [swap(wallet, AS_OF, wallet) for wallet in WALLETS[:3]]
    rows[1] = swap(WALLETS[1], AS_OF, "bad", base=leg("to", decimals='"six"'))
    with serving(sandbox_app(recorded(tmp_path / "rows", *rows))) as url:
        report = lake.load("transactions", url, ",".join(WALLETS[:3]))
    assert report.outcomes == {"complete": 2, "failed": 1}
    assert sorted(row["wallet_address"] for row in lake.rows("transaction_history")) == sorted([WALLETS[0], WALLETS[2]])
    with pytest.raises(SmartTraderError, match=r"1 of 3 items of transactions failed:\n  " + WALLETS[1]):
        report.raise_if_failed()


@pytest.mark.parametrize("fault", ["cu_exhausted", "unauthorized", "forbidden"])
def test_the_apis_end_of_the_run_keeps_what_landed(fault: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [swap(wallet, AS_OF, wallet) for wallet in WALLETS]
    with serving(sandbox_app(recorded(tmp_path / "rows", *rows))) as url:
        requests.post(f"{url}/sandbox/faults", json=[{"fault": fault, "times": None, "after": 3}], timeout=10)
        report = lake.load("transactions", url, ",".join(WALLETS))
        sent = len(requests.get(f"{url}/sandbox/requests", timeout=10).json())
        requests.delete(f"{url}/sandbox/faults", timeout=10)
        assert len(lake.rows("transaction_history")) == 3
        again = lake.load("transactions", url, ",".join(WALLETS))
    with pytest.raises(TerminalApiError):
        report.raise_if_failed()
    assert sent <= 6
    assert again.outcomes == {"complete": 6}
    assert {row["tx_hash"] for row in lake.rows("transaction_history")} == set(WALLETS)


def test_the_budget_ends_the_run_cleanly_and_the_next_goes_on(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [swap(WALLETS[0], AS_OF - n, f"t{n}") for n in range(250)]
    with serving(sandbox_app(recorded(tmp_path / "rows", *rows))) as url:
        report = lake.load("transactions", url, WALLETS[0], cu_budget=20)
        report.raise_if_failed()
        assert (report.cu, report.outcomes) == (20, {"partial": 1})
        assert "budget of 20 compute units" in str(report.stop)
        # the given wallet goes on where the log says it stopped
        lake.load("transactions", url, WALLETS[0])
        log = requests.get(f"{url}/sandbox/requests", timeout=10).json()
    assert int(log[2]["query"]["before_time"]) < AS_OF - 150
    assert len({row["tx_hash"] for row in lake.rows("transaction_history")}) == 250


def test_a_lake_of_another_source_is_refused(loaded: Lake, api: str) -> None:
    before = loaded.version("fetch_log")
    with pytest.raises(SettingsError, match="holds replay data, this run would land birdeye data"):
        loaded.load("tokens", Api(api, "k", "birdeye"))
    assert loaded.version("fetch_log") == before


def test_time_does_not_move_back(loaded: Lake, api: str) -> None:
    with pytest.raises(SettingsError, match="before the lake's newest"):
        loaded.load("tokens", api, as_of=AS_OF - 1)


def test_tables_are_made_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    bronze = Bronze(lake.paths)
    bronze.prepare()
    assert {table.name: lake.rows(table.name) for table in TABLES} == {table.name: [] for table in TABLES}
    versions = [lake.version(table.name) for table in TABLES]
    assert bronze.prepare() is False
    assert [lake.version(table.name) for table in TABLES] == versions


def test_what_dlt_tries_again_is_not_shown(tmp_path: Path) -> None:
    # at its own level it writes a traceback for a write that it then repeats with success
    Bronze(Lake(tmp_path / "lake").paths).prepare()
    assert logging.getLogger("dlt").level == logging.CRITICAL


def test_what_a_kill_left_in_dlts_folder_is_cleared_away(api: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.load("transactions", api, WALLETS[1])
    normalize = lake.paths.dlt_home / "bronze" / "normalize"
    (load_id,) = {row["_dlt_load_id"] for row in lake.rows("transaction_history")}
    # the deletion of a package that is normalized, and an extraction that came to no end
    (normalize / "extracted" / load_id / "started_jobs").mkdir(parents=True)
    (normalize / "4fd2a9" / "1790000000.1" / "new_jobs").mkdir(parents=True)
    assert lake.load("transactions", api, WALLETS[2]).outcomes == {"complete": 1}
    assert [path.name for path in normalize.iterdir() if path.is_dir()] == ["extracted"]
    assert len(lake.rows("transaction_history")) == 31


def test_a_damaged_lake_is_refused_by_table(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    Bronze(lake.paths).prepare()
    log = lake.root / "bronze" / FETCH_LOG.name
    log.rename(log.with_suffix(".away"))
    log.write_text("in the way")
    rows: Any = [swap(WALLETS[0], AS_OF, "t")]
    with (
        serving(sandbox_app(recorded(tmp_path / "rows", *rows))) as url,
        pytest.raises(SmartTraderError, match=r"cannot read the table .*fetch_log"),
    ):
        lake.load("transactions", url, WALLETS[0])
