"""Sends single HTTP requests over kept connections: bounded in time and in size, and ended at once on request."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection

# Seconds to connect, and between two pieces of an answer.
TIMEOUT_S = (10.0, 30.0)
# Seconds from sending a request to the last byte of its answer.
DEADLINE_S = 60.0
# A page of 100 rows has about half a megabyte, once decompressed.
MAX_BODY_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024


class ExchangeFailedError(Exception):
    """No whole answer came; the message gives the cause."""


class BodyTooLargeError(Exception):
    """The answer's body has more than `MAX_BODY_BYTES`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class _Exchange:
    """One request under way. Shutting its socket down ends it wherever it hangs: no timeout bounds a trickle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = False
        self.is_aborted = False

    def uses(self, connected: socket.socket | None) -> None:
        """Note the socket it goes through."""
        with self._lock:
            self._socket = connected
        if self.is_aborted:
            self.abort()

    def finish(self) -> None:
        """Let the socket go: another request may use it next."""
        with self._lock:
            self._is_over, self._socket = True, None

    def abort(self) -> None:
        """End it, unless it is over."""
        with self._lock:
            if self._is_over:
                return
            self.is_aborted = True
            if self._socket is not None:
                # a TLS socket's own method would first wait for the other side
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_under_way = threading.local()


class _HttpConnection(HTTPConnection):
    def request(self, *args: Any, **options: Any) -> None:
        super().request(*args, **options)
        _under_way.exchange.uses(self.sock)


class _HttpsConnection(HTTPSConnection):
    def request(self, *args: Any, **options: Any) -> None:
        super().request(*args, **options)
        _under_way.exchange.uses(self.sock)


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    """Makes connections that know which exchange uses them."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        # one for SOCKS brings connections of its own, which the timeouts alone bound
        if type(manager) is urllib3.ProxyManager:
            manager.pool_classes_by_scheme = POOLS
        return manager


class Transport:
    """Sends requests to one server; safe to share between threads.

    Args:
        url: The server's root.
        auth: Puts credentials on each request.
        headers: What each request carries besides.
        parallel: Requests that may be in flight at once; more wait for a connection.
    """

    def __init__(
        self, url: str, auth: AuthBase | None = None, headers: Mapping[str, str] | None = None, parallel: int = 8
    ) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        adapter = _Adapter(pool_connections=1, pool_maxsize=parallel, pool_block=True)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        self._session.auth = auth
        self._session.headers.update({"accept": "application/json", "accept-encoding": "gzip", **(headers or {})})
        # what a request needs of the environment (proxies, authorities) is read once
        self._connection = self._session.merge_environment_settings(url, {}, True, None, None)
        if is_loopback(url):
            # a proxy of the environment would use its own loopback, and see what only this machine may see
            self._connection["proxies"] = {}
        self._lock = threading.Lock()
        self._exchanges: set[_Exchange] = set()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        """Send one request and read its whole answer; see `send`."""
        return self.send(path, params)

    def send(
        self, path: str, params: Mapping[str, Any] | None = None, posted: Mapping[str, Any] | None = None
    ) -> Reply:
        """Send one request and read its whole answer; follows no redirect.

        Args:
            path: What to request.
            params: Its query.
            posted: The object in the body of a POST; None sends a GET.

        Raises:
            ExchangeFailedError: No whole answer came in time.
            BodyTooLargeError: The answer is larger than any that makes sense.
        """
        method = "GET" if posted is None else "POST"
        with self._exchange() as exchange:
            try:
                request = self._session.prepare_request(
                    requests.Request(method, f"{self._url}{path}", params=dict(params or {}), json=posted)
                )
                # no redirects: requests would carry the key to whatever host they name
                response = self._session.send(request, timeout=TIMEOUT_S, allow_redirects=False, **self._connection)
                with response:
                    body = _read_bounded(response)
            except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
                raise ExchangeFailedError(_describe_delay() if exchange.is_aborted else type(error).__name__) from None
            except (OSError, ValueError) as error:
                raise ExchangeFailedError(_describe_delay() if exchange.is_aborted else type(error).__name__) from None
            if exchange.is_aborted:
                # a body without a length ends where its connection does
                raise ExchangeFailedError(_describe_delay())
        return Reply(response.status_code, response.reason or "", response.headers, body)

    @contextmanager
    def _exchange(self) -> Iterator[_Exchange]:
        exchange = _under_way.exchange = _Exchange()
        alarm = threading.Timer(DEADLINE_S, exchange.abort)
        alarm.daemon = True
        alarm.start()
        with self._lock:
            self._exchanges.add(exchange)
        try:
            yield exchange
        finally:
            exchange.finish()
            alarm.cancel()
            with self._lock:
                self._exchanges.discard(exchange)

    def abort_all(self) -> None:
        """End every request under way."""
        with self._lock:
            exchanges = list(self._exchanges)
        for exchange in exchanges:
            exchange.abort()


def _describe_delay() -> str:
    return f"no whole answer within {DEADLINE_S:g} s"


def _read_bounded(response: requests.Response) -> bytes:
    """Read a body as far as the limit; counted after decompression, where a small answer can become a huge one."""
    body = bytearray()
    for piece in response.iter_content(CHUNK_BYTES):
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLargeError
    return bytes(body)


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine itself."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
