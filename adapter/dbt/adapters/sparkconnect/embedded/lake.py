"""A lake as DuckDB reads it: the folder is the catalog, and a statement sees one version of every table it names."""

import os
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow.parquet as pq
from dbt.adapters.sparkconnect.embedded.ambiguity import UNKNOWN_COLUMNS, Columns, columns_of, refuse_repeated
from dbt.adapters.sparkconnect.embedded.cache import QueryCache
from dbt.adapters.sparkconnect.embedded.errors import (
    EmbeddedError,
    PathNotFoundError,
    RelationNotFoundError,
    UnreadableTableError,
)
from dbt.adapters.sparkconnect.embedded.macros import macros
from dbt.adapters.sparkconnect.embedded.storage import DROPPED, Storage, storage_of
from dbt.adapters.sparkconnect.embedded.transpile import INLINED, PLACEHOLDER, Query, Relation
from dbt.adapters.sparkconnect.embedded.types import duckdb_name, quoted, text_literal
from dbt.adapters.sparkconnect.embedded.views import View, save_views, views_in
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

WAREHOUSE = "${spark.sql.warehouse.dir}"
_SPILLED = "duckdb-"
#: What a reader must know of a table's protocol; all else is refused, since a plain reader would be silently wrong.
KNOWN_READER_FEATURES = frozenset({"timestampNtz"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a Delta table.

    Attributes:
        delta: The table at this version.
        version: Its number.
        select: DuckDB's query of its rows.
        columns: DuckDB's types by column name, in their order.
    """

    delta: DeltaTable
    version: int
    select: str
    columns: dict[str, str]


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
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        # results of Python models on their way into a table: in DuckDB, which spills them, and gone with the process
        self._kept: dict[tuple[str, str], str] = {}
        self._queries = QueryCache(folder / "queries")
        self._columns_of_file: dict[str, frozenset[str]] = {}

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
        options = self.storage.options
        return DeltaTable(self.storage.folder(schema, name), storage_options=dict(options) if options else None)

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
            self._snapshots = {key: value for key, value in self._snapshots.items() if key[0] != schema}

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
        """Return a table's newest version.

        Raises:
            RelationNotFoundError: There is no such table.
            EmbeddedError: Its protocol is not known here.
        """
        key = (schema, name)
        with self.lock:
            known = self._snapshots.get(key)
            # a log that was made again begins at 0 again
            if known is not None and self.storage.is_newest(schema, name, known.version):
                return known
            try:
                delta = self.delta(schema, name)
            except TableNotFoundError as exc:
                self._snapshots.pop(key, None)
                raise RelationNotFoundError(f"{schema}.{name}") from exc
            except (DeltaError, OSError, ValueError) as exc:
                self._snapshots.pop(key, None)
                log = f"its log {self.storage.folder(schema, name)}/_delta_log"
                raise UnreadableTableError(f"{schema}.{name}", log, exc) from exc
            self._snapshots[key] = self._read(schema, name, delta)
            return self._snapshots[key]

    def forget(self, schema: str, name: str) -> None:
        """Look at a table's log again before it is read the next time."""
        with self.lock:
            self._snapshots.pop((schema, name), None)

    def _read(self, schema: str, table: str, delta: DeltaTable) -> Snapshot:
        name = f"{schema}.{table}"
        _refuse_unknown_protocol(name, delta)
        columns = {column.name: duckdb_name(column.type) for column in delta.schema().fields}
        nulls = ", ".join(f"cast(null as {kind}) as {quoted(column)}" for column, kind in columns.items())
        nothing = f"select {nulls} where false"
        try:
            files = self.storage.data_files(schema, table, delta.file_uris())
        except FileNotFoundError as exc:
            raise UnreadableTableError(name, "a data file", exc) from exc
        if not files:
            return Snapshot(delta, delta.version(), nothing, columns)
        partitions = delta.metadata().partition_columns
        listed = ", ".join(text_literal(file) for file in files)
        options = "union_by_name = true, hive_partitioning = false"
        if partitions:
            _refuse_unnamed_partitions(name, files, partitions)
            options = "union_by_name = true, hive_partitioning = true, hive_types_autocast = false"
        rows = f"select * from read_parquet([{listed}], {options})"
        if self._lack_columns(name, files, set(columns) - set(partitions)):
            # a column that was added later is null in the files before
            rows = f"{nothing.replace(' where false', '')} where false union all by name {rows}"
        casts = ", ".join(f"cast({quoted(column)} as {kind}) as {quoted(column)}" for column, kind in columns.items())
        return Snapshot(delta, delta.version(), f"select {casts} from ({rows})", columns)

    def _lack_columns(self, name: str, files: list[str], columns: set[str]) -> bool:
        """Return whether a file lacks a column; files never change, so each is read once."""
        for file in files:
            if file not in self._columns_of_file:
                try:
                    self._columns_of_file[file] = frozenset(pq.read_schema(file).names)
                except (OSError, ValueError) as exc:
                    raise UnreadableTableError(name, f"its file {file}", exc) from exc
        return any(columns - self._columns_of_file[file] for file in files)

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
                seen[relation] = Resolved(self._text_files(relation.name), Columns(("value",)))
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

    def _text_files(self, path: str) -> str:
        """Return the query of a text source: one row a line, in files that are listed now."""
        files = self.storage.text_files(path)
        if not files:
            raise PathNotFoundError(path)
        listed = ", ".join(text_literal(file) for file in files)
        # a line is one column, since the separator is in none of them
        return (
            f"select value from read_csv([{listed}], columns = {{'value': 'VARCHAR'}}, delim = '\x01', quote = '', "
            "escape = '', header = false, auto_detect = false, null_padding = true)"
        )


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


def _refuse_unknown_protocol(name: str, delta: DeltaTable) -> None:
    protocol, settings = delta.protocol(), delta.metadata().configuration
    unknown = sorted(set(protocol.reader_features or ()) - KNOWN_READER_FEATURES)
    if settings.get("delta.columnMapping.mode", "none") != "none" and "columnMapping" not in unknown:
        unknown.append("columnMapping")
    if unknown or (protocol.min_reader_version or 1) > 3:
        what = ", ".join(unknown) or f"reader version {protocol.min_reader_version}"
        raise EmbeddedError(
            f"`method: embedded` cannot read {name}, which uses {what}; read it on Spark (`method: thrift`), or take "
            "the feature away there: alter table ... drop feature"
        )


def _refuse_unnamed_partitions(name: str, files: list[str], partitions: list[str]) -> None:
    """Refuse partitions whose values are not in the paths; Delta would allow them elsewhere."""
    if not all(f"/{column}=" in file for file in files for column in partitions):
        raise EmbeddedError(f"`method: embedded` cannot read {name}: its files do not name their partitions")
