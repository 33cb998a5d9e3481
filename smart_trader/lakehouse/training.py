"""Trains the class archive: runs a real server through typical statements and lets Java write what it loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from smart_trader.config.paths import cache_dir
from smart_trader.config.settings import LakehouseSettings
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import FileLock, LockHeldError
from smart_trader.lakehouse import archive, jars, jvm, server, spark_config
from smart_trader.lakehouse.java import find_java
from smart_trader.lakehouse.probe import execute_connect, execute_thrift

DUMP_TIMEOUT_S = 180

# What a dbt build sends: schema, table, merge, view, snapshot-like update, metadata, maintenance.
STATEMENTS = (
    "create schema if not exists silver",
    "create or replace table silver.a using delta as select id, string(id) as name, id % 3 as part from range(100)",
    "create or replace view silver.v as select part, count(*) as rows from silver.a group by part",
    "merge into silver.a as t using (select id, 'x' as name, id % 3 as part from range(90, 110)) as s on t.id = s.id "
    "when matched and t.name <> s.name then update set * when not matched then insert *",
    "select *, row_number() over (partition by part order by id) as n from silver.a qualify n = 1",
    "select v.part, v.rows, a.name from silver.v join silver.a as a on a.id = v.part order by 1",
    "show table extended in silver like '*'",
    "describe extended silver.a",
    "describe history silver.a",
    "insert into silver.a select id, 'y', 1 from range(200, 210)",
    "update silver.a set name = 'z' where id = 1",
    "optimize silver.a",
    "vacuum silver.a",
)


def train(settings: LakehouseSettings, progress: ProgressFn) -> Path | None:
    """Make the class archive for this machine's Java, unless it is there.

    Returns:
        The archive, or None where the runtime cannot have one (the wheel's Java) or it is switched off.

    Raises:
        SmartTraderError: The training server did not start, or Java wrote no archive.
    """
    java = find_java(settings.java)
    if not java.can_archive or not settings.class_archive:
        progress(
            f"no class archive: Java {java.version} ({java.source}) has no base archive"
            if settings.class_archive
            else "no class archive: LAKEHOUSE_CLASS_ARCHIVE is off"
        )
        return None
    jar_paths = jars.ensure_jars(java, settings.ivy_settings, progress)
    path = archive.archive_path(java, spark_config.classpath(jar_paths), spark_config.jvm_flags(settings))
    if path.is_file():
        progress(f"class archive is ready: {path}")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir() / "classes.lock", "training the class archive"):
            _train_on_scratch_lake(settings, path, progress)
    except LockHeldError as error:
        progress(f"the class archive is being trained by {error.holder}")
    except OSError as error:
        raise SmartTraderError(
            f"cannot write the class archive {path}: {error}",
            "make the folder writable, or set SMART_TRADER_CACHE",
        ) from None
    return path


def _train_on_scratch_lake(settings: LakehouseSettings, path: Path, progress: ProgressFn) -> None:
    """Write the archive by a server on a lake that is thrown away, and remove all but the newest archives."""
    progress("training the class archive (once, a minute or two)")
    begun = time.monotonic()
    part = path.with_suffix(".part")
    with tempfile.TemporaryDirectory(prefix="lake-training-") as home:
        scratch = {"home": Path(home), "uri": None, "thrift_port": None, "connect_port": None, "class_archive": False}
        _run_training(settings.model_copy(update=scratch), part, progress)
    os.replace(part, path)
    archive.prune()
    progress(f"class archive trained in {time.monotonic() - begun:.0f} s: {path.stat().st_size // 2**20} MB")


def ensure_archive(settings: LakehouseSettings, progress: ProgressFn) -> None:
    """Train the class archive before the first start of a server; without one, a server only starts later.

    Args:
        settings: The machine's settings.
        progress: Takes a line where there is work to do, or where it failed.
    """
    if not settings.class_archive or not settings.paths.is_local:
        return
    try:
        java = find_java(settings.java)
        if not java.can_archive:
            return
        jar_paths = jars.ensure_jars(java, settings.ivy_settings, progress)
        if archive.archive_path(java, spark_config.classpath(jar_paths), spark_config.jvm_flags(settings)).is_file():
            return
        train(settings, progress)
    except SmartTraderError as error:
        progress(f"no class archive, servers start without: {error.what}")


def _run_training(settings: LakehouseSettings, target: Path, progress: ProgressFn) -> None:
    paths = settings.paths
    java = find_java(settings.java)
    endpoints = server.choose_endpoints(settings, lambda _: None)
    server.prepare_home(settings, paths)
    server.write_inputs(settings, paths, endpoints)
    command = server.server_command(settings, paths, java, jars.ensure_jars(java, settings.ivy_settings, progress))
    trained = jvm.launch([command[0], f"-XX:ArchiveClassesAtExit={target}", *command[1:]], paths, [])
    process = trained.process
    try:
        jvm.wait_until_ready(process, endpoints, paths, settings.start_timeout)
        for statement in STATEMENTS:
            execute_thrift(endpoints.thrift_port, statement, timeout_s=120)
        execute_connect(endpoints.connect_port, endpoints.token, "select * from silver.a", timeout_s=60)
        process.send_signal(signal.SIGTERM)
        process.wait(DUMP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise SmartTraderError(
            f"Java did not write the class archive within {DUMP_TIMEOUT_S} s",
            "set LAKEHOUSE_CLASS_ARCHIVE=false",
        ) from None
    finally:
        trained.end()
    if not target.is_file():
        raise SmartTraderError("Java wrote no class archive", "start without one; it only saves time")
