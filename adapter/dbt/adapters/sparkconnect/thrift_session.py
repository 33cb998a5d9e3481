"""One Thrift session: how it is opened, used, kept between nodes and lost."""

import getpass
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import thrift_sasl
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.spark.connections import (
    CONNECTION_LOST_EXCEPTIONS,
    PyhiveConnectionWrapper,
    build_ssl_transport,
)
from dbt.adapters.sparkconnect.credentials import (
    OFFLINE_VARIABLE,
    Endpoint,
    SparkConnectCredentials,
)
from dbt_common.exceptions import DbtDatabaseError, DbtRuntimeError
from pyhive import hive
from TCLIService import ttypes
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

logger = AdapterLogger("SparkConnect")

LOST: tuple[type[BaseException], ...] = (*CONNECTION_LOST_EXCEPTIONS, OSError)
PING_SECONDS = 5.0

# statements whose effect outlives them in the session, after dbt's query comment
ALTERS_SESSION = re.compile(
    r"^(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    r"(?:set|reset|use|declare|add|create\s+(?:or\s+replace\s+)?temporary\s+function)\b",
    re.IGNORECASE | re.DOTALL,
)


def open_session(creds: SparkConnectCredentials, endpoint: Endpoint) -> "ThriftSession":
    """Open a session, and give the server no longer than `connect_deadline` to answer."""
    tcp = TSocket(endpoint.host, endpoint.port, socket_keepalive=True)
    tcp.setTimeout(creds.connect_deadline * 1000)
    handle = hive.connect(
        thrift_transport=_transport(creds, endpoint, tcp),
        username=creds.user,
        configuration=creds.server_side_parameters,
    )
    # from here on a statement may take as long as it needs
    tcp.setTimeout(None)
    _watch_for_a_dead_peer(tcp.handle)
    return ThriftSession(handle, tcp, endpoint, creds)


def _transport(creds: SparkConnectCredentials, endpoint: Endpoint, tcp: TSocket) -> Any:
    """Wrap the socket the way the server's authentication wants it."""
    auth = creds.auth or "NONE"
    if creds.use_ssl:
        return build_ssl_transport(
            host=endpoint.host,
            port=endpoint.port,
            username=creds.user,  # type: ignore[arg-type]
            auth=auth,
            kerberos_service_name=creds.kerberos_service_name,  # type: ignore[arg-type]
            password=creds.password,
        )
    if auth == "NOSASL":
        return TBufferedTransport(tcp)
    mechanism = "GSSAPI" if auth == "KERBEROS" else "PLAIN"

    def sasl_client() -> Any:
        return hive.get_installed_sasl(
            host=endpoint.host,
            sasl_auth=mechanism,
            service=creds.kerberos_service_name,
            username=creds.user or getpass.getuser(),
            # with `auth: NONE` any password does, but it must not be empty
            password=creds.password or "x",
        )

    return thrift_sasl.TSaslClientTransport(sasl_client, mechanism, tcp)


def _watch_for_a_dead_peer(tcp: socket.socket | None) -> None:
    """Notice within two minutes that the server's machine is gone, where the system can."""
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        option = getattr(socket, name, None)
        if tcp is not None and option is not None:
            tcp.setsockopt(socket.IPPROTO_TCP, option, value)


class ThriftSession(PyhiveConnectionWrapper):
    """A session that knows whether it can serve another node."""

    def __init__(
        self,
        handle: hive.Connection,
        tcp: TSocket,
        endpoint: Endpoint,
        creds: SparkConnectCredentials,
    ) -> None:
        super().__init__(handle, creds.poll_interval, creds.query_timeout, 0)  # type: ignore[arg-type]
        self.lost = False
        self.altered = False
        self.parked = False
        self._tcp = tcp
        self._endpoint = endpoint
        self._creds = creds

    @contextmanager
    def _statement(self) -> Iterator[None]:
        """Turn a lost connection into an error that reports what is known about the statement."""
        try:
            yield
        except LOST as exc:
            self.lost = True
            message = (
                f"The connection to the Spark Thrift server at {self._endpoint} was lost. The "
                "statement may or may not have been applied; it was not sent again "
                f"({type(exc).__name__})."
            )
            raise DbtDatabaseError(self._creds.with_hint(message)) from exc

    def cursor(self) -> "ThriftSession":
        """Start a statement; the results of the one before are freed on the server."""
        self._close_cursor()
        super().cursor()
        return self

    def execute(self, sql: str, bindings: list[Any] | None = None) -> None:
        """Run one statement once."""
        self.altered = self.altered or bool(ALTERS_SESSION.match(sql))
        with self._statement():
            try:
                self._execute_with_polling(sql, bindings)
            except DbtDatabaseError:
                raise
            except DbtRuntimeError:
                # over `query_timeout`: the session lives on, so stop the statement itself
                self.cancel()
                raise

    def fetchall(self) -> list[Any]:
        """Return the rows of the last statement."""
        with self._statement():
            return list(super().fetchall())

    @property
    def description(self) -> Sequence[Any]:
        """Columns of the last statement, as DB-API has them."""
        with self._statement():
            return super().description

    def _close_cursor(self) -> None:
        """Free the last statement on the server; failing to is no failure of the statement."""
        cursor, self._cursor = self._cursor, None
        if cursor is None or self.lost:
            return
        try:
            cursor.close()
        except LOST as exc:
            self.lost = True
            logger.debug(f"Session at {self._endpoint} was lost: {type(exc).__name__}")
        except hive.Error as exc:
            logger.debug(f"Could not free a finished statement: {type(exc).__name__}")

    def park(self) -> bool:
        """Get ready for the next node, or report that the session must not be used again."""
        self._close_cursor()
        self.parked = not (self.lost or self.altered)
        return self.parked

    def is_alive(self) -> bool:
        """Query whether the server still knows the session."""
        request = ttypes.TGetInfoReq(self.handle.sessionHandle, ttypes.TGetInfoType.CLI_SERVER_NAME)
        self._tcp.setTimeout(PING_SECONDS * 1000)
        try:
            status = self.handle.client.GetInfo(request).status
        except LOST:
            self.lost = True
            return False
        finally:
            self._tcp.setTimeout(None)
        self.parked = False
        return bool(status.statusCode == ttypes.TStatusCode.SUCCESS_STATUS)

    def close(self) -> None:
        """End the session; one that is lost already is only forgotten."""
        self._close_cursor()
        try:
            if self.lost:
                self._tcp.close()
            else:
                self.handle.close()
        except (*LOST, hive.Error) as exc:
            logger.debug(f"Could not close the session: {type(exc).__name__}")


class OfflineSession:
    """Stands in for a session where dbt must not reach for a server."""

    parked = False

    def cursor(self) -> "OfflineSession":
        """Return itself, as sessions do."""
        return self

    def execute(self, sql: str, bindings: list[Any] | None = None) -> None:
        """Refuse the statement."""
        raise DbtRuntimeError(
            "The sparkconnect adapter is offline and ran no statement. To use the server, set "
            f"`offline: false` in the profile and unset {OFFLINE_VARIABLE}. Refused:\n{sql[:200]}"
        )

    def park(self) -> bool:
        """There is nothing to end."""
        return True

    def cancel(self) -> None:
        """There is nothing to cancel."""

    def rollback(self) -> None:
        """There is nothing to roll back."""

    def close(self) -> None:
        """There is nothing to close."""
