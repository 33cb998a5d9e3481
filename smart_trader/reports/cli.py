"""Commands that read a lake: they take no server and no second."""

from __future__ import annotations

import json
from datetime import timedelta

import click

from smart_trader.console import one_line, report_line, show
from smart_trader.errors import SmartTraderError
from smart_trader.reports.alerts import CRITICAL, DEFAULT_MAX_AGE, EXIT_CODES, worst_level
from smart_trader.reports.durations import DurationType
from smart_trader.reports.text_table import plain_value


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form.")
def calibration(form: str) -> None:
    """Tell whether past scores ordered what came after."""
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.calibration import calibration_json, calibration_text
    from smart_trader.reports.data_source import source_of, source_warning
    from smart_trader.reports.tables import show_rendered, stdout_screen

    lake = readable_lake()
    if form == "text":
        show_rendered(calibration_text(lake, stdout_screen()))
        return
    if warning := source_warning(source_of(lake)):
        report_line(warning)
    show(calibration_json(lake))


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "prometheus"]),
    default="table",
    show_default=True,
    help="Form: for a person, for a program, or for Prometheus' textfile collector.",
)
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Newest runs to list.")
@click.option("--tables", "with_tables", is_flag=True, help="List the tables, with rows, size and time of writing.")
@click.option(
    "--check", "is_check", is_flag=True, help="One line for a monitor; exit code 0 OK, 1 warning, 2 critical."
)
@click.option(
    "--max-age",
    type=DurationType(),
    default=f"{DEFAULT_MAX_AGE // timedelta(hours=1)}h",
    show_default=True,
    metavar="TIME",
    help="Age from which on the list is stale, e.g. 13h; critical from twice that age on.",
)
def status(form: str, runs: int, with_tables: bool, is_check: bool, max_age: timedelta) -> None:
    """Show what needs attention, pending work, the last runs.

    \b
    Examples:
      smart-trader status --runs 14              # the runs of the last week
      smart-trader status --check --max-age 13h  # for cron, Nagios, Icinga
      smart-trader status --format prometheus > smart_trader.prom
    """  # noqa: D301
    from smart_trader.lake.reader import readable_lake
    from smart_trader.reports.status import status_facts
    from smart_trader.reports.status_text import check_line, status_text

    if is_check:
        try:
            facts = status_facts(readable_lake(), runs, max_age)
        except SmartTraderError as error:
            # a monitor reads stdout, and a lake that cannot be read is the worst it can learn
            show(f"CRITICAL - {one_line(error.what)}")
            raise click.exceptions.Exit(EXIT_CODES[CRITICAL]) from None
        show(check_line(facts))
        raise click.exceptions.Exit(EXIT_CODES[worst_level(facts["alerts"])])
    facts = status_facts(readable_lake(), runs, max_age)
    if form == "json":
        show(json.dumps(facts, default=plain_value, indent=1))
    elif form == "prometheus":
        from smart_trader.reports.status_metrics import metrics_text

        show(metrics_text(facts))
    else:
        show(status_text(facts, with_tables))
