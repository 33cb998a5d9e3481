"""Commands that read a lake: they take no server and no second."""

from __future__ import annotations

import json

import click

from smart_trader.console import show


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form.")
def calibration(form: str) -> None:
    """Tell whether the scores of past runs ordered what came after."""
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.calibration import calibration_text

    show(calibration_text(readable_lake(), form))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show tables, pending work, items left alone, the last run, the disk."""
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.status import status_facts, status_text

    facts = status_facts(readable_lake())
    show(json.dumps(facts, default=str, indent=1) if as_json else status_text(facts))
