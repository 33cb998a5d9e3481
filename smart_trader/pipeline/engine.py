"""The lake's server as a command uses it: started when it is not there, asked in SQL, left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from smart_trader.errors import SmartTraderError
from smart_trader.settings import LakehouseSettings

Ask = Callable[[str], list[tuple[object, ...]]]
STATEMENT_TIMEOUT_S = 600


@contextmanager
def lake_server(machine: LakehouseSettings) -> Iterator[Callable[[], Ask]]:
    """Start the server beside other work, and stop it afterwards if it was not there before.

    Yields:
        A function that waits until the server answers and returns what runs a statement on it.

    Raises:
        SmartTraderError: By that function: the server does not start.
    """
    # the server's modules take a while to import, and reading commands need none of them
    from smart_trader.lakehouse import server

    with ThreadPoolExecutor(1, thread_name_prefix="engine") as pool:
        starting: Future[Any] = pool.submit(server.start, machine, lambda line: None)
        try:
            yield lambda: _ask(starting.result().record.doors.thrift_port)
        finally:
            # an error of the start was raised by whoever waited for it
            if starting.exception() is None and not starting.result().was_running:
                server.stop(machine.paths, lambda line: None)


def _ask(port: int) -> Ask:
    from smart_trader.lakehouse import probe

    def ask(statement: str) -> list[tuple[object, ...]]:
        try:
            return probe.ask_thrift(port, statement, timeout_s=STATEMENT_TIMEOUT_S)
        except probe.NoAnswerError as error:
            raise SmartTraderError(f"{statement}: {error.why}", "see: smart-trader lakehouse status") from None

    return ask
