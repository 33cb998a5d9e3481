"""`smart-trader report`."""

from __future__ import annotations

from pathlib import Path

import click

from smart_trader.console import show


@click.command()
@click.option("--top", default=50, show_default=True, type=click.IntRange(min=1), help="Wallets shown at most.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to. [default: report.html in the lake's folder]",
)
def report(top: int, output: Path | None) -> None:
    """Write the report page: one HTML file with the list, its wallets, and what speaks against them."""
    from smart_trader.lake.reader import readable_lake
    from smart_trader.report_page.page import write_page
    from smart_trader.report_page.page_file import report_file

    lake = readable_lake()
    show(str(write_page(lake, output or report_file(lake), top)))
