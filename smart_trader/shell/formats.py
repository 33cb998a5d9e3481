"""Writes the rows of a query: a table, csv, json, markdown or parquet. No value is rounded or cut."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow.parquet as pq
import simplejson
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from smart_trader.console import one_line, printable
from smart_trader.errors import SettingsError
from smart_trader.lake.query import QueryError

SHOWN_ROWS = 100
# Wider than any table; rich fills no line up to it.
UNLIMITED = 1_000_000
NUMBERS = frozenset(
    ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT", "DECIMAL", "FLOAT", "DOUBLE"]
)
_PLACE = re.compile(r"\n*LINE (?P<line>\d+): (?P<text>.*)\n(?P<mark> *\^+)")
# Every sign that could mean something in Markdown.
_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")


@dataclass(frozen=True, slots=True)
class Output:
    """Where rows go.

    Attributes:
        stream: A text stream with a `buffer` for bytes, as standard output is.
        width: Of the terminal; None for a file or a pipe, which get all rows.
    """

    stream: Any
    width: int | None = None

    def write(self, text: str) -> None:
        """Write a line; on a terminal without what would steer it."""
        self.stream.write((text if self.width is None else printable(text)) + "\n")


def write_rows(relation: duckdb.DuckDBPyRelation, form: str, out: Output) -> None:
    """Write all rows of a query in a form; a table on a terminal shows the first ones and says so.

    Raises:
        SettingsError: The form is one that a terminal cannot show.
    """
    match form:
        case "csv":
            _write_csv(relation, out)
        case "json":
            _write_json(relation, out)
        case "markdown":
            _write_markdown(relation, out)
        case "parquet":
            _write_parquet(relation, out)
        case _:
            _write_table(relation, out)


def cell_text(value: Any) -> str:
    """Return a value with all its digits; times in ISO 8601 and UTC."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | dict | tuple):
        return _json(value)
    return str(_plain(value))


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value that it does not know."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return value if isinstance(value, str | int | float) else str(value)


def _json(value: Any) -> str:
    # letters outside ASCII as escapes: some of them turn a terminal's direction of writing
    return str(simplejson.dumps(value, use_decimal=True, ignore_nan=True, encoding=None, default=_plain))


def _write_csv(relation: duckdb.DuckDBPyRelation, out: Output) -> None:
    def line(cells: list[str]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(cells)
        return text.getvalue()

    out.write(line(relation.columns))
    for row in relation.iter_rows():
        out.write(line([cell_text(value) for value in row]))


def _write_json(relation: duckdb.DuckDBPyRelation, out: Output) -> None:
    columns, mark = relation.columns, "["
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise QueryError(f"two columns are named {twice}, which json cannot hold", "give each a name: ... as NAME")
    for row in relation.iter_rows():
        out.write(mark + _json(dict(zip(columns, row, strict=True))))
        mark = ","
    out.write("[]" if mark == "[" else "]")


def _write_markdown(relation: duckdb.DuckDBPyRelation, out: Output) -> None:
    def line(cells: list[str]) -> str:
        return f"| {' | '.join(cells)} |"

    out.write(line([_markdown(name) for name in relation.columns]))
    out.write(line(["---:" if _is_number(kind) else "---" for kind in relation.types]))
    for row in relation.iter_rows():
        out.write(line([_markdown(cell_text(value)) for value in row]))


def _markdown(text: str) -> str:
    return text if re.fullmatch(r"-?[0-9.]+", text) else _MARKDOWN.sub(r"\\\1", one_line(text))


def _write_parquet(relation: duckdb.DuckDBPyRelation, out: Output) -> None:
    if out.width is not None:
        raise SettingsError(
            "parquet is nothing for a terminal", "write it to a file: ... --format parquet > rows.parquet"
        )
    reader = relation.to_arrow_reader()
    with pq.ParquetWriter(out.stream.buffer, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _write_table(relation: duckdb.DuckDBPyRelation, out: Output) -> None:
    """Write columns side by side; on a terminal too narrow for that, one column a line."""
    kinds, columns = relation.types, relation.columns
    rows = relation.fetchall() if out.width is None else _first_rows(relation, SHOWN_ROWS + 1)
    shown = rows if out.width is None else rows[:SHOWN_ROWS]
    text = io.StringIO()
    console = Console(file=text, width=out.width or UNLIMITED, color_system=None, legacy_windows=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, kind in zip(columns, kinds, strict=True):
        table.add_column(Text(one_line(name)), justify="right" if _is_number(kind) else "left", no_wrap=True)
    for row in shown:
        table.add_row(*(Text(one_line(_shown(value))) for value in row))
    if Measurement.get(console, console.options.update(max_width=UNLIMITED), table).maximum > console.width:
        out.write(_records(columns, shown))
    else:
        console.print(table)
        out.write("\n".join(line.rstrip() for line in text.getvalue().splitlines()))
    if len(rows) > len(shown):
        out.write(f"... and more: these are the first {SHOWN_ROWS}; a pipe or a file gets all")
    elif out.width is not None:
        out.write(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


def _first_rows(relation: duckdb.DuckDBPyRelation, count: int) -> list[tuple[Any, ...]]:
    """Read the first rows of a query.

    Raises:
        QueryError: It fails; its line is that of the query itself.
    """
    limited = relation.limit(count)
    try:
        return limited.fetchall()
    except duckdb.Error as error:
        raise QueryError(own_place(str(error), relation.sql_query(), limited.sql_query())) from None


def own_place(message: str, query: str, around: str) -> str:
    """Return a message whose place is counted in a query, and not in the one that DuckDB has put around it.

    Args:
        message: DuckDB's, with a line, what stands there, and a mark below; or without.
        query: The query that was given.
        around: The query that was run.
    """
    place = _PLACE.search(message)
    if place is None:
        return message
    before, found, _ = around.partition(query)
    line = int(place["line"]) - before.count("\n")
    lines = query.split("\n")
    if not found or not 1 <= line <= len(lines) or place["text"].strip(" .") not in lines[line - 1]:
        # it lies in what was put around
        return message[: place.start()]
    # the mark below keeps its column
    narrower = len(place["line"]) - len(str(line))
    below = place["mark"][narrower:]
    return f"{message[: place.start('line')]}{line}: {place['text']}\n{below}{message[place.end() :]}"


def _shown(value: Any) -> str:
    return "null" if value is None else cell_text(value)


def _records(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    width = max(len(one_line(name)) for name in columns)
    blocks = []
    for number, row in enumerate(rows, 1):
        cells = zip(columns, row, strict=True)
        lines = [f"{one_line(name):{width}}  {one_line(_shown(value))}" for name, value in cells]
        blocks.append("\n".join([f"-- row {number}", *lines]))
    return "\n".join(blocks)


def _is_number(kind: Any) -> bool:
    return str(kind).partition("(")[0] in NUMBERS and "[" not in str(kind)
