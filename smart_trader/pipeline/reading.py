"""Reads the lake's tables straight from Delta: no server, no JVM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from smart_trader.errors import SmartTraderError
from smart_trader.paths import LakePaths
from smart_trader.schemas import schema_name


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of a lake, by dbt's schema names."""

    paths: LakePaths

    def location(self, schema: str, table: str) -> str:
        """Return where a table lies under dbt's current target."""
        return self.paths.table(schema_name(schema), table)

    def has(self, schema: str, table: str) -> bool:
        """Whether a table is there and readable."""
        try:
            return DeltaTable.is_deltatable(self.location(schema, table))
        except OSError:
            return False

    def delta(self, schema: str, table: str) -> DeltaTable:
        """Open a table.

        Raises:
            SmartTraderError: It is not there.
        """
        if not self.has(schema, table):
            raise SmartTraderError(
                f"this lake has no table {schema}.{table} yet ({self.location(schema, table)})",
                "fill it first: smart-trader run --demo, or with --replay FOLDER or a key",
            )
        return DeltaTable(self.location(schema, table))

    def read(
        self,
        schema: str,
        table: str,
        columns: Sequence[str] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """Read a table, or some columns and rows of it.

        Raises:
            SmartTraderError: It is not there.
        """
        dataset = self.delta(schema, table).to_pyarrow_dataset()
        return dataset.to_table(list(columns) if columns else None, filter=where)

    def row_count(self, schema: str, table: str) -> int:
        """Count a table's rows from its log alone.

        Raises:
            SmartTraderError: It is not there.
        """
        actions = self.delta(schema, table).get_add_actions(flatten=True)
        return int(pc.sum(pa.chunked_array(actions["num_records"])).as_py() or 0)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return a small table as dicts."""
    return list(table.to_pylist())
