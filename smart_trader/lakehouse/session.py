"""The engine of one command: the embedded one in dbt's own process, the lake's Spark server, or a cluster's.

A command chooses once, and all that it builds runs on that engine. Both write the same tables: whichever comes next
sees what the other wrote. Spark's catalog is a cache of the lake's folders, brought up to date when Spark is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

from smart_trader.config.paths import LakePaths, lake_paths
from smart_trader.config.schemas import current_target, target_output
from smart_trader.config.settings import ENGINE_VARIABLE, LakehouseSettings, StoreSettings, store_settings
from smart_trader.console import ProgressFn
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lakehouse.probe import make_sql_client
from smart_trader.lakehouse.registration import SqlClient, synchronize

EMBEDDED, SPARK = "embedded", "spark"
# what LAKEHOUSE_ENGINE is called in a dbt profile
METHODS = {"embedded": EMBEDDED, "thrift": SPARK, "auto": "auto"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine a command uses, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"engine: {self.name} ({self.reason})"


class Engine(Protocol):
    """What a command builds with."""

    @property
    def choice(self) -> Choice:
        """Which one it is, and why."""

    def begin(self) -> None:
        """Get ready beside other work; a command that finds nothing to build never calls it."""

    def wait(self) -> None:
        """Return when dbt can use it.

        Raises:
            SmartTraderError: It cannot be used.
        """

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make dbt use this engine and no other."""


def choose_engine(machine: LakehouseSettings) -> Choice:
    """Choose by LAKEHOUSE_ENGINE and dbt's target; `auto` takes Spark where the lake's server is up.

    Raises:
        SettingsError: The target has another engine than the requested one.
    """
    target = current_target()
    output = target_output(target, {ENGINE_VARIABLE: machine.engine})
    wanted = METHODS[str(output.get("method", "thrift"))]
    if machine.engine not in ("auto", wanted):
        raise SettingsError(
            f"target {target} always uses {wanted}, {ENGINE_VARIABLE} or --engine asks for {machine.engine}",
            "leave the engine out, or use the target local",
        )
    if "endpoint_file" not in output:
        return Choice(SPARK, f"target {target}")
    if wanted != "auto":
        return Choice(wanted, "asked for" if machine.engine == wanted else f"target {target}")
    if _is_server_up(machine.paths):
        return Choice(SPARK, "the lake's server is up")
    return Choice(EMBEDDED, "no server of the lake is up")


def _is_server_up(paths: LakePaths) -> bool:
    # the server's modules take a while to import
    if not paths.server_file.exists():
        return False
    from smart_trader.lakehouse import server

    return server.running(paths) is not None


@contextmanager
def lake_engine(machine: LakehouseSettings, progress: ProgressFn, choice: Choice | None = None) -> Iterator[Engine]:
    """Give a command its engine. A server that this starts is stopped afterwards; one that was there is left alone.

    Args:
        machine: The machine's settings.
        progress: Takes progress lines.
        choice: What was chosen before, by the same command.

    Raises:
        SettingsError: The requested engine cannot be had.
    """
    chosen = choice or choose_engine(machine)
    if chosen.name == EMBEDDED:
        yield EmbeddedEngine(chosen, None if machine.paths.is_local else store_settings())
        return
    output = target_output(current_target())
    if "endpoint_file" not in output:
        yield ClusterEngine(chosen, machine, output["host"], int(output["port"]), progress)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="engine") as pool:
        engine = ServerEngine(chosen, machine, pool, progress)
        try:
            yield engine
        finally:
            engine.end()


@dataclass(frozen=True, slots=True)
class EmbeddedEngine:
    """The engine in dbt's own process: always ready, and no Java."""

    choice: Choice
    store: StoreSettings | None = None

    def begin(self) -> None:
        """There is nothing to start."""

    def wait(self) -> None:
        """There is nothing to wait for."""

    @property
    def environment(self) -> dict[str, str]:
        """See `Engine`; an S3 lake's keys may be in `.env` alone, which dbt does not read."""
        return {ENGINE_VARIABLE: EMBEDDED, **(self.store.environment() if self.store else {})}


class ServerEngine:
    """The lake's own Spark server, started when it is first needed."""

    def __init__(
        self, choice: Choice, machine: LakehouseSettings, pool: ThreadPoolExecutor, progress: ProgressFn
    ) -> None:
        self.choice = choice
        self._machine = machine
        self._pool = pool
        self._progress = progress
        self._is_left = Event()
        self._starting: Future[Any] | None = None
        self._is_current = False

    def begin(self) -> None:
        """See `Engine`."""
        if self._starting is None:
            self._starting = self._pool.submit(self._start)

    def _start(self) -> Any:
        from smart_trader.lakehouse import server, training

        training.ensure_archive(self._machine, lambda line: self._progress(f"      {line}"))
        return server.start(self._machine, lambda line: None, self._is_left.is_set)

    def wait(self) -> None:
        """See `Engine`; the first time, the catalog learns what the lake's folders hold."""
        self.begin()
        assert self._starting is not None  # noqa: S101  for the type checker
        started = self._starting.result()
        if not self._is_current:
            execute = make_sql_client(started.record.endpoints.thrift_port)
            synchronize(self._machine.paths, execute, lambda line: self._progress(f"      {line}"))
            self._is_current = True

    @property
    def environment(self) -> dict[str, str]:
        """See `Engine`."""
        return {ENGINE_VARIABLE: SPARK}

    def end(self) -> None:
        """Stop the server if it was not there before."""
        # a command that ends before its server is there must not wait for it
        self._is_left.set()
        if self._starting is None:
            return
        # an error of the start was raised by whoever waited for it
        if self._starting.exception() is None and not self._starting.result().was_running:
            from smart_trader.lakehouse import server

            server.stop(self._machine.paths, lambda line: None)


class ClusterEngine:
    """A cluster's server, which is only used."""

    def __init__(self, choice: Choice, machine: LakehouseSettings, host: str, port: int, progress: ProgressFn) -> None:
        self.choice = choice
        self._machine = machine
        self._where = f"{host}:{port}"
        self._execute = make_sql_client(port, host)
        self._progress = progress
        self._is_current = False

    def begin(self) -> None:
        """There is nothing to start."""

    def wait(self) -> None:
        """See `Engine`."""
        if not self._is_current:
            _check_cluster(self._execute, self._machine, self._where)
            synchronize(self._machine.paths, self._execute, lambda line: self._progress(f"      {line}"))
            self._is_current = True

    @property
    def environment(self) -> dict[str, str]:
        """See `Engine`."""
        return {ENGINE_VARIABLE: SPARK}


def _check_cluster(execute: SqlClient, machine: LakehouseSettings, where: str) -> None:
    """See that a cluster's server answers, and writes to the lake that we load.

    Raises:
        SmartTraderError: It does not.
    """
    try:
        root = str(execute("select '${spark.sql.warehouse.dir}'")[0][0]).rstrip("/")
    except SmartTraderError as error:
        raise SmartTraderError(
            f"no server answers at {where}: {error.what}",
            "start the cluster, or correct SPARK_THRIFT_HOST and SPARK_THRIFT_PORT",
        ) from None
    if lake_paths(machine.paths.home, root).uri.removeprefix("file:") != machine.paths.uri.removeprefix("file:"):
        raise SmartTraderError(
            f"the server at {where} writes the lake {root}, we would load {machine.paths.uri}",
            "give both the same LAKEHOUSE_URI",
        )
