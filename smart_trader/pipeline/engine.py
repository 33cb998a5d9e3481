"""The lake's server as a command uses it: the embedded one, started when it is not there, or a cluster's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from smart_trader.errors import SmartTraderError
from smart_trader.paths import lake_paths
from smart_trader.schemas import current_target, target_output
from smart_trader.settings import LakehouseSettings

Ask = Callable[[str], list[tuple[object, ...]]]
STATEMENT_TIMEOUT_S = 600


@contextmanager
def lake_server(machine: LakehouseSettings) -> Iterator[Callable[[], Ask]]:
    """Start the server beside other work, and stop it afterwards if it was not there before; a cluster's is only used.

    Yields:
        A function that waits until the server answers and returns what runs a statement on it.

    Raises:
        SmartTraderError: By that function: the server does not start.
    """
    output = target_output(current_target())
    if "endpoint_file" not in output:
        ask = _ask(int(output["port"]), output["host"])
        _check_cluster(ask, machine, f"{output['host']}:{output['port']}")
        yield lambda: ask
        return
    # the server's modules take a while to import, and reading commands need none of them
    from smart_trader.lakehouse import server

    is_left = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="engine") as pool:
        starting: Future[Any] = pool.submit(server.start, machine, lambda line: None, is_left.is_set)
        try:
            yield lambda: _ask(starting.result().record.doors.thrift_port)
        finally:
            # a run that ends before its server is there must not wait for it
            is_left.set()
            # an error of the start was raised by whoever waited for it
            if starting.exception() is None and not starting.result().was_running:
                server.stop(machine.paths, lambda line: None)


def _check_cluster(ask: Ask, machine: LakehouseSettings, where: str) -> None:
    """See that a cluster's server answers, and writes to the lake that we load.

    Raises:
        SmartTraderError: It does not.
    """
    try:
        root = str(ask("select '${spark.sql.warehouse.dir}'")[0][0]).rstrip("/")
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


def _ask(port: int, host: str = "127.0.0.1") -> Ask:
    from smart_trader.lakehouse import probe

    def ask(statement: str) -> list[tuple[object, ...]]:
        try:
            return probe.ask_thrift(port, statement, timeout_s=STATEMENT_TIMEOUT_S, host=host)
        except probe.NoAnswerError as error:
            raise SmartTraderError(f"{statement}: {error.why}", "see: smart-trader lakehouse status") from None

    return ask
