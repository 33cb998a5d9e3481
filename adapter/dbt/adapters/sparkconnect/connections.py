"""Connections of dbt's threads: opened late, kept between nodes, never retried mid-statement."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.contracts.connection import Connection, ConnectionState
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.adapters.spark.connections import SparkConnectionManager
from dbt.adapters.sparkconnect.credentials import Endpoint, SparkConnectCredentials
from dbt.adapters.sparkconnect.python_submissions import interrupt_python_models
from dbt.adapters.sparkconnect.thrift_session import (
    LOST,
    OfflineSession,
    ThriftSession,
    open_session,
)
from dbt_common.exceptions import DbtDatabaseError, DbtRuntimeError

logger = AdapterLogger("SparkConnect")

JAVA_FRAME = re.compile(r"^\s*(?:at \S+\(.*|\.\.\. \d+ more)$")
CAUSE = re.compile(r"^Caused by: [\w.$]+: ")


class SparkConnectConnectionManager(SparkConnectionManager):
    """Keeps one Thrift session per thread for a whole dbt command."""

    TYPE = "sparkconnect"

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Open the session; this alone is retried, as often as `connect_retries` sets."""
        if connection.state == ConnectionState.OPEN:
            return connection
        creds: SparkConnectCredentials = connection.credentials
        if creds.is_offline:
            connection.handle = OfflineSession()
        elif creds.is_embedded:
            connection.handle = cls._open_embedded(creds)
        else:
            connection.handle = cls._open_with_retries(creds)
        connection.state = ConnectionState.OPEN
        return connection

    @classmethod
    def _open_embedded(cls, creds: SparkConnectCredentials) -> Any:
        """Open a session in this process; the engine is imported by those alone who use it."""
        from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
        from dbt.adapters.sparkconnect.embedded.session import EmbeddedSession, lake_of

        try:
            return EmbeddedSession(lake_of(creds))
        except EmbeddedError as exc:
            raise FailedToConnectError(str(exc)) from exc

    @classmethod
    def _open_with_retries(cls, creds: SparkConnectCredentials) -> ThriftSession:
        """Open a session; the endpoint is looked up for every attempt, since it may move."""
        for attempt in range(creds.connect_retries, -1, -1):
            try:
                return cls._open_once(creds)
            except FailedToConnectError as exc:
                if attempt == 0:
                    raise
                logger.warning(f"{exc.msg}\nTrying again in {creds.connect_timeout} seconds.")
                time.sleep(creds.connect_timeout)
        raise AssertionError("connect_retries is negative")

    @classmethod
    def _open_once(cls, creds: SparkConnectCredentials) -> ThriftSession:
        endpoint = creds.thrift_endpoint()
        try:
            return open_session(creds, endpoint)
        except LOST as exc:
            raise FailedToConnectError(_explain_unreachable(creds, endpoint, exc)) from exc
        except Exception as exc:
            message = f"The Spark Thrift server at {endpoint} refused a session: {_extract_message(exc)}"
            raise FailedToConnectError(creds.with_hint(message)) from exc

    def set_connection_name(self, name: str | None = None) -> Connection:
        """Give the thread its connection; a kept session must still be known to the server."""
        connection = self.get_if_exists()
        if connection is not None and connection.state == ConnectionState.OPEN:
            session = connection.handle
            if session.parked and not session.is_alive():
                logger.debug("The kept Spark session is gone; a new one will be opened.")
                self.close(connection)
        return super().set_connection_name(name)

    def release(self) -> None:
        """Keep the session for the thread's next node, unless the node changed or lost it."""
        connection = self.get_if_exists()
        if connection is None:
            return
        if connection.state == ConnectionState.OPEN and connection.handle.park():
            connection.transaction_open = False
            return
        super().release()

    def cancel_open(self) -> list[str]:
        """Stop what the other threads run, Python models included."""
        interrupt_python_models()
        return list(super().cancel_open())

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Turn what goes wrong into dbt's own errors, without the server's Java frames."""
        try:
            yield
        except DbtDatabaseError as exc:
            logger.debug(f"Error while running:\n{sql}\n{exc.msg}")
            exc.msg = without_java_frames(exc.msg)
            raise
        except DbtRuntimeError:
            raise
        except Exception as exc:
            logger.debug(f"Error while running:\n{sql}\n{exc}")
            raise DbtDatabaseError(_extract_message(exc)) from exc


def _explain_unreachable(creds: SparkConnectCredentials, endpoint: Endpoint, exc: BaseException) -> str:
    """Name the server that did not answer, and how long it had."""
    message = (
        f"No Spark Thrift server answers at {endpoint} (tried for at most "
        f"{creds.connect_deadline:g} seconds): {exc or type(exc).__name__}"
    )
    return creds.with_hint(message)


def _extract_message(exc: Exception) -> str:
    """Return the server's message where the exception carries its whole response."""
    response: Any = exc.args[0] if exc.args else None
    status = getattr(response, "status", None)
    text = status.errorMessage if status is not None else str(exc)
    return without_java_frames(text or type(exc).__name__)


def without_java_frames(message: str) -> str:
    """Drop the lines of a Java stack trace; a cause stays if it adds something."""
    kept: list[str] = []
    for line in message.splitlines():
        cause = CAUSE.match(line)
        repeated = cause is not None and line[cause.end() :] in "\n".join(kept)
        if not repeated and not JAVA_FRAME.match(line):
            kept.append(line)
    return "\n".join(kept).rstrip()
