"""What several test files share: Delta settings, look-ups and a proxy that can be cut."""

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import pytest
from dbt.tests.util import run_dbt


def delta_config(**models: Any) -> dict[str, Any]:
    """Return the project settings that make every resource a Delta table."""
    delta = {"+file_format": "delta"}
    return {
        "models": {**delta, "+incremental_strategy": "merge", **models},
        "seeds": {**delta, "+quote_columns": False},
        "snapshots": delta,
        "data_tests": delta,
    }


#: dbt's tests that need what the embedded engine refuses by name, and what that is.
EMBEDDED_REFUSES: dict[str, str] = {
    "TestColumnsThatChange::test_columns": "column mapping by name, which dropping a column needs",
    "TestPredicates::test__incremental_predicates": "tables without `file_format: delta`",
    "TestPythonIncremental::test_incremental": "conditions of columns (`df.id > 5`) of a DataFrame",
    "TestFrames::test_different_dataframes": "pandas-on-Spark",
    "TestSimpleSnapshot::test_new_column_captured_by_snapshot": "varchar(n), whose length it would not check",
    "TestNewRecordTimestamp::test_snapshot_new_record_mode": "varchar(n), whose length it would not check",
    "TestNewRecordCheck::test_snapshot_new_record_mode": "varchar(n), whose length it would not check",
}


class Engine(Protocol):
    """What the tests need to know of a running server and its lake."""

    #: The server's folders; `local_root` is that of the lake.
    paths: Any
    #: What the server has written of itself; `endpoints.thrift_port` is its port for SQL.
    record: Any

    @property
    def endpoint_file(self) -> Path:
        """Where the server writes what it listens on."""

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the server."""


class OnDelta:
    """Mixed in before one of dbt's test classes: everything it builds is a Delta table."""

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        """Override of dbt's fixture."""
        return delta_config()


def rows(project: Any, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, in which `{s}` stands for the test's schema."""
    return [tuple(row) for row in project.run_sql(sql.format(s=project.test_schema), fetch="all")]


def versions(project: Any, table: str) -> list[str]:
    """Return the operations in a Delta table's history, oldest first."""
    history = project.run_sql(f"describe history {project.test_schema}.{table}", fetch="all")
    return [str(row[4]) for row in reversed(history)]


def failure(arguments: list[str]) -> str:
    """Run dbt, which must fail on one node or as a whole, and return the message."""
    try:
        results = run_dbt(arguments, expect_pass=False)
    except Exception as exc:
        return str(exc)
    failed = [result for result in results if str(result.status) not in {"success", "skipped"}]
    assert len(failed) == 1, [result.message for result in results]
    return str(failed[0].message)


class Proxy:
    """A port that passes bytes to a server until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.open = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()

    def _accept(self) -> None:
        while self.open:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self.connections += 1
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def drop_connections(self) -> None:
        """Cut what is connected now; new connections still come through."""
        for end in self._sockets:
            _shut(end)
        self._sockets.clear()

    def cut(self) -> None:
        """Behave like a server that died."""
        self.open = False
        _shut(self._listener)
        self.drop_connections()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy bytes until one side ends."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        _shut(source)
        _shut(sink)


def _shut(end: socket.socket) -> None:
    """Close a socket so that a thread that waits on it wakes up."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def endpoint_content(path: Path) -> dict[str, Any]:
    """Return what an endpoint file says."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
