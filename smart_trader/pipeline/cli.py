"""Commands of the pipeline. What they need is imported when they run: reading takes no server and no second."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_trader.addresses import AddressType
from smart_trader.clock import TimestampType, choose_as_of, now
from smart_trader.console import say, show
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.run_ids import RunIdType
from smart_trader.schemas import TARGET_VARIABLE
from smart_trader.settings import ENGINE_VARIABLE, lakehouse_settings

if TYPE_CHECKING:
    from smart_trader.pipeline.reading import Lake


def _choose_target(_: click.Context, __: click.Parameter, name: str | None) -> None:
    """Make dbt's target what the flag says; every later step reads it from the environment, as dbt does."""
    if name:
        os.environ[TARGET_VARIABLE] = name


target_option = click.option(
    "--target",
    expose_value=False,
    callback=_choose_target,
    help="dbt's target: local (either engine), spark, embedded, ci or cluster. Default: DBT_TARGET, else local.",
)


def _choose_engine(_: click.Context, __: click.Parameter, name: str | None) -> None:
    """Make the engine what the flag says; every later step reads it from the environment, as dbt's profile does."""
    if name:
        os.environ[ENGINE_VARIABLE] = name


engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "embedded", "spark"]),
    expose_value=False,
    callback=_choose_engine,
    help="What builds: embedded (in this process, no Java), spark (the lake's server, started if need be), or auto: "
    "spark where the server is up, else embedded. Default: LAKEHOUSE_ENGINE, else auto.",
)


@click.command("run")
@engine_option
@target_option
@click.option("--demo", is_flag=True, help="Ask a made-up market; no key needed.")
@click.option("--replay", type=click.Path(path_type=Path), metavar="FOLDER", help="Ask recorded responses.")
@click.option("--tokens", metavar="FILE", help="Fetch the holders of these tokens as well: a file, - or a,b,c.")
@click.option("--wallets", metavar="FILE", help="Track these wallets as well: a file, - or a,b,c.")
@click.option(
    "--as-of", type=TimestampType(), help="The run's time, as 2026-01-31T09:00:00Z or unix seconds; default: now."
)
@click.option("--step", metavar="NAME", help="Do one step alone, as a scheduler does.")
@click.option(
    "--run-id",
    type=RunIdType(),
    help="Name of the run; the steps of one run share it, and its cu_budget. Default: made up.",
)
@click.option("--seed", default=7, show_default=True, help="The made-up market's seed.")
@click.option(
    "--market-wallets", default=200, show_default=True, type=click.IntRange(20, 20_000), help="The market's size."
)
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=0), help="Traders to show at the end.")
@click.option("--skip-tests", is_flag=True, help="Build without the data tests.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A setting of this run alone.")
def run_pipeline(
    demo: bool,
    replay: Path | None,
    tokens: str | None,
    wallets: str | None,
    as_of: datetime | None,
    step: str | None,
    run_id: str | None,
    seed: int,
    market_wallets: int,
    top: int,
    skip_tests: bool,
    variables: tuple[str, ...],
) -> None:
    """Load, build and rank: the whole pipeline, or one step of it.

    Asks BirdEye with BIRDEYE_API_KEY, or what --demo or --replay names. Run again at any time: what is done is not done
    twice, and what an earlier run left half-way is finished.
    """
    from loaders.cli import parse_variables
    from loaders.queues import given_items
    from loaders.settings import loader_settings
    from smart_trader.pipeline import run
    from smart_trader.pipeline.sources import Wanted
    from smart_trader.pipeline.steps import STEP_NAMES

    if step is not None and step not in STEP_NAMES:
        raise SettingsError(f"no step {step!r}", f"the steps are {', '.join(STEP_NAMES)}")
    overrides = parse_variables(variables)
    settings = loader_settings(overrides)
    # a file that cannot be read is told before anything starts, and - can be read only once
    given = {
        flag: [item.item for item in given_items(source, flag)] if source is not None else []
        for flag, source in (("--tokens", tokens), ("--wallets", wallets))
    }
    moment = as_of or now()
    order = run.Order(
        Wanted(demo, replay, seed, market_wallets),
        moment,
        run_id or f"{moment:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}",
        step,
        ",".join(given["--tokens"]) or None,
        ",".join(given["--wallets"]) or None,
        overrides,
        not skip_tests,
    )
    machine = lakehouse_settings()
    failure: run.LoadsFailedError | None = None
    try:
        records = run.run_pipeline(order, settings, machine, say)
    except run.LoadsFailedError as error:
        failure, records = error, error.records
    ended = "failed in part" if failure else "done"
    say(f"run {order.run_id} {ended} in {sum(record.seconds for record in records):.1f} s")
    if step is None:
        from smart_trader.pipeline import shown
        from smart_trader.pipeline.reading import Lake

        lake = Lake(machine.paths)
        show(shown.leaderboard_text(shown.leaderboard_rows(lake, top), "table"))
        show(shown.verdicts_text(lake, given["--wallets"]))
    if failure:
        raise failure


def _readable_lake() -> Lake:
    """Return the lake for a command that reads it straight from its files.

    Raises:
        SmartTraderError: It is not there, a newer project has written it, or it is only half restored.
    """
    from smart_trader.lake_identity import ensure_exists
    from smart_trader.pipeline.reading import Lake

    lake = Lake(lakehouse_settings().paths)
    ensure_exists(lake.paths)
    return lake


@click.command()
@click.option("--top", type=click.IntRange(min=1), help="Wallets at most; default: all.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Form."
)
def leaderboard(top: int | None, form: str) -> None:
    """Show the ranked traders, read straight from the lake."""
    from smart_trader.pipeline import shown

    show(shown.leaderboard_text(shown.leaderboard_rows(_readable_lake(), top), form))


@click.command()
@click.argument("wallet", type=AddressType())
def explain(wallet: str) -> None:
    """Explain one wallet: its verdict and why, its figures, each token."""
    from smart_trader.pipeline import shown

    show(shown.explanation(_readable_lake(), wallet))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show tables, pending work, items left alone, the last run, the disk."""
    from smart_trader.pipeline import shown

    facts = shown.status_facts(_readable_lake())
    show(json.dumps(facts, default=str, indent=1) if as_json else shown.status_text(facts))


@click.command()
@click.argument("items", nargs=-1, type=AddressType(), metavar="[ITEM]...")
def retry(items: tuple[str, ...]) -> None:
    """Ask again for tokens and wallets that are left alone after failures: each ITEM, or all of them.

    Their failures so far count no more, so that the next run asks for them. Without this they come back by themselves
    after `exhausted_retry_days`.
    """
    from loaders.bronze import Bronze
    from loaders.retry import asked_items, request_retry
    from loaders.tables import FETCH_LOG
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline import shown
    from smart_trader.pipeline.reading import Lake
    from smart_trader.schemas import schema_name

    paths = lakehouse_settings().paths
    bronze = Bronze(paths, schema_name("bronze"))
    _readable_lake().delta("bronze", FETCH_LOG.name)
    with lock_lake(paths, "retry"):
        bronze.prepare()
        wanted = asked_items(bronze, items) if items else shown.exhausted_items(Lake(paths))
        if not wanted:
            say("nothing is left alone")
            return
        # time in a lake never moves back, and a made-up market's may run ahead
        request_retry(bronze, wanted, max(now(), bronze.newest_as_of() or now()))
    counts = Counter("token" if kind == "holders" else "wallet" for kind, _ in wanted)
    counted = ", ".join(f"{count} {what}{'s' * (count > 1)}" for what, count in sorted(counts.items()))
    say(f"asked again by the next run: {counted}")


@click.command("as-of")
@click.argument("wanted", default="")
def as_of_moment(wanted: str) -> None:
    """Print the time a run may be at: WANTED, or now where that is missing or the lake is past it.

    A scheduler asks this once and gives the answer to every step of a run. A time in the future is refused, and so is
    a lake that is in the future: every scheduled run would be at that one time.
    """
    from loaders.bronze import Bronze
    from smart_trader.schemas import schema_name

    bronze = Bronze(lakehouse_settings().paths, schema_name("bronze"))
    chosen, note = choose_as_of(wanted, bronze.newest_as_of(), bronze.data_source())
    if note:
        say(note)
    show(chosen.isoformat())


@click.command()
@click.option(
    "--only",
    type=click.Choice(["vacuum", "optimize", "disk"]),
    multiple=True,
    help="Do this alone: remove old files, compact small ones where that pays, look at the disk. Default: all three.",
)
@click.option(
    "--retain-hours",
    type=click.IntRange(min=0),
    help="Keep what versions of the last so many hours need; below 168 only while nothing else uses the lake. "
    "Default: vacuum_retention_hours.",
)
@target_option
def maintain(only: tuple[str, ...], retain_hours: int | None) -> None:
    """Remove old files, compact small ones where that pays, look at the disk; in this order.

    Says what it gained. Needs no server, whichever engine wrote the tables.
    """
    from loaders.settings import loader_settings
    from smart_trader.lake_identity import ensure_exists
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline import upkeep
    from smart_trader.pipeline.integrity import record_checksums
    from smart_trader.pipeline.reading import Lake

    settings, machine = loader_settings(), lakehouse_settings()
    ensure_exists(machine.paths)
    hours = settings.vacuum_retention_hours if retain_hours is None else retain_hours
    work = upkeep.Work("optimize" in only or not only, "vacuum" in only or not only, hours)
    if work.optimize or work.vacuum:
        with lock_lake(machine.paths, "maintain"):
            if work.vacuum:
                upkeep.ensure_retention_is_safe(machine.paths, hours)
            lake = Lake(machine.paths)
            say(str(upkeep.maintain_lake(lake, work, say)))
            if work.optimize:
                record_checksums(lake)
    if "disk" in only or not only:
        say(upkeep.disk_text(machine.paths, settings.disk_warn_percent, settings.disk_refuse_percent))
        try:
            upkeep.check_disk(machine.paths, settings.disk_warn_percent, settings.disk_refuse_percent, say)
        except SmartTraderError as error:
            if only == ("disk",):
                raise
            # what could be freed is freed: a scheduler's chain goes on
            say(f"warning: {error}")


@click.command()
@engine_option
@target_option
def repair() -> None:
    """Read every file of every table, make broken tables again; with Spark, register what its catalog has lost.

    Nothing is deleted: a broken table is moved to _set_aside in the lake. Bronze and histories cannot be made again;
    where one of them is broken, nothing is changed and you are told what to do.
    """
    from smart_trader.lake_identity import ensure_exists
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline.engine import lake_engine
    from smart_trader.pipeline.lake_version import rebuilding, upgrade_lake
    from smart_trader.pipeline.reading import Lake
    from smart_trader.pipeline.renamed import move_tables
    from smart_trader.pipeline.repair import repair as repair_lake

    machine = lakehouse_settings()
    ensure_exists(machine.paths)
    with lock_lake(machine.paths, "repair"), lake_engine(machine, say) as engine:
        say(str(engine.choice))
        lake, builds = Lake(machine.paths), rebuilding(machine.paths, engine, "repair", say)
        move_tables(lake, say)
        repair_lake(lake, builds, engine, say, lambda: upgrade_lake(machine, say, engine.choice))


@click.command()
@engine_option
@target_option
def upgrade() -> None:
    """Bring a lake of an earlier version of the project to this one's; `run` does so by itself.

    What was cut short goes on where it was. A lake that is current is left alone.
    """
    from smart_trader.lake_identity import LAKE_VERSION, ensure_exists
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline.lake_version import upgrade_lake

    machine = lakehouse_settings()
    ensure_exists(machine.paths)
    with lock_lake(machine.paths, "upgrade"):
        steps = upgrade_lake(machine, say)
    say(f"the lake is of version {LAKE_VERSION}{'' if steps else ' already'}")


@click.command()
@click.argument("target", metavar="DEST", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the lake to DEST, a folder that is empty or does not exist, and verify the copy.

    Holds every table, what waits to be landed, and the lake's version and source. Left out are Spark's catalog, which
    the next run makes again, logs, and the server's files.
    """
    from smart_trader.lake_identity import ensure_exists
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline.backup import back_up

    paths = lakehouse_settings().paths
    ensure_exists(paths)
    with lock_lake(paths, f"backup {target}"):
        made = back_up(paths, target.expanduser().absolute(), say)
    say(f"backed up {len(made.tables)} tables to {target}; bring them back with: smart-trader restore {target}")


@click.command()
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
def restore(source: Path) -> None:
    """Bring back what `backup` has copied to SRC, into a lake that holds nothing.

    Reading commands work at once; the next run registers the tables with Spark and makes the views.
    """
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline.backup import read_manifest
    from smart_trader.pipeline.restore import restore as restore_lake

    paths, folder = lakehouse_settings().paths, source.expanduser().absolute()
    # before the lock, which would make the lake's folder
    read_manifest(folder)
    with lock_lake(paths, f"restore {source}", restores=True):
        made = restore_lake(paths, folder, say)
    say(f"restored {len(made.tables)} tables to {paths.uri}; go on with: smart-trader run")
