"""The commands about traders: the ranking, and one wallet explained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from smart_trader.console import printable, show
from smart_trader.errors import SettingsError

FORMATS = ("table", "csv", "json", "markdown", "parquet")
ENDINGS = {".csv": "csv", ".json": "json", ".md": "markdown", ".parquet": "parquet"}


class ListType(click.ParamType[list[str]]):
    """Names with commas between."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Part the text."""
        return value if isinstance(value, list) else [part.strip() for part in value.split(",") if part.strip()]


@click.command()
@click.option("--columns", type=ListType(), default="", metavar="A,B,...", help="Columns of gold.leaderboard to show.")
@click.option("--tier", "tiers", type=ListType(), default="", metavar="TIER,...", help="Only these tiers.")
@click.option("--grade", "grades", type=ListType(), default="", metavar="GRADE,...", help="Only these grades.")
@click.option("--min", "minimums", multiple=True, metavar="COLUMN=VALUE", help="Least value of a column; repeatable.")
@click.option("--sort", metavar="[-]COLUMN", help="Column to sort by, with - the largest first; default: the rank.")
@click.option("--top", type=click.IntRange(min=1), help="Wallets at most; default: all.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Form; default: by the file's ending, else table.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def leaderboard(form: str | None, output: Path | None, **asked: Any) -> None:
    """Show the ranked traders, read straight from the lake.

    \b
    Examples:
      smart-trader leaderboard --grade A,B --min total_pnl=1000 --sort -roi
      smart-trader leaderboard -o board.parquet
    """  # noqa: D301
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.board_query import BoardQuery
    from smart_trader.reports.leaderboard import board_parquet, board_text, read_board
    from smart_trader.reports.tables import PLAIN, show_rendered, stdout_screen

    form = form or ENDINGS.get(output.suffix.lower() if output else "", "table")
    lake = readable_lake()
    board = read_board(lake, BoardQuery(**asked))
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
@click.argument("wallet")
@click.option("--all", "show_all", is_flag=True, help="Show every token and every past verdict.")
@click.option("--token", metavar="TOKEN", help="Show one position: the token's address, its beginning, or its symbol.")
@click.option("--lots", "with_lots", is_flag=True, help="Show which sell of --token closed which buy.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form.")
def explain(wallet: str, show_all: bool, token: str | None, with_lots: bool, form: str) -> None:
    """Explain one wallet: its verdict and why, its figures, its tokens.

    WALLET is an address, or as much of its beginning as no other has.

    \b
    Examples:
      smart-trader explain 63Hb4XJB
      smart-trader explain 63Hb4XJB --token Avi1dh --lots
    """  # noqa: D301
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.explain import explanation
    from smart_trader.reports.explain_json import explanation_content, lots_explanation
    from smart_trader.reports.exports import json_text
    from smart_trader.reports.lots import read_lots
    from smart_trader.reports.lots_text import position_text
    from smart_trader.reports.tables import show_rendered, stdout_screen
    from smart_trader.reports.wallet_facts import find_position, read_wallet
    from smart_trader.reports.wallet_names import resolve_wallet

    if with_lots and token is None:
        raise SettingsError("--lots: lots are a token's", "name it: --token TOKEN --lots")
    lake = readable_lake()
    facts = read_wallet(lake, resolve_wallet(lake, wallet))
    if token is None:
        if form == "json":
            show(json_text(explanation_content(facts)))
        else:
            show_rendered(explanation(facts, stdout_screen(), show_all=show_all))
        return
    position = find_position(facts, token)
    covered = facts.calculation["covered_batch"] if facts.calculation else None
    lots = read_lots(lake, facts.wallet, position["token_address"], covered, facts.settings) if with_lots else None
    if form == "json":
        show(json_text(lots_explanation(facts, position, lots)))
    else:
        show_rendered(position_text(facts, position, lots, stdout_screen()))
