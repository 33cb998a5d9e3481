"""Requests against servers that answer slowly, endlessly, hugely, or through a proxy that must not see them."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from loaders import transport as transport_module
from loaders.apis import sandbox_api
from loaders.client import BirdeyeClient, UnitMeter
from loaders.errors import NoAnswerError, RequestRefusedError, RunStoppedError
from loaders.pacing import Pacer
from loaders.transport import BodyTooLargeError, ExchangeFailedError, Transport, is_loopback
from smart_trader.errors import SmartTraderError

Answering = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = OK + b"Content-Length: 26\r\n\r\n" + b'{"success":true,"data":{}}'


@contextmanager
def answering(answer: Answering) -> Iterator[str]:
    """Serve one misbehaviour to every connection; yields the server's URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                answer(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def trickle(head: bytes, piece: bytes) -> Answering:
    """Send a piece every 50 ms, for ever."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    return answer


SLOW = {
    "byte-by-byte": trickle(OK + b"Content-Length: 1000\r\n\r\n", b"x"),
    "no-length": trickle(OK + b"\r\n", b"x"),
    "chunks": trickle(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a-header-without-end": trickle(OK + b"X-Long: ", b"x"),
    "continue-for-ever": trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "silence": lambda _: time.sleep(30),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_an_answer_has_a_deadline(monkeypatch: pytest.MonkeyPatch, answer: Answering) -> None:
    monkeypatch.setattr(transport_module, "DEADLINE_S", 0.4)
    begun = time.monotonic()
    with answering(answer) as url, pytest.raises(ExchangeFailedError, match=r"no whole answer within 0.4 s"):
        Transport(url).get("/")
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_what_is_under_way_ends_on_request(answer: Answering) -> None:
    with answering(answer) as url:
        client = BirdeyeClient(url, "k", Pacer(1000), UnitMeter({}), 3)
        threading.Timer(0.3, lambda: client.stop(RunStoppedError("enough"), at_once=True)).start()
        begun = time.monotonic()
        with pytest.raises(RunStoppedError, match="enough"):
            client.get("/", {})
    assert time.monotonic() - begun < 1.3


def test_a_pause_ends_on_request() -> None:
    with answering(lambda connection: connection.sendall(b"HTTP/1.1 429 Wait\r\nRetry-After: 90\r\n\r\n")) as url:
        client = BirdeyeClient(url, "k", Pacer(1000), UnitMeter({}), 3)
        threading.Timer(0.3, lambda: client.stop(RunStoppedError("enough"), at_once=True)).start()
        begun = time.monotonic()
        with pytest.raises(RunStoppedError, match="enough"):
            client.get("/", {})
    assert time.monotonic() - begun < 1.3


def test_a_deadline_ends_its_own_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "DEADLINE_S", 0.4)

    def answer(connection: socket.socket) -> None:
        # one kept connection, used before and after the first deadline
        for _ in range(8):
            connection.sendall(GOOD)
            connection.recv(65536)

    with answering(answer) as url:
        transport = Transport(url)
        for _ in range(8):
            assert transport.get("/").status == 200
            time.sleep(0.1)


def bomb(connection: socket.socket) -> None:
    """Send 200 kB that become 200 MB."""
    packed = gzip.compress(bytes(200_000_000), 1)
    connection.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


def endless(connection: socket.socket) -> None:
    """Send chunks for ever."""
    connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")


@pytest.mark.parametrize("answer", [bomb, endless])
def test_a_body_has_a_limit_counted_after_decompression(answer: Answering) -> None:
    with answering(answer) as url:
        with pytest.raises(BodyTooLargeError):
            Transport(url).get("/")
        with pytest.raises(RequestRefusedError, match="the answer has more than 16 MB"):
            BirdeyeClient(url, "k", Pacer(1000), UnitMeter({}), 3).get("/", {})


def test_a_compressed_answer_is_read() -> None:
    packed = gzip.compress(b'{"success":true,"data":[1]}')
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with answering(lambda connection: connection.sendall(head + packed)) as url:
        assert BirdeyeClient(url, "k", Pacer(1000), UnitMeter({}), 1).get("/", {}) == b"[1]"


def test_a_proxy_of_the_environment_never_sees_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def proxy(connection: socket.socket) -> None:
        seen.append(connection)

    info = b'{"data_source":"sandbox"}'
    head = OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(info)
    with answering(proxy) as proxied, answering(lambda connection: connection.sendall(head + info)) as url:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxied)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert Transport(url).get("/").body == info
        assert Transport(url.replace("127.0.0.1", "localhost")).get("/").body == info
        assert sandbox_api(url).data_source == "sandbox"
        assert seen == []
        # elsewhere the environment's proxy is what a person wants
        with pytest.raises(ExchangeFailedError):
            Transport("http://203.0.113.1").get("/")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.9.8.7", True),
        ("http://localhost:1", True),
        ("http://sandbox.localhost", True),
        ("http://[::1]:5", True),
        ("http://localhost.example.org", False),
        ("https://public-api.birdeye.so", False),
        ("http://10.0.0.1", False),
        ("http://[::1", False),
        ("nonsense", False),
    ],
)
def test_loopback_is_recognized_by_the_host(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "http://127.0.0.1:9", "ftp://127.0.0.1"])
def test_an_address_without_a_sandbox_is_refused_by_name(url: str) -> None:
    with pytest.raises(SmartTraderError, match="no sandbox answers at"):
        sandbox_api(url)


def test_no_answer_at_all_is_no_answer() -> None:
    with answering(lambda _: None) as url, pytest.raises(NoAnswerError, match="ConnectionError"):
        BirdeyeClient(url, "k", Pacer(1000), UnitMeter({}), 1).get("/", {})
