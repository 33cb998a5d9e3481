"""A lake as DuckDB reads it: the folder is the catalog, and a statement sees one version of every table it names."""

import os
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb
from dbt.adapters.sparkconnect.embedded.ambiguity import UNKNOWN_COLUMNS, Columns, columns_of, refuse_repeated
from dbt.adapters.sparkconnect.embedded.cache import QueryCache
from dbt.adapters.sparkconnect.embedded.errors import (
    EmbeddedError,
    RelationNotFoundError,
)
from dbt.adapters.sparkconnect.embedded.macros import macros
from dbt.adapters.sparkconnect.embedded.snapshots import Snapshot, Snapshots, text_rows
from dbt.adapters.sparkconnect.embedded.storage import DROPPED, Storage, storage_of
from dbt.adapters.sparkconnect.embedded.transpile import INLINED, PLACEHOLDER, Query, Relation
from dbt.adapters.sparkconnect.embedded.types import quoted
from dbt.adapters.sparkconnect.embedded.views import View, save_views, views_in
from deltalake import DeltaTable

WAREHOUSE = "${spark.sql.warehouse.dir}"
_SPILLED = "duckdb-"


class Resolved(NamedTuple):
    """DuckDB's text of a query with the files in it, and its columns."""

    text: str
    columns: Columns


class Lake:
    """One lake in one process; cursors of its one DuckDB database serve dbt's threads.

    Args:
        root: Folder of the schemas, or its address on an object store.
        memory: DuckDB's limit, e.g. '600MB'; beyond it, DuckDB spills into the scratch folder.
        threads: Threads that one statement may use.
        scratch: The scratch folder of a lake on an object store; a local lake's is `.tmp` below it.

    Raises:
        EmbeddedError: The root cannot be made or reached.
    """

    def __init__(self, root: str, memory: str, threads: int, scratch: str | None = None) -> None:
        self.lock = threading.RLock()
        try:
            self.storage: Storage = storage_of(root, scratch)
            folder = self.storage.scratch
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(folder)
            self.storage.sweep()
            self._database = duckdb.connect(
                config={
                    "threads": threads,
                    "memory_limit": memory,
                    "temp_directory": str(folder / f"{_SPILLED}{os.getpid()}"),
                    # what this process has not brought along is not fetched from elsewhere
                    "autoinstall_known_extensions": False,
                }
            )
        except (OSError, duckdb.Error) as exc:
            raise EmbeddedError(f"the lake {root} cannot be opened: {exc}") from exc
        self._database.execute("set timezone = 'UTC'")
        self._database.execute(macros())
        self._tables = Snapshots(self.storage)
        # results of Python models on their way into a table: in DuckDB, which spills them, and gone with the process
        self._kept: dict[tuple[str, str], str] = {}
        self._queries = QueryCache(folder / "queries")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection for one thread."""
        cursor = self._database.cursor()
        cursor.execute("set timezone = 'UTC'")
        return cursor

    # ---------------------------------------------------------------- names

    @property
    def root(self) -> str:
        """Root of the schemas, as Spark's SQL has it."""
        return self.storage.address

    def filled(self, sql: str) -> str:
        """Return Spark's text with the root in place of Spark's variable for it."""
        return sql.replace(WAREHOUSE, self.root)

    def delta(self, schema: str, name: str) -> DeltaTable:
        """Open a table at its newest version."""
        return self._tables.delta(schema, name)

    def is_table(self, schema: str, name: str) -> bool:
        """Return whether the lake has a table of this name."""
        return self.storage.is_table(schema, name)

    def has_delta_log(self, path: str) -> bool:
        """Return whether a folder holds a Delta table, whatever state its newest version is in."""
        return self.storage.is_delta(path)

    def schemas(self) -> list[str]:
        """Return the schemas: folders with tables or made for them, and those of the views."""
        return sorted({*self.storage.schemas(), *(name.partition(".")[0] for name in self.views())})

    def relations(self, schema: str) -> list[tuple[str, bool]]:
        """Return the names in a schema, and whether each is a view."""
        tables = self.storage.tables(schema)
        views = [name.partition(".")[2] for name in self.views() if name.partition(".")[0] == schema]
        return sorted([(name, False) for name in tables] + [(name, True) for name in views])

    def drop_schema(self, schema: str) -> None:
        """Remove a schema with all that is in it."""
        with self.lock:
            views = {name: view for name, view in self.views().items() if name.partition(".")[0] != schema}
            self._save_views(views)
            self.storage.drop_schema(schema)
            self._tables.forget_schema(schema)

    # ---------------------------------------------------------------- views

    def views(self) -> dict[str, View]:
        """Return the lake's views by `schema.name`, as the file lists them now: another process may have made some."""
        return views_in(self.storage)

    def save_view(self, schema: str, name: str, view: View) -> None:
        """Add a view, or replace it."""
        with self.lock:
            if self.is_table(schema, name):
                raise EmbeddedError(f"[TABLE_OR_VIEW_ALREADY_EXISTS] `{schema}`.`{name}` is a table; drop it first")
            self._save_views({**self.views(), f"{schema}.{name}": view})

    def drop_view(self, schema: str, name: str) -> bool:
        """Remove a view; returns whether there was one."""
        with self.lock:
            views = self.views()
            if f"{schema}.{name}" not in views:
                return False
            del views[f"{schema}.{name}"]
            self._save_views(views)
            return True

    def _save_views(self, views: Mapping[str, View]) -> None:
        if views != self.views():
            save_views(self.storage, views)

    # ---------------------------------------------------------------- tables

    def snapshot(self, schema: str, name: str) -> Snapshot:
        """Return a table's newest version; see `Snapshots.snapshot`."""
        return self._tables.snapshot(schema, name)

    def forget(self, schema: str, name: str) -> None:
        """Look at a table's log again before it is read the next time."""
        self._tables.forget(schema, name)

    # ---------------------------------------------------------------- results on their way

    def keep(self, schema: str, name: str, rows: duckdb.DuckDBPyRelation) -> None:
        """Keep a result under a table's name until it is dropped."""
        with self.lock:
            kept = f"memory.main.{quoted(f'{schema}.{name}')}"
            rows.query("kept_rows", f"create or replace table {kept} as select * from kept_rows")
            self._kept[(schema, name)] = f"select * from {kept}"

    def kept(self, schema: str, name: str) -> str | None:
        """Return DuckDB's query of a kept result, if there is one of this name."""
        return self._kept.get((schema, name))

    def release(self, schema: str, name: str) -> None:
        """Forget a kept result."""
        with self.lock:
            if self._kept.pop((schema, name), None):
                self._database.cursor().execute(f"drop table if exists memory.main.{quoted(f'{schema}.{name}')}")

    # ---------------------------------------------------------------- queries

    def resolved(
        self,
        query: Query | str,
        temporary: Mapping[str, str],
        results: Mapping[str, str] | None = None,
        *,
        becomes: str = "",
    ) -> str:
        """Return DuckDB's text of a query with the files of the tables in it.

        Args:
            query: A query that is transpiled, or Spark's text of one.
            temporary: Spark's text of the session's temporary views by lower-case name.
            results: DuckDB's text of further queries by name.
            becomes: What its result becomes the columns of, which then must have names of their own.

        Raises:
            RelationNotFoundError: It names what the lake does not have.
            EmbeddedError: A name in it could be one of two columns.
        """
        return self.statement(query, temporary, results, becomes=becomes).text

    def statement(
        self,
        query: Query | str,
        temporary: Mapping[str, str],
        results: Mapping[str, str] | None = None,
        *,
        becomes: str = "",
    ) -> Resolved:
        """Return DuckDB's text of a query and what is known of its columns; see `resolved`."""
        seen = {Relation("", name): Resolved(text, UNKNOWN_COLUMNS) for name, text in (results or {}).items()}
        known = self._queries.query(query) if isinstance(query, str) else query
        resolved = self._resolved(known, temporary, seen, self.views(), ())
        if becomes:
            refuse_repeated(resolved.columns, becomes)
        return resolved

    def _resolved(
        self,
        query: Query,
        temporary: Mapping[str, str],
        seen: dict[Relation, Resolved],
        views: Mapping[str, View],
        inside: tuple[Relation, ...],
    ) -> Resolved:
        """Resolve with one version of each table for the whole statement, in `seen`."""
        for relation in query.relations:
            if relation in seen:
                continue
            if relation in inside:
                raise EmbeddedError(f"the view {relation} reads itself")
            text = _text_of_view(relation, temporary, views)
            if text is not None:
                seen[relation] = self._resolved(
                    self._queries.query(self.filled(text)), temporary, seen, views, (*inside, relation)
                )
            elif relation.schema == "text":
                files = self.storage.text_files(relation.name)
                seen[relation] = Resolved(text_rows(files, relation.name), Columns(("value",)))
            elif relation.schema:
                kept = self.kept(relation.schema, relation.name)
                seen[relation] = Resolved(kept, UNKNOWN_COLUMNS) if kept else self._table(relation)
            else:
                raise RelationNotFoundError(relation.name)
        columns = columns_of(
            query.outline, [seen[relation].columns for relation in query.relations], str(inside[-1]) if inside else ""
        )

        def inlined(found: re.Match[str]) -> str:
            # a view may be work that is better done once
            relation = query.relations[int(found[1])]
            is_view = not relation.schema or str(relation) in views or relation.schema == "text"
            return "" if is_view else found[0]

        text = PLACEHOLDER.sub(
            lambda found: f"({seen[query.relations[int(found[1])]].text})", INLINED.sub(inlined, query.text)
        )
        return Resolved(text, columns)

    def _table(self, relation: Relation) -> Resolved:
        snapshot = self.snapshot(relation.schema, relation.name)
        return Resolved(snapshot.select, Columns([name.lower() for name in snapshot.columns]))


def _sweep(scratch: Path) -> None:
    """Remove what processes that were killed left behind: spilled rows, and tables on their way out."""
    for path in scratch.iterdir():
        owner = path.name.removeprefix(_SPILLED)
        is_spilled = path.name.startswith(_SPILLED) and owner.isdigit()
        if path.name.startswith(DROPPED) or (is_spilled and not _is_alive(int(owner))):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _text_of_view(relation: Relation, temporary: Mapping[str, str], views: Mapping[str, View]) -> str | None:
    if not relation.schema:
        return temporary.get(relation.name.lower())
    view = views.get(str(relation))
    return view.sql if view else None
