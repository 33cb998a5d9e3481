"""The project as dbt has parsed it, kept once for all lakes: a new lake need not wait until dbt has read everything."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from smart_trader.config.paths import parse_dir
from smart_trader.config.schemas import current_target, schema_name
from smart_trader.lake.atomic import write_file

PARSE_FILE = "partial_parse.msgpack"


class KnownParse:
    """What dbt parsed last, of any lake and of this one.

    Nothing of a lake is part of it. dbt itself compares it with the project's files, the profile and its own version,
    and parses what differs; so an old file costs time, and never makes a build wrong.

    Args:
        target: Where dbt writes for this lake; its own parse is there.
        engine: The engine that dbt is connected to: `target` in Jinja says which.
    """

    def __init__(self, target: Path, engine: str) -> None:
        # another of these would make dbt parse everything again
        parts = (version("dbt-core"), current_target(), schema_name("silver"), engine)
        self._shared = parse_dir() / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.msgpack"
        self._own = target / PARSE_FILE
        self._before = _changed_at(self._own)

    def arguments(self) -> list[str]:
        """Return what makes dbt begin with the newest parse there is."""
        if _changed_at(self._shared) > self._before:
            return ["--partial-parse-file-path", str(self._shared)]
        return []

    def keep(self) -> None:
        """Share what dbt has just parsed, if it parsed anything; a checkout that cannot be written keeps nothing."""
        if _changed_at(self._own) == self._before:
            return
        with suppress(OSError):
            self._shared.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._shared, self._own.read_bytes())


def _changed_at(path: Path) -> int:
    """Return when a file was written, in ns; 0 where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
