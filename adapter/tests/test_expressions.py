"""Every function that the embedded engine runs gives what Spark gives; all others it refuses, by name and line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from adapter_support import Engine
from dbt.adapters.sparkconnect.embedded import functions
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.session import EmbeddedSession, type_code
from dbt_common.exceptions import DbtDatabaseError

TABLE = Path(__file__).with_name("expressions.txt")
ROWS = (
    "(values (1, 1.5d, 'b', true), (2, null, 'a', false), (3, 2.5d, null, cast(null as boolean)), (null, -1d, 'c', true))"
    " as t(k, x, s, f)"
)
SOURCES = {"values": "", "aggregates": f" from {ROWS}", "windows": f" from {ROWS} order by k"}


def _sections() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            sections[line.strip("[]")] = current = []
        elif line and not line.startswith("#"):
            current.append(line.rpartition(" ;; ")[0])
    return sections


EXPRESSIONS = _sections()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSession]:
    session = EmbeddedSession(Lake(str(tmp_path_factory.mktemp("expressions")), "600MB", 2))
    yield session
    session.close()


def _plain(value: Any) -> Any:
    """Return a value so that equal ones are equal, NaN too."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return repr(value) if isinstance(value, (float, Decimal)) else str(value)


def _by_duckdb(session: EmbeddedSession, expression: str, source: str) -> tuple[str, list[Any]]:
    session.execute(f"select {expression} as it{source}")
    return session.description[0][1], [_plain(row[0]) for row in session.fetchall()]


def _by_spark(engine: Engine, section: str) -> list[tuple[str, list[Any]]]:
    """Run a section in one session, one statement."""
    from pyhive import hive

    listed = EXPRESSIONS[section]
    names = ", ".join(f"{expression} as c{at}" for at, expression in enumerate(listed))
    connection = hive.connect(host="localhost", port=engine.record.endpoints.thrift_port, username="test")
    try:
        cursor = connection.cursor()
        try:
            cursor.execute(f"select {names}{SOURCES[section]}")
        except hive.OperationalError:
            # one of them is no expression of Spark's: say which
            return [_alone(connection, expression, SOURCES[section]) for expression in listed]
        rows = cursor.fetchall()
        return [(cursor.description[at][1], [_plain(row[at]) for row in rows]) for at in range(len(listed))]
    finally:
        connection.close()


def _alone(connection: Any, expression: str, source: str) -> tuple[str, list[Any]]:
    from pyhive import hive

    cursor = connection.cursor()
    try:
        cursor.execute(f"select {expression} as it{source}")
    except hive.OperationalError as exc:
        return str(exc.args[0].status.errorMessage)[:200], []
    return cursor.description[0][1], [_plain(row[0]) for row in cursor.fetchall()]


@pytest.mark.parametrize("section", list(SOURCES))
def test_both_engines_give_the_same_values_of_the_same_types(
    engine: Engine, embedded: EmbeddedSession, section: str
) -> None:
    expected = _by_spark(engine, section)
    differ = {}
    for expression, theirs in zip(EXPRESSIONS[section], expected, strict=True):
        try:
            ours: Any = _by_duckdb(embedded, expression, SOURCES[section])
        except DbtDatabaseError as exc:
            ours = str(exc)
        if ours != theirs:
            differ[expression] = (theirs, ours)
    assert differ == {}


@pytest.mark.parametrize("expression", EXPRESSIONS["errors"])
def test_what_fails_on_spark_fails_here(embedded: EmbeddedSession, expression: str) -> None:
    with pytest.raises(DbtDatabaseError):
        _by_duckdb(embedded, expression, "")


def test_what_fails_here_fails_on_spark(engine: Engine) -> None:
    from pyhive import hive

    connection = hive.connect(host="localhost", port=engine.record.endpoints.thrift_port, username="test")
    passed = []
    for expression in EXPRESSIONS["errors"]:
        cursor = connection.cursor()
        try:
            cursor.execute(f"select {expression}")
            passed.append((expression, cursor.fetchall()))
        except hive.OperationalError:
            pass
    connection.close()
    assert passed == []


def test_every_function_on_the_list_is_in_the_table() -> None:
    text = TABLE.read_text(encoding="utf-8").lower()
    # tables of rows are compared by the tests of statements
    of_rows = {"explode", "inline", "flatten", "sequence", "to_json", "map"}
    same = {
        "lcase",
        "ucase",
        "character_length",
        "len",
        "cardinality",
        "array_size",
        "mean",
        "array_agg",
        "regexp_like",
    }
    rarely = {"make_date", "dayofmonth", "date_diff", "unix_date", "first", "last"}
    rarely |= {"any_value", "percent_rank", "cume_dist", "nth_value"}
    absent = {name for name in functions.FUNCTIONS if f"{name}(" not in text}
    assert absent - of_rows - same - rarely == set()


REFUSED = {
    "an-unknown-function": ("select 1,\n  xxhash64('a')", "the function xxhash64 at line 2, column 3"),
    "one-of-duckdb": ("select list_value(1)", "the function list_value at line 1, column 8"),
    "lateral-view": ("select x from values (1) lateral view explode(array(1)) e as x", "the construct lateral"),
    "pivot": ("select * from values (1, 2) as t(a, b) pivot (sum(a) for b in (1))", "refuses"),
    "sample": ("select * from values (1) tablesample (10 percent)", "refuses"),
    "division-of-decimals": (
        "select 1,\n  a / b from values (1.5bd, 2.5bd) as t(a, b)",
        "the division of DECIMAL(2,1)/DECIMAL(2,1) at line 2, column 3: their result has another type on Spark. "
        "Cast one side to double",
    ),
    "one-of-two-products": (
        "select 1d * a as usd,\n a * b,\n  b * 2 from values (1.5bd, 2.5bd) as t(a, b)",
        "`*` of DECIMAL(2,1)/DECIMAL(2,1) at line 2, column 2 or line 3, column 3",
    ),
    "sum-with-a-decimal": ("select cast(1 as decimal(10, 2)) + 1.5", "`+` of DECIMAL(10,2)/DECIMAL(2,1) at line 1"),
    "average-of-decimals": (
        "select\n avg(a) from values (cast(1 as decimal(10, 2))) as t(a)",
        "avg of DECIMAL(10,2) at line 2, column 2: its result has another type on Spark. Cast to double",
    ),
    "sum-of-narrow-decimals": ("select\n  sum(a) from values (1.5) as t(a)", "sum of DECIMAL(2,1) at line 2, column 3"),
    "rounding-of-decimals": (
        "select\n  round(a, 1) from values (cast(1 as decimal(10, 2))) as t(a)",
        "with no cast to decimal or double around at line 2, column 3",
    ),
    "rounding-to-tens": ("select\n  round(12345.0d, -2)", "round to other than 0 to 18 digits, as a number at line 2"),
    "a-date-and-an-interval": (
        "select\n  d + interval '1' month from values (date '2026-01-31') as t(d)",
        "`+` of DATE/INTERVAL at line 2, column 3: their result has another type on Spark. Use date_add",
    ),
    "today-and-an-interval": ("select current_date() - interval '1' day", "`-` of DATE/INTERVAL"),
    "difference-of-dates": (
        "select b - a from values (date '2026-01-01', date '2026-01-02') as t(a, b)",
        "`-` of DATE/DATE at line 1, column 8: their result has another type on Spark. Cast one side to double; of two "
        "dates, use datediff",
    ),
    "an-element-and-its-number": (
        "select\n  transform(array(5), (x, i) -> i)",
        "a function of an element and its number at line 2, column 3",
    ),
    "a-filter-by-number": ("select filter(array(5), (x, i) -> i = 0)", "a function of an element and its number"),
    "order-of-structs": ("select max(a) from values (struct(1, 2)) as t(a)", "refuses the order of STRUCT"),
    "text-of-a-list": ("select cast(array(1) as string)", "refuses cast"),
    "varchar": ("select cast('a' as varchar(3))", "the type varchar"),
    "a-java-pattern": ("select 'a' rlike '(?=a)'", "a pattern of rlike"),
    "a-date-pattern": ("select date_format(current_timestamp(), 'EEEE')", "the date pattern EEEE"),
    "a-time-it-does-not-read": ("select cast('2026' as timestamp)", "does not read the time '2026'"),
    "exp": ("select exp(1d)", "the function exp"),
    "months": ("select timestampdiff(month, date '2026-01-31', date '2026-02-28')", "timestampdiff in month"),
    "sha-512": ("select sha2('a', 512)", "of sha2 only 256"),
    "json-of-a-value": ("select to_json(struct(1 as a))", "to_json"),
    "an-unknown-statement": ("optimize silver.x", "the statement optimize silver.x"),
    "insert-overwrite-of-columns": ("insert overwrite table s.t (a) select 1", "insert overwrite of named columns"),
    "another-format": ("create table s.t using parquet as select 1 as a", "the table format parquet"),
    "a-location": ("create table s.t using delta location '/x' as select 1 as a", "a location"),
    "column-mapping": (
        "create table s.t using delta tblproperties ('delta.columnMapping.mode' = 'name') as select 1 as a",
        "delta.columnMapping.mode",
    ),
}


@pytest.mark.parametrize(("statement", "named"), list(REFUSED.values()), ids=list(REFUSED))
def test_what_is_not_known_is_refused_by_name(embedded: EmbeddedSession, statement: str, named: str) -> None:
    with pytest.raises(DbtDatabaseError) as refused:
        embedded.execute(statement)
    assert "method: embedded" in str(refused.value)
    assert named in str(refused.value)


WRONG = {
    "a-mistake": ("select\n  a b c\nfrom values (1) as t(a)", "line 2"),
    "a-column": ("select\n  a,\n  bee\nfrom values (1) as t(a)", "line 3, column 3: bee"),
    "a-table": ("select * from silver.nowhere", "`silver`.`nowhere` cannot be found"),
    "two-of-one-name": ("create table s.twice using delta as select 1 as a, 2 as A", "a twice"),
    "no-type": ("create table s.untyped using delta as select null as a", "a is null and has no type"),
}


@pytest.mark.parametrize(("statement", "named"), list(WRONG.values()), ids=list(WRONG))
def test_a_users_mistake_is_named_with_its_place(embedded: EmbeddedSession, statement: str, named: str) -> None:
    with pytest.raises(DbtDatabaseError) as wrong:
        embedded.execute(statement)
    assert named in str(wrong.value)


@pytest.mark.parametrize(
    ("head", "query", "line"),
    [
        pytest.param("\n\n  create table s.t\n\n  using delta\n  as\n", "select\n  soundex('a') as a", 8, id="a-table"),
        pytest.param("\n  create or replace view s.v\n  as\n", "\nselect\n  soundex('a') as a", 6, id="a-view"),
        pytest.param("\n", "select 1 as a,\n  b from values (1) as t(a)", 3, id="a-column"),
    ],
)
def test_a_line_is_that_of_the_file_that_dbt_names(embedded: EmbeddedSession, head: str, query: str, line: int) -> None:
    """dbt writes a statement into a file without the comment that it puts before it, and names that file."""
    with pytest.raises(DbtDatabaseError, match=f"at line {line}, column 3"):
        embedded.execute('/* {"app": "dbt", "node_id": "model.a.b"} */\n' + head + query)


def test_a_type_is_named_as_thrift_names_it(embedded: EmbeddedSession) -> None:
    kinds = embedded.duckdb.sql("select 1::decimal(38, 6) as a, [1] as b, timestamptz '2026-01-01' as c").types
    assert [type_code(kind) for kind in kinds] == ["DECIMAL_TYPE", "ARRAY_TYPE", "TIMESTAMP_TYPE"]
