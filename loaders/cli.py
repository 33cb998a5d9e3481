"""`python -m loaders` and `smart-trader load`: the loaders on the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from loaders.apis import live_api, sandbox_api
from loaders.jobs import Job, estimate, run_job, work_items
from loaders.queues import read_addresses
from loaders.resources import LAUNCHES, PRICES, TOKENS, TRANSACTIONS, WHALES, Resource
from loaders.settings import loader_settings
from loaders.work_items import WorkItem
from smart_trader.clock import TimestampType, check_as_of, now, spelled
from smart_trader.command_group import CommandGroup
from smart_trader.config.schemas import schema_name
from smart_trader.config.settings import lakehouse_settings
from smart_trader.config.variables import parse_variables
from smart_trader.console import report_line, show
from smart_trader.data_sources import SANDBOX
from smart_trader.lake.lock import lock_lake
from smart_trader.run_ids import RunIdType

SHOWN_ITEMS = 10
AS_OF_HELP = "The run's time, as 2026-01-31T09:00:00Z or unix seconds; default: now."

Decorated = Callable[..., Any]


def _options(command: Decorated) -> Decorated:
    for option in (
        click.option("--limit", type=click.IntRange(min=1), help="Items (or listed tokens) at most."),
        click.option("--as-of", type=TimestampType(), help=AS_OF_HELP),
        click.option("--sandbox", "sandbox_url", metavar="URL", help="Use a running sandbox instead of BirdEye."),
        click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A setting of this run alone."),
        click.option("--run-id", type=RunIdType(), help="Name of the run in every row; what it spent counts."),
        click.option("--dry-run", is_flag=True, help="Print the work list and its cost; request and land nothing."),
    ):
        command = option(command)
    return command


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
def load() -> None:
    """Load BirdEye's answers into the bronze tables.

    Needs BIRDEYE_API_KEY, or --sandbox with the address of a running sandbox.
    """


@load.command()
def init() -> None:
    """Make the bronze tables, empty, where they are missing; every loader does this first."""
    from loaders.bronze import Bronze

    paths = lakehouse_settings().paths
    with lock_lake(paths, "load init"):
        finished = Bronze(paths, schema_name("bronze")).prepare()
    report_line(f"bronze tables are there{'; what an earlier run left half-way is landed' if finished else ''}")


@load.command()
@_options
def tokens(**options: Any) -> None:
    """List the tokens that pass the filters of dbt_project.yml."""
    _run(TOKENS, None, **options)


@load.command()
@click.option("--tokens", "given", metavar="FILE", help="These tokens instead of the queue: a file, - or a,b,c.")
@_options
def whales(given: str | None, **options: Any) -> None:
    """Fetch the largest holders of the tokens that are due."""
    _run(WHALES, given, **options)


@load.command()
@click.option("--wallets", "given", metavar="FILE", help="These wallets instead of the queue: a file, - or a,b,c.")
@_options
def transactions(given: str | None, **options: Any) -> None:
    """Fetch the swaps of the wallets that are due."""
    _run(TRANSACTIONS, given, **options)


@load.command()
@click.option("--tokens", "given", metavar="FILE", help="These tokens instead of the queue: a file, - or a,b,c.")
@_options
def prices(given: str | None, **options: Any) -> None:
    """Fetch price and liquidity of the tokens that wallets hold."""
    _run(PRICES, given, **options)


@load.command()
@click.option("--tokens", "given", metavar="FILE", help="These tokens instead of the queue: a file, - or a,b,c.")
@_options
def launches(given: str | None, **options: Any) -> None:
    """Look up when the tokens were made that the profits come from."""
    _run(LAUNCHES, given, **options)


def _run(
    resource: Resource,
    given: str | None,
    *,
    limit: int | None,
    as_of: datetime | None,
    sandbox_url: str | None,
    variables: tuple[str, ...],
    run_id: str | None,
    dry_run: bool,
) -> None:
    paths = lakehouse_settings().paths
    settings = loader_settings(parse_variables(variables))
    # a missing key is reported before any file is read
    api = None if dry_run else sandbox_api(sandbox_url) if sandbox_url else live_api()
    addresses = None if given is None else read_addresses(given, resource.option)
    job = Job(resource, settings, paths, as_of or now(), limit, addresses, run_id=run_id or "")
    if api is None:
        check_as_of(job.as_of, SANDBOX if sandbox_url else job.bronze.data_source())
        _show_plan(job)
        return
    with lock_lake(paths, f"load {resource.name}"):
        report = run_job(job, api, lambda items: report_line(f"{resource.name}: {len(items)} to fetch from {api.url}"))
    report_line(str(report))
    if report.stop is not None and report.whole_failure is None:
        report_line(f"stopped early: {report.stop}")
    report.raise_if_failed()


def _show_plan(job: Job) -> None:
    items = work_items(job)
    for item in items[:SHOWN_ITEMS]:
        show(_format_item(item))
    if len(items) > SHOWN_ITEMS:
        show(f"and {len(items) - SHOWN_ITEMS} more")
    cost = estimate(job, items)
    show(
        f"{len(items)} to fetch: {cost.requests[0]} to {cost.requests[1]} requests, {cost.cu[0]} to {cost.cu[1]} CU, "
        f"up to {cost.seconds:.0f} s at this plan's pace; nothing was requested"
    )


def _format_item(item: WorkItem) -> str:
    if item.resume_before_time is not None:
        return f"{item.item}  goes on before {spelled(datetime.fromtimestamp(item.resume_before_time, UTC))}"
    return item.item
