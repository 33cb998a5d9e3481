"""Writes a table of the lake for other programs: csv, json and parquet with every number as exact as the lake's."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import simplejson

from smart_trader.lake.reader import rows_of


def csv_text(table: pa.Table) -> str:
    """Write a header and a line for each row; decimals with all their places, timestamps in ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in rows_of(table):
        writer.writerow(_csv_value(value) for value in row.values())
    return out.getvalue().rstrip("\n")


def json_text(content: Any) -> str:
    """Write JSON; decimals as numbers with all their places, timestamps in ISO 8601."""
    return str(simplejson.dumps(content, use_decimal=True, default=_iso, indent=1, ignore_nan=True))


def markdown_text(heads: list[str], rows: list[list[str]], *, right: set[int]) -> str:
    """Write a table of Markdown; what would end a cell or begin HTML is written out."""
    rule = ["--:" if index in right else "---" for index in range(len(heads))]
    lines = [heads, rule, *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parquet_bytes(table: pa.Table, facts: dict[str, str]) -> bytes:
    """Write a parquet file; money stays decimal.

    Args:
        table: The rows.
        facts: What the file's metadata shall say of them.
    """
    out = io.BytesIO()
    metadata = {**(table.schema.metadata or {}), **{name.encode(): value.encode() for name, value in facts.items()}}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), out)
    return out.getvalue()


def _csv_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        # never with an exponent: a zero of six places would be 0E-6
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime) else value


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _escaped(cell: str) -> str:
    for sign in "\\`*_[]<>|":
        cell = cell.replace(sign, f"\\{sign}") if sign != "<" else cell.replace(sign, "&lt;")
    return cell
