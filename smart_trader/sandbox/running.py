"""Runs a server in a thread, or a market's in a process of its own."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import uvicorn
from starlette.applications import Starlette

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market.spec import WorldSpec

HOST = "127.0.0.1"


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Hold a port of loopback; 0 takes a free one.

    Raises:
        SmartTraderError: The port is taken.
    """
    # asyncio switches Nagle's delay off only where the protocol is named
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise SmartTraderError(f"port {port} cannot be used ({error})", "give another --port") from None
        yield listener


@contextmanager
def serving(app: Starlette, port: int = 0) -> Iterator[str]:
    """Serve an app on loopback while the block runs; yields its URL.

    Args:
        app: From `sandbox_app`.
        port: 0 takes a free one.

    Raises:
        SmartTraderError: The port is taken or the server does not start.
    """
    with listening(port) as listener:
        server = uvicorn.Server(settings(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
            if not thread.is_alive():
                raise SmartTraderError("the sandbox server did not start", "its log says why")
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def serving_market(world: WorldSpec, clock: int) -> Iterator[str]:
    """Serve a made-up market from a process of its own while the block runs; yields its URL.

    To make a market and to write its answers takes about as long as to load them: the two work beside each other.

    Args:
        world: The market.
        clock: Unix time that its server shows.

    Raises:
        SmartTraderError: The market cannot be made, or its server does not start.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_market, args=(world, clock, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield _received_url(ours)
    finally:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()


def _received_url(pipe: Connection) -> str:
    """Return the URL that a market's process sends once it serves."""
    try:
        answer = pipe.recv()
    except EOFError:
        raise SmartTraderError("the made-up market's server did not start", "its message above says why") from None
    if not isinstance(answer, str):
        raise SmartTraderError(*answer)
    return answer


def _serve_market(world: WorldSpec, clock: int, pipe: Connection) -> None:
    """Serve a market until the other end of the pipe is closed, by whatever end of the process that holds it."""
    from smart_trader.sandbox.market.market_source import market
    from smart_trader.sandbox.server import sandbox_app

    # Ctrl-C goes to both processes; the other one ends this one when it is done with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        app = sandbox_app(market(world, clock), clock=clock)
        # the other process may be gone already
        with serving(app) as url, suppress(EOFError, BrokenPipeError):
            pipe.send(url)
            pipe.recv()
    except SmartTraderError as error:
        with suppress(BrokenPipeError):
            pipe.send((error.what, error.fix))


def serve_until_stopped(app: Starlette, port: int, report: Callable[[str], None]) -> None:
    """Serve an app on loopback until the process is stopped.

    Raises:
        SmartTraderError: The port is taken.
    """
    with listening(port) as listener:
        report(f"http://{HOST}:{listener.getsockname()[1]}")
        uvicorn.Server(settings(app)).run(sockets=[listener])


def settings(app: Starlette) -> uvicorn.Config:
    """Return how uvicorn runs an app: quietly, and without waiting for answers that hang on purpose."""
    return uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
