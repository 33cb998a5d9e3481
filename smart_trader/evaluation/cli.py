"""`smart-trader evaluate`: the list against the truth."""

from __future__ import annotations

from pathlib import Path

import click

from smart_trader.console import report_line, show
from smart_trader.errors import SettingsError


@click.command()
@click.option("--demo", is_flag=True, help="Take the truth of the made-up market that the lake was filled from.")
@click.option(
    "--truth",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take it from a file, as `sandbox truth --format csv` writes it.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Form."
)
def evaluate(demo: bool, file: Path | None, form: str) -> None:
    """Judge the leaderboard by what each wallet really is.

    Prints the precision of its first 10, 25, 50 and 100 ranks beside the base rate (the share of skilled wallets among
    all evaluated ones), the average precision, which kinds each tier and each grade holds, how many wallets of each
    kind exist, are tracked, evaluated and listed, and what copying a tier's wallets over the next 14 days would have
    returned.

    Ranks that no wallet takes count as misses. Copied returns need a market that can be carried on, so --demo.
    """
    from smart_trader.evaluation.evaluation import evaluate_demo, evaluate_file
    from smart_trader.evaluation.report import evaluation_json, evaluation_text
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.tables import show_rendered, stdout_screen

    if demo == (file is not None):
        raise SettingsError(
            "one of --demo and --truth is needed",
            "--demo for a lake of the made-up market, --truth FILE for one of another sandbox",
        )
    lake = readable_lake()
    found = evaluate_demo(lake) if file is None else evaluate_file(lake, file)
    for note in found.notes:
        report_line(note)
    if form == "json":
        show(evaluation_json(found))
    else:
        show_rendered(evaluation_text(found, stdout_screen()))
