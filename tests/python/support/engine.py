"""The engines of a test session, a real server and the embedded one, and ways to run the project's programs on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import LakehouseSettings
from smart_trader.lakehouse import probe, server
from smart_trader.lakehouse.server_record import ServerRecord

if TYPE_CHECKING:
    from .dbt_lake import DbtResult

PROJECT = Path(__file__).resolve().parents[3]
# What a person who starts a server may have in the environment; tests/python/secrets looks for it everywhere.
SECRETS = {
    "BIRDEYE_API_KEY": "recognisablekey0of1the2exposure3",  # pragma: allowlist secret
    "AWS_ACCESS_KEY_ID": "RECOGNISABLEKEYID",
    "AWS_SECRET_ACCESS_KEY": "recognisable/secret+of/the=exposure/tests",  # pragma: allowlist secret
}
LAKE_VARIABLES = ("LAKEHOUSE_", "SMART_TRADER_", "DBT_TARGET", "BIRDEYE_")


@dataclass(frozen=True)
class Engine:
    """A running server and its lake."""

    settings: LakehouseSettings
    record: ServerRecord

    @property
    def paths(self) -> LakePaths:
        return self.settings.paths

    @property
    def endpoint_file(self) -> Path:
        return self.paths.server_file

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(LAKEHOUSE_HOME=str(self.paths.home), LAKEHOUSE_ENGINE="spark")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        # a test may have ended the server, and a run started another
        record = server.start(self.settings, print).record
        return probe.execute_thrift(record.endpoints.thrift_port, statement, timeout_s=120)


@dataclass(frozen=True)
class EmbeddedLake:
    """A lake that programs build on the embedded engine: a folder, no server, and the project that dbt builds on it."""

    home: Path
    project: Path = PROJECT

    @property
    def paths(self) -> LakePaths:
        return LakePaths(self.home, str(self.home))

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(LAKEHOUSE_HOME=str(self.home), LAKEHOUSE_ENGINE="embedded", LAKEHOUSE_JAVA="/nowhere")

    def dbt(self, *arguments: str, **environment: str) -> DbtResult:
        """Run dbt on the lake in this process, by the embedded engine unless the environment sets another."""
        # dbt takes long to import
        from .dbt_lake import run_dbt

        return run_dbt(self, *arguments, project=self.project, **environment)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        from dbt.adapters.sparkconnect.embedded.lake import Lake
        from dbt.adapters.sparkconnect.embedded.session import EmbeddedSession

        session = EmbeddedSession(Lake(str(self.home), "600MB", 2))
        session.execute(statement)
        return session.fetchall()


def start_engine(home: Path, **settings: object) -> Engine:
    """Start a server on a lake of its own, on free ports."""
    made = LakehouseSettings(home=home, **settings)  # type: ignore[arg-type]
    with patch.dict(os.environ, SECRETS):
        return Engine(made, server.start(made, print).record)


@contextmanager
def own_engine(home: Path, **settings: object) -> Iterator[Engine]:
    """Run a server while the block does, and stop whichever runs on its lake at the end."""
    running = start_engine(home, **settings)
    try:
        yield running
    finally:
        server.stop(running.paths, print)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a real file system of a size while the block runs."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def clean_environment(**extra: str) -> dict[str, str]:
    """Return the environment without the developer's own lake settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LAKE_VARIABLES)}
    # training the archive takes longer than it saves in a few starts; a test that wants it sets it
    settings = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "LAKEHOUSE_CLASS_ARCHIVE": "false"}
    return {**kept, **settings, **extra}


def run_module(
    *arguments: str, env: dict[str, str], unprivileged: bool = False, timeout: int = 240, cwd: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` in the project, as a user would; output and errors come back as text."""
    command = [sys.executable, "-m", *arguments]
    if unprivileged and os.geteuid() == 0:
        # root passes every permission check; without capabilities it is a user like any other
        command = [shutil.which("setpriv") or "setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


def deny(folder: Path) -> None:
    """Make a folder one that this user may not enter."""
    folder.chmod(0o700 if os.geteuid() == 0 else 0o000)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
