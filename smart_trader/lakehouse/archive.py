"""Class archives (AppCDS): the JVM's start in half the time.

An archive holds the loaded classes of one trained run. Java uses it only with the same runtime, class path, jar
times and flags, so all of these are in its name; anything else is another archive. It is trained by a real server on
a throw-away lake, by hand or at set-up, never while a user waits for their first start.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from smart_trader.config.paths import cache_dir
from smart_trader.lakehouse.java import Java

KEPT_ARCHIVES = 4


def archive_path(java: Java, classpath: str, flags: list[str]) -> Path:
    """Return where the archive of this runtime, class path and flags lies, there or not."""
    key = hashlib.sha256()
    for part in (java.build, classpath, *flags, *_jar_stamps(classpath)):
        key.update(part.encode() + b"\0")
    return cache_dir() / "classes" / f"{key.hexdigest()[:16]}.jsa"


def run_flags(path: Path) -> list[str]:
    """Return the flags that use an archive; none where it was not trained."""
    if not path.is_file():
        return []
    # auto: a JVM that finds the archive unfit starts without it
    return [
        "-Xshare:auto",
        f"-XX:SharedArchiveFile={path}",
        "-Xlog:cds=off",
        "-Xlog:cds+dynamic=off",
    ]


def prune() -> None:
    """Remove all but the newest archives; each is some 200 MB."""
    archives = sorted((cache_dir() / "classes").glob("*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in archives[KEPT_ARCHIVES:]:
        path.unlink(missing_ok=True)


def _jar_stamps(classpath: str) -> list[str]:
    stamps = []
    for entry in classpath.split(os.pathsep):
        files = sorted(Path(entry).parent.glob("*.jar")) if entry.endswith("*") else [Path(entry)]
        stamps += [f"{file.name} {file.stat().st_size} {int(file.stat().st_mtime)}" for file in files]
    return stamps
