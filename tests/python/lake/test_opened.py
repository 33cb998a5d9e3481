"""A lake that is open for reading: what it shows, at which versions, and that nothing is written or read beyond it."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import polars
import pytest
from deltalake import DeltaTable

import smart_trader.lake
from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.identity import LAKE_VERSION, LakeIdentity, write_identity
from smart_trader.lake.opened import OpenLake
from smart_trader.lakehouse.server import free_port
from smart_trader.sandbox.running import serving
from tests.python.support.engine import PROJECT
from tests.python.support.object_store import object_store
from tests.python.support.small_lake import AT, HOSTILE, ROWS, append, files_of, make_small_lake


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakePaths:
    for name in ("DBT_TARGET", "LAKEHOUSE_URI"):
        monkeypatch.delenv(name, raising=False)
    return make_small_lake(tmp_path / "a lake")


@pytest.fixture
def lake(paths: LakePaths) -> OpenLake:
    return smart_trader.lake.open(paths.home)


# --- what it shows


def test_tables_and_views_are_listed(lake: OpenLake) -> None:
    assert [(str(table), table.is_view) for table in lake.tables()] == [
        ("gold.counts", True),
        ("gold.earners", True),
        ("gold.leaderboard", False),
        ("silver.positions", False),
    ]
    assert lake.is_made_up


def test_money_is_decimal_and_times_are_utc(lake: OpenLake) -> None:
    want = [("a", "plain", Decimal("12.500001"), AT), ("b", HOSTILE, Decimal("-0.000001"), None)]
    assert lake.sql("from gold.leaderboard order by all").fetchall() == want
    arrow = lake.arrow("gold.leaderboard")
    assert [str(field.type) for field in arrow.schema][2:] == ["decimal128(38, 6)", "timestamp[us, tz=UTC]"]
    assert lake.polars("gold.leaderboard").schema["total_pnl"] == polars.Decimal(38, 6)
    assert lake.polars("gold.leaderboard").schema["seen_at"] == polars.Datetime("us", "UTC")
    frame = lake.pandas("gold.leaderboard")
    assert str(frame.dtypes["total_pnl"]) == "decimal128(38, 6)[pyarrow]"
    assert frame["total_pnl"].sum() == Decimal("12.500000")


def test_a_view_of_spark_reads_as_on_spark(lake: OpenLake) -> None:
    assert lake.sql("from gold.earners").fetchall() == [("a", Decimal("12.500001"))]
    assert lake.sql("select n, earners from gold.counts").fetchall() == [(2, 1)]


def test_a_name_is_taken_in_any_case_and_a_parameter_by_its_value(lake: OpenLake) -> None:
    query = "select wallet_address from Gold.LEADERBOARD where name = $name"
    assert lake.sql(query, {"name": HOSTILE}).fetchall() == [("b",)]
    assert lake.polars(query, {"name": "plain"})["wallet_address"].to_list() == ["a"]


def test_a_target_with_a_prefix_shows_its_own_schemas(paths: LakePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    make_small_lake(paths.home, "replay", "mine_")
    append(paths.table("mine_gold", "leaderboard"), ROWS)
    monkeypatch.setenv("DBT_TARGET", "ci")
    monkeypatch.setenv("SMART_TRADER_SCHEMA", "mine")
    with smart_trader.lake.open(paths.home) as lake:
        assert not lake.is_made_up
        assert {table.schema for table in lake.tables()} == {"gold", "silver"}
        assert lake.sql("select n from gold.counts").fetchall() == [(4,)]


# --- at which version


def test_an_overwritten_table_has_its_newest_rows_alone(lake: OpenLake, paths: LakePaths) -> None:
    append(paths.table("gold", "leaderboard"), ROWS[:1], mode="overwrite")
    assert len(list((paths.home / "gold" / "leaderboard").glob("*.parquet"))) == 2
    assert lake.sql("select count(*) from gold.leaderboard").fetchall() == [(1,)]


def test_a_relation_keeps_its_version_and_the_next_query_has_the_newest(lake: OpenLake, paths: LakePaths) -> None:
    relation = lake.sql("select count(*) from gold.leaderboard")
    append(paths.table("gold", "leaderboard"), ROWS)
    assert relation.fetchall() == [(2,)]
    assert lake.sql("select count(*) from gold.leaderboard").fetchall() == [(4,)]


def test_a_query_sees_one_version_of_a_table_while_another_process_commits(lake: OpenLake, paths: LakePaths) -> None:
    location = paths.table("gold", "leaderboard")
    script = (
        "import sys; from tests.python.support.small_lake import ROWS, append\n"
        "for _ in range(25): append(sys.argv[1], ROWS)"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, location], cwd=PROJECT)
    seen = []
    while writer.poll() is None:
        # the table itself, and through a view
        query = "select (select count(*) from gold.leaderboard), (select n from gold.counts)"
        seen += lake.sql(query).fetchall()
    assert writer.returncode == 0
    assert all(table == view for table, view in seen), seen
    assert len(set(seen)) > 1
    assert lake.sql("select count(*) from gold.leaderboard").fetchall() == [(52,)]


# --- that nothing is written, and nothing else read


@pytest.mark.parametrize(
    "statement",
    [
        "insert into gold.leaderboard values ('c', 'c', 1, null)",
        "create table gold.mine as select 1",
        "create or replace view gold.leaderboard as select 1",
        "delete from gold.leaderboard",
        "drop view gold.leaderboard",
        "copy gold.leaderboard to '{file}' (use_tmp_file false)",
        "copy (select 1) to '{home}/gold/leaderboard/new.parquet'",
        "explain analyze copy (select 1) to '{file}' (use_tmp_file false)",
        "with x as (select 1) insert into gold.leaderboard select * from x",
        "select 1; delete from gold.leaderboard",
        "attach '{home}/new.duckdb'",
        "export database '{home}'",
        "set enable_external_access = true",
        "pragma database_list",
        "call enable_logging(storage='file', storage_path='{home}/log')",
        "install httpfs",
        "select * from enable_logging(storage='file', storage_path='{home}/log')",
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('{home}/_views.json')",
        "select * from glob('/*')",
        "select * from read_parquet('http://127.0.0.1:1/x.parquet')",
        "from '/etc/passwd'",
        'from gold."../../other/gold/leaderboard"',
        'from "..".leaderboard',
        'from text."/etc/passwd"',
    ],
)
def test_a_statement_that_writes_or_reads_elsewhere_is_refused(
    lake: OpenLake, paths: LakePaths, statement: str
) -> None:
    make_small_lake(paths.home.parent / "other")
    before = files_of(paths.home)
    file = next(path for path in before if path.startswith("gold/leaderboard/") and path.endswith(".parquet"))
    text = statement.format(home=paths.home, file=paths.home / file)
    with pytest.raises(SmartTraderError):
        lake.arrow(text)
    assert files_of(paths.home) == before


def test_a_relation_writes_into_no_file(lake: OpenLake, paths: LakePaths, tmp_path: Path) -> None:
    before = files_of(paths.home)
    relation = lake.sql("from gold.leaderboard")
    file = next(path for path in before if path.startswith("gold/leaderboard/") and path.endswith(".parquet"))
    for place in (paths.home / file, paths.home / "gold" / "new.parquet", tmp_path / "elsewhere.parquet"):
        with pytest.raises(Exception, match="disabled by configuration"):
            relation.write_parquet(str(place))
    assert files_of(paths.home) == before
    # DuckDB has an attribute for each column, and a variable of ours is no table
    with pytest.raises(SmartTraderError, match="before does not exist"):
        lake.sql("from before")


def test_reading_leaves_no_trace_in_the_lake(lake: OpenLake, paths: LakePaths) -> None:
    before = files_of(paths.home)
    for table in lake.tables():
        lake.arrow(str(table))
    lake.close()
    assert files_of(paths.home) == before


# --- what is wrong


def test_an_error_shows_its_line_and_place(lake: OpenLake) -> None:
    with pytest.raises(SmartTraderError) as wrong:
        lake.sql("select wallet_address,\n  nonsense\nfrom gold.leaderboard")
    assert "LINE 2:   nonsense\n          ^" in str(wrong.value)
    with pytest.raises(SmartTraderError, match=r"LINE 1: selec 1\n +\^"):
        lake.sql("selec 1")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("from gold.leaderbord", r"no table gold\.leaderbord\n  fix: did you mean gold\.leaderboard\?", id="near"),
        pytest.param("from gold.zzz", r"no table gold\.zzz\n  fix: list what it has", id="far"),
        pytest.param("from leaderboard", r"fix: name the schema: gold\.leaderboard$", id="no-schema"),
        pytest.param("from leaderbord", r"fix: did you mean gold\.leaderboard\?$", id="no-schema-near"),
        pytest.param("from zzz", r"fix: list what it has", id="no-schema-far"),
        pytest.param("show tables", r"list tables with \.tables", id="show"),
        pytest.param("from information_schema.tables", r"list tables with \.tables", id="catalog"),
        pytest.param("from duckdb_views()", r"list tables with \.tables", id="function"),
        pytest.param("select 1; select 2", "there must be one query", id="two"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_told_what_is_right(lake: OpenLake, query: str, message: str) -> None:
    with pytest.raises(SmartTraderError, match=message):
        lake.sql(query)


@pytest.mark.parametrize("name", ["leaderboard", "leaderbord", "zzz"])
def test_duckdb_suggests_no_table_of_its_own(lake: OpenLake, name: str) -> None:
    with pytest.raises(SmartTraderError) as wrong:
        lake.sql(f"select 1\nfrom {name}")
    what = (
        f"Catalog Error: Table with name {name} does not exist!\n\nLINE 2: from {name}\n             {'^' * len(name)}"
    )
    assert wrong.value.what == what
    # of functions it knows all
    with pytest.raises(SmartTraderError, match='Did you mean "length"'):
        lake.sql("select lenght(name) from gold.leaderboard")


def test_a_broken_table_is_named_and_the_others_are_read(lake: OpenLake, paths: LakePaths) -> None:
    data = next((paths.home / "gold" / "leaderboard").glob("*.parquet"))
    data.write_bytes(b"no parquet")
    with pytest.raises(
        SmartTraderError, match=r"cannot read the table .*/gold/leaderboard: .*\n  fix: run: smart-trader repair"
    ):
        lake.sql("from gold.leaderboard")
    data.unlink()
    with pytest.raises(SmartTraderError, match=r"cannot read the table .*/gold/leaderboard"):
        lake.sql("from gold.earners")
    (paths.home / "silver" / "positions" / "_delta_log" / f"{1:020}.json").write_text("{no json")
    with pytest.raises(SmartTraderError, match=r"cannot read the table .*/silver/positions"):
        lake.sql("from silver.positions")


def test_a_view_of_a_table_that_is_gone_names_it(lake: OpenLake, paths: LakePaths) -> None:
    for file in (paths.home / "gold" / "leaderboard" / "_delta_log").iterdir():
        file.unlink()
    with pytest.raises(SmartTraderError, match=r"reads gold\.leaderboard, which this lake does not have"):
        lake.sql("from gold.earners")


def test_a_lake_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    place = tmp_path / "no lake"
    with pytest.raises(SmartTraderError, match="there is no lake") as refused:
        smart_trader.lake.open(place)
    assert not place.exists()
    assert refused.value.fix == (
        f"correct the path {place} (or DBT_TARGET) if it lies elsewhere; or make one there: "
        f"LAKEHOUSE_HOME='{place}' smart-trader run --demo"
    )


@pytest.mark.parametrize("path", ["a lake", Path("a lake"), "../{}/a lake"], ids=str)
def test_a_path_is_of_the_folder_that_the_process_is_in(
    paths: LakePaths, monkeypatch: pytest.MonkeyPatch, path: str | Path
) -> None:
    monkeypatch.chdir(paths.home.parent)
    path = path.format(paths.home.parent.name) if isinstance(path, str) else path
    with smart_trader.lake.open(path) as lake:
        assert len(lake.tables()) == 4


@pytest.mark.parametrize("below", ["", "/lake"], ids=["file", "below-a-file"])
def test_a_file_that_is_opened_is_named_without_a_setting(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SmartTraderError) as refused:
        smart_trader.lake.open(f"{tmp_path}/file{below}")
    assert refused.value.what == f"'{tmp_path}/file{below}' cannot be used: {tmp_path}/file is a file, not a folder"
    assert "LAKEHOUSE" not in refused.value.fix


def test_a_newer_lake_that_is_opened_is_no_matter_of_settings(lake: OpenLake, paths: LakePaths) -> None:
    write_identity(paths, LakeIdentity.new(lake_version=LAKE_VERSION + 1))
    with pytest.raises(SmartTraderError, match="of version") as refused:
        smart_trader.lake.open(paths.home)
    assert refused.value.fix == "update the project, or open another lake"


# --- on S3


def test_a_lake_on_s3_is_read_alike_and_not_written(
    paths: LakePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = {f"bucket/some lake/{name}": content for name, content in files_of(paths.home).items()}
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTANDIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never/shown+secret")  # pragma: allowlist secret
    monkeypatch.setenv("LAKEHOUSE_URI", "s3://bucket/some lake")
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    before = dict(objects)
    with serving(object_store(objects)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with smart_trader.lake.open() as lake:
            assert len(lake.tables()) == 4
            assert lake.sql("select sum(total_pnl) from gold.leaderboard").fetchall() == [(Decimal("12.500000"),)]
            assert lake.sql("select n from gold.counts").fetchall() == [(2,)]
            fetched = {path.parent.name for path in (tmp_path / "home").rglob("*.parquet")}
            assert fetched == {"leaderboard"}, "only what a query names is fetched"
            with pytest.raises(SmartTraderError):
                lake.sql("copy gold.leaderboard to 's3://bucket/some lake/gold/new.parquet'")
    assert objects == before
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SmartTraderError, match="cannot be reached"):
        smart_trader.lake.open()


def test_versions_are_those_of_the_delta_log(lake: OpenLake, paths: LakePaths) -> None:
    location = paths.table("silver", "positions")
    DeltaTable(location).delete("wallet_address = 'a'")
    assert lake.sql("select wallet_address from silver.positions").fetchall() == [("b",)]
