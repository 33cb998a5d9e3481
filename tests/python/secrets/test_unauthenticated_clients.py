"""Whoever has no token is refused by every call of Spark Connect.

A wrong token is tried in tests/python/lakehouse/test_server.py and adapter/tests/test_unreachable.py, and that
both endpoints listen on loopback only in the first of them.
"""

from __future__ import annotations

import inspect
import uuid

import grpc
import pytest
from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

from tests.python.support.engine import Engine

CALLS = sorted(
    name
    for name, _ in inspect.getmembers(base_pb2_grpc.SparkConnectServiceServicer, inspect.isfunction)
    if not name.startswith("_")
)
HEADERS = {
    "nothing": [],
    "an-empty-token": [("authorization", "Bearer ")],
    "a-name-without-token": [("authorization", "Bearer")],
    "another-scheme": [("authorization", "Basic bGFrZWhvdXNlOng=")],
}


def call_status(port: int, call: str, metadata: list[tuple[str, str]]) -> grpc.StatusCode:
    """Make one call and return how it ended."""
    kind = {"AddArtifacts": "AddArtifactsRequest", "ArtifactStatus": "ArtifactStatusesRequest"}
    request = getattr(base_pb2, kind.get(call, f"{call}Request"))()
    request.session_id = str(uuid.uuid4())
    request.user_context.user_id = "unknown"
    if call == "ExecutePlan":
        request.plan.root.sql.query = "select 1"
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = getattr(base_pb2_grpc.SparkConnectServiceStub(channel), call)
        try:
            answer = method(iter([request]) if call == "AddArtifacts" else request, timeout=10, metadata=metadata)
            # an answer that comes in parts is not made before it is read
            list(answer) if hasattr(answer, "__iter__") else None
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("call", CALLS)
def test_no_call_is_answered_without_a_token(engine: Engine, call: str) -> None:
    ended = {
        name: call_status(engine.record.endpoints.connect_port, call, metadata) for name, metadata in HEADERS.items()
    }
    assert ended == dict.fromkeys(HEADERS, grpc.StatusCode.UNAUTHENTICATED)


def test_the_same_call_is_answered_with_the_token(engine: Engine) -> None:
    metadata = [("authorization", f"Bearer {engine.record.endpoints.token}")]
    assert call_status(engine.record.endpoints.connect_port, "ExecutePlan", metadata) == grpc.StatusCode.OK
