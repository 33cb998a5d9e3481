"""Connections to this machine never go through a proxy, whatever the environment names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import requests
from dbt.adapters.sparkconnect.connect_client import open_session
from dbt.adapters.sparkconnect.credentials import Endpoint, SparkConnectCredentials
from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

from smart_trader.lakehouse.probe import execute_connect
from smart_trader.loopback import bypass_proxies
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app

DEAD_PROXY = "http://127.0.0.1:9"
VARIABLES = ("no_grpc_proxy", "no_proxy", "NO_PROXY")
LOOPBACK = "localhost,127.0.0.1,::1"


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose proxy leads nowhere."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, DEAD_PROXY)
    for name in VARIABLES:
        # set first, so that what the code under test sets is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


class Answering(base_pb2_grpc.SparkConnectServiceServicer):
    """A server of Spark Connect that takes every statement and has no rows."""

    def ExecutePlan(self, request: object, context: object) -> Iterator[base_pb2.ExecutePlanResponse]:
        yield base_pb2.ExecutePlanResponse()

    def AnalyzePlan(self, request: base_pb2.AnalyzePlanRequest, context: object) -> base_pb2.AnalyzePlanResponse:
        version = base_pb2.AnalyzePlanResponse.SparkVersion(version="4.2.0")
        return base_pb2.AnalyzePlanResponse(session_id=request.session_id, spark_version=version)

    def ReleaseSession(self, request: object, context: object) -> base_pb2.ReleaseSessionResponse:
        return base_pb2.ReleaseSessionResponse()


@pytest.fixture
def connect_port() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(2))
    base_pb2_grpc.add_SparkConnectServiceServicer_to_server(Answering(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0)


def test_the_probe_calls_connect_directly(proxied: None, connect_port: int) -> None:
    execute_connect(connect_port, "token", timeout_s=5)


def test_a_python_models_session_reaches_connect_directly(proxied: None, connect_port: int) -> None:
    credentials = SparkConnectCredentials(host="localhost", method="thrift", schema="s", connect_deadline=5)
    session = open_session(credentials, Endpoint("localhost", connect_port, "token"))
    # the session's own channel, which the probe before it is not
    assert session.client._analyze(method="spark_version").spark_version == "4.2.0"
    session.client.close()


def test_requests_reach_a_sandbox_directly(proxied: None) -> None:
    bypass_proxies()
    with serving(sandbox_app(market(3, 20, 1_790_000_000, 1_790_100_000), clock=1_790_100_000)) as url:
        assert requests.get(f"{url}/sandbox/info", timeout=5).json()["data_source"] == "sandbox"
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("http://192.0.2.1/", timeout=5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, dict.fromkeys(VARIABLES, LOOPBACK), id="nothing-excluded"),
        pytest.param(
            {"NO_PROXY": "corp.example, 127.0.0.1"},
            dict.fromkeys(VARIABLES, "corp.example,127.0.0.1,localhost,::1"),
            id="one-spelling",
        ),
        pytest.param(
            {"no_proxy": "a", "NO_PROXY": "b", "no_grpc_proxy": "c"},
            {"no_proxy": f"a,{LOOPBACK}", "NO_PROXY": f"b,{LOOPBACK}", "no_grpc_proxy": f"c,{LOOPBACK}"},
            id="each-its-own",
        ),
        pytest.param(
            {"no_proxy": "*"},
            {"no_proxy": "*", "NO_PROXY": "*", "no_grpc_proxy": f"*,{LOOPBACK}"},
            id="everything-excluded",
        ),
    ],
)
def test_loopback_is_added_to_what_is_excluded(
    proxied: None, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    bypass_proxies()
    assert {name: os.environ[name] for name in VARIABLES} == expected
    bypass_proxies()
    assert {name: os.environ[name] for name in VARIABLES} == expected, "a child process adds nothing"
