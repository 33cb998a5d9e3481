"""Runs a server in a thread, for tests and for trying things out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from smart_trader.errors import SmartTraderError

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
