"""Runs a real query on a server through each of its endpoints, with a deadline."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from smart_trader.errors import SmartTraderError
from smart_trader.lakehouse.spark_config import LOOPBACK, Endpoints

QUESTION = "select 1"
STATEMENT_TIMEOUT_S = 600


class NoAnswerError(Exception):
    """An endpoint did not give the answer.

    Attributes:
        why: The reason, one line.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def import_clients() -> None:
    """Load the clients' modules, so that the first question is not the slow one."""
    for module in ("pyspark.sql.connect.proto.base_pb2_grpc", "pyhive.hive", "thrift_sasl"):
        importlib.import_module(module)


def make_sql_client(port: int, host: str = LOOPBACK) -> Callable[[str], list[tuple[object, ...]]]:
    """Return what runs a statement on a server, with time for real work.

    The function raises a SmartTraderError that names the statement.
    """

    def execute(statement: str) -> list[tuple[object, ...]]:
        try:
            return execute_thrift(port, statement, timeout_s=STATEMENT_TIMEOUT_S, host=host)
        except NoAnswerError as error:
            raise SmartTraderError(f"{statement}: {error.why}", "see: smart-trader lakehouse status") from None

    return execute


def execute_thrift(
    port: int, statement: str = QUESTION, timeout_s: float = 5, host: str = LOOPBACK
) -> list[tuple[object, ...]]:
    """Run a statement over Thrift and return its rows.

    Raises:
        NoAnswerError: Nobody answers within the time, or the server refuses the statement.
    """
    from pyhive import hive
    from pyhive.sasl_compat import PureSASLClient
    from thrift.transport.TSocket import TSocket
    from thrift_sasl import TSaslClientTransport

    # PyHive has no time-out of its own; the transport it takes from us has
    socket = TSocket(host, port)
    socket.setTimeout(int(timeout_s * 1000))
    transport = TSaslClientTransport(
        lambda: PureSASLClient(host, mechanism="PLAIN", username="lakehouse", password="x"),  # noqa: S106  no secret
        "PLAIN",
        socket,
    )
    try:
        with (
            hive.Connection(thrift_transport=transport) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    except Exception as error:  # PyHive, thrift and sasl share no base class
        raise NoAnswerError(_one_line(error)) from None


def execute_connect(port: int, token: str, statement: str = QUESTION, timeout_s: float = 5) -> None:
    """Run a statement over Spark Connect.

    One bare gRPC call, because pyspark's own client retries a refused connection for many minutes.

    Raises:
        NoAnswerError: Nobody answers within the time, or the statement fails.
        SmartTraderError: The server refuses the token.
    """
    import uuid

    import grpc
    from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

    request = base_pb2.ExecutePlanRequest(session_id=str(uuid.uuid4()), client_type="lakehouse-probe")
    request.user_context.user_id = "lakehouse"
    request.plan.root.sql.query = statement
    try:
        # a proxy has no way to this machine's loopback, and must not see the token
        options = [("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(f"{LOOPBACK}:{port}", options) as channel:
            stub = base_pb2_grpc.SparkConnectServiceStub(channel)
            for _ in stub.ExecutePlan(request, timeout=timeout_s, metadata=[("authorization", f"Bearer {token}")]):
                pass
            close = base_pb2.ReleaseSessionRequest(session_id=request.session_id, user_context=request.user_context)
            stub.ReleaseSession(close, timeout=timeout_s, metadata=[("authorization", f"Bearer {token}")])
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise SmartTraderError(
                f"the Spark Connect server on port {port} refuses our token: it is not the server we know",
                "stop the other server on that port, or run `smart-trader lakehouse stop` and `start` again",
            ) from None
        raise NoAnswerError(f"{error.code().name}: {_one_line(error.details())}") from None


def check_endpoints(endpoints: Endpoints, timeout_s: float = 5) -> None:
    """Run `select 1` at both endpoints.

    Raises:
        NoAnswerError: One of them does not answer.
        SmartTraderError: Connect refuses the token.
    """
    try:
        execute_thrift(endpoints.thrift_port, timeout_s=timeout_s)
    except NoAnswerError as error:
        raise NoAnswerError(f"SQL port {endpoints.thrift_port}: {error.why}") from None
    try:
        execute_connect(endpoints.connect_port, endpoints.token, timeout_s=timeout_s)
    except NoAnswerError as error:
        raise NoAnswerError(f"Spark Connect port {endpoints.connect_port}: {error.why}") from None


def _one_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
