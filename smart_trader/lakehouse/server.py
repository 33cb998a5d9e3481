"""Starts and stops the server of one lake."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from smart_trader.errors import SmartTraderError
from smart_trader.lakehouse import archive, config, jars
from smart_trader.lakehouse.config import LOOPBACK, Doors
from smart_trader.lakehouse.diagnosis import explain_failed_start
from smart_trader.lakehouse.java import Java, find_java
from smart_trader.lakehouse.probe import NoAnswerError, ask_both, import_clients
from smart_trader.lakehouse.record import ServerRecord, read_record, write_private, write_record
from smart_trader.locks import FileLock, LockHeldError, engine_lock, is_held
from smart_trader.paths import OWNER_ONLY_DIR, LakePaths
from smart_trader.settings import LakehouseSettings
from smart_trader.store import check_store

THRIFT_PORT = 10000
CONNECT_PORT = 15002
FREE_PORTS = range(20_000, 32_000)
STOP_TIMEOUT_S = 30
POLL_S = 0.1

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Started:
    """What `start` found or did; `was_running` is true when the server was up before."""

    record: ServerRecord
    was_running: bool


def start(settings: LakehouseSettings, progress: Progress) -> Started:
    """Bring up the lake's server and return when both doors answer; a server that is up already is left alone.

    Args:
        settings: The machine's settings.
        progress: Called with one short line per step.

    Raises:
        SmartTraderError: It cannot be started; nothing is left running and no table was touched.
    """
    paths = settings.paths
    if not paths.is_local:
        check_store(paths.uri)
    prepare_home(settings, paths)
    lock = FileLock(paths.server_lock, "smart-trader lakehouse start")
    try:
        lock.acquire()
    except LockHeldError:
        return Started(_wait_for_other_start(settings, paths, progress), was_running=True)
    with ExitStack() as stack:
        stack.callback(lock.release)
        locks = [lock, *_lock_tables(paths, stack)]
        return Started(_start_locked(settings, paths, locks, progress), was_running=False)


def _start_locked(
    settings: LakehouseSettings, paths: LakePaths, locks: list[FileLock], progress: Progress
) -> ServerRecord:
    begun = time.monotonic()
    java = find_java(settings.java)
    jar_paths = jars.ensure_jars(java, settings.ivy_settings, progress, jars.jars_for(paths))
    doors = choose_doors(settings, progress)
    command = server_command(settings, paths, java, jar_paths)
    progress(f"starting Spark on Java {java.version} ({java.source})")
    write_inputs(settings, paths, doors)
    process = launch(command, paths, locks)
    try:
        wait_until_ready(process, doors, paths, settings.start_timeout)
    except BaseException:
        end(process)
        paths.properties.unlink(missing_ok=True)
        raise
    created = psutil.Process(process.pid).create_time()
    ready_s = round(time.monotonic() - begun, 1)
    record = ServerRecord(process.pid, created, doors, paths.uri, java.build, ready_s)
    write_record(paths.server_file, record)
    for lock in locks:
        lock.write_holder(process.pid)
        lock.hand_over()
    return record


def write_inputs(settings: LakehouseSettings, paths: LakePaths, doors: Doors) -> None:
    """Write Spark's settings for one start and empty its scratch space."""
    empty_scratch(paths)
    write_private(paths.properties, config.properties_text(config.spark_properties(settings, paths, doors)))


def empty_scratch(paths: LakePaths) -> None:
    """Empty the server's scratch space."""
    shutil.rmtree(paths.tmp, ignore_errors=True)
    paths.tmp.mkdir(mode=OWNER_ONLY_DIR)
    # Hive expects the first to be there, and makes the other once per session: two sessions at once would race
    for name in ("hive-local", "hive"):
        (paths.tmp / name).mkdir(mode=OWNER_ONLY_DIR)


def prepare_home(settings: LakehouseSettings, paths: LakePaths) -> None:
    """Make the server's folder and see that it can be used.

    Raises:
        SmartTraderError: It cannot be made, read or written, or its disk is nearly full.
    """
    folders = [paths.home, *([paths.local_root] if paths.is_local else [])]
    for folder in folders:
        try:
            folder.mkdir(mode=OWNER_ONLY_DIR, parents=True, exist_ok=True)
            usable = os.access(folder, os.R_OK | os.W_OK | os.X_OK)
        except OSError as error:
            raise SmartTraderError(
                f"cannot make {folder}: {error.strerror}",
                "set LAKEHOUSE_HOME (and LAKEHOUSE_URI) to a folder of your own",
            ) from None
        if not usable:
            raise SmartTraderError(
                f"{folder} is not readable and writable for this user",
                "change its owner or mode, or set LAKEHOUSE_HOME (and LAKEHOUSE_URI) to a folder of your own",
            )
        free_mb = shutil.disk_usage(folder).free // 2**20
        if free_mb < settings.min_free_mb:
            raise SmartTraderError(
                f"no disk space: {free_mb} MB free at {folder}, {settings.min_free_mb} MB needed",
                "free some space, or set LAKEHOUSE_HOME (and LAKEHOUSE_URI) to another disk",
            )


def _lock_tables(paths: LakePaths, stack: ExitStack) -> list[FileLock]:
    """Take the lock in the tables' own folder, so that two homes can't serve one lake."""
    if not paths.is_local:
        return []
    lock = engine_lock(paths.local_root, f"lakehouse server of {paths.home}")
    try:
        lock.acquire()
    except LockHeldError as error:
        raise SmartTraderError(
            f"another server writes the lake {paths.local_root}: {error.holder}",
            "use that server, or stop it first; two servers on one lake would overwrite each other's commits",
        ) from None
    stack.callback(lock.release)
    return [lock]


def _wait_for_other_start(settings: LakehouseSettings, paths: LakePaths, progress: Progress) -> ServerRecord:
    """The server runs or is being started by someone else: wait for its answer."""
    record = None
    deadline = time.monotonic() + settings.start_timeout
    told = False
    why = "it wrote no record"
    while time.monotonic() < deadline:
        record = read_record(paths.server_file)
        if record is not None and record.process() is not None:
            if record.uri != paths.uri:
                raise SmartTraderError(
                    f"the server of {paths.home} is running on another lake: {record.uri}, not {paths.uri}",
                    "run `smart-trader lakehouse stop` first, or give this lake its own LAKEHOUSE_HOME",
                )
            try:
                ask_both(record.doors)
            except NoAnswerError as error:
                why = error.why
            else:
                return record
        if not is_held(paths.server_lock):
            raise SmartTraderError(f"the other start of {paths.home} failed", "start again to see why")
        if not told:
            progress("waiting for the server that another process is starting")
            told = True
        time.sleep(0.5)
    pid = record.pid if record else "unknown"
    raise SmartTraderError(
        f"the server of {paths.home} (process {pid}) does not answer: {why}",
        "run `smart-trader lakehouse stop`, then start again",
    )


def choose_doors(settings: LakehouseSettings, progress: Progress) -> Doors:
    """Pick ports and a fresh token; a default port that is taken is replaced by a free one, a configured one is not.

    Raises:
        SmartTraderError: A port that was asked for by name is taken.
    """
    thrift = _choose_port("LAKEHOUSE_THRIFT_PORT", settings.thrift_port, THRIFT_PORT, progress)
    connect = _choose_port("LAKEHOUSE_CONNECT_PORT", settings.connect_port, CONNECT_PORT, progress)
    return Doors(thrift, connect, secrets.token_hex(24))


def _choose_port(setting: str, wanted: int | None, default: int, progress: Progress) -> int:
    port = wanted or default
    if _is_free(port):
        return port
    if wanted:
        raise SmartTraderError(
            f"port {wanted} is taken by another program",
            f"stop that program, or unset {setting} to let a free port be chosen",
        )
    free = free_port()
    progress(f"port {default} is taken, using {free}")
    return free


def free_port() -> int:
    """Return a port that nobody has.

    It is below those that the system gives to connections: one of them could take it before its server is up.
    """
    while not _is_free(port := secrets.choice(FREE_PORTS)):
        pass
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as the servers do it: a port in TIME_WAIT after a stop is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def server_command(settings: LakehouseSettings, paths: LakePaths, java: Java, jar_paths: list[Path]) -> list[str]:
    """Return the JVM's command line; secrets are in the properties file, never here."""
    flags = config.jvm_flags(settings)
    classpath = config.classpath(jar_paths)
    if settings.class_archive:
        flags += archive.run_flags(archive.archive_path(java, classpath, flags))
    return [
        str(java.program),
        *flags,
        f"-Djava.io.tmpdir={paths.tmp}",
        f"-Dderby.stream.error.file={paths.home / 'derby.log'}",
        f"-Dlog4j2.configurationFile={config.log_config().as_uri()}",
        *("-cp", classpath, "org.apache.spark.deploy.SparkSubmit"),
        *("--properties-file", str(paths.properties)),
        *("--class", config.MAIN_CLASS, "spark-internal"),
    ]


def launch(command: list[str], paths: LakePaths, locks: list[FileLock]) -> subprocess.Popen[bytes]:
    """Start the JVM as a process of its own session, holding the locks."""
    if paths.log.exists():
        paths.log.replace(paths.log.with_suffix(".log.1"))
    with os.fdopen(os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
        return subprocess.Popen(
            command,
            cwd=paths.home,
            env=config.server_environment(sys.executable, paths),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno() for lock in locks],
            umask=0o077,
        )


def wait_until_ready(process: subprocess.Popen[bytes], doors: Doors, paths: LakePaths, timeout_s: int) -> None:
    """Wait for a real answer on both doors.

    Raises:
        SmartTraderError: The process ended or the time is over; names the cause as the log tells it.
    """
    deadline = time.monotonic() + timeout_s
    why = "it does not listen on its ports"
    # the clients take a second of imports: done while the JVM starts anyway
    import_clients()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise explain_failed_start(paths, f"the process ended with code {process.returncode}")
        # the doors of another lake's server would answer as well; and calling takes CPU from the starting JVM
        if {doors.thrift_port, doors.connect_port} <= _ports_of(process):
            try:
                ask_both(doors, timeout_s=max(1.0, deadline - time.monotonic()))
            except NoAnswerError as error:
                why = error.why
            else:
                return
        time.sleep(POLL_S)
    raise explain_failed_start(paths, f"no answer within {timeout_s} s ({why})")


def _ports_of(process: subprocess.Popen[bytes]) -> set[int]:
    """Return the ports a process listens on."""
    try:
        connections = psutil.Process(process.pid).net_connections("tcp")
    except psutil.Error:
        return set()
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a JVM that this program started."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def running(paths: LakePaths) -> ServerRecord | None:
    """Return the record of the lake's server if its process is alive."""
    record = read_record(paths.server_file)
    return record if record is not None and record.process() is not None else None


def stop(paths: LakePaths, progress: Progress) -> bool:
    """Stop the lake's server, and only that process.

    Returns:
        Whether there was one. What a killed server left behind is cleared away in either case.

    Raises:
        SmartTraderError: Somebody else's server, or one that is being started.
    """
    record = read_record(paths.server_file)
    process = record.process() if record else None
    if process is None and is_held(paths.server_lock):
        raise SmartTraderError(
            f"the server of {paths.home} is being started by another process",
            "wait until it is ready, then stop it",
        )
    if process is not None:
        progress(f"stopping process {process.pid}")
        try:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)
        except psutil.AccessDenied:
            raise SmartTraderError(f"process {process.pid} belongs to another user", "stop it as that user") from None
        except psutil.TimeoutExpired:
            progress(f"no end within {STOP_TIMEOUT_S} s, killing it")
            process.kill()
            process.wait(STOP_TIMEOUT_S)
    for leftover in (paths.server_file, paths.properties):
        leftover.unlink(missing_ok=True)
    return process is not None
