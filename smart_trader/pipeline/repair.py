"""Puts a lake right: tables the catalog has lost are registered, broken ones are made again from bronze."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from loaders.tables import TABLES
from smart_trader.delta import BrokenTableError, open_table
from smart_trader.errors import SmartTraderError
from smart_trader.pipeline.builds import Builds
from smart_trader.pipeline.engine import Ask
from smart_trader.pipeline.evidence import Evidence
from smart_trader.pipeline.reading import Lake
from smart_trader.pipeline.upkeep import catalog_tables, spark_tables
from smart_trader.schemas import schema_name

Tell = Callable[[str], None]
Name = tuple[str, str]
# Where broken tables are moved: nothing is deleted.
ASIDE = "_set_aside"


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a lake's files.

    Attributes:
        derived: Broken tables that a full refresh makes again, with what is wrong.
        kept: Broken tables that nothing can make again: bronze and histories.
    """

    derived: dict[Name, str] = field(default_factory=dict)
    kept: dict[Name, str] = field(default_factory=dict)


def fault_of(location: str) -> str | None:
    """Return what is wrong with a Delta table on this machine, or None: its log is read, and each file looked for."""
    try:
        table = open_table(location)
    except BrokenTableError as error:
        return error.what
    files = [str(path) for path in table.get_add_actions(flatten=True)["path"].to_pylist()]
    missing = [name for name in files if not (Path(location) / name).is_file()]
    if missing:
        return f"{len(missing)} of its {len(files)} files are gone, the first: {missing[0]}"
    return None


def examine(lake: Lake, histories: Collection[Name]) -> Findings:
    """Look at every table of a lake.

    Args:
        lake: The lake.
        histories: Schema and name of the tables that a full refresh leaves alone.
    """
    findings = Findings()
    bronze = [(schema_name("bronze"), table.name) for table in TABLES]
    for name in [*bronze, *spark_tables(lake)]:
        location = lake.paths.table(*name)
        if not Path(location).exists():
            continue
        fault = fault_of(location)
        if fault is not None:
            is_kept = name in bronze or name in histories
            (findings.kept if is_kept else findings.derived)[name] = fault
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
            "put the files back from a backup of the lake and run this again. Without one: move the table's folder "
            "away; a history then begins anew with the next run, and a bronze table means a new lake "
            "(LAKEHOUSE_HOME), since what was fetched is gone",
        )


def set_aside(lake: Lake, ask: Ask, broken: Collection[Name], tell: Tell) -> None:
    """Move broken tables out of the way and out of the catalog."""
    folder = lake.paths.local_root / ASIDE / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for schema, name in broken:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{schema}.{name}"
        # before the drop, which would delete its files
        Path(lake.paths.table(schema, name)).rename(target)
        if (schema, name) in catalog_tables(ask):
            ask(f"drop table if exists {schema}.{name}")
        tell(f"{schema}.{name}: broken, moved to {target}")


def repair(lake: Lake, builds: Builds, ask: Ask, tell: Tell) -> None:
    """Put a lake right. The caller holds its lock.

    Raises:
        SmartTraderError: A table is broken that cannot be made again; nothing was changed then.
    """
    findings = examine(lake, builds.histories())
    refuse_what_is_lost(findings)
    set_aside(lake, ask, findings.derived, tell)
    registered = register_missing(lake, ask, tell)
    if findings.derived:
        Evidence(lake).forget()
        tell(f"seeds: {builds.invoke('seeds', 'seed')}")
        # what grows with each load is only right as a whole
        tell(f"all tables, made again from bronze: {builds.invoke('the rebuild', 'run', '--full-refresh')}")
    elif registered:
        # views live in the catalog alone
        Evidence(lake).forget()
        tell("the views come back with the next smart-trader run or dbt build")
    else:
        tell("every table is whole and registered")


def register_missing(lake: Lake, ask: Ask, tell: Tell) -> list[Name]:
    """Register tables whose files are there but which the catalog does not know.

    A kill between a table's first commit and its entry in the catalog leaves one such; a lost metastore leaves all.

    Returns:
        What was registered.
    """
    known = catalog_tables(ask)
    missing = [name for name in spark_tables(lake) if name not in known and _has_commit(lake.paths.table(*name))]
    for schema, name in missing:
        ask(f"create schema if not exists {schema} location '{_quoted(f'{lake.paths.spark_uri}/{schema}')}'")
        location = _quoted(f"{lake.paths.spark_uri}/{schema}/{name}")
        ask(f"create table if not exists {schema}.{name} using delta location '{location}'")
        tell(f"{schema}.{name}: registered")
    return missing


def _has_commit(location: str) -> bool:
    return any(Path(location, "_delta_log").glob("*.json"))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
