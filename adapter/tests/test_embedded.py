"""The embedded engine on real Delta tables: commits, versions, views, refusals and the choice of the engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dbt.adapters.sparkconnect.credentials import ConnectionMethod, SparkConnectCredentials
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.python_model import Session
from dbt.adapters.sparkconnect.embedded.session import EmbeddedSession
from dbt.adapters.sparkconnect.embedded.transpile import transpiled
from dbt.adapters.sparkconnect.embedded.views import VIEWS_FILE
from dbt_common.exceptions import DbtConfigError, DbtDatabaseError
from deltalake import DeltaTable, write_deltalake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake with space"), "600MB", 2)


@pytest.fixture
def session(lake: Lake) -> Iterator[EmbeddedSession]:
    made = EmbeddedSession(lake)
    made.execute("create schema if not exists silver")
    yield made
    made.close()


def rows(session: EmbeddedSession, sql: str) -> list[tuple[Any, ...]]:
    session.execute(sql)
    return session.fetchall()


def version(lake: Lake, name: str) -> int:
    return DeltaTable(lake.storage.folder("silver", name)).version()


def make_trades(session: EmbeddedSession) -> None:
    session.execute(
        "create or replace table silver.trades using delta as select * from values (1, 'a', 1.5d), (2, 'b', null) as t(id, name, usd)"
    )


MERGE = (
    "merge into silver.trades as t using (select * from values {rows} as v(id, name, usd)) as s on t.id = s.id "
    "when matched then update set * when not matched then insert *"
)


@pytest.mark.parametrize(
    ("new", "operation"),
    [
        pytest.param("(1, 'a', 1.5d), (2, 'b', null)", None, id="nothing-changed"),
        pytest.param("(3, 'c', 1d)", "WRITE", id="no-known-key-is-appended"),
        pytest.param("(1, 'a', 1.5d), (2, 'B', null), (3, 'c', 1d)", "MERGE", id="a-change-is-merged"),
    ],
)
def test_a_merge_is_one_commit_or_none(lake: Lake, session: EmbeddedSession, new: str, operation: str | None) -> None:
    make_trades(session)
    session.execute(MERGE.format(rows=new))
    history = DeltaTable(lake.storage.folder("silver", "trades")).history()
    assert len(history) == (1 if operation is None else 2)
    if operation:
        assert history[0]["operation"] == operation
    expected = {1: ("a", 1.5), 2: ("b", None)} | {
        int(key): (name.strip("' "), None if usd.strip() == "null" else float(usd.strip("d ")))
        for key, name, usd in (part.strip("( )").split(",") for part in new.split("), ("))
    }
    assert {row[0]: row[1:] for row in rows(session, "select * from silver.trades")} == expected


@pytest.mark.parametrize(("name", "commits"), [("nobody", 0), ("a", 1)])
def test_a_delete_is_one_commit_or_none(lake: Lake, session: EmbeddedSession, name: str, commits: int) -> None:
    make_trades(session)
    before = version(lake, "trades")
    session.execute(f"delete from silver.trades where name = '{name}'")
    assert version(lake, "trades") - before == commits
    assert len(rows(session, "select * from silver.trades")) == 2 - commits


@pytest.mark.parametrize(
    ("read", "is_copied"),
    [
        pytest.param("select * from silver.trades", False, id="a-table-as-it-is"),
        pytest.param("select * from silver.named", True, id="a-view"),
        pytest.param("select * from silver.trades where id > 0", True, id="some-of-a-table"),
    ],
)
def test_a_table_that_is_read_twice_is_not_copied(
    lake: Lake, session: EmbeddedSession, read: str, is_copied: bool
) -> None:
    make_trades(session)
    session.execute("create or replace view silver.named as select * from silver.trades where name is not null")
    query = f"with t as ({read}) select a.id, b.name from t as a inner join t as b on a.id = b.id order by a.id"
    assert ("NOT MATERIALIZED" not in lake.resolved(query, {})) == is_copied
    assert rows(session, query) == [(1, "a"), (2, "b")]


def test_columns_of_a_temporary_view_are_those_of_its_newest_text(session: EmbeddedSession) -> None:
    make_trades(session)
    session.execute("create or replace temporary view few as select * from silver.trades")
    assert [row[0] for row in rows(session, "describe extended few")] == ["id", "name", "usd"]
    session.execute("alter table silver.trades add columns (note string)")
    assert [row[0] for row in rows(session, "describe extended few")] == ["id", "name", "usd", "note"]
    session.execute("create or replace temporary view few as select id from silver.trades")
    assert [row[0] for row in rows(session, "describe extended few")] == ["id"]


def test_row_groups_are_small(lake: Lake, session: EmbeddedSession) -> None:
    session.execute("create or replace table silver.many using delta as select id from range(0, 300000)")
    files = lake.storage.data_files("silver", "many", lake.delta("silver", "many").file_uris())
    groups = [pq.ParquetFile(file).metadata for file in files]
    largest = max(one.row_group(at).num_rows for one in groups for at in range(one.num_row_groups))
    assert largest <= 131_072
    assert rows(session, "select count(*) from silver.many") == [(300_000,)]


def test_two_rows_for_one_are_refused_as_on_spark(session: EmbeddedSession) -> None:
    make_trades(session)
    with pytest.raises(DbtDatabaseError, match="DELTA_MULTIPLE_SOURCE_ROW"):
        session.execute(MERGE.format(rows="(1, 'x', 1d), (1, 'y', 2d)"))


def test_a_merge_with_conditions_updates_deletes_and_inserts_in_one_commit(
    lake: Lake, session: EmbeddedSession
) -> None:
    make_trades(session)
    session.execute(
        "merge into silver.trades t using (select * from values (1, 'x'), (2, 'gone'), (4, 'new') as v(id, name)) s on t.id = s.id "
        "when matched and s.name = 'gone' then delete when matched then update set name = s.name "
        "when not matched then insert (id, name) values (s.id, s.name)"
    )
    assert sorted(rows(session, "select id, name, usd from silver.trades")) == [(1, "x", 1.5), (4, "new", None)]
    assert version(lake, "trades") == 1


def test_types_and_columns_are_those_of_spark(lake: Lake, session: EmbeddedSession) -> None:
    session.execute(
        "create table silver.typed using delta as select 1 as i, 1L as l, 1.5d as d, 'x' as s, true as b, date '2026-01-01' as day, "
        "timestamp '2026-01-01 10:00:00' as at, cast('1.1' as decimal(38, 6)) as money, sum(1) as total, "
        "row_number() over (order by 1) as n, array(1) as list, struct(1 as a) as part"
    )
    described = [(name, kind) for name, kind, _ in rows(session, "describe silver.typed")]
    assert described == [
        ("i", "int"), ("l", "bigint"), ("d", "double"), ("s", "string"), ("b", "boolean"), ("day", "date"), ("at", "timestamp"),
        ("money", "decimal(38,6)"), ("total", "bigint"), ("n", "int"), ("list", "array<int>"), ("part", "struct<a:int>"),
    ]  # fmt: skip
    delta = DeltaTable(lake.storage.folder("silver", "typed"))
    assert all(field.nullable for field in delta.schema().fields)
    assert delta.protocol().min_reader_version == 1


def test_descriptions_are_one_commit_and_stay_when_rows_are_replaced(lake: Lake, session: EmbeddedSession) -> None:
    make_trades(session)
    comments = {"id": "The key", "name": "It's a name"}
    session.statements.comment_columns("silver", "trades", comments)
    session.statements.comment_columns("silver", "trades", comments)
    assert version(lake, "trades") == 1
    make_trades(session)
    session.statements.comment_columns("silver", "trades", comments)
    assert version(lake, "trades") == 2
    assert [row[2] for row in rows(session, "describe silver.trades")] == ["The key", "It's a name", None]


def test_a_statement_reads_the_newest_version_of_another_writer(lake: Lake, session: EmbeddedSession) -> None:
    make_trades(session)
    assert rows(session, "select count(*) from silver.trades") == [(2,)]
    write_deltalake(
        lake.storage.folder("silver", "trades"),
        pa.table({"id": pa.array([9], pa.int32()), "name": ["z"], "usd": [0.5]}),
        mode="append",
    )
    assert rows(session, "select count(*) from silver.trades") == [(3,)]


def test_a_column_that_came_later_is_null_before(session: EmbeddedSession) -> None:
    make_trades(session)
    session.execute("alter table silver.trades add columns (`note` string)")
    assert rows(session, "select max(note), count(*) from silver.trades") == [(None, 2)]
    session.execute("insert into silver.trades select 3, 'c', 1d, 'new'")
    assert sorted(rows(session, "select id, note from silver.trades")) == [(1, None), (2, None), (3, "new")]


def test_inserts_are_by_position(session: EmbeddedSession) -> None:
    make_trades(session)
    session.execute("insert into silver.trades (name, id) values ('x', 7)")
    assert (7, "x", None) in rows(session, "select * from silver.trades")
    with pytest.raises(DbtDatabaseError, match="INSERT_COLUMN_ARITY_MISMATCH"):
        session.execute("insert into silver.trades select 1")


def test_an_overwrite_is_one_commit_and_may_read_its_own_table(lake: Lake, session: EmbeddedSession) -> None:
    make_trades(session)
    comments = {"id": "The key"}
    session.statements.comment_columns("silver", "trades", comments)
    before = version(lake, "trades")
    session.execute(
        "create or replace temporary view newer as select 9 as id, name, usd from silver.trades where id = 1"
    )
    session.execute("insert overwrite table silver.trades select * from newer union all select * from silver.trades")
    assert sorted(row[0] for row in rows(session, "select * from silver.trades")) == [1, 2, 9]
    assert version(lake, "trades") == before + 1
    assert rows(session, "describe silver.trades")[0][2] == "The key"
    with pytest.raises(DbtDatabaseError, match="INSERT_COLUMN_ARITY_MISMATCH"):
        session.execute("insert overwrite table silver.trades select 1")


def test_an_overwrite_of_partitions_is_refused(session: EmbeddedSession) -> None:
    session.execute("create table silver.parts using delta partitioned by (day) as select 1 as id, 'a' as day")
    with pytest.raises(DbtDatabaseError, match="insert overwrite of a table with partitions"):
        session.execute("insert overwrite table silver.parts select 2, 'b'")


def test_views_are_kept_in_the_lake_and_seen_by_other_sessions(lake: Lake, session: EmbeddedSession) -> None:
    make_trades(session)
    session.execute("create or replace view silver.named comment 'It\\'s one' as select name from silver.trades")
    assert (
        json.loads((Path(lake.root) / VIEWS_FILE).read_text())["silver.named"]["sql"]
        == "select name from silver.trades"
    )
    other = EmbeddedSession(Lake(lake.root, "600MB", 1))
    assert sorted(rows(other, "select * from silver.named")) == [("a",), ("b",)]
    session.execute("drop view if exists silver.named")
    with pytest.raises(DbtDatabaseError, match="dbt run --select named"):
        other.execute("select * from silver.named")


def test_a_temporary_view_is_of_its_session_alone(lake: Lake, session: EmbeddedSession) -> None:
    session.execute("create or replace temporary view t__dbt_tmp as select 1 as id")
    assert rows(session, "with t as (select * from t__dbt_tmp) select * from t") == [(1,)]
    with pytest.raises(DbtDatabaseError, match="cannot be found"):
        EmbeddedSession(lake).execute("select * from t__dbt_tmp")


@pytest.mark.parametrize(
    ("settings", "features", "named"),
    [
        pytest.param(
            {"delta.columnMapping.mode": "name"}, ["columnMapping"], "(?i)column ?mapping", id="column-mapping"
        ),
        pytest.param(
            {"delta.enableDeletionVectors": "true"}, ["deletionVectors"], "deletionVectors", id="deletion-vectors"
        ),
    ],
)
def test_tables_it_would_read_wrong_are_refused(
    lake: Lake, session: EmbeddedSession, settings: dict[str, str], features: list[str], named: str
) -> None:
    """A plain reader of the files would bring deleted rows back, or find no columns."""
    make_trades(session)
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    log = Path(lake.storage.folder("silver", "trades")) / "_delta_log"
    metadata = next(line for line in (log / f"{0:020}.json").read_text().splitlines() if '"metaData"' in line)
    changed = json.loads(metadata)
    changed["metaData"]["configuration"] = settings
    (log / f"{1:020}.json").write_text(json.dumps({"protocol": protocol}) + "\n" + json.dumps(changed) + "\n")
    with pytest.raises(DbtDatabaseError, match=named):
        session.execute("select * from silver.trades")


@pytest.mark.parametrize(
    ("action", "statement", "reason"),
    [
        pytest.param(
            {"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]}},
            "insert into silver.trades values (3, 'c', 1d)",
            "RowTracking",
            id="writer-feature",
        ),
        pytest.param({}, "delete from silver.trades where id = 1", "append-only", id="append-only"),
    ],
)
def test_a_table_that_takes_no_such_commit_is_not_called_written_by_another(
    lake: Lake, session: EmbeddedSession, action: dict[str, Any], statement: str, reason: str
) -> None:
    make_trades(session)
    if action:
        log = Path(lake.storage.folder("silver", "trades")) / "_delta_log"
        (log / f"{1:020}.json").write_text(json.dumps(action) + "\n")
    else:
        session.execute("alter table silver.trades set tblproperties ('delta.appendOnly' = 'true')")
    with pytest.raises(DbtDatabaseError, match=rf"cannot write silver\.trades: .*{reason}") as error:
        session.execute(statement)
    assert "CONCURRENT" not in str(error.value)
    assert rows(session, "select count(*) from silver.trades") == [(2,)]


PARTITIONS = ["a b", "a/b", "100%", "%20", "é", "a=b", "[x]*?", "{x}", "#", "a:b", "a\\b", "it's", None]


@pytest.mark.parametrize("is_linked", [False, True], ids=["folder", "link"])
def test_the_value_of_a_partition_may_hold_any_sign(tmp_path: Path, is_linked: bool) -> None:
    root = tmp_path / "lake with space"
    root.mkdir()
    if is_linked:
        (tmp_path / "a link").symlink_to(root)
        root = tmp_path / "a link"
    lake = Lake(str(root), "600MB", 1)
    session = EmbeddedSession(lake)
    session.execute(
        "create or replace table silver.parts using delta partitioned by (k) as select cast(null as string) as k, 0 as n"
    )
    listed = pa.table({"k": PARTITIONS, "n": pa.array(range(len(PARTITIONS)), pa.int32())})
    write_deltalake(lake.storage.folder("silver", "parts"), listed, mode="overwrite")
    assert rows(session, "select k from silver.parts order by n") == [(value,) for value in PARTITIONS]
    session.execute(
        "create or replace table silver.copies using delta partitioned by (k) as select * from silver.parts"
    )
    assert rows(session, "select k from silver.copies order by n") == [(value,) for value in PARTITIONS]
    assert DeltaTable(lake.storage.folder("silver", "copies")).to_pyarrow_table().num_rows == len(PARTITIONS)


def test_a_partition_of_a_time_or_of_an_empty_text_is_read_as_delta_does(session: EmbeddedSession) -> None:
    session.execute(
        "create or replace table silver.parts using delta partitioned by (at, k) as "
        "select timestamp '2026-01-31 09:00:00.5' as at, '' as k, 1 as n"
    )
    # as Thrift has it, without a zone
    at = datetime(2026, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC).replace(tzinfo=None)
    assert rows(session, "select at, k, n from silver.parts") == [(at, None, 1)]


def test_a_check_is_kept_by_later_writes(session: EmbeddedSession) -> None:
    make_trades(session)
    session.execute("alter table silver.trades add constraint positive check (id > 0)")
    with pytest.raises(DbtDatabaseError, match=r"CHECK constraint positive \(id > 0\)"):
        session.execute("insert into silver.trades select -1, 'x', 1d")
    assert rows(session, "select count(*) from silver.trades") == [(2,)]


def test_a_guarded_division_is_computed_for_the_guarded_rows_alone(session: EmbeddedSession) -> None:
    guarded = "if(b > 0, cast(bround(100d * a / b, 6) as decimal(38, 6)), null)"
    listed = "case when b > 0 then a / b in (1, 2, 3, 4, 5, 6) end"
    found = rows(session, f"select {guarded}, {listed} from values (1, 0), (1, 4) as t(a, b) order by b")
    assert [tuple(map(str, row)) for row in found] == [("None", "None"), ("25.000000", "False")]


@pytest.mark.parametrize("term", ["{0}", "abs({0})"])
def test_each_further_term_takes_as_long_as_the_one_before(session: EmbeddedSession, term: str) -> None:
    """Types are checked for each operator; a check that bound both sides again would take 3 ** 14 times as long."""
    expression = "usd"
    for operator in "+-*+-*+-*+-*+-":
        expression = f"{term.format(expression)} {operator} usd"
    begun = time.process_time()
    assert len(rows(session, f"select {expression} from values (1, 1.5d) as t(id, usd)")) == 1
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    "expression",
    [
        "cast(bround(100 * usd) as bigint) || '%'",
        "cast(id as int) || ' of ' || cast(2d as smallint)",
        "if(id > 1, 'many', 'one' || '!') || '?'",
        "cast(if(id > 1, 'a', 'b') as string)",
    ],
)
def test_a_text_of_known_type_is_bound_once(expression: str) -> None:
    """The macro of a cast to text mentions its argument once for each type that it may have."""
    assert "SPARK_STRING" not in transpiled(f"select {expression} from t").text


@pytest.mark.parametrize(
    "expression",
    [
        "usd + (narrow + wide)",
        "abs(narrow + wide) - usd",
        "usd + sum(usd * (wide * narrow)) over ()",
        "wide - usd + (id - narrow)",
    ],
)
def test_types_are_refused_in_the_midst_of_an_expression(session: EmbeddedSession, expression: str) -> None:
    values = "values (1, 1.5d, cast(1 as decimal(10, 2)), cast(1 as decimal(38, 6))) as t(id, usd, narrow, wide)"
    with pytest.raises(DbtDatabaseError, match=r"refuses `[-+*]` of \w*(DECIMAL\(\d+,\d\))?/DECIMAL"):
        rows(session, f"select {expression} from {values}")


def test_a_python_model_maps_a_stream_in_order(lake: Lake, session: EmbeddedSession) -> None:
    seen: list[int] = []

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            seen.append(batch.num_rows)
            yield pa.record_batch({"last": [batch["id"][-1].as_py()], "rows": [batch.num_rows]})

    model = Session(lake)
    numbers = model.sql("select id from range(0, 250000) sort by id desc")
    mapped = model.sql(
        "select sum(rows) as n, min(last) as last from {m}", m=numbers.mapInArrow(counted, "last bigint, rows bigint")
    )
    assert mapped.toArrow().to_pylist() == [{"n": 250_000, "last": 0}]
    assert len(seen) > 1
    with pytest.raises(Exception, match="refuses `groupBy` of a DataFrame"):
        numbers.groupBy("id")
    model.stop()


def test_a_long_query_is_transpiled_once_for_all_processes(lake: Lake, session: EmbeddedSession) -> None:
    make_trades(session)
    long = (
        "select "
        + ", ".join(f"id + {number} as c{number}" for number in range(300))
        + " from silver.trades where id = 1"
    )
    first = rows(session, long)
    (kept,) = (Path(lake.root) / ".tmp" / "queries").iterdir()
    other = EmbeddedSession(Lake(lake.root, "600MB", 2))
    kept.write_text(kept.read_text().replace("AS c0,", "AS renamed,"))
    other.execute(long)
    assert other.description[0][0] == "renamed"
    # a file that is not whole is made again
    kept.write_text("{")
    assert rows(EmbeddedSession(Lake(lake.root, "600MB", 2)), long) == first


def test_what_a_killed_process_left_is_swept(lake: Lake) -> None:
    scratch = Path(lake.root) / ".tmp"
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    for name in (f"duckdb-{done.pid}", f"duckdb-{os.getpid()}", "dropped-silver-trades"):
        (scratch / name).mkdir(exist_ok=True)
    Lake(lake.root, "600MB", 1)
    assert sorted(path.name for path in scratch.iterdir()) == [f"duckdb-{os.getpid()}", "queries"]


def credentials(tmp_path: Path, **settings: Any) -> SparkConnectCredentials:
    return SparkConnectCredentials(
        schema="s", lake=str(tmp_path), endpoint_file=str(tmp_path / "server.json"), **settings
    )  # type: ignore[call-arg]


def test_auto_takes_the_server_where_one_is_up(tmp_path: Path) -> None:
    assert credentials(tmp_path, method=ConnectionMethod.AUTO).is_embedded
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = {"thrift": {"host": "127.0.0.1", "port": server.getsockname()[1]}}
        (tmp_path / "server.json").write_text(json.dumps(place))
        assert not credentials(tmp_path, method=ConnectionMethod.AUTO).is_embedded
    # a server that is gone
    assert credentials(tmp_path, method=ConnectionMethod.AUTO).is_embedded


def test_threads_that_call_at_once_get_the_same_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)

    def look(_: SparkConnectCredentials) -> bool:
        time.sleep(0.05)
        return False

    def query(_: int) -> bool:
        together.wait()
        return auto.is_embedded

    monkeypatch.setattr(SparkConnectCredentials, "_has_a_server", look)
    auto = credentials(tmp_path, method=ConnectionMethod.AUTO)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(query, range(4))) == [True] * 4


def test_the_embedded_method_needs_a_lake() -> None:
    with pytest.raises(DbtConfigError, match="needs `lake`"):
        SparkConnectCredentials(schema="s", method=ConnectionMethod.EMBEDDED)  # type: ignore[call-arg]
