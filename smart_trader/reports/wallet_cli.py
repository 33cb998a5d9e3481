"""The commands about traders: the ranking, and one wallet explained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from smart_trader.addresses import AddressType
from smart_trader.console import printable, show
from smart_trader.errors import SettingsError

FORMATS = ("table", "csv", "json", "markdown", "parquet")


class ListType(click.ParamType[list[str]]):
    """Names with commas between."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Part the text."""
        return value if isinstance(value, list) else [part.strip() for part in value.split(",") if part.strip()]


@click.command()
@click.option("--columns", type=ListType(), metavar="A,B,...", help="Columns of gold.leaderboard to show.")
@click.option("--tier", type=ListType(), metavar="TIER,...", help="Only these tiers.")
@click.option("--grade", type=ListType(), metavar="GRADE,...", help="Only these grades.")
@click.option("--min", "minimums", multiple=True, metavar="COLUMN=VALUE", help="Least value of a column; repeatable.")
@click.option("--sort", metavar="[-]COLUMN", help="Column to sort by, with - the largest first; default: the rank.")
@click.option("--top", type=click.IntRange(min=1), help="Wallets at most; default: all.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="Form.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def leaderboard(form: str, output: Path | None, **asked: Any) -> None:
    r"""Show the ranked traders, read straight from the lake.

    \b
    smart-trader leaderboard --grade A,B --min total_pnl=1000 --sort -roi
    smart-trader leaderboard --format parquet -o board.parquet
    """
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.board_query import BoardQuery
    from smart_trader.reports.leaderboard import board_parquet, board_text, read_board
    from smart_trader.reports.tables import PLAIN, show_rendered, stdout_screen

    lake = readable_lake()
    query = BoardQuery(
        asked["columns"] or (),
        asked["tier"] or (),
        asked["grade"] or (),
        asked["minimums"],
        asked["sort"],
        asked["top"],
    )
    board = read_board(lake, query)
    if form == "parquet":
        write_out(board_parquet(board), output)
    elif output is not None:
        write_out(f"{printable(board_text(lake, board, form, PLAIN))}\n".encode(), output)
    elif form == "table":
        show_rendered(board_text(lake, board, form, stdout_screen()))
    else:
        show(board_text(lake, board, form, PLAIN))


def write_out(content: bytes, output: Path | None) -> None:
    """Write to a file or, where none is named, to a pipe.

    Raises:
        SettingsError: Stdout is a terminal, or the file cannot be written.
    """
    if output is None:
        if sys.stdout.isatty():
            raise SettingsError("parquet is no text", "name a file with -o, or send it into a pipe")
        click.get_binary_stream("stdout").write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"-o: cannot write {output}: {error.strerror or error}", "name another file") from None


@click.command()
@click.argument("wallet", type=AddressType())
def explain(wallet: str) -> None:
    """Explain one wallet: its verdict and why, its figures, each token."""
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.explain import explanation

    show(explanation(readable_lake(), wallet))
