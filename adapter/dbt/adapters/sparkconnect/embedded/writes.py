"""Writes to Delta tables: one commit each, with the types, the order and the nullability that Spark would write."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, RefusedError
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.types import Type, duckdb_name, of_duckdb, of_spark, quoted
from deltalake import DeltaTable, Field, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

BATCH_ROWS = 100_000
#: A changed row costs the rewriting of its file, and a reader of few rows their row groups: neither may be large.
FILE_BYTES = 16 * 1024**2
ROW_GROUP = WriterProperties(max_row_group_size=131_072)
ENGINE_INFO = "dbt-sparkconnect"
_CHECK = "delta.constraints."
#: delta-rs' words for a commit that this table never takes, also without another writer.
_REFUSED_COMMIT = re.compile(r"append-only|unsupported|table features must be specified", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TableSettings:
    """What `create table` sets besides its query."""

    comment: str | None = None
    properties: Mapping[str, str] | None = None
    partition_by: Sequence[str] = ()

    @property
    def configuration(self) -> dict[str, str]:
        """Delta's own settings; one that this engine's writers do not keep is refused."""
        properties = dict(self.properties or {})
        if properties.get("delta.columnMapping.mode", "none") != "none":
            raise RefusedError("delta.columnMapping.mode, by which files name their columns otherwise")
        if properties.get("delta.enableDeletionVectors", "false").lower() == "true":
            raise RefusedError("delta.enableDeletionVectors, since it could not read the table again")
        return properties


class Writer:
    """Writes of one session."""

    def __init__(self, lake: Lake, cursor: duckdb.DuckDBPyConnection) -> None:
        self._lake = lake
        self._cursor = cursor

    def replace(self, schema: str, name: str, query: str, settings: TableSettings) -> None:
        """Create a table from a query of DuckDB's, or replace it, in one commit."""
        self._replace(schema, name, self._typed(query), settings)

    def replace_rows(self, schema: str, name: str, rows: Any, settings: TableSettings) -> None:
        """Create a table from Arrow data, or replace it."""
        view = "rows_to_write"
        self._cursor.register(view, rows)
        try:
            self._replace(schema, name, self._typed(f"select * from {view}"), settings)
        finally:
            self._cursor.unregister(view)

    def _replace(self, schema: str, name: str, rows: pa.RecordBatchReader, settings: TableSettings) -> None:
        if f"{schema}.{name}" in self._lake.views():
            raise EmbeddedError(f"[TABLE_OR_VIEW_ALREADY_EXISTS] `{schema}`.`{name}` is a view; drop it first")
        configuration = settings.configuration
        if self._lake.is_table(schema, name):
            if self._partitions(schema, name) == list(settings.partition_by):
                self._replace_rows(schema, name, rows, settings)
                return
            # delta-rs keeps a table's partitions
            self.drop(schema, name)
        self._commit(
            schema,
            name,
            lambda: write_deltalake(
                self._lake.storage.folder(schema, name),
                rows,
                mode="overwrite",
                schema_mode="overwrite",
                description=settings.comment,
                configuration=configuration or None,
                partition_by=list(settings.partition_by) or None,
                target_file_size=FILE_BYTES,
                writer_properties=ROW_GROUP,
                storage_options=self._options(),
            ),
        )

    def _replace_rows(self, schema: str, name: str, rows: pa.RecordBatchReader, settings: TableSettings) -> None:
        """Replace a table's rows and columns in one commit; more come only where its settings change."""
        delta = self._fresh(schema, name)
        known = delta.metadata().configuration
        # the new table has none; where a contract requires them they are added after the rows, as on Spark
        for key in known:
            if key.startswith(_CHECK):
                delta.alter.drop_constraint(key.removeprefix(_CHECK))
        described = _with_comments(rows, delta)
        self._commit(schema, name, lambda: _overwrite(delta, described, schema_mode="overwrite"))
        changed = {key: value for key, value in settings.configuration.items() if known.get(key) != value}
        if changed:
            self.set_properties(schema, name, changed)
        comment = settings.comment
        if comment is not None and delta.metadata().description != comment:
            self._commit(schema, name, lambda: self._fresh(schema, name).alter.set_table_description(comment))

    def _partitions(self, schema: str, name: str) -> list[str]:
        return list(self._lake.snapshot(schema, name).delta.metadata().partition_columns)

    def create_empty(self, schema: str, name: str, columns: Sequence[tuple[str, str]], settings: TableSettings) -> None:
        """Create a table of named columns without rows."""
        kinds = [(column, of_spark(kind)) for column, kind in columns]
        nulls = ", ".join(f"cast(null as {duckdb_name(kind)}) as {quoted(column)}" for column, kind in kinds)
        self.replace(schema, name, f"select {nulls} where false", settings)

    def append(
        self, schema: str, name: str, query: str, columns: Sequence[str] | None, given_columns: int | None = None
    ) -> None:
        """Add a query's rows by position, as Spark's `insert into` does; no row is no commit.

        Args:
            schema: The table's schema.
            name: Its name.
            query: DuckDB's text of the rows.
            columns: The table's columns that they are for, in their order; None for all.
            given_columns: How many columns the query gives, where that is known without a query.

        Raises:
            EmbeddedError: The query gives more columns than are filled, or fewer.
        """
        values = self._by_position(schema, name, query, columns, given_columns)
        # as a relation the query would be bound twice, which is most of the work where few rows are new
        self._cursor.execute(f"create or replace temp table rows_to_append as {values}")
        try:
            self.append_rows(schema, name, self._cursor.sql("from rows_to_append").to_arrow_table())
        finally:
            self._cursor.execute("drop table rows_to_append")

    def overwrite(self, schema: str, name: str, query: str, given_columns: int | None = None) -> None:
        """Put a query's rows in place of a table's by position, in one commit; the query may read the table itself.

        Args:
            schema: The table's schema.
            name: Its name.
            query: DuckDB's text of the rows.
            given_columns: How many columns the query gives, where that is known without a query.

        Raises:
            RefusedError: The table has partitions, of which Spark overwrites all or those of the rows.
            EmbeddedError: The query gives more columns than the table has, or fewer.
        """
        if self._partitions(schema, name):
            raise RefusedError("insert overwrite of a table with partitions", 1, 1)
        self.rewrite(schema, name, self._by_position(schema, name, query, None, given_columns))

    def _by_position(
        self, schema: str, name: str, query: str, columns: Sequence[str] | None, given_columns: int | None
    ) -> str:
        """Return a query of a table's columns, filled by position from another query."""
        table = self._lake.snapshot(schema, name)
        names = list(table.columns) if columns is None else [self._known(table.columns, column) for column in columns]
        if given_columns != len(names):
            self._refuse_other_columns(schema, name, names, query)
        listed = ", ".join(quoted(column) for column in names)
        given = set(names)
        values = ", ".join(
            f"cast({quoted(column) if column in given else 'null'} as {kind}) as {quoted(column)}"
            for column, kind in table.columns.items()
        )
        return f"select {values} from ({query}) as q({listed})"

    def _refuse_other_columns(self, schema: str, name: str, names: Sequence[str], query: str) -> None:
        """Refuse a query that does not give as many columns as are filled."""
        have = self._cursor.execute(f"describe {query}").fetchall()
        if len(have) != len(names):
            raise EmbeddedError(
                f"[INSERT_COLUMN_ARITY_MISMATCH] Cannot write to `{schema}`.`{name}`: the table takes {len(names)} "
                f"columns ({', '.join(names)}), the data has {len(have)} ({', '.join(row[0] for row in have)})"
            )

    def append_rows(self, schema: str, name: str, rows: pa.Table) -> None:
        """Add Arrow rows that have the table's types."""
        if rows.num_rows:
            delta = self._lake.snapshot(schema, name).delta
            self._commit(schema, name, lambda: _append(delta, rows))

    def merge_rows(self, schema: str, name: str, changes: pa.Table, keys: Sequence[str]) -> None:
        """Apply changed rows by their keys, each with its action: i(nsert), u(pdate) or d(elete)."""
        columns = [column for column in changes.column_names if column != "merge_action"]
        on = " and ".join(f"t.{quoted(key)} = s.{quoted(key)}" for key in keys)
        values = {quoted(column): f"s.{quoted(column)}" for column in columns}

        def write() -> None:
            # delta-rs passes over files by the source's keys only where it has the source as a whole
            merging = self._fresh(schema, name).merge(
                changes,
                f"{on} and s.merge_action <> 'i'",
                source_alias="s",
                target_alias="t",
                streamed_exec=False,
                writer_properties=ROW_GROUP,
            )
            merging.when_matched_update(values, predicate="s.merge_action = 'u'").when_matched_delete(
                predicate="s.merge_action = 'd'"
            ).when_not_matched_insert(values, predicate="s.merge_action = 'i'").execute()

        self._commit(schema, name, write)

    def rewrite(self, schema: str, name: str, query: str) -> None:
        """Put a query's rows, which have the table's columns, in place of a table's; nothing else of it changes."""
        rows = self._cursor.sql(query).to_arrow_reader(BATCH_ROWS)
        self._commit(schema, name, lambda: _overwrite(self._lake.delta(schema, name), rows))

    def add_columns(self, schema: str, name: str, columns: Sequence[tuple[str, str]]) -> None:
        """Add columns at the end, null in all rows."""
        known = {column.lower() for column in self._lake.snapshot(schema, name).columns}
        twice = [column for column, _ in columns if column.lower() in known]
        if twice:
            raise EmbeddedError(f"[FIELD_ALREADY_EXISTS] `{schema}`.`{name}` has {', '.join(twice)} already")
        fields = [Field(column, of_spark(kind), nullable=True) for column, kind in columns]
        self._commit(schema, name, lambda: self._fresh(schema, name).alter.add_columns(fields))

    def add_constraint(self, schema: str, name: str, constraint: str, condition: str, violated: str) -> None:
        """Add a check that the table's rows must pass now and all later ones, too.

        Args:
            schema: The table's schema.
            name: Its name.
            constraint: Name of the check.
            condition: Spark's text of it, which Delta keeps.
            violated: DuckDB's text of it.

        Raises:
            EmbeddedError: A row breaks it.
        """
        failed = self._cursor.execute(
            f"select count(*) from ({self._lake.snapshot(schema, name).select}) where ({violated}) is not true"
        ).fetchall()[0][0]
        if failed:
            raise EmbeddedError(
                f"[DELTA_NEW_CHECK_CONSTRAINT_VIOLATION] {failed} rows in {schema}.{name} violate the new CHECK "
                f"constraint ({condition})"
            )
        self._commit(schema, name, lambda: self._fresh(schema, name).alter.add_constraint({constraint: condition}))

    def comment_columns(self, schema: str, name: str, comments: Mapping[str, str]) -> None:
        """Set the descriptions of columns in one commit, or in none where all are there already.

        delta-rs would make a commit for each column.
        """
        with self._lake.lock:
            delta = self._fresh(schema, name)
            content = json.loads(delta.schema().to_json())
            wanted = {column.lower(): comment for column, comment in comments.items()}
            is_changed = False
            for field in content["fields"]:
                comment = wanted.get(field["name"].lower())
                if comment is not None and (field["metadata"].get("comment") or "") != comment:
                    field["metadata"]["comment"] = comment
                    is_changed = True
            if is_changed:
                self._commit_schema(schema, name, delta, json.dumps(content))
                self._lake.forget(schema, name)

    def set_properties(self, schema: str, name: str, properties: Mapping[str, str]) -> None:
        """Set a table's properties."""
        configuration = TableSettings(properties=properties).configuration
        self._commit(schema, name, lambda: self._fresh(schema, name).alter.set_table_properties(configuration))

    def drop(self, schema: str, name: str) -> None:
        """Delete a table with its files."""
        with self._lake.lock:
            self._lake.storage.drop_table(schema, name)
            self._lake.forget(schema, name)

    def _fresh(self, schema: str, name: str) -> DeltaTable:
        # checks the protocol
        self._lake.snapshot(schema, name)
        return self._lake.delta(schema, name)

    def _commit_schema(self, schema: str, name: str, delta: DeltaTable, columns: str) -> None:
        """Commit a table's schema with other descriptions; the version must be free.

        Raises:
            EmbeddedError: Another process has written the next version meanwhile.
        """
        metadata = delta.metadata()
        action = {
            "id": str(metadata.id),
            "name": metadata.name,
            "description": metadata.description,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": columns,
            "partitionColumns": metadata.partition_columns,
            "configuration": metadata.configuration,
            "createdTime": metadata.created_time,
        }
        now = int(time.time() * 1000)
        info = {"timestamp": now, "operation": "CHANGE COLUMN", "operationParameters": {}, "engineInfo": ENGINE_INFO}
        lines = [{"commitInfo": info}, {"metaData": {key: value for key, value in action.items() if value is not None}}]
        try:
            text = "".join(f"{json.dumps(line)}\n" for line in lines)
            self._lake.storage.commit(schema, name, delta.version() + 1, text)
        except FileExistsError as exc:
            raise EmbeddedError(
                f"[DELTA_CONCURRENT_WRITE] {schema}.{name} was written by another process meanwhile"
            ) from exc

    def _options(self) -> dict[str, str] | None:
        return dict(self._lake.storage.options) if self._lake.storage.options else None

    def _known(self, columns: Mapping[str, str], wanted: str) -> str:
        for column in columns:
            if column.lower() == wanted.lower():
                return column
        raise EmbeddedError(f"[UNRESOLVED_COLUMN] no column {wanted} among {', '.join(columns)}")

    def _typed(self, query: str) -> pa.RecordBatchReader:
        """Run a query as an Arrow stream with the types that Spark would write."""
        relation = self._cursor.sql(query)
        kinds = typed_columns(relation)
        if [duckdb_name(kind) for _, kind in kinds] == [str(kind) for kind in relation.types]:
            # binding a query once more costs as much as running it on a small lake
            return relation.to_arrow_reader(BATCH_ROWS)
        casts = ", ".join(
            f"cast({quoted(column)} as {duckdb_name(kind)}) as {quoted(column)}" for column, kind in kinds
        )
        return self._cursor.sql(f"select {casts} from ({query}) as q").to_arrow_reader(BATCH_ROWS)

    def _commit(self, schema: str, name: str, write: Callable[[], Any]) -> None:
        """Write, and turn what delta-rs raises into an error that names the table."""
        try:
            write()
        except CommitFailedError as exc:
            if _REFUSED_COMMIT.search(str(exc)):
                raise EmbeddedError(f"`method: embedded` cannot write {schema}.{name}: {exc}") from exc
            raise EmbeddedError(
                f"[DELTA_CONCURRENT_WRITE] {schema}.{name} was written by another process meanwhile: {exc}"
            ) from exc
        except (DeltaError, OSError) as exc:
            is_table = self._lake.is_table(schema, name)
            delta = self._lake.delta(schema, name) if is_table else None
            raise EmbeddedError(_broken(schema, name, delta, f"cannot write {schema}.{name}: {exc}")) from exc
        finally:
            self._lake.forget(schema, name)


def _append(delta: DeltaTable, rows: pa.Table) -> None:
    write_deltalake(delta, rows, mode="append", target_file_size=FILE_BYTES, writer_properties=ROW_GROUP)


def _overwrite(delta: DeltaTable, rows: pa.RecordBatchReader, schema_mode: Literal["overwrite"] | None = None) -> None:
    write_deltalake(
        delta,
        rows,
        mode="overwrite",
        schema_mode=schema_mode,
        target_file_size=FILE_BYTES,
        writer_properties=ROW_GROUP,
    )


def _with_comments(rows: pa.RecordBatchReader, delta: DeltaTable) -> pa.RecordBatchReader:
    """Keep the descriptions of columns that stay, so that they need no commit of their own."""
    known = {field.name: (field.metadata or {}).get("comment") for field in delta.schema().fields}
    fields = [
        field.with_metadata({"comment": comment}) if (comment := known.get(field.name)) else field
        for field in rows.schema
    ]
    described = pa.schema(fields)
    batches = (pa.RecordBatch.from_arrays(batch.columns, schema=described) for batch in rows)
    return pa.RecordBatchReader.from_batches(described, batches)


def _broken(schema: str, name: str, delta: DeltaTable | None, message: str) -> str:
    """Return delta-rs' message, with Delta's words where a check was broken."""
    if "failed validation check" not in message or delta is None:
        return message
    checks = {
        key.removeprefix(_CHECK): text for key, text in delta.metadata().configuration.items() if key.startswith(_CHECK)
    }
    listed = " or ".join(f"CHECK constraint {key} ({text})" for key, text in checks.items())
    rows = message.partition("Preview of invalid data:")[2].strip()
    return f"[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] {listed} of {schema}.{name} violated by:\n{rows}"


def typed_columns(relation: duckdb.DuckDBPyRelation) -> list[tuple[str, Type]]:
    """Return names and types of a result, as a table would have them.

    Raises:
        EmbeddedError: Two columns have one name, or one has no type.
    """
    names = list(relation.columns)
    lower = [name.lower() for name in names]
    twice = sorted({name for name in lower if lower.count(name) > 1})
    if twice:
        raise EmbeddedError(f"[COLUMN_ALREADY_EXISTS] the query gives {', '.join(twice)} twice")
    return [(name, of_duckdb(kind, name)) for name, kind in zip(names, relation.types, strict=True)]
