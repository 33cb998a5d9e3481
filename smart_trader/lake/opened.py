"""A lake opened for reading by SQL: DuckDB over every table and view, one version of each per query.

Each query has a database of its own, in memory, that holds views of what the query names and can reach no other file;
so a relation goes on reading the versions it began with, whatever a run commits meanwhile.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import duckdb
import pyarrow as pa
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, RelationNotFoundError, UnreadableTableError
from dbt.adapters.sparkconnect.embedded.macros import macros
from dbt.adapters.sparkconnect.embedded.snapshots import Snapshots, text_rows
from dbt.adapters.sparkconnect.embedded.storage import Storage, storage_of
from dbt.adapters.sparkconnect.embedded.transpile import PLACEHOLDER, Relation, transpiled
from dbt.adapters.sparkconnect.embedded.types import quoted, text_literal
from dbt.adapters.sparkconnect.embedded.views import View, views_in

from smart_trader.config.paths import LakePaths, lake_paths
from smart_trader.config.settings import lakehouse_settings, store_settings
from smart_trader.data_sources import SANDBOX
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.delta import cause_of, explain_unreadable
from smart_trader.lake.identity import ensure_exists, read_identity, schema_prefix
from smart_trader.lake.query import OWN_SCHEMAS, QueryError, named_tables

if TYPE_CHECKING:
    import pandas
    import polars

WAREHOUSE = "${spark.sql.warehouse.dir}"
Params = Mapping[str, Any] | Sequence[Any] | None
_TABLE_NAME = re.compile(r"\s*\w+\.\w+\s*")
_PLAIN = re.compile(r"\w+\.\w+")
_MISSING_TABLE = re.compile(r"Catalog Error: Table with name (.*) does not exist!")
_SUGGESTION = re.compile(r"\nDid you mean .*")
# After these, the database reads the files it was given and nothing else, and nobody can change that.
LOCKS = (
    "set enable_external_access = false",
    "set python_enable_replacements = false",
    "set lock_configuration = true",
)


class LakeTable(NamedTuple):
    """A table or a view of a lake."""

    schema: str
    name: str
    is_view: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class Definition(NamedTuple):
    """What a view of DuckDB is made of: its query, the files that it reads, and whether it is a view in the lake."""

    select: str
    files: tuple[str, ...] = ()
    is_view: bool = False


class OpenLake:
    """A lake that is open for reading; nothing can be written through it.

    Args:
        paths: Where it lies.
        source: Where its rows come from (birdeye, sandbox or replay); None if that is not known.

    Raises:
        SmartTraderError: It cannot be reached.
    """

    def __init__(self, paths: LakePaths, source: str | None) -> None:
        self.paths = paths
        self.source = source
        self._storage = _storage_of(paths)
        self._snapshots = Snapshots(self._storage)
        # as everywhere, a schema goes by its name without what dbt's target puts before it
        self._prefix = schema_prefix()
        # what does not fit into memory; DuckDB would spill it into the working folder
        self._spilled = tempfile.TemporaryDirectory(prefix="smart-trader-sql-", ignore_cleanup_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was spilled; results that are still open may fail after this."""
        self._spilled.cleanup()

    @property
    def is_made_up(self) -> bool:
        """Whether the rows come from a made-up market."""
        return self.source == SANDBOX

    def tables(self) -> list[LakeTable]:
        """Return every table and view, sorted by schema and name.

        Raises:
            SmartTraderError: The lake cannot be listed.
        """
        try:
            found = {
                (schema, name): False for schema in self._storage.schemas() for name in self._storage.tables(schema)
            }
            found |= {_split(name): True for name in views_in(self._storage)}
        except EmbeddedError as error:
            raise self._explained(error) from None
        return sorted(
            LakeTable(schema.removeprefix(self._prefix), name, is_view)
            for (schema, name), is_view in found.items()
            if schema.startswith(self._prefix)
        )

    def sql(self, query: str, params: Params = None) -> duckdb.DuckDBPyRelation:
        """Run a query; tables are named with their schema, e.g. `gold.leaderboard`.

        Each table is read at the version that is its newest now, also when the relation is fetched later.

        Args:
            query: In DuckDB's SQL.
            params: Values of the query's parameters: by name for `$name`, in their order for `?`.

        Raises:
            QueryError: It is no query, or a wrong one.
            SmartTraderError: A table is not there or cannot be read.
        """
        names = named_tables(query)
        database = self._database(names)
        try:
            return database.sql(query, params=params)
        except duckdb.Error as error:
            raise self._query_error(_placed(database, query, params, error)) from None

    def arrow(self, what: str, params: Params = None) -> pa.Table:
        """Read a table (`gold.leaderboard`) or a query's rows into Arrow.

        Raises:
            SmartTraderError: As `sql`.
        """
        relation = self.sql(f"from {what}" if _TABLE_NAME.fullmatch(what) else what, params)
        try:
            return relation.to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(str(error)) from None

    def polars(self, what: str, params: Params = None) -> polars.DataFrame:
        """Read a table or a query's rows into Polars; amounts stay decimals.

        Raises:
            SmartTraderError: As `sql`, or Polars is not installed.
        """
        try:
            import polars
        except ImportError:
            raise SmartTraderError("polars is not installed", "pip install polars") from None
        frame = polars.from_arrow(self.arrow(what, params))
        assert isinstance(frame, polars.DataFrame)  # noqa: S101  for the type checker
        return frame

    def pandas(self, what: str, params: Params = None) -> pandas.DataFrame:
        """Read a table or a query's rows into pandas; amounts stay decimals, as columns of Arrow's type.

        Raises:
            SmartTraderError: As `sql`, or pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise SmartTraderError("pandas is not installed", "pip install pandas") from None

        def exact(kind: pa.DataType) -> Any:
            return pandas.ArrowDtype(kind) if pa.types.is_decimal(kind) else None

        return self.arrow(what, params).to_pandas(types_mapper=exact)

    # ---------------------------------------------------------------- the database of one query

    def _database(self, names: set[tuple[str, str]]) -> duckdb.DuckDBPyConnection:
        """Make a database with views of some tables, which reads their files and nothing else."""
        try:
            definitions = self._definitions(names)
        except EmbeddedError as error:
            raise self._explained(error) from None
        database = duckdb.connect(
            config={
                "temp_directory": self._spilled.name,
                # what this process has not brought along is not fetched from elsewhere
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        database.execute("set timezone = 'UTC'")
        if any(one.is_view for one in definitions.values()):
            # the functions of Spark that views call
            database.execute(macros())
        for relation, one in definitions.items():
            self._define(database, relation, one)
        files = ", ".join(text_literal(file) for one in definitions.values() for file in one.files)
        database.execute(f"set allowed_paths = [{files}]")
        for lock in LOCKS:
            database.execute(lock)
        return database

    def _define(self, database: duckdb.DuckDBPyConnection, relation: Relation, definition: Definition) -> None:
        schema, _ = names = self._public(relation)
        database.execute(f"create schema if not exists {quoted(schema)}")
        try:
            database.execute(f"create view {_dotted(*names)} as {definition.select}")
        except duckdb.Error as error:
            if definition.is_view:
                message = f"cannot read the view {'.'.join(names)}: {cause_of(error)}"
                raise SmartTraderError(message, "build it again: smart-trader run") from None
            raise explain_unreadable(self.paths.table(relation.schema, relation.name), error) from None

    def _public(self, relation: Relation) -> tuple[str, str]:
        return relation.schema.removeprefix(self._prefix), relation.name

    def _definitions(self, names: set[tuple[str, str]]) -> dict[Relation, Definition]:
        """Return what is to be defined, each after what it reads."""
        views = views_in(self._storage)
        found: dict[Relation, Definition] = {}
        for schema, name in sorted(names):
            if schema and schema.lower() not in OWN_SCHEMAS:
                self._add(self._found(schema, name, views), views, found, ())
        return found

    def _add(
        self,
        relation: Relation,
        views: dict[str, View],
        found: dict[Relation, Definition],
        inside: tuple[Relation, ...],
    ) -> None:
        if relation in found:
            return
        if relation in inside:
            raise EmbeddedError(f"the view {relation} reads itself")
        view = views.get(str(relation))
        if relation.schema == "text":
            files = self._storage.text_files(relation.name)
            found[relation] = Definition(text_rows(files, relation.name), tuple(files))
        elif view is None:
            snapshot = self._snapshots.snapshot(relation.schema, relation.name)
            found[relation] = Definition(snapshot.select, snapshot.files)
        else:
            query = transpiled(view.sql.replace(WAREHOUSE, self._storage.address))
            for read in query.relations:
                self._add(read, views, found, (*inside, relation))
            select = PLACEHOLDER.sub(lambda at: _dotted(*self._public(query.relations[int(at[1])])), query.text)
            found[relation] = Definition(select, is_view=True)

    def _found(self, schema: str, name: str, views: dict[str, View]) -> Relation:
        """Return the table or view of a name, which DuckDB takes in any case of its letters."""
        exact = Relation(f"{self._prefix}{schema}", name)
        # a name is a folder's, and must not lead out of the lake
        if str(exact) in views or (_PLAIN.fullmatch(str(exact)) and self._storage.is_table(exact.schema, exact.name)):
            return exact
        known = {str(table).lower(): table for table in self.tables()}
        wanted = f"{schema}.{name}".lower()
        if wanted in known:
            return Relation(f"{self._prefix}{known[wanted].schema}", known[wanted].name)
        raise QueryError(f"this lake has no table {schema}.{name}", _near_fix(wanted, known))

    def _query_error(self, message: str) -> QueryError:
        """Return the error of a query that DuckDB does not take."""
        missing = _MISSING_TABLE.match(message)
        if missing is None:
            return QueryError(message)
        # DuckDB knows the tables that the query names rightly and its own, so what it suggests is never meant
        return QueryError(_SUGGESTION.sub("", message, count=1), self._schema_fix(missing[1]))

    def _schema_fix(self, name: str) -> str:
        """Return how a table that was named without its schema is to be named."""
        meant: dict[str, list[str]] = {}
        for table in self.tables():
            meant.setdefault(table.name.lower(), []).append(str(table))
        known = {bare: " or ".join(full) for bare, full in meant.items()}
        return f"name the schema: {known[name.lower()]}" if name.lower() in known else _near_fix(name.lower(), known)

    def _explained(self, error: EmbeddedError) -> SmartTraderError:
        if isinstance(error, UnreadableTableError):
            return explain_unreadable(self.paths.table(*_split(error.table)), error.__cause__ or error)
        if isinstance(error, RelationNotFoundError):
            return SmartTraderError(
                f"a view reads {error.name}, which this lake does not have", "build it: smart-trader run"
            )
        return SmartTraderError(self._storage.without_secrets(str(error)))


def open_lake(home: str | Path | None = None) -> OpenLake:
    """Open a lake; see `smart_trader.lake.open`."""
    paths = lakehouse_settings().paths if home is None else _paths_of(home)
    ensure_exists(paths, is_set=home is None)
    identity = read_identity(paths)
    return OpenLake(paths, identity.source if identity else None)


def _paths_of(home: str | Path) -> LakePaths:
    """Return the paths of a lake whose folder is given, not set."""
    try:
        # a path in code is of the process's folder; only settings are of the checkout
        return lake_paths(Path(home).expanduser().absolute(), None)
    except SettingsError as error:
        raise SettingsError(error.what.removeprefix("LAKEHOUSE_HOME="), "give open() the folder of a lake") from None


def _near_fix(wanted: str, known: Mapping[str, Any]) -> str:
    """Return what to do about a name that is none of the known ones, which are in small letters."""
    close = difflib.get_close_matches(wanted, known, n=1)
    return f"did you mean {known[close[0]]}?" if close else "list what it has: smart-trader sql .tables"


def _storage_of(paths: LakePaths) -> Storage:
    try:
        if paths.is_local:
            return storage_of(str(paths.local_root), None)
        return storage_of(paths.uri, str(paths.home / ".tmp"), store_settings().environment())
    except (EmbeddedError, OSError) as error:
        raise SmartTraderError(f"the lake {paths.uri} cannot be opened: {error}") from None


def _placed(database: duckdb.DuckDBPyConnection, query: str, params: Params, error: duckdb.Error) -> str:
    """Return an error's message with the line and the sign it is about, which DuckDB adds outside relations alone."""
    try:
        database.execute(query, params)
    except duckdb.Error as placed:
        return str(placed)
    return str(error)


def _split(name: str) -> tuple[str, str]:
    schema, _, table = name.partition(".")
    return schema, table


def _dotted(schema: str, name: str) -> str:
    return f"{quoted(schema)}.{quoted(name)}"
