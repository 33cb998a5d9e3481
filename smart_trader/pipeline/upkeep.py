"""Keeps a lake healthy: watches the disk, compacts small files, removes old ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs

from loaders.tables import TABLES
from smart_trader.errors import SmartTraderError
from smart_trader.paths import LakePaths
from smart_trader.pipeline.reading import Lake
from smart_trader.schemas import schema_name
from smart_trader.store import arrow_location

SPARK_SCHEMAS = ("silver", "gold", "snapshots", "test_failures")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """What maintenance does.

    Attributes:
        optimize: Many small files become few large ones.
        vacuum: Files that no version needs any more are removed.
        retention_hours: Files that a version of the last so many hours needs are kept.
    """

    optimize: bool
    vacuum: bool
    retention_hours: int


def used_percent(folder: Path) -> float:
    """Return how full the disk below a folder is; the nearest folder that exists counts."""
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return 100 * usage.used / usage.total


def check_disk(paths: LakePaths, warn_percent: float, refuse_percent: float, tell: Tell) -> None:
    """Warn of a disk that fills up, and refuse to start on one that is nearly full.

    A lake on S3 has no disk, but what waits to be landed there lies on one.

    Raises:
        SmartTraderError: It is fuller than `refuse_percent`.
    """
    folder = paths.local_root if paths.is_local else paths.home
    used = used_percent(folder)
    if used >= refuse_percent:
        raise SmartTraderError(
            f"the disk of {folder} is {used:.0f} % full, loads start below {refuse_percent:g} %",
            "free space, for example with: smart-trader maintain; or raise disk_refuse_percent",
        )
    if used >= warn_percent:
        tell(f"warning: the disk of {folder} is {used:.0f} % full; at {refuse_percent:g} % loads stop")


def maintain_bronze(lake: Lake, work: Work, tell: Tell) -> None:
    """Compact and vacuum the tables that dlt writes, through its own engine."""
    for table in TABLES:
        if not lake.has("bronze", table.name):
            continue
        delta, done = lake.delta("bronze", table.name), []
        if work.optimize:
            made = delta.optimize.compact()
            done.append(f"{made['numFilesRemoved']} files made {made['numFilesAdded']}")
        if work.vacuum:
            done.append(f"{len(delta.vacuum(retention_hours=work.retention_hours, dry_run=False))} old ones removed")
        tell(f"bronze.{table.name}: {', '.join(done)}")


def spark_tables(lake: Lake) -> Iterator[tuple[str, str]]:
    """Yield schema and name of each table that Spark writes."""
    for schema in SPARK_SCHEMAS:
        files, folder = arrow_location(lake.paths.table(schema_name(schema), "").rstrip("/"))
        found = files.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True))
        for name in sorted(info.base_name for info in found if info.type == pyarrow.fs.FileType.Directory):
            if files.get_file_info(f"{folder}/{name}/_delta_log").type == pyarrow.fs.FileType.Directory:
                yield schema_name(schema), name


def maintain_spark(lake: Lake, ask: Callable[[str], list[tuple[object, ...]]], work: Work, tell: Tell) -> None:
    """Compact and vacuum silver, gold and the snapshots through Spark, which is their only writer.

    Args:
        lake: The lake.
        ask: Runs a statement on the lake's server.
        work: What to do.
        tell: Takes progress lines.
    """
    known = catalog_tables(ask)
    for schema, name in spark_tables(lake):
        if (schema, name) not in known:
            tell(f"{schema}.{name}: no longer part of the catalog, left alone")
            continue
        done = []
        if work.optimize:
            ask(f"optimize {schema}.{name}")
            done.append("compacted")
        if work.vacuum:
            ask(f"vacuum {schema}.{name} retain {work.retention_hours} hours")
            done.append("old files removed")
        tell(f"{schema}.{name}: {', '.join(done)}")


def catalog_tables(ask: Callable[[str], list[tuple[object, ...]]]) -> set[tuple[str, str]]:
    """Return schema and name of each of our tables and views that Spark's catalog knows."""
    schemas = {str(row[0]) for row in ask("show schemas")} & {schema_name(schema) for schema in SPARK_SCHEMAS}
    return {(str(row[0]), str(row[1])) for schema in sorted(schemas) for row in ask(f"show tables in {schema}")}
