"""Sessions over Spark Connect that fail soon, and with one clear message.

Left alone, pyspark's client retries for more than ten minutes without a word.
"""

import os
import uuid
from typing import Any
from urllib.parse import quote

from dbt.adapters.sparkconnect.credentials import Endpoint, SparkConnectCredentials
from dbt_common.exceptions import DbtRuntimeError

# waits of 0.2, 0.6 and 1.8 seconds: enough for a connection to come back, not for a server
RETRIES = {
    "max_retries": 3,
    "initial_backoff": 200,
    "backoff_multiplier": 3.0,
    "max_backoff": 3000,
    "jitter": 0,
    "max_server_retry_delay": 5000,
}

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# in small letters, as gRPC spells it
GRPC_DIRECT = "no_grpc_proxy"


def open_session(creds: SparkConnectCredentials, endpoint: Endpoint) -> Any:
    """Return a new Spark session of its own on a server that is known to answer."""
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    if endpoint.host in LOOPBACK:
        _bypass_proxies()
    session_id = str(uuid.uuid4())
    url = _make_url(endpoint, session_id)
    _probe(url, session_id, creds, endpoint)
    # the builder of pyspark.sql.connect would leave functions such as F.col() unusable
    session: Any = SparkSession.builder.remote(url).create()
    session.client.set_retry_policies([DefaultPolicy(**RETRIES)])
    return session


def _bypass_proxies() -> None:
    """Let gRPC reach loopback directly: a proxy has no way there, and would see the token.

    The session's own channel takes no options, so it is set in gRPC's variables.
    """
    hosts = os.environ.get(GRPC_DIRECT) or os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    os.environ[GRPC_DIRECT] = ",".join([*listed, *(host for host in LOOPBACK if host not in listed)])


def _make_url(endpoint: Endpoint, session_id: str) -> str:
    token = f";token={quote(endpoint.token, safe='')}" if endpoint.token else ""
    return f"sc://{endpoint}/;session_id={session_id}{token}"


def _probe(url: str, session_id: str, creds: SparkConnectCredentials, endpoint: Endpoint) -> None:
    """Send the server one query, once, with a deadline."""
    import grpc
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

    builder = DefaultChannelBuilder(url)
    request = base_pb2.AnalyzePlanRequest(session_id=session_id)
    request.spark_version.SetInParent()
    channel = builder.toChannel()
    try:
        base_pb2_grpc.SparkConnectServiceStub(channel).AnalyzePlan(
            request, timeout=creds.connect_deadline, metadata=builder.metadata()
        )
    except grpc.RpcError as exc:
        problem = _explain_problem(exc, creds, endpoint)
    else:
        return
    finally:
        channel.close()
    # raised here, so that no exception with the connection's details hangs on to it
    raise DbtRuntimeError(redact(creds.with_hint(problem), endpoint))


def _explain_problem(exc: Any, creds: SparkConnectCredentials, endpoint: Endpoint) -> str:
    """Put gRPC's error into the words of the profile."""
    where = f"the Spark Connect server at {endpoint}"
    code = exc.code().name
    details = (exc.details() or "").splitlines()
    if code in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
        source = "the endpoint file" if creds.endpoint_file else "`connect_token` in the profile"
        return f"The token was refused by {where}. Check {source}."
    if code == "DEADLINE_EXCEEDED":
        return f"No answer from {where} within {creds.connect_deadline:g} seconds."
    if code == "UNAVAILABLE":
        return f"Cannot reach {where}: {details[0] if details else code}"
    return f"Unexpected answer from {where}: {code} {details[0] if details else ''}".rstrip()


def redact(text: str, endpoint: Endpoint) -> str:
    """Take the token out of a text, in both spellings it travels in."""
    if not endpoint.token:
        return text
    for secret in (endpoint.token, quote(endpoint.token, safe="")):
        text = text.replace(secret, "***")
    return text
