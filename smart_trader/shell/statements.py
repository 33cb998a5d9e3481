"""Runs what was typed or given: queries with semicolons after them, or a command that begins with a dot."""

from __future__ import annotations

import duckdb

from smart_trader.errors import SettingsError
from smart_trader.lake.opened import OpenLake
from smart_trader.lake.query import QueryError, split_queries
from smart_trader.shell.formats import Output, write_rows

HELP = """.tables         list every table and view
.schema TABLE   list a table's columns
.quit           leave the shell (as does Ctrl-D)
A query ends with a semicolon; tables are named with their schema: select * from gold.leaderboard;"""
INTERRUPTED = "Query interrupted"
# Forms of which one file holds one result.
SINGLE = ("json", "parquet")


def run_text(lake: OpenLake, text: str, form: str, out: Output) -> None:
    """Run queries, or a command, and write what they give.

    Raises:
        SmartTraderError: A query is wrong, or reads what is not there.
    """
    if text.lstrip().startswith("."):
        run_command(lake, text.strip(), form, out)
        return
    queries = split_queries(text)
    if len(queries) > 1 and form in SINGLE:
        raise SettingsError(f"{form} holds the rows of one query, and there are {len(queries)}", "run them one by one")
    for number, query in enumerate(queries):
        if number:
            out.write("")
        run_query(lake, query, form, out)


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
