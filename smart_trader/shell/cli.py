"""`smart-trader sql`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_trader.console import report_line
from smart_trader.errors import SettingsError

if TYPE_CHECKING:
    from smart_trader.lake.opened import OpenLake
    from smart_trader.shell.formats import Output

# named here: the libraries that write them take a while to import
FORMATS = ("table", "csv", "json", "markdown", "parquet")


@click.command()
@click.argument("query", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="Take the queries from a file.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="Form.")
def sql(query: str | None, file: Path | None, form: str) -> None:
    """Query the lake: every table and view, by DuckDB, read only and without a server.

    QUERY is one query, or several with a semicolon after each; tables are named with their schema, as in "select * from
    gold.leaderboard". Without one, a shell starts on a terminal, and standard input is read otherwise. A line
    that begins with a dot is a command: `.tables` and `.schema TABLE` list what there is, `.help` names them all.
    """
    from smart_trader.lake.opened import open_lake
    from smart_trader.shell.statements import run_text

    if query is not None and file is not None:
        raise SettingsError("a query and a file of queries are given", "leave one of them out")
    with open_lake() as lake:
        mark_source(lake)
        text = _text(query, file)
        try:
            if text is None:
                from smart_trader.shell.interactive import run_shell

                run_shell(lake, form)
            else:
                run_text(lake, text, form, standard_output())
        except BrokenPipeError:
            # whoever reads has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def mark_source(lake: OpenLake) -> None:
    """Say on stderr when the lake's rows are made up, or when nobody knows."""
    if lake.is_made_up:
        report_line("made-up data, from a sandbox: none of its wallets and tokens exists")
    elif lake.source is None:
        report_line("this lake does not say where its rows come from")


def standard_output() -> Output:
    """Return standard output, with its width where it is a terminal."""
    from smart_trader.shell.formats import Output

    return Output(sys.stdout, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def _text(query: str | None, file: Path | None) -> str | None:
    """Return the queries; None for a shell."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read {file}: {error}", "name a readable text file") from None
    if query is not None:
        return query
    return None if sys.stdin.isatty() else sys.stdin.read()
