"""Settings of a `sparkconnect` target and where they place the two servers."""

import json
import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.adapters.spark.connections import SparkCredentials
from dbt_common.dataclass_schema import StrEnum
from dbt_common.exceptions import DbtConfigError

logger = AdapterLogger("SparkConnect")

OFFLINE_VARIABLE = "DBT_SPARKCONNECT_OFFLINE"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "[::1]", "localhost"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one server listens; the token stays out of every representation."""

    host: str
    port: int
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ConnectionMethod(StrEnum):
    """Where statements run."""

    THRIFT = "thrift"
    EMBEDDED = "embedded"
    AUTO = "auto"


# seconds that a server of this machine has to take a connection, for `method: auto`
AUTO_SECONDS = 2.0
_choosing = threading.Lock()


@dataclass
class SparkConnectCredentials(SparkCredentials):
    """Profile settings; those of dbt-spark keep their meaning, with other defaults."""

    host: str | None = "127.0.0.1"
    method: ConnectionMethod = ConnectionMethod.THRIFT  # type: ignore[assignment]
    port: int = 10000
    auth: str | None = "NONE"
    # the server holds a status request for up to 5 s, so requesting again at once is no busy loop
    poll_interval: float = 0  # type: ignore[assignment]
    # a statement that was sent may have been applied: only opening a session is ever retried
    query_retries: int = 0
    retry_all: bool = True

    endpoint_file: str | None = None
    server_hint: str | None = None
    # where the method comes from, added to the error of a wrong one
    method_hint: str | None = None
    connect_host: str = "localhost"
    connect_port: int = 15002
    connect_token: str | None = field(default=None, repr=False)
    connect_deadline: float = 30
    python_timeout: float | None = None
    offline: bool = False
    # the embedded engine: root of the tables, DuckDB's memory, and its threads for one statement
    lake: str | None = None
    memory: str = "600MB"
    engine_threads: int = 2
    # where it spills and keeps copies of files, for a lake on an object store
    scratch: str | None = None

    @classmethod
    def validate(cls, data: Any) -> None:
        """Check a profile before it is read; dbt's own check of the method would not name where it comes from."""
        if isinstance(data, dict) and data.get("method") is not None:
            _check_method(data["method"], data.get("method_hint"))
        super().validate(data)

    @classmethod
    def __pre_deserialize__(cls, data: dict[str, Any]) -> dict[str, Any]:
        data = super().__pre_deserialize__(data)
        # an unquoted number would be refused with a message that shows it
        if data.get("connect_token") is not None:
            data["connect_token"] = str(data["connect_token"])
        return data

    def __post_init__(self) -> None:
        _check_method(self.method, self.method_hint)
        if self.method != ConnectionMethod.THRIFT and not self.lake:
            raise DbtConfigError(
                f"`method: {self.method}` needs `lake` in the profile: the folder in which the schemas' tables lie."
            )
        self._chosen: ConnectionMethod | None = None
        if self.query_retries:
            raise DbtConfigError(
                "The sparkconnect adapter never sends a statement twice, because the first one "
                "may have been applied: leave `query_retries` out of the profile."
            )
        # dbt-spark looks at the method for the libraries it needs
        super().__post_init__()
        # dbt-spark forces ANSI mode off; here the server's own configuration decides
        self.server_side_parameters.pop("spark.sql.ansi.enabled", None)
        # the Thrift server turns this on, and Delta 4.4 then fails to answer max() of a date column
        self.server_side_parameters.setdefault("set:spark.sql.datetime.java8API.enabled", "false")

    @property
    def type(self) -> str:
        """Name of the adapter, as the profile's `type` names it."""
        return "sparkconnect"

    @property
    def unique_field(self) -> str:
        """What distinguishes one warehouse from another, hashed by dbt."""
        return str(self.lake if self.method == ConnectionMethod.EMBEDDED else self.endpoint_file or self.host)

    def _connection_keys(self) -> tuple[str, ...]:
        """Settings that dbt may show: never the token.

        They make up `target` in Jinja, so dbt parses a project once more where one of them changed. Which lake and
        which of its servers it is changes no project: `lake` and `endpoint_file` are looked up at each connection, and
        one parse holds for all lakes.
        """
        return ("host", "port", "schema", "connect_host", "connect_port", "offline", "method", "memory")

    def place(self) -> str:
        """Return which lake and which file of endpoints the profile names, for `dbt debug`."""
        named = {"lake": self.lake, "endpoint_file": self.endpoint_file}
        return ", ".join(f"{name}: {value}" for name, value in named.items() if value)

    @property
    def is_embedded(self) -> bool:
        """Whether statements run in this process; `auto` decides once, and reports what it chose."""
        # dbt's threads call at once; none may see a choice that is half made
        with _choosing:
            if self._chosen is None:
                self._chosen = self._choose()
        return self._chosen == ConnectionMethod.EMBEDDED

    def _choose(self) -> ConnectionMethod:
        if self.method != ConnectionMethod.AUTO:
            return self.method
        is_up = self._has_a_server()
        reason = (
            f"the server of {self.endpoint_file} is up" if is_up else f"{self.endpoint_file} names no running server"
        )
        engine = "Spark (method: thrift)" if is_up else "the embedded engine (method: embedded)"
        logger.info(f"Using {engine}: {reason}.")
        return ConnectionMethod.THRIFT if is_up else ConnectionMethod.EMBEDDED

    def _has_a_server(self) -> bool:
        if not self.endpoint_file:
            return False
        try:
            endpoint = self.thrift_endpoint()
            with socket.create_connection((endpoint.host, endpoint.port), timeout=AUTO_SECONDS):
                return True
        except (FailedToConnectError, OSError) as exc:
            logger.debug(f"method: auto found no server: {type(exc).__name__}")
            return False

    def lake_root(self) -> str:
        """Return the root of the tables of the embedded engine."""
        return str(self.lake)

    @property
    def is_offline(self) -> bool:
        """Whether dbt works without a server, by the profile or by the environment."""
        value = os.environ.get(OFFLINE_VARIABLE, "")
        return self.offline or value.strip().lower() in {"1", "true", "yes"}

    def thrift_endpoint(self) -> Endpoint:
        """Where the Thrift server listens now."""
        section = self._read_endpoint_file("thrift")
        return _endpoint(section, str(self.host), self.port, None)

    def connect_endpoint(self) -> Endpoint:
        """Where the Spark Connect server listens now."""
        section = self._read_endpoint_file("connect")
        found = _endpoint(section, self.connect_host, self.connect_port, self.connect_token)
        # pyspark skips TLS for a token only when the host is spelled "localhost"
        host = "localhost" if found.host in LOOPBACK_HOSTS else found.host
        return Endpoint(host, found.port, found.token)

    def with_hint(self, message: str) -> str:
        """Append the profile's advice on how to get a server."""
        return f"{message}\n{self.server_hint}" if self.server_hint else message

    def _read_endpoint_file(self, section: str) -> dict[str, Any]:
        """Return one section of the endpoint file, read again since ports may change."""
        if not self.endpoint_file:
            return {}
        path = Path(self.endpoint_file).expanduser()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return _checked_section(content, section)
        except FileNotFoundError:
            problem = "does not exist. Is the server running?"
        except OSError as exc:
            problem = f"cannot be read ({exc.strerror})."
        # the parser's message may quote the file, and the file holds a token
        except json.JSONDecodeError as exc:
            problem = f"is not valid JSON (line {exc.lineno}). Start the server again."
        except UnicodeDecodeError:
            problem = "is not UTF-8 text. Start the server again."
        except ValueError as exc:
            problem = f"is not complete: {exc}. Start the server again."
        raise FailedToConnectError(self.with_hint(f"The endpoint file '{path}' {problem}"))


def _check_method(method: Any, hint: str | None) -> None:
    """Refuse a connection method that there is not."""
    if method not in tuple(ConnectionMethod):
        raise DbtConfigError(
            f"The sparkconnect adapter knows no connection method '{method}': set `method` in the profile to "
            "thrift, embedded or auto, or leave it out for thrift." + (f"\n  {hint}" if hint else "")
        )


def _checked_section(content: Any, section: str) -> dict[str, Any]:
    """Return a section that may be missing but must make sense."""
    if not isinstance(content, dict):
        raise ValueError("it must hold an object with 'thrift' and 'connect'")
    found = content.get(section)
    if found is None:
        return {}
    expected = {"host": str, "port": int, "token": str}
    if not isinstance(found, dict):
        raise ValueError(f"'{section}' must be an object with 'host' and 'port'")
    for key, kind in expected.items():
        value = found.get(key)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ValueError(f"'{section}.{key}' must be of type {kind.__name__}")
    return found


def _endpoint(section: dict[str, Any], host: str, port: int, token: str | None) -> Endpoint:
    """Let the endpoint file win over the profile, value by value."""
    return Endpoint(
        section.get("host") or host,
        section.get("port") or port,
        section.get("token") or token,
    )
