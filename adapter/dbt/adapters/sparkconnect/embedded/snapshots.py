"""A lake's tables as DuckDB reads them: one version of each, by the files that its log lists."""

import threading
from dataclasses import dataclass

import pyarrow.parquet as pq
from dbt.adapters.sparkconnect.embedded.errors import (
    EmbeddedError,
    PathNotFoundError,
    RelationNotFoundError,
    UnreadableTableError,
)
from dbt.adapters.sparkconnect.embedded.storage import Storage
from dbt.adapters.sparkconnect.embedded.types import duckdb_name, quoted, text_literal
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

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
        files: Paths of this machine that the query reads.
    """

    delta: DeltaTable
    version: int
    select: str
    columns: dict[str, str]
    files: tuple[str, ...] = ()


class Snapshots:
    """The tables of one lake, each at its newest version; what was read of a version is kept until there is a newer.

    Args:
        storage: Where the lake lies.
    """

    def __init__(self, storage: Storage) -> None:
        self.lock = threading.RLock()
        self.storage = storage
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        self._columns_of_file: dict[str, frozenset[str]] = {}

    def delta(self, schema: str, name: str) -> DeltaTable:
        """Open a table at its newest version."""
        options = self.storage.options
        return DeltaTable(self.storage.folder(schema, name), storage_options=dict(options) if options else None)

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

    def forget_schema(self, schema: str) -> None:
        """Look at the logs of all of a schema's tables again."""
        with self.lock:
            self._snapshots = {key: value for key, value in self._snapshots.items() if key[0] != schema}

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
        # an empty text in a path is null to Delta
        read = {column: f"nullif({quoted(column)}, '')" for column in partitions}
        casts = ", ".join(
            f"cast({read.get(column, quoted(column))} as {kind}) as {quoted(column)}"
            for column, kind in columns.items()
        )
        return Snapshot(delta, delta.version(), f"select {casts} from ({rows})", columns, tuple(files))

    def _lack_columns(self, name: str, files: list[str], columns: set[str]) -> bool:
        """Return whether a file lacks a column; files never change, so each is read once."""
        for file in files:
            if file not in self._columns_of_file:
                try:
                    self._columns_of_file[file] = frozenset(pq.read_schema(file).names)
                except (OSError, ValueError) as exc:
                    raise UnreadableTableError(name, f"its file {file}", exc) from exc
        return any(columns - self._columns_of_file[file] for file in files)


def text_rows(files: list[str], path: str) -> str:
    """Return DuckDB's query of a text source: one row a line.

    Args:
        files: What its path stands for now.
        path: The path, for the error.

    Raises:
        PathNotFoundError: There are no files.
    """
    if not files:
        raise PathNotFoundError(path)
    listed = ", ".join(text_literal(file) for file in files)
    # a line is one column, since the separator is in none of them
    return (
        f"select value from read_csv([{listed}], columns = {{'value': 'VARCHAR'}}, delim = '\x01', quote = '', "
        "escape = '', header = false, auto_detect = false, null_padding = true)"
    )


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
