"""The running server's record, `server.json`: how clients and later commands find it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from smart_trader.errors import SmartTraderError
from smart_trader.lakehouse.config import LOOPBACK, MAIN_CLASS, Doors
from smart_trader.paths import OWNER_ONLY_FILE


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server that was started, alive or not.

    Attributes:
        pid: Process of the JVM.
        created: The process's start time, seconds since 1970; tells a reused pid from ours.
        doors: Where it listens.
        uri: Root of its tables.
        java: Version text of its Java.
        ready_s: Seconds it took to answer on both doors.
    """

    pid: int
    created: float
    doors: Doors
    uri: str
    java: str
    ready_s: float

    def process(self) -> psutil.Process | None:
        """Return the live process, or None if it ended; another process with the same pid is not ours."""
        try:
            process = psutil.Process(self.pid)
            ours = abs(process.create_time() - self.created) < 2 and MAIN_CLASS in process.cmdline()
        except psutil.Error:
            return None
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY_FILE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(part, path)


def write_record(path: Path, record: ServerRecord) -> None:
    """Write the record in the shape the dbt adapter's `endpoint_file` takes."""
    content = {
        "thrift": {"host": LOOPBACK, "port": record.doors.thrift_port},
        # the name, not the address: with an address Spark's client wants TLS as soon as there is a token
        "connect": {
            "host": "localhost",
            "port": record.doors.connect_port,
            "token": record.doors.token,
        },
        "pid": record.pid,
        "created": record.created,
        "uri": record.uri,
        "java": record.java,
        "ready_s": record.ready_s,
    }
    write_private(path, json.dumps(content, indent=1) + "\n")


def read_record(path: Path) -> ServerRecord | None:
    """Return the record, or None where there is none or it is unreadable as JSON (a kill in the middle).

    Raises:
        SmartTraderError: The file belongs to somebody else.
    """
    try:
        content = json.loads(path.read_text())
        doors = Doors(content["thrift"]["port"], content["connect"]["port"], content["connect"]["token"])
        return ServerRecord(
            content["pid"],
            content["created"],
            doors,
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
