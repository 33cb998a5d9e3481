"""Puts a lake right: tables the catalog has lost are registered, broken ones are made again from bronze."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote

import pyarrow.fs

from loaders.tables import TABLES
from smart_trader.delta import BrokenTableError, open_table
from smart_trader.errors import SmartTraderError
from smart_trader.pipeline.builds import Builds
from smart_trader.pipeline.engine import Ask
from smart_trader.pipeline.evidence import Evidence
from smart_trader.pipeline.integrity import changed_file, lost_rows, unreadable_file
from smart_trader.pipeline.reading import Lake
from smart_trader.pipeline.upkeep import ASIDE, SPARK_SCHEMAS, catalog_tables, spark_tables
from smart_trader.schemas import schema_name
from smart_trader.store import arrow_location, is_remote

Tell = Callable[[str], None]
Name = tuple[str, str]
# A line of what `show table extended` prints.
LOCATION = re.compile(r"^Location: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a lake's files.

    Attributes:
        derived: Broken tables that a full refresh makes again, with what is wrong.
        kept: Broken tables that nothing can make again: bronze and histories.
        losses: What whole bronze tables lack of what the fetch log says.
    """

    derived: dict[Name, str] = field(default_factory=dict)
    kept: dict[Name, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


def fault_of(lake: Lake, schema: str, name: str) -> str | None:
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
    for name in [*bronze, *spark_tables(lake)]:
        if not _is_there(lake.paths.table(*name)):
            continue
        fault = fault_of(lake, *name)
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
        shown = "\n".join(f"  {schema}.{name}: {fault}" for (schema, name), fault in findings.kept.items())
        raise SmartTraderError(
            f"these tables hold what cannot be computed again:\n{shown}",
            "put the files back from a backup of the lake (smart-trader restore) and run this again. Without one: move "
            "the table's folder away; a history then begins again with the next run, and a bronze table means a new "
            "lake (LAKEHOUSE_HOME), since what was fetched is gone",
        )


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


def set_aside(lake: Lake, ask: Ask, broken: Collection[Name], tell: Tell) -> None:
    """Move broken tables out of the way and out of the catalog: nothing is deleted."""
    folder = lake.paths.table(ASIDE, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for schema, name in broken:
        target = f"{folder}/{schema}.{name}"
        # before the drop, which would delete its files
        _move(lake.paths.table(schema, name), target)
        if (schema, name) in catalog_tables(ask):
            ask(f"drop table if exists {schema}.{name}")
        tell(f"{schema}.{name}: broken, moved to {target}")


def repair(lake: Lake, builds: Builds, ask: Ask, tell: Tell) -> None:
    """Put a lake right. The caller holds its lock.

    Raises:
        SmartTraderError: A table is broken that cannot be made again, and nothing was changed; or bronze has lost rows,
            and all else was put right.
    """
    findings = examine(lake, builds.histories())
    refuse_what_is_lost(findings)
    set_aside(lake, ask, findings.derived, tell)
    registered = register_missing(lake, ask, tell)
    if findings.derived:
        Evidence(lake).forget()
        rebuild(builds, tell)
    elif registered:
        # views live in the catalog alone
        Evidence(lake).forget()
        tell("the views come back with the next smart-trader run or dbt build")
    elif not findings.losses:
        tell("every table is whole and registered")
    report_losses(findings)


def rebuild(builds: Builds, tell: Tell) -> None:
    """Make every table but the histories again from bronze."""
    tell(f"seeds: {builds.invoke('seeds', 'seed')}")
    # what grows with each load is only right as a whole
    tell(f"all tables, made again from bronze: {builds.invoke('the rebuild', 'run', '--full-refresh')}")


def register_missing(lake: Lake, ask: Ask, tell: Tell) -> list[Name]:
    """Register tables whose files are there but which the catalog does not know.

    A kill between a table's first commit and its entry in the catalog leaves one such; a lost metastore leaves all.

    Returns:
        What was registered.

    Raises:
        SmartTraderError: The catalog names a table that lies outside the lake.
    """
    refuse_another_lakes_tables(lake, ask)
    known = catalog_tables(ask)
    missing = [name for name in spark_tables(lake) if name not in known and _has_commit(lake.paths.table(*name))]
    for schema, name in missing:
        ask(f"create schema if not exists {schema} location '{_quoted(f'{lake.paths.spark_uri}/{schema}')}'")
        location = _quoted(f"{lake.paths.spark_uri}/{schema}/{name}")
        ask(f"create table if not exists {schema}.{name} using delta location '{location}'")
        tell(f"{schema}.{name}: registered")
    return missing


def refuse_another_lakes_tables(lake: Lake, ask: Ask) -> None:
    """Stop where the catalog leads to files outside the lake: what is built would be written there.

    The embedded server drops such a catalog when it starts; one that several machines share, nobody may drop for them.

    Raises:
        SmartTraderError: Names the first such schema or table and where it lies.
    """
    for name, location in registered_locations(ask):
        if not is_below(location, lake.paths.spark_uri):
            raise SmartTraderError(
                f"the catalog says that {name} lies at {location}, outside of this lake, {lake.paths.spark_uri}",
                "the lake was copied or moved: run smart-trader lakehouse stop, then this again; a cluster needs a "
                "metastore of its own for each lake",
            )


def registered_locations(ask: Ask) -> Iterator[tuple[str, str]]:
    """Yield each of our schemas and tables that the catalog knows, and where it says that they lie."""
    ours = {schema_name(schema) for schema in ("bronze", *SPARK_SCHEMAS)}
    for schema in sorted({str(row[0]) for row in ask("show schemas")} & ours):
        yield from ((schema, str(row[1])) for row in ask(f"describe schema {schema}") if row[0] == "Location")
        for _, table, _, facts in ask(f"show table extended in {schema} like '*'"):
            found = LOCATION.search(str(facts))
            # a view has none
            if found:
                yield f"{schema}.{table}", found[1].strip()


def is_below(location: str, root: str) -> bool:
    """Whether a place is in a lake; Spark writes one slash or three after `file:`, and escapes some letters."""
    place, base = (unquote(text).replace("file:///", "file:/").rstrip("/") for text in (location, root))
    return place == base or place.startswith(f"{base}/")


def _has_commit(location: str) -> bool:
    files, folder = arrow_location(location)
    log = files.get_file_info(pyarrow.fs.FileSelector(f"{folder}/_delta_log", allow_not_found=True))
    return any(info.extension == "json" for info in log)


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


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
