"""The server's record, `server.json`: how clients and later commands find it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import psutil

from smart_trader.errors import SmartTraderError
from smart_trader.lake.atomic import write_file
from smart_trader.lakehouse.process import ProcessMark
from smart_trader.lakehouse.spark_config import LOOPBACK, MAIN_CLASS, Endpoints


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server that was started, alive or not.

    Attributes:
        mark: Process of the JVM.
        endpoints: Where it listens.
        uri: Root of its tables.
        java: Version of its Java, and where it is from.
        ready_s: Seconds it took to answer on both endpoints; None until it has.
    """

    mark: ProcessMark
    endpoints: Endpoints
    uri: str
    java: str
    ready_s: float | None

    @property
    def pid(self) -> int:
        """Number of the JVM's process."""
        return self.mark.pid

    def process(self) -> psutil.Process | None:
        """Return the live process, or None if it ended; another process with the same pid is not ours."""
        process = self.mark.process()
        return process if process is not None and is_server(process) else None


def is_server(process: psutil.Process) -> bool:
    """Whether a process is the JVM of some lake's server."""
    try:
        return MAIN_CLASS in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def write_record(path: Path, record: ServerRecord) -> None:
    """Write the record in the shape the dbt adapter's `endpoint_file` takes.

    Raises:
        SmartTraderError: It cannot be written.
    """
    content = {
        "thrift": {"host": LOOPBACK, "port": record.endpoints.thrift_port},
        # the name, not the address: with an address Spark's client wants TLS as soon as there is a token
        "connect": {
            "host": "localhost",
            "port": record.endpoints.connect_port,
            "token": record.endpoints.token,
        },
        "pid": record.pid,
        "started": record.mark.started,
        "boot": record.mark.boot,
        "uri": record.uri,
        "java": record.java,
        "ready_s": record.ready_s,
    }
    try:
        write_file(path, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise SmartTraderError(
            f"cannot write the server's record {path}: {error.strerror}; no server is left running",
            "make it a file that this user can replace, free some space if the disk is full, then start again",
        ) from None


def read_record(path: Path) -> ServerRecord | None:
    """Return the record, or None where there is none or it is unreadable as JSON (a kill in the middle).

    Raises:
        SmartTraderError: The file belongs to somebody else.
    """
    try:
        content = json.loads(path.read_text())
        return ServerRecord(
            ProcessMark(content["pid"], content["started"], content["boot"]),
            Endpoints(content["thrift"]["port"], content["connect"]["port"], content["connect"]["token"]),
            content["uri"],
            content["java"],
            content["ready_s"],
        )
    except FileNotFoundError:
        return None
    except PermissionError:
        raise SmartTraderError(
            f"cannot read {path}: permission denied",
            "run as the user who started the server, or set LAKEHOUSE_HOME to a folder of your own",
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        return None
