"""A DB-API session that takes the Spark SQL which dbt sends, in dbt's own process."""

import re
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import duckdb
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.spark.connections import PyhiveConnectionWrapper
from dbt.adapters.sparkconnect.credentials import SparkConnectCredentials
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, located, moved_down
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.refused_types import with_place
from dbt.adapters.sparkconnect.embedded.statements import Statements
from dbt.adapters.sparkconnect.embedded.types import of_duckdb, spark_name
from dbt_common.exceptions import DbtDatabaseError
from pyhive.hive import HiveParamEscaper

logger = AdapterLogger("SparkConnect")

_COMMENT = re.compile(r"^(?:\s+|/\*.*?\*/|--[^\n]*(?:\n|$))*", re.DOTALL)
# what dbt puts before a statement, and not into the file of it that its messages name
_OF_DBT = re.compile(r'\s*/\* \{"app": .*?\*/\n?', re.DOTALL)
_ESCAPER = HiveParamEscaper()

_lakes: dict[tuple[str, str, int, str | None], Lake] = {}
_opening = threading.Lock()


def lake_of(creds: SparkConnectCredentials) -> Lake:
    """Return the process's one lake of a target, opened once."""
    key = (creds.lake_root(), creds.memory, creds.engine_threads, creds.scratch)
    with _opening:
        if key not in _lakes:
            _lakes[key] = Lake(*key)
        return _lakes[key]


def type_code(kind: Any) -> str:
    """Return the name under which Thrift sends a column of this type; contracts compare by it."""
    try:
        name = spark_name(of_duckdb(kind, ""))
    except EmbeddedError:
        return "NULL_TYPE" if "NULL" in str(kind) else "STRING_TYPE"
    return f"{re.split('[<(]', name)[0].upper()}_TYPE"


def _as_thrift(value: Any) -> Any:
    """Return a value as PyHive would: dates as text, times without a zone."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return value.isoformat() if isinstance(value, date) else value


def _lines_above(sql: str, text: str) -> int:
    """Return how many lines of dbt's file of a statement are above the text that was run."""
    above, found, _ = sql.partition(text)
    return _OF_DBT.sub("", above).count("\n") if found else 0


class EmbeddedSession:
    """One per thread of dbt; temporary views are its own."""

    lost = False

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.temporary: dict[str, str] = {}
        self._connect()
        self.parked = False
        self._columns: list[tuple[str, str]] = []
        self._rows: list[tuple[Any, ...]] = []

    def _connect(self) -> None:
        self.duckdb = self.lake.cursor()
        self.statements = Statements(self.lake, self.duckdb, self.temporary)

    def cursor(self) -> "EmbeddedSession":
        """Return itself, as sessions do."""
        return self

    def execute(self, sql: str, bindings: list[Any] | None = None) -> None:
        """Run one statement.

        Raises:
            DbtDatabaseError: It failed or is refused; the message has line and column where there are some.
        """
        self._columns, self._rows = [], []
        comment = _COMMENT.match(sql)
        text = (sql[comment.end() :] if comment else sql).strip().rstrip(";").rstrip()
        if not text:
            return
        if bindings is not None:
            fixed = [PyhiveConnectionWrapper._fix_binding(value) for value in bindings]
            text = text % _ESCAPER.escape_args(fixed)
        try:
            answer = self.statements.run(text)
            if answer is None:
                self._columns, self._rows = self._query(self.lake.filled(text))
            else:
                self._columns, self._rows = [(name, "STRING_TYPE") for name in answer[0]], answer[1]
        except (EmbeddedError, duckdb.Error) as exc:
            # a result that was left in the middle would hold the connection
            self._connect()
            message = with_place(located(str(exc), text), text) if isinstance(exc, duckdb.Error) else str(exc)
            message = moved_down(message, _lines_above(sql, text))
            storage = self.lake.storage
            # what a store answers to a wrong key may hold it, and causes are shown, too
            raise DbtDatabaseError(storage.without_secrets(message)) from (None if storage.options else exc)

    def _query(self, sql: str) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        cursor = self.duckdb.execute(self.lake.resolved(sql, self.temporary))
        columns = [(column[0], type_code(column[1])) for column in cursor.description or []]
        return columns, [tuple(_as_thrift(value) for value in row) for row in cursor.fetchall()]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows of the last statement."""
        return self._rows

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """Return the first rows of the last statement."""
        return self._rows[:size]

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row of the last statement."""
        return self._rows[0] if self._rows else None

    @property
    def description(self) -> Sequence[Any]:
        """Columns of the last statement, as DB-API has them."""
        return [(name, code, None, None, None, None, True) for name, code in self._columns]

    def park(self) -> bool:
        """Get ready for the thread's next node."""
        self.parked = True
        return True

    def is_alive(self) -> bool:
        """There is no server that could be gone."""
        self.parked = False
        return True

    def cancel(self) -> None:
        """Interrupt the running statement."""
        self.duckdb.interrupt()

    def rollback(self, *_: Any, **__: Any) -> None:
        """There is nothing to roll back: a statement is one commit, or none."""

    def close(self) -> None:
        """End the session."""
        self.duckdb.close()
