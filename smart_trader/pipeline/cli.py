"""Commands that load and build. What they need is imported when they run: a help text takes no second."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_trader.addresses import AddressType
from smart_trader.clock import TimestampType, check_as_of, choose_as_of, now, parse_timestamp, spelled
from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import lakehouse_settings
from smart_trader.console import report_line, show
from smart_trader.errors import SettingsError, closest
from smart_trader.pipeline.options import engine_option, target_option
from smart_trader.run_ids import RunIdType
from smart_trader.sandbox.market.options import market_option, strength_option
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, DEMO_WALLETS

if TYPE_CHECKING:
    from loaders.apis import Api


@click.command("run")
@engine_option
@target_option
@click.option("--demo", is_flag=True, help="Use a made-up market; no key needed.")
@click.option("--replay", type=click.Path(path_type=Path), metavar="FOLDER", help="Use recorded responses.")
@click.option(
    "--sandbox", "sandbox_url", metavar="URL", help="Use a BirdEye-compatible server of this machine that is up."
)
@click.option("--tokens", metavar="FILE", help="Fetch the holders of these tokens as well: a file, - or a,b,c.")
@click.option("--wallets", metavar="FILE", help="Track these wallets as well: a file, - or a,b,c.")
@click.option(
    "--as-of",
    type=TimestampType(),
    help="The run's time, as 2026-01-31T09:00:00Z or unix seconds; default: now, or the clock of --sandbox.",
)
@click.option("--step", metavar="NAME", help="Do one step alone, as a scheduler does.")
@click.option(
    "--run-id",
    type=RunIdType(),
    help="Name of the run; the steps of one run share it, and its cu_budget. Default: made up.",
)
@market_option(None, f"The made-up market's name. [default: the lake's own, else {DEFAULT_MARKET}]")
@strength_option(None)
@click.option("--seed", default=7, show_default=True, help="The made-up market's seed.")
@click.option(
    "--market-wallets",
    type=click.IntRange(20, 20_000),
    help=f"The market's size. [default: that of the lake's own, else {DEMO_WALLETS}]",
)
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=0), help="Traders to show at the end.")
@click.option("--skip-tests", is_flag=True, help="Build without the data tests.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A setting of this run alone.")
def run_pipeline(
    demo: bool,
    replay: Path | None,
    sandbox_url: str | None,
    tokens: str | None,
    wallets: str | None,
    as_of: datetime | None,
    step: str | None,
    run_id: str | None,
    market: str | None,
    strength: float | None,
    seed: int,
    market_wallets: int | None,
    top: int,
    skip_tests: bool,
    variables: tuple[str, ...],
) -> None:
    """Load, build and rank: the whole pipeline, or one step.

    Uses BirdEye with BIRDEYE_API_KEY, or what --demo, --replay or --sandbox names. Run again at any time: what is done
    is not done twice, and what an earlier run left half-way is finished.
    """
    from loaders.queues import read_addresses
    from loaders.settings import loader_settings
    from smart_trader.config.variables import parse_variables
    from smart_trader.pipeline.records import LoadsFailedError, is_idle
    from smart_trader.pipeline.request import RunRequest
    from smart_trader.pipeline.run import run_pipeline as execute_run
    from smart_trader.pipeline.sources import SourceSpec, check_sources, made_up_text, running_sandbox
    from smart_trader.pipeline.steps import STEP_NAMES
    from smart_trader.reports.durations import short_duration

    if step is not None and step not in STEP_NAMES:
        near = closest(step, STEP_NAMES)
        hint = f"did you mean {near}? " if near else ""
        raise SettingsError(f"no step {step!r}", f"{hint}the steps are {', '.join(STEP_NAMES)}")
    overrides = parse_variables(variables)
    settings = loader_settings(overrides)
    # a file that cannot be read is reported before anything starts, and - can be read only once
    given = {
        flag: read_addresses(source, flag) if source is not None else []
        for flag, source in (("--tokens", tokens), ("--wallets", wallets))
    }
    check_sources(demo=demo, replay=replay, sandbox=sandbox_url)
    served = running_sandbox(sandbox_url) if sandbox_url is not None else None
    run_as_of = as_of or now() if served is None else _choose_time(served, as_of)
    request = RunRequest(
        SourceSpec(demo, replay, seed, market_wallets, market, strength, served),
        run_as_of,
        run_id or f"{run_as_of:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}",
        step,
        given["--tokens"],
        given["--wallets"],
        overrides,
        not skip_tests,
    )
    machine = lakehouse_settings()
    failure: LoadsFailedError | None = None
    started = time.monotonic()
    try:
        records = execute_run(request, settings, machine, report_line)
    except LoadsFailedError as error:
        failure, records = error, error.records
    ended = "failed in part" if failure else "done"
    units = sum(record.cu or 0 for record in records)
    report_line(f"run {request.run_id} {ended} in {short_duration(time.monotonic() - started)}, {units:,} CU")
    if step is None:
        _show_traders(machine.paths, top, given["--wallets"])
    # a scheduler's run ends with the last step
    if step in (None, STEP_NAMES[-1]):
        _write_report(machine.paths, is_needed=step is not None or not is_idle(records))
    if (marker := made_up_text(request.source.data_source, machine.paths)) is not None:
        # the list is marked itself; what is kept of the verdicts alone keeps this mark
        (show if step is None and not top else report_line)(marker)
    if step is None:
        report_line(f"next: {_next_step(machine.paths)}")
    if failure:
        raise failure


def _show_traders(paths: LakePaths, top: int, wallets: list[str]) -> None:
    """Print the best traders, and the verdicts on the wallets that the run was given."""
    from smart_trader.lake.reader import Lake
    from smart_trader.reports.leaderboard import leaderboard_text
    from smart_trader.reports.tables import show_rendered, stdout_screen
    from smart_trader.reports.verdicts import verdicts_text

    lake = Lake(paths)
    if top:
        show_rendered(leaderboard_text(lake, top, stdout_screen()))
    show(verdicts_text(lake, wallets))


def _write_report(paths: LakePaths, *, is_needed: bool) -> None:
    """Write the report page and say where it is; where a run changed nothing, the page of the run before stands."""
    from smart_trader.lake.reader import Lake
    from smart_trader.report_page.page_file import is_current, report_file

    lake = Lake(paths)
    page = report_file(lake)
    if not is_needed and is_current(page, lake):
        report_line(f"report: {page.absolute()} (nothing changed since it was written)")
        return
    # what makes the page takes a while to import
    from smart_trader.report_page.page import page_line

    report_line(page_line(lake))


def _next_step(paths: LakePaths) -> str:
    """Return the command that a person would type after a run."""
    from smart_trader.lake.reader import Lake
    from smart_trader.reports.board_query import BoardQuery
    from smart_trader.reports.leaderboard import read_board

    best = read_board(Lake(paths), BoardQuery(top=1)).rows["wallet_address"].to_pylist()
    return f"smart-trader explain {best[0]}" if best else "smart-trader status"


def _choose_time(served: Api, as_of: datetime | None) -> datetime:
    """Return the time of a run against a sandbox: the one given, else its own clock where it has one, else now."""
    if served.clock is None:
        report_line(f"using {served.url} ({served.data_source} data)")
        return as_of or now()
    clock = parse_timestamp(str(served.clock))
    report_line(f"using {served.url} ({served.data_source} data), where it is {spelled(clock)}")
    if as_of is None:
        check_as_of(clock, served.data_source, f"the clock of {served.url},")
    elif as_of != clock:
        report_line(f"note: this run is at {spelled(as_of)}, and rows younger than that wait for a later one")
    return as_of or clock


@click.command()
@click.argument("items", nargs=-1, type=AddressType(), metavar="[ITEM]...")
def retry(items: tuple[str, ...]) -> None:
    """Try again what is left alone after failures.

    Takes the tokens and wallets that are given, or all of them. Their failures so far count no more, so that the next
    run requests them. Without this they come back by themselves after `exhausted_retry_days`.
    """
    from loaders.bronze import Bronze
    from loaders.resources import ITEM_NAMES
    from loaders.retry import find_fetched_items, request_retry
    from loaders.tables import FETCH_LOG
    from smart_trader.config.schemas import schema_name
    from smart_trader.lake.lock import lock_lake
    from smart_trader.lake.reader import Lake, readable_lake
    from smart_trader.reports.status import exhausted_items

    paths = lakehouse_settings().paths
    bronze = Bronze(paths, schema_name("bronze"))
    readable_lake().delta("bronze", FETCH_LOG.name)
    with lock_lake(paths, "retry"):
        bronze.prepare()
        wanted = find_fetched_items(bronze, items) if items else exhausted_items(Lake(paths))
        if not wanted:
            report_line("nothing is left alone")
            return
        # time in a lake never moves back, and a made-up market's may run ahead
        request_retry(bronze, wanted, max(now(), bronze.newest_as_of() or now()))
    counts = Counter(ITEM_NAMES[kind] for kind, _ in wanted)
    counted = ", ".join(f"{count} {what}{'s' * (count > 1)}" for what, count in sorted(counts.items()))
    report_line(f"requested again by the next run: {counted}")


@click.command("as-of")
@click.argument("wanted", default="")
def print_as_of(wanted: str) -> None:
    """Print the time a run may be at.

    That is WANTED, or now where WANTED is missing or the lake is past it. A scheduler calls this once and gives the
    answer to every step of a run. A time in the future is refused, and so is a lake that is in the future: every
    scheduled run would be at that one time.
    """
    from loaders.bronze import Bronze
    from smart_trader.config.schemas import schema_name

    bronze = Bronze(lakehouse_settings().paths, schema_name("bronze"))
    chosen, note = choose_as_of(wanted, bronze.newest_as_of(), bronze.data_source())
    if note:
        report_line(note)
    show(chosen.isoformat())


@click.command()
@engine_option
@target_option
def upgrade() -> None:
    """Bring the lake of an earlier version up to date.

    `run` does so by itself. What was cut short goes on where it was. A lake that is current is left alone.
    """
    from smart_trader.lake.identity import LAKE_VERSION, ensure_exists
    from smart_trader.lake.lock import lock_lake
    from smart_trader.pipeline.upgrade import upgrade_lake

    machine = lakehouse_settings()
    ensure_exists(machine.paths)
    with lock_lake(machine.paths, "upgrade"):
        steps = upgrade_lake(machine, report_line)
    report_line(f"the lake is of version {LAKE_VERSION}{'' if steps else ' already'}")
