"""Puts a lake right: makes broken tables again from bronze and registers what the lake holds in a server's catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow.fs

from loaders.tables import TABLES
from smart_trader.config.schemas import schema_name
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.checksums import changed_file, unreadable_file
from smart_trader.lake.delta import BrokenTableError, open_table
from smart_trader.lake.disk import ASIDE
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location, is_remote
from smart_trader.lakehouse.session import SPARK, Engine
from smart_trader.maintenance.integrity import lost_rows
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.dbt import Builds

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a lake's files.

    Attributes:
        derived: Broken tables that a full refresh makes again, with what is wrong.
        kept: Broken tables that nothing can make again: bronze and histories.
        losses: What whole bronze tables lack of what the fetch log lists.
    """

    derived: dict[Name, str] = field(default_factory=dict)
    kept: dict[Name, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


def find_fault(lake: Lake, schema: str, name: str) -> str | None:
    """Return what is wrong with a Delta table, or None: its log is read, and each file looked for and read."""
    location = lake.paths.table(schema, name)
    try:
        table = open_table(location)
    except BrokenTableError as error:
        return error.what
    names = [str(path) for path in table.get_add_actions(flatten=True)["path"].to_pylist()]
    files, folder = arrow_location(location)
    found = files.get_file_info([f"{folder}/{name}" for name in names])
    missing = [name for name, info in zip(names, found, strict=True) if info.type != pyarrow.fs.FileType.File]
    if missing:
        return f"{len(missing)} of its {len(names)} files are gone, the first: {missing[0]}"
    corrupted = changed_file(lake, (schema, name), names) or unreadable_file(location, names)
    return f"a file is corrupted: {corrupted}" if corrupted else None


def examine(lake: Lake, histories: Collection[Name]) -> Findings:
    """Look at every table of a lake.

    Args:
        lake: The lake.
        histories: Schema and name of the tables that a full refresh leaves alone.
    """
    findings = Findings()
    bronze = [(schema_name("bronze"), table.name) for table in TABLES]
    for name in [*bronze, *lake.derived_tables()]:
        if not _is_there(lake.paths.table(*name)):
            continue
        fault = find_fault(lake, *name)
        if fault is not None:
            is_kept = name in bronze or name in histories
            (findings.kept if is_kept else findings.derived)[name] = fault
    if not findings.kept:
        findings.losses.extend(lost_rows(lake))
    return findings


def refuse_what_is_lost(findings: Findings) -> None:
    """Stop where a table is broken that cannot be made again.

    Raises:
        SmartTraderError: Names each and what is wrong with it.
    """
    if findings.kept:
        derived = _join_names(findings.derived)
        if derived:
            derived = f"\nthese are made again once those are mended:\n{derived}"
        raise SmartTraderError(
            f"these tables hold what cannot be computed again:\n{_join_names(findings.kept)}{derived}",
            "put the files back from a backup of the lake (smart-trader restore) and run this again. Without one: move "
            "the table's folder away; a history then begins again with the next run, and a bronze table means a new "
            "lake (LAKEHOUSE_HOME), since what was fetched is gone",
        )


def _join_names(broken: Mapping[Name, str]) -> str:
    return "\n".join(f"  {schema}.{name}: {fault}" for (schema, name), fault in broken.items())


def report_losses(findings: Findings) -> None:
    """End with an error where bronze has lost rows.

    Raises:
        SmartTraderError: Names each table, and what is gone.
    """
    if findings.losses:
        shown = "\n".join(f"  {loss}" for loss in findings.losses)
        raise SmartTraderError(
            f"bronze has lost rows that its own log speaks of:\n{shown}",
            "restore the lake from a backup (smart-trader restore). Without one these rows are gone for this lake, "
            "since a fetch that is complete is not asked again: a new lake (LAKEHOUSE_HOME) fetches everything",
        )


def set_aside(lake: Lake, broken: Collection[Name], progress: ProgressFn) -> None:
    """Move broken tables out of the way: nothing is deleted."""
    folder = lake.paths.table(ASIDE, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for schema, name in broken:
        target = f"{folder}/{schema}.{name}"
        _move(lake.paths.table(schema, name), target)
        progress(f"{schema}.{name}: broken, moved to {target}")


def repair(
    lake: Lake, builds: Builds, engine: Engine, progress: ProgressFn, upgrade: Callable[[], object] = lambda: None
) -> None:
    """Put a lake right. The caller holds its lock.

    Args:
        lake: The lake, whose tables have their present names.
        builds: dbt.
        engine: The engine that dbt builds on.
        progress: Takes progress lines.
        upgrade: Brings a lake of an earlier version to the present one; done once broken tables are out of its way.

    Raises:
        SmartTraderError: A table is broken that cannot be made again, and nothing was changed; or bronze has lost rows,
            and all else was put right.
    """
    findings = examine(lake, builds.histories())
    refuse_what_is_lost(findings)
    set_aside(lake, findings.derived, progress)
    # what the lake holds is registered in a server's catalog now
    engine.wait()
    upgrade()
    if findings.derived:
        BuildState(lake).forget()
        builds.rebuild(progress)
    elif not findings.losses:
        progress("every table is whole and registered" if engine.choice.name == SPARK else "every table is whole")
    report_losses(findings)


def _is_there(location: str) -> bool:
    files, folder = arrow_location(location)
    return bool(files.get_file_info(folder).type != pyarrow.fs.FileType.NotFound)


def _move(source: str, target: str) -> None:
    """Move a folder; a store has no such thing, so there it is copied first."""
    files, path = arrow_location(source)
    _, to = arrow_location(target)
    if not is_remote(source):
        files.create_dir(to.rpartition("/")[0])
        files.move(path, to)
        return
    pyarrow.fs.copy_files(path, to, files, files)
    files.delete_dir(path)
