"""Brings a lake of an earlier project to the form that this one writes, by numbered steps."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.fs

from loaders.bronze import Bronze
from loaders.tables import FETCH_LOG, TABLES
from smart_trader.clock import now
from smart_trader.config.paths import LakePaths, lake_paths
from smart_trader.config.schemas import schema_name
from smart_trader.config.settings import LakehouseSettings
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import BrokenTableError
from smart_trader.lake.identity import (
    LAKE_VERSION,
    LakeIdentity,
    ensure_usable,
    project_version,
    read_identity,
    schema_prefix,
    write_identity,
)
from smart_trader.lake.lock import lake_holder
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location
from smart_trader.lakehouse.session import Choice, Engine, lake_engine
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.dbt import Builds
from smart_trader.pipeline.fingerprints import ProjectCode
from smart_trader.pipeline.renamed import VIEWS, carry_marks, move_tables, rename_columns
from smart_trader.pipeline.stamps import Nodes

# A century: longer than any calculation is old.
NO_REFRESH_HOURS = 24 * 365 * 100
DERIVED_LAYERS = ("silver", "gold", "snapshots")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a step works with: the lake, dbt on an engine, and vars of the run that upgrades."""

    lake: Lake
    builds: Builds
    progress: ProgressFn
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One step, from the version before its number to its number.

    A step that was cut short is done again from its beginning, so doing it twice must leave what doing it once does.

    Attributes:
        number: The version that a lake has afterwards.
        name: What it does, for people.
        is_needed: Whether a lake (its location and the prefix of its schemas) holds anything that it changes.
        apply: Does it.
    """

    number: int
    name: str
    is_needed: Callable[[LakePaths, str], bool]
    apply: Callable[[Workshop], None]


def has_derived_tables(paths: LakePaths, prefix: str) -> bool:
    """Whether anything was built in a lake, not only loaded."""
    for layer in DERIVED_LAYERS:
        files, folder = arrow_location(paths.table(prefix + layer, "").rstrip("/"))
        if files.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True)):
            return True
    return False


def rebuild_derived(workshop: Workshop) -> None:
    """Make silver and gold again from bronze: an earlier project computed them by its own formulas.

    Histories stay as they are; columns that they lack are added. They get their present names before: under others,
    the build would begin them again.
    """
    move_tables(workshop.lake, workshop.progress)
    rename_columns(workshop.lake)
    BuildState(workshop.lake).forget()
    workshop.builds.rebuild(workshop.progress)


def carry_over(workshop: Workshop) -> None:
    """Give tables and views their present names; nothing is computed."""
    move_tables(workshop.lake, workshop.progress)
    rename_columns(workshop.lake)
    carry_marks(workshop.lake, workshop.builds.nodes(), workshop.overrides, workshop.progress)
    views = {"schema": schema_name("silver"), "names": list(VIEWS)}
    workshop.builds.invoke("views of earlier names", "run-operation", "drop_views", "--args", json.dumps(views))
    # the engine that builds next may not find what it stands on: each makes the views that it knows
    nodes = Nodes(workshop.builds.nodes(), ProjectCode.read(workshop.overrides))
    standing = nodes.names(nodes.standing_views(workshop.lake.paths))
    workshop.builds.invoke("views", "run", "--select", *standing)


UPGRADES = (
    Upgrade(1, "make every derived table again from bronze", has_derived_tables, rebuild_derived),
    Upgrade(2, "give tables their present names", has_derived_tables, carry_over),
)


def pending_upgrades(paths: LakePaths, prefix: str) -> list[Upgrade]:
    """Return the steps that a lake still needs, in order; what comes after the first of them is all needed.

    Raises:
        SmartTraderError: The lake is newer than this project, or half restored.
    """
    ensure_usable(paths, prefix)
    identity = read_identity(paths, prefix)
    reached = identity.version if identity else 0
    later = [step for step in UPGRADES if step.number > reached]
    while later and not later[0].is_needed(paths, prefix):
        later.pop(0)
    return later


def upgrade_lake(
    machine: LakehouseSettings,
    progress: ProgressFn,
    choice: Choice | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> int:
    """Do the steps that a lake still needs. The caller holds its lock.

    The version is written after each step, so an upgrade that was cut short goes on with the step it was at.

    Args:
        machine: The machine's settings.
        progress: Takes progress lines.
        choice: The engine, where the command has chosen it before.
        overrides: Vars of the run that upgrades.

    Returns:
        How many steps were done.

    Raises:
        SmartTraderError: The lake is newer than this project, or a step failed; the lake keeps its version then.
    """
    lake, prefix = Lake(machine.paths), schema_prefix()
    steps = pending_upgrades(machine.paths, prefix)
    _add_bronze_tables(machine.paths)
    if steps:
        progress(f"the lake is of an earlier version: {len(steps)} steps to version {LAKE_VERSION}")
        with lake_engine(machine, progress, choice) as engine:
            builds = rebuilding(machine.paths, engine, "upgrade", progress)
            workshop = Workshop(lake, builds, lambda line: progress(f"      {line}"), overrides or {})
            for step in steps:
                progress(f"[{step.number}/{LAKE_VERSION}] {step.name}")
                step.apply(workshop)
                _write_version(machine.paths, prefix, step.number)
    _write_version(machine.paths, prefix, LAKE_VERSION)
    return len(steps)


def _add_bronze_tables(paths: LakePaths) -> None:
    """Make the bronze tables, empty, that later versions of the project have added: what is built reads all of them."""
    bronze = Bronze(paths, schema_name("bronze"))
    if bronze.has(FETCH_LOG) and not all(bronze.has(table) for table in TABLES):
        bronze.prepare()


def rebuilding(paths: LakePaths, engine: Engine, what: str, progress: ProgressFn) -> Builds:
    """Return dbt for making tables again as they are due at the lake's own newest time.

    Time alone makes nothing due then: what is due at that time may be about to be fetched for it. Where bronze is too
    broken to show it, the builds are those of now; the command reads bronze first, and fails on it.
    """
    try:
        timestamp = Bronze(paths, schema_name("bronze")).newest_as_of() or now()
    except BrokenTableError:
        timestamp = now()
    variables = {"pnl_refresh_hours": NO_REFRESH_HOURS}
    return Builds(paths, engine, timestamp.isoformat(), f"{what}-{uuid.uuid4().hex[:6]}", variables, progress)


def _write_version(paths: LakePaths, prefix: str, number: int) -> None:
    known = read_identity(paths, prefix) or LakeIdentity.new(lake_version=0)
    if known.version == number:
        return
    source = known.source or Bronze(paths, f"{prefix}bronze").data_source()
    changed = {"version": number, "source": source, "written_by": project_version()}
    write_identity(paths, known.model_copy(update=changed), prefix)


def ensure_lake_is_current(uri: str, bronze_schema: str) -> None:
    """Refuse to build upon tables of another version of the project; dbt calls this before each build.

    A command that holds the lake's lock has checked it already.

    Args:
        uri: Root of the lake's tables, as Spark names it.
        bronze_schema: Name of the bronze schema, which shows the prefix of them all.

    Raises:
        SmartTraderError: The lake is newer, or older and not upgraded yet.
    """
    paths = lake_paths(Path(), uri)
    if lake_holder(paths) is not None:
        return
    prefix = re.sub("bronze$", "", bronze_schema)
    steps = pending_upgrades(paths, prefix)
    if steps:
        raise SmartTraderError(
            f"the lake {paths.uri} was built by an earlier version of the project; to do: "
            + "; ".join(f"{step.number}, {step.name}" for step in steps),
            "run: smart-trader upgrade",
        )
    # a lake that dbt alone builds gets its version here, before the first table is made
    _write_version(paths, prefix, LAKE_VERSION)
