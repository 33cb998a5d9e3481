"""Runs what was typed or given: queries with semicolons after them, and commands: lines that begin with a dot."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from smart_trader.errors import SettingsError
from smart_trader.lake.opened import OpenLake
from smart_trader.lake.query import QueryError, is_open, split_queries
from smart_trader.shell.formats import Output, write_rows

HELP = """.tables         list every table and view
.schema TABLE   list a table's columns
.quit           leave the shell (as does Ctrl-D); in a file or a pipe, read no further
A query ends with a semicolon; tables are named with their schema: select * from gold.leaderboard;"""
INTERRUPTED = "Query interrupted"
LEAVE = frozenset({".quit", ".exit", ".q"})
# Forms of which one file holds one result.
SINGLE = ("json", "parquet")


def run_text(lake: OpenLake, text: str, form: str, out: Output) -> None:
    """Run queries and commands, and write what they give.

    Raises:
        SmartTraderError: A query is wrong, or reads what is not there.
    """
    steps = list(split_steps(text))
    if len(steps) > 1 and form in SINGLE:
        what = "queries and commands" if any(map(is_command, steps)) else "queries"
        raise SettingsError(f"{form} holds the rows of one query, and there are {len(steps)} {what}", "run one by one")
    for number, step in enumerate(steps):
        if number:
            out.write("")
        (run_command if is_command(step) else run_query)(lake, step, form, out)


def split_steps(text: str) -> Iterator[str]:
    """Yield queries and commands in their order, up to the command that ends the input.

    Raises:
        QueryError: A query cannot be read.
    """
    queries: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if not is_command(line) or is_open("\n".join(queries)):
            queries.append(line)
            continue
        yield from split_queries("\n".join(queries))
        if is_leave(line):
            return
        yield line.strip()
        # the lines before stay, empty, so that an error names the line of the whole text
        queries = [""] * (number + 1)
    yield from split_queries("\n".join(queries))


def is_command(line: str) -> bool:
    """Whether a line is a command where no statement is begun."""
    return line.lstrip().startswith(".")


def is_leave(line: str) -> bool:
    """Whether a line is the command that ends the input."""
    return line.strip().rstrip(";").rstrip() in LEAVE


def run_query(lake: OpenLake, query: str, form: str, out: Output) -> None:
    """Run one query and write its rows.

    Raises:
        SmartTraderError: It is wrong, or reads what is not there.
        KeyboardInterrupt: The user stopped it.
    """
    try:
        write_rows(lake.sql(query), form, out)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    except RuntimeError as error:
        # how DuckDB ends a query at Ctrl-C
        if str(error) == INTERRUPTED:
            raise KeyboardInterrupt from None
        raise


def run_command(lake: OpenLake, line: str, form: str, out: Output) -> None:
    """Run a command that begins with a dot.

    Raises:
        SettingsError: There is no such command.
        SmartTraderError: It names a table that is not there.
    """
    word, _, rest = line.rstrip(";").partition(" ")
    if word == ".tables":
        for table in lake.tables():
            out.write(f"{table}{' (view)' if table.is_view else ''}")
    elif word == ".schema" and rest.strip():
        run_query(lake, f"describe {rest.strip()}", form, out)
    elif word == ".help":
        out.write(HELP)
    else:
        raise SettingsError(f"no command {line}", "commands are .tables, .schema TABLE, .help and .quit")
