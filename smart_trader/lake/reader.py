"""Reads the lake's tables straight from Delta: no server, no JVM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import DERIVED_SCHEMAS, schema_name
from smart_trader.config.settings import lakehouse_settings
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import is_table, open_table, read_table, table_names
from smart_trader.lake.identity import ensure_exists


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of a lake, by dbt's schema names."""

    paths: LakePaths

    def location(self, schema: str, table: str) -> str:
        """Return where a table lies under dbt's current target."""
        return self.paths.table(schema_name(schema), table)

    def has(self, schema: str, table: str) -> bool:
        """Whether a table is there.

        Raises:
            BrokenTableError: What is there cannot be read.
        """
        return is_table(self.location(schema, table))

    def delta(self, schema: str, table: str) -> DeltaTable:
        """Open a table.

        Raises:
            SmartTraderError: It is not there or cannot be read.
        """
        self._ensure(schema, table)
        return open_table(self.location(schema, table))

    def delta_at(self, schema: str, table: str) -> DeltaTable:
        """Open a table by its schema's name in the lake, prefix included.

        Raises:
            SmartTraderError: It cannot be read.
        """
        return open_table(self.paths.table(schema, table))

    def _ensure(self, schema: str, table: str) -> None:
        if not self.has(schema, table):
            raise SmartTraderError(
                f"this lake has no table {schema}.{table} yet ({self.location(schema, table)})",
                "fill it first: smart-trader run --demo, or with --replay FOLDER or a key",
            )

    def read(
        self,
        schema: str,
        table: str,
        columns: Sequence[str] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """Read a table, or some columns and rows of it.

        Raises:
            SmartTraderError: It is not there or cannot be read.
        """
        self._ensure(schema, table)
        return read_table(self.location(schema, table), columns, where)

    def derived_tables(self) -> Iterator[tuple[str, str]]:
        """Yield schema and name of each table that dbt writes, the schema's prefix included."""
        for schema in map(schema_name, DERIVED_SCHEMAS):
            yield from ((schema, name) for name in table_names(self.paths.table(schema, "").rstrip("/")))

    def row_count(self, schema: str, table: str) -> int:
        """Count a table's rows from its log alone.

        Raises:
            SmartTraderError: It is not there or cannot be read.
        """
        actions = self.delta(schema, table).get_add_actions(flatten=True)
        return int(pc.sum(pa.chunked_array(actions["num_records"])).as_py() or 0)


def readable_lake() -> Lake:
    """Return the lake that the settings name, for a command that only reads it.

    Raises:
        SmartTraderError: It is not there, a newer project has written it, or it is only half restored.
    """
    lake = Lake(lakehouse_settings().paths)
    ensure_exists(lake.paths)
    return lake


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return a small table as dicts."""
    return list(table.to_pylist())
