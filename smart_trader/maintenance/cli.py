"""Commands that keep a lake healthy or put it right. What they need is imported when they run."""

from __future__ import annotations

import sys
import uuid
from datetime import datetime
from pathlib import Path

import click

from smart_trader.clock import latest_as_of
from smart_trader.config.schemas import schema_name
from smart_trader.config.settings import lakehouse_settings
from smart_trader.console import report_line
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.pipeline.options import engine_option, target_option


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
    """Remove old files, compact small ones, look at the disk.

    It does so in this order, and reports what it gained. Needs no server, whichever engine wrote the tables.
    """
    from loaders.settings import loader_settings
    from loaders.tables import TABLE_NAMES
    from smart_trader.lake.checksums import record_checksums
    from smart_trader.lake.disk import check_disk, disk_text
    from smart_trader.lake.identity import ensure_exists
    from smart_trader.lake.lock import lock_lake
    from smart_trader.lake.reader import Lake
    from smart_trader.maintenance.maintain import Work, ensure_retention_is_safe, maintain_lake

    settings, machine = loader_settings(), lakehouse_settings()
    ensure_exists(machine.paths)
    hours = settings.vacuum_retention_hours if retain_hours is None else retain_hours
    work = Work("optimize" in only or not only, "vacuum" in only or not only, hours)
    if work.optimize or work.vacuum:
        with lock_lake(machine.paths, "maintain"):
            if work.vacuum:
                ensure_retention_is_safe(machine.paths, hours)
            lake = Lake(machine.paths)
            report_line(str(maintain_lake(lake, work, report_line)))
            if work.optimize:
                record_checksums(lake, TABLE_NAMES)
    if "disk" in only or not only:
        report_line(disk_text(machine.paths, settings.disk_warn_percent, settings.disk_refuse_percent))
        try:
            check_disk(machine.paths, settings.disk_warn_percent, settings.disk_refuse_percent, report_line)
        except SmartTraderError as error:
            if only == ("disk",):
                raise
            # what could be freed is freed: a scheduler's chain goes on
            report_line(f"warning: {error}")


@click.command()
@engine_option
@target_option
def repair() -> None:
    """Read every file, make broken tables again.

    With Spark it also registers what its catalog has lost. Nothing is deleted: a broken table is moved to _set_aside in
    the lake. Bronze and histories cannot be made again; where one of them is broken, nothing is changed and the error
    names what to do.
    """
    from smart_trader.lake.identity import ensure_exists
    from smart_trader.lake.lock import lock_lake
    from smart_trader.lake.reader import Lake
    from smart_trader.lakehouse.session import lake_engine
    from smart_trader.maintenance.repair import repair as repair_lake
    from smart_trader.pipeline.renamed import move_tables
    from smart_trader.pipeline.upgrade import rebuilding, upgrade_lake

    machine = lakehouse_settings()
    ensure_exists(machine.paths)
    with lock_lake(machine.paths, "repair"), lake_engine(machine, report_line) as engine:
        report_line(str(engine.choice))
        lake, builds = Lake(machine.paths), rebuilding(machine.paths, engine, "repair", report_line)
        move_tables(lake, report_line)
        # without bronze there is nothing to build tables of an earlier version from
        is_loaded = lake.has("bronze", "fetch_log")
        repair_lake(
            lake, builds, engine, report_line, lambda: is_loaded and upgrade_lake(machine, report_line, engine.choice)
        )


@click.command()
@click.argument("target", metavar="DEST", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy the lake to DEST and verify the copy.

    DEST is a folder that is empty or does not exist. The copy holds every table, what waits to be landed, and the
    lake's version and source. Left out are Spark's catalog, which the next run makes again, logs, and the server's
    files.
    """
    from smart_trader.lake.identity import ensure_exists
    from smart_trader.lake.lock import lock_lake
    from smart_trader.maintenance.backup import back_up

    paths = lakehouse_settings().paths
    ensure_exists(paths)
    with lock_lake(paths, f"backup {target}"):
        made = back_up(paths, target.expanduser().absolute(), report_line)
    report_line(f"backed up {len(made.tables)} tables to {target}; bring them back with: smart-trader restore {target}")


@click.command()
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
def restore(source: Path) -> None:
    """Bring back a backup from SRC into an empty lake.

    Reading commands work at once; the next run registers the tables with Spark and makes the views.
    """
    from smart_trader.lake.lock import lock_lake
    from smart_trader.maintenance.backup import read_manifest
    from smart_trader.maintenance.restore import restore as restore_lake

    paths, folder = lakehouse_settings().paths, source.expanduser().absolute()
    # before the lock, which would make the lake's folder
    read_manifest(folder)
    with lock_lake(paths, f"restore {source}", restores=True):
        made = restore_lake(paths, folder, report_line)
    report_line(f"restored {len(made.tables)} tables to {paths.uri}; go on with: smart-trader run")


@click.command("discard-future")
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask for confirmation.")
@engine_option
@target_option
def discard_future(is_confirmed: bool) -> None:
    """Take out of the lake what is stamped with the future.

    A mistyped --as-of does that; the lake is built again without. Until then every run is refused, since time in a lake
    never moves back. Later than now counts as the future: in a lake of real data by more than 5 minutes, in one of
    made-up data by more than 400 days. The lake is then as it was before those runs; what they fetched is copied to
    _set_aside in the lake, and is due again.
    """
    from loaders.bronze import Bronze
    from loaders.tables import FETCH_LOG
    from smart_trader.lake.identity import ensure_exists
    from smart_trader.lake.lock import lock_lake
    from smart_trader.lake.reader import Lake
    from smart_trader.lakehouse.session import lake_engine
    from smart_trader.maintenance import future
    from smart_trader.pipeline.dbt import Builds
    from smart_trader.pipeline.upgrade import NO_REFRESH_HOURS

    machine = lakehouse_settings()
    ensure_exists(machine.paths)
    bronze = Bronze(machine.paths, schema_name("bronze"))
    run_id = f"discard-future-{uuid.uuid4().hex[:6]}"

    with lock_lake(machine.paths, "discard-future"), lake_engine(machine, report_line) as engine:

        def builds_at(time: datetime) -> Builds:
            variables = {"pnl_refresh_hours": NO_REFRESH_HOURS}
            return Builds(machine.paths, engine, time.isoformat(), run_id, variables, report_line)

        if bronze.has(FETCH_LOG):
            # what waits to be landed may be of the future as well
            bronze.prepare()
        found = future.find_future(Lake(machine.paths), latest_as_of(bronze.data_source()))
        if not found:
            report_line(f"nothing in the lake is stamped later than {found.after:%Y-%m-%d %H:%M:%S} UTC; nothing to do")
            return
        report_line(str(found))
        _confirm(is_confirmed)
        future.discard_future(Lake(machine.paths), found, builds_at, engine, report_line)
    report_line("the next smart-trader run goes on from there")


def _confirm(is_confirmed: bool) -> None:
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise SettingsError("nothing was changed: this needs to be confirmed", "run it with --yes")
    click.confirm("Take these rows out of the lake? They are copied to _set_aside first.", abort=True, err=True)
