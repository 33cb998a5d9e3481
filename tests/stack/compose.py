"""Runs the services of docker-compose.yml as plain processes: their command lines, environments and health checks.

What Docker adds around them (images, networks, volumes, limits) is not there; the names of services are replaced by
loopback through the variables that the file has for it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from smart_trader.lakehouse.server import free_port

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")
HEALTHY_WITHIN_S = 240
STOPS_WITHIN_S = 30


class UnsetVariableError(Exception):
    """The file insists on a variable that is not set."""


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """Fill in `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as Docker's compose does."""
    if isinstance(value, dict):
        return {name: interpolated(one, variables) for name, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one, variables) for one in value]
    return VARIABLE.sub(lambda found: _filled(found, variables), value) if isinstance(value, str) else value


def _filled(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, kind, text = found.groups()
    value = variables.get(name, "")
    if value or kind is None:
        return value
    if kind == ":?":
        raise UnsetVariableError(f"{name}: {text}")
    return str(text)


def read_services(variables: Mapping[str, str], *more: Path) -> dict[str, dict[str, Any]]:
    """Read the compose file, laid over by others service by service."""
    services: dict[str, dict[str, Any]] = {}
    for path in (PROJECT / "docker-compose.yml", *more):
        for name, service in interpolated(yaml.safe_load(path.read_text()), variables)["services"].items():
            services[name] = services.get(name, {}) | service
    return services


def ports() -> dict[str, str]:
    names = ("S3_PORT", "METASTORE_PORT", "SPARK_MASTER_PORT", "SPARK_THRIFT_PORT", "SPARK_CONNECT_PORT")
    return {name: str(free_port()) for name in names}


def passwords() -> dict[str, str]:
    names = ("AWS_SECRET_ACCESS_KEY", "CLUSTER_SECRET", "CLUSTER_METASTORE_PASSWORD", "SPARK_CONNECT_TOKEN")
    return {"AWS_ACCESS_KEY_ID": f"key{secrets.token_hex(8)}"} | {name: secrets.token_hex(20) for name in names}


@dataclass
class Stack:
    """The services of one compose project, each with a folder of its own.

    Attributes:
        folder: Where their data and logs lie.
        tools: Where the S3 servers are installed.
        more: Compose files laid over the project's own.
    """

    folder: Path
    tools: Path
    more: tuple[Path, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.variables |= passwords() | ports()
        self.variables |= {
            "S3_BIND": "127.0.0.1",
            "S3_DATA": str(self.folder / "s3" / "data"),
            "S3_SIDECAR": str(self.folder / "s3" / "sidecar"),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.variables['S3_PORT']}",
            **dict.fromkeys(("METASTORE_HOST", "SPARK_MASTER_HOST", "SPARK_WORKER_HOST", "THRIFT_HOST"), "127.0.0.1"),
        }
        for name in ("s3/data", "s3/sidecar"):
            (self.folder / name).mkdir(parents=True)

    @property
    def database(self) -> Path:
        """PostgreSQL's folder: root's database runs as another user, whom a test's folder or a private TMPDIR shuts out."""
        folder = Path("/var/tmp") if os.geteuid() == 0 else Path(tempfile.gettempdir())
        return folder / f"stack-metastore-{self.variables['METASTORE_PORT']}"

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return read_services(self.variables, *self.more)

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return a service's command line; arguments stand in for its own, as in `docker compose run`."""
        service = self.services[name]
        program = service.get("x-program", "smart-trader")
        entry = service.get("entrypoint") or ([program] if program else [])
        return [*entry, *(arguments or service["command"])]

    def environment(self, name: str, number: int = 1) -> dict[str, str]:
        """Return a service's environment: what the file sets, in a folder of its own, and nothing of ours."""
        home = self.folder / (f"{name}-{number}" if number > 1 else name)
        home.mkdir(exist_ok=True)
        given = {key: str(value) for key, value in self.services[name]["environment"].items() if value != ""}
        kept = {key: os.environ[key] for key in ("HOME", "LANG", "SMART_TRADER_CACHE", "TMPDIR") if key in os.environ}
        path = os.pathsep.join([str(SCRIPTS), str(self.tools), *_postgres_folder(), os.environ["PATH"]])
        return kept | given | {"PATH": path, "LAKEHOUSE_HOME": str(home), "DO_NOT_TRACK": "1"}

    def log(self, name: str, number: int = 1) -> Path:
        return self.folder / f"{name}-{number}.log"

    def start(self, name: str, number: int = 1) -> subprocess.Popen[bytes]:
        """Start a service and go on."""
        command, environment = self.command(name), self.environment(name, number)
        if name == "metastore":
            command = self._metastore(command, environment)
        print(f"{name} {number}: {' '.join(command)}", flush=True)
        with self.log(name, number).open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True
            )
        self.running[f"{name}-{number}"] = process
        return process

    def _metastore(self, command: list[str], environment: dict[str, str]) -> list[str]:
        """Do what the image's start script does: make the database, and run it as a user who is not root."""
        data = self.database / "data"
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if not data.exists():
            data.mkdir(parents=True)
            secret = data.parent / "password"
            secret.write_text(environment["POSTGRES_PASSWORD"])
            if as_user:
                for path in (self.database, data, secret):
                    shutil.chown(path, "postgres", "postgres")
            made = ["initdb", "-D", str(data), "-U", "metastore", "--auth=scram-sha-256", f"--pwfile={secret}"]
            subprocess.run([*as_user, *made], env=environment, cwd="/", check=True, stdout=subprocess.DEVNULL)
            secret.unlink()
            one = b"create database metastore;\n"
            subprocess.run(
                [*as_user, "postgres", "--single", "-D", str(data), "postgres"],
                env=environment, cwd="/", input=one, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        place = ["-D", str(data), "-p", self.variables["METASTORE_PORT"], "-k", str(data)]
        return [*as_user, *command, *place, "-c", "listen_addresses=127.0.0.1"]

    def wait(self, name: str, number: int = 1) -> None:
        """Wait until a service's health check passes."""
        test = self.services[name]["healthcheck"]["test"][1:]
        process = self.running[f"{name}-{number}"]
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while time.monotonic() < deadline:
            assert process.poll() is None, f"{name} ended: {self.log(name, number).read_text()[-3000:]}"
            done = subprocess.run(test, env=self.environment(name, number), capture_output=True, check=False)
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(f"{name} is not healthy: {done!r} {self.log(name, number).read_text()[-3000:]}")

    def run(
        self, name: str, *arguments: str, timeout: int = 600, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a service's program to its end, as `docker compose run` does; `env` changes its environment."""
        return subprocess.run(
            self.command(name, *arguments), env={**self.environment(name), **(env or {})}, cwd=PROJECT,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def begin(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Run a service's program and go on."""
        return subprocess.Popen(
            self.command(name, *arguments), env=self.environment(name), cwd=PROJECT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def stop(self, name: str, number: int = 1, how: signal.Signals = signal.SIGTERM) -> None:
        """End a service and all that it started."""
        process = self.running.pop(f"{name}-{number}")
        if process.poll() is None:
            os.killpg(process.pid, how)
            try:
                process.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def up(self) -> None:
        """Start everything that a run needs, in the file's own order."""
        for name in ("s3", "metastore"):
            self.start(name)
        for name in ("s3", "metastore"):
            self.wait(name)
        made = self.run("bucket")
        assert made.returncode == 0, made.stderr
        self.start("spark-master")
        self.wait("spark-master")
        for number in (1, 2):
            self.start("spark-worker", number)
        self.start("thrift")
        self.wait("thrift")

    def down(self) -> None:
        """End everything, last started first."""
        for key in reversed(list(self.running)):
            name, _, number = key.rpartition("-")
            self.stop(name, int(number), signal.SIGINT if name == "metastore" else signal.SIGTERM)
        shutil.rmtree(self.database, ignore_errors=True)


def _postgres_folder() -> list[str]:
    """Return where Debian keeps PostgreSQL's programs."""
    return [str(path.parent) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)]
