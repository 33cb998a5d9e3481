"""Starts and stops the server of one lake."""

from __future__ import annotations

import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from smart_trader.config.paths import OWNER_ONLY_DIR, LakePaths
from smart_trader.config.settings import LakehouseSettings
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake import catalog
from smart_trader.lake.atomic import write_file
from smart_trader.lake.file_lock import FileLock, LockHeldError, engine_lock, has_open, is_held, processes_with
from smart_trader.lake.private import claim_folder
from smart_trader.lake.store import check_store
from smart_trader.lakehouse import archive, jars, spark_config
from smart_trader.lakehouse.diagnosis import PortTakenError, explain_failed_start
from smart_trader.lakehouse.java import Java, find_java
from smart_trader.lakehouse.jvm import StartCancelledError, launch, stop_process, wait_until_ready
from smart_trader.lakehouse.probe import NoAnswerError, check_endpoints
from smart_trader.lakehouse.process import mark_of
from smart_trader.lakehouse.server_record import ServerRecord, is_server, read_record, write_record
from smart_trader.lakehouse.spark_config import LOOPBACK, Endpoints

THRIFT_PORT = 10000
CONNECT_PORT = 15002
FREE_PORTS = range(20_000, 32_000)
POLL_S = 0.5
PORT_TRIES = 3


@dataclass(frozen=True, slots=True)
class Started:
    """What `start` found or did; `was_running` is true when the server was up before."""

    record: ServerRecord
    was_running: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds the lock of a lake's server, found by the lock itself.

    Attributes:
        server: The JVM.
        starter: The process that starts it; None when the JVM is on its own, or there is nobody.
    """

    server: psutil.Process | None
    starter: psutil.Process | None


def start(
    settings: LakehouseSettings, progress: ProgressFn, is_cancelled: Callable[[], bool] = lambda: False
) -> Started:
    """Bring up the lake's server and return when both endpoints answer; a server that is up already is left alone.

    Args:
        settings: The machine's settings.
        progress: Called with one short line per step.
        is_cancelled: Called again and again while the server starts; when it returns True, the start ends.

    Raises:
        SmartTraderError: It cannot be started; nothing is left running and no table was touched.
    """
    paths = settings.paths
    if not paths.is_local:
        check_store(paths.uri)
    prepare_home(settings, paths)
    lock = FileLock(paths.server_lock, "smart-trader lakehouse start")
    while True:
        try:
            lock.acquire()
            break
        except LockHeldError:
            record = _wait_for_other_start(settings, paths, progress, is_cancelled)
            if record is not None:
                return Started(record, was_running=True)
    with ExitStack() as stack:
        stack.callback(lock.release)
        locks = [lock, *_lock_tables(paths, stack)]
        return Started(_start_on_free_ports(settings, paths, locks, progress, is_cancelled), was_running=False)


def _start_on_free_ports(
    settings: LakehouseSettings,
    paths: LakePaths,
    locks: list[FileLock],
    progress: ProgressFn,
    is_cancelled: Callable[[], bool],
) -> ServerRecord:
    """Start the server; where another program took a port that was free when it was chosen, choose again."""
    for _ in range(PORT_TRIES - 1):
        try:
            return _start_locked(settings, paths, locks, progress, is_cancelled)
        except PortTakenError:
            if settings.thrift_port or settings.connect_port:
                raise
            progress("another program took a port while the server started; starting again on other ports")
    return _start_locked(settings, paths, locks, progress, is_cancelled)


def _start_locked(
    settings: LakehouseSettings,
    paths: LakePaths,
    locks: list[FileLock],
    progress: ProgressFn,
    is_cancelled: Callable[[], bool],
) -> ServerRecord:
    begun = time.monotonic()
    _forget_server(paths)
    java = find_java(settings.java)
    jar_paths = jars.ensure_jars(java, settings.ivy_settings, progress, jars.jars_for(paths))
    endpoints = choose_endpoints(settings, progress)
    command = server_command(settings, paths, java, jar_paths)
    progress(f"starting Spark on Java {java.version} ({java.source})")
    with _explain_file_errors():
        catalog.drop_if_of_another_root(paths, progress)
        write_inputs(settings, paths, endpoints)
        jvm = launch(command, paths, locks)
    try:
        mark = mark_of(jvm.process.pid)
        if mark is None:
            raise explain_failed_start(paths, "the process ended at once")
        # before the server answers: whatever ends this process, the next command knows whom it finds
        record = ServerRecord(mark, endpoints, paths.uri, java.build, None)
        for lock in locks:
            lock.write_holder(mark.pid)
        write_record(paths.server_file, record)
        wait_until_ready(jvm.process, endpoints, paths, settings.start_timeout, is_cancelled)
        record = replace(record, ready_s=round(time.monotonic() - begun, 1))
        write_record(paths.server_file, record)
    except BaseException:
        jvm.end()
        _forget_server(paths)
        raise
    for lock in locks:
        lock.hand_over()
    jvm.release()
    return record


@contextmanager
def _explain_file_errors() -> Iterator[None]:
    """Turn the failure to write a file of the server into an error that names it."""
    try:
        yield
    except OSError as error:
        raise SmartTraderError(
            f"cannot write {error.filename or 'a file of the server'}: {error.strerror}",
            "make it a file that this user can replace, free some space if the disk is full, then start again",
        ) from None


def _forget_server(paths: LakePaths) -> None:
    """Remove what a server's end leaves behind; what cannot be removed is named by whoever writes it next."""
    for leftover in (paths.server_file, paths.properties):
        with suppress(OSError):
            leftover.unlink()


def write_inputs(settings: LakehouseSettings, paths: LakePaths, endpoints: Endpoints) -> None:
    """Write Spark's settings for one start and empty its scratch space."""
    empty_scratch(paths)
    write_file(
        paths.properties, spark_config.properties_text(spark_config.spark_properties(settings, paths, endpoints))
    )


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
        SmartTraderError: It cannot be made, read or written, is somebody else's, or its disk is nearly full.
    """
    folders = [paths.home, *([paths.local_root] if paths.is_local else [])]
    for folder in folders:
        claim_folder(folder)
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


def _wait_for_other_start(
    settings: LakehouseSettings, paths: LakePaths, progress: ProgressFn, is_cancelled: Callable[[], bool]
) -> ServerRecord | None:
    """Wait for the answer of a server that runs or is being started by someone else.

    Returns:
        The server's record, or None once a JVM that nobody answers for was ended: its lock can be taken.
    """
    deadline = time.monotonic() + settings.start_timeout
    is_reported = False
    why = "it wrote no record"
    while time.monotonic() < deadline:
        if is_cancelled():
            raise StartCancelledError("the server is no longer wanted")
        record = running(paths)
        if record is not None:
            _refuse_another_lake(record, paths)
            try:
                check_endpoints(record.endpoints)
            except NoAnswerError as error:
                why = error.why
            else:
                return record
        elif not is_held(paths.server_lock):
            raise SmartTraderError(f"the other start of {paths.home} failed", "start again to see why")
        # read again: a server that became ready during the look has a starter no more
        elif (abandoned := _find_abandoned(paths)) is not None and running(paths) is None:
            progress(f"process {abandoned.pid} is left from a start that was killed")
            stop_process(abandoned, progress)
            return None
        if not is_reported:
            progress("waiting for the server that another process is starting")
            is_reported = True
        time.sleep(POLL_S)
    raise SmartTraderError(
        f"the server of {paths.home} ({_describe_holder(paths)}) does not answer: {why}",
        "run `smart-trader lakehouse stop`, then start again",
    )


def _refuse_another_lake(record: ServerRecord, paths: LakePaths) -> None:
    if record.uri != paths.uri:
        raise SmartTraderError(
            f"the server of {paths.home} is running on another lake: {record.uri}, not {paths.uri}",
            "run `smart-trader lakehouse stop` first, or give this lake its own LAKEHOUSE_HOME",
        )


def _find_abandoned(paths: LakePaths) -> psutil.Process | None:
    """Return a JVM that holds the lock, was never ready by its record, and whose starter is gone."""
    holders = find_holders(paths)
    return holders.server if holders.starter is None else None


def find_holders(paths: LakePaths) -> Holders:
    """Find who holds the lock of a lake's server, whatever its record holds."""
    holding = list(processes_with(paths.server_lock))
    server = next((process for process in holding if is_server(process)), None)
    others = [process for process in holding if process != server]
    if server is not None:
        with suppress(psutil.Error):
            parent = server.ppid()
            return Holders(server, next((process for process in others if process.pid == parent), None))
    return Holders(server, next(iter(others), None))


def _describe_holder(paths: LakePaths) -> str:
    holders = find_holders(paths)
    found = holders.server or holders.starter
    return f"process {found.pid}" if found else "a process that this user cannot see"


def choose_endpoints(settings: LakehouseSettings, progress: ProgressFn) -> Endpoints:
    """Pick ports and a fresh token; a default port that is taken is replaced by a free one, a configured one is not.

    Raises:
        SmartTraderError: A port that was set by name is taken.
    """
    thrift = _choose_port("LAKEHOUSE_THRIFT_PORT", settings.thrift_port, THRIFT_PORT, progress)
    connect = _choose_port("LAKEHOUSE_CONNECT_PORT", settings.connect_port, CONNECT_PORT, progress)
    return Endpoints(thrift, connect, secrets.token_hex(24))


def _choose_port(setting: str, wanted: int | None, default: int, progress: ProgressFn) -> int:
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
    flags = spark_config.jvm_flags(settings)
    classpath = spark_config.classpath(jar_paths)
    if settings.class_archive:
        flags += archive.run_flags(archive.archive_path(java, classpath, flags))
    return [
        str(java.program),
        *flags,
        f"-Djava.io.tmpdir={paths.tmp}",
        f"-Dderby.stream.error.file={paths.home / 'derby.log'}",
        f"-Dlog4j2.configurationFile={spark_config.log_config().as_uri()}",
        *("-cp", classpath, "org.apache.spark.deploy.SparkSubmit"),
        *("--properties-file", str(paths.properties)),
        *("--class", spark_config.MAIN_CLASS, "spark-internal"),
    ]


def running(paths: LakePaths) -> ServerRecord | None:
    """Return the record of the lake's server if it became ready and its process is alive.

    The record in a copied lake names the server of the original, which does not hold the copy's lock.
    """
    record = read_record(paths.server_file)
    if record is None or record.ready_s is None:
        return None
    process = record.process()
    return record if process is not None and has_open(process, paths.server_lock) else None


def stop(paths: LakePaths, progress: ProgressFn) -> bool:
    """Stop the lake's server, and only that process.

    Returns:
        Whether there was one. What a killed server left behind is cleared away in either case.

    Raises:
        SmartTraderError: Somebody else's server, or one that is being started.
    """
    record = running(paths)
    process = record.process() if record else None
    if process is None:
        holders = find_holders(paths)
        if holders.starter is not None:
            raise SmartTraderError(
                f"the server of {paths.home} is being started by process {holders.starter.pid}",
                "wait until it is ready, then stop it; or end that process, and the server ends with it",
            )
        process = holders.server
    if process is None and is_held(paths.server_lock):
        raise SmartTraderError(
            f"the server of {paths.home} is held by a process that this user cannot see", "stop it as its own user"
        )
    if process is not None:
        stop_process(process, progress)
    _forget_server(paths)
    return process is not None
