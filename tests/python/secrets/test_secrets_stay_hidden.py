"""A real run with recognisable secrets: afterwards they stand in no file, log, table, error, artifact or process list."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from deltalake import DeltaTable
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from smart_trader.lakehouse.spark_config import MAIN_CLASS
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import SOL, address, recordings, swap, token
from tests.python.support.engine import PROJECT, SECRETS, Engine

from .planted import files_with, found_in

HERE = Path(__file__).parent
KEY = SECRETS["BIRDEYE_API_KEY"]
AS_OF = 1_750_000_000
# what the API does with a wallet: answers; answers with the key among the data; refuses, with the key; breaks
SERVED, ECHOED, REFUSED, BROKEN = map(address, ("Served", "Echoed", "Refused", "Broken"))
NOBODY = "http://127.0.0.1:9"
ONCE = ("--as-of", str(AS_OF), "--var", "max_request_tries=1")

PROJECT_FILE = """
name: exposed
profile: smart_trader
flags: {send_anonymous_usage_stats: false}
models:
  exposed:
    +file_format: delta
    +schema: exposure
    +persist_docs: {relation: true}
"""
NOTES = """
select '{{ var("single") | replace("'", "\\\\'") }}' as note
union all
select '{{ var("double") | replace("'", "\\\\'") }}' as note
"""
WORKERS = """
import time

def passed_on(batches):
    # long enough to be seen in a process list
    time.sleep(0.5)
    yield from batches

def model(dbt, session):
    dbt.config(materialized="table")
    assert dbt.config.get("note").startswith('" + ')
    return dbt.ref("notes").mapInArrow(passed_on, "note string")
"""
BROKEN_MODEL = """
def model(dbt, session):
    if dbt.ref("notes"):
        raise ValueError("a mistake, with all its local values")
    return dbt.ref("notes")
"""
PROPERTIES = """
models:
  - name: workers
    description: "{{ var('single') }}"
    config: {note: "{{ var('double') }}"}
"""


def echoing_the_key(app: Starlette, seen: list[str]) -> Starlette:
    """Let the API echo the key in every way it can, and note each key that it was sent."""

    async def answer(request: Request, call_next: RequestResponseEndpoint) -> Response:
        key = request.headers.get("x-api-key", "")
        seen.append(key)
        address = request.query_params.get("address")
        if request.query_params.get("limit") == "1":
            return JSONResponse({"success": False, "message": f"Unauthorized: {key}"}, 401, {"X-Echo": key})
        if address == REFUSED:
            return JSONResponse({"success": False, "message": f"no such key: {key}"}, 400)
        if address == BROKEN:
            return Response(f"Internal Server Error: {dict(request.headers)}", 500)
        response = await call_next(request)
        if address == ECHOED:
            body = b"".join([part async for part in response.body_iterator])
            echoed = body.replace(b'{"items":[{', b'{"items":[{"sent_key":"' + key.encode() + b'",')
            return Response(echoed, media_type="application/json")
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=answer)
    return app


@contextmanager
def watching_processes() -> Iterator[set[str]]:
    """Collect every command line on the machine while the block runs."""
    lines: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            lines.update(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lines
    finally:
        over.set()
        watcher.join()


@dataclass(frozen=True)
class Run:
    """What a run left behind."""

    engine: Engine
    folder: Path
    keys: list[str]
    command_lines: set[str]
    shown: str

    @property
    def marker(self) -> Path:
        """A file that code hidden in a text would make."""
        return self.folder / "executed"

    def rows(self, table: str) -> list[dict[str, object]]:
        location = self.engine.paths.table("exposure_bronze", table)
        return list(DeltaTable(location).to_pyarrow_table().to_pylist())


@pytest.fixture(scope="module")
def secrets(engine: Engine) -> dict[str, str]:
    """Every secret there is, by name."""
    return {**SECRETS, "Connect token": engine.record.endpoints.token}


def hostile(marker: Path) -> dict[str, str]:
    """Return texts that end a string of Python which they are pasted into, and then make a file."""
    return {
        name: f"{quote} + str(open({other}{marker}{other}, {other}w{other})) + {quote}"
        for name, quote, other in (("single", "'", '"'), ("double", '"', "'"))
    }


def loader_commands(url: str) -> list[str]:
    """Return the loaders' command lines: a run that is refused, one without a server, one that goes half well."""
    given = ",".join((SERVED, ECHOED, REFUSED, BROKEN))
    commands = [
        (url, ["tokens", "--limit", "1", *ONCE]),
        (NOBODY, ["tokens", *ONCE]),
        (url, ["tokens", *ONCE]),
        (url, ["transactions", "--wallets", given, *ONCE]),
    ]
    return [json.dumps({"url": url, "arguments": arguments}) for url, arguments in commands]


def dbt_commands(folder: Path) -> list[str]:
    """Return dbt's command lines: to build models with every log on, and to write the docs."""
    logs = ["--log-level", "debug", "--log-level-file", "debug", "--log-path", str(folder / "logs")]
    small = ["--project-dir", str(folder / "project"), "--profiles-dir", str(PROJECT), "--target", "cluster", *logs]
    small += ["--vars", json.dumps(hostile(folder / "executed"))]
    small += ["--target-path", str(folder / "target")]
    commands = [
        ["run", *small],
        ["docs", "generate", "--empty-catalog", "--static", *small],
    ]
    return [json.dumps(arguments) for arguments in commands]


def write_project(folder: Path) -> None:
    """Write a small dbt project with models in SQL and Python."""
    models = {"notes.sql": NOTES, "workers.py": WORKERS, "broken.py": BROKEN_MODEL, "models.yml": PROPERTIES}
    (folder / "project" / "models").mkdir(parents=True)
    (folder / "project" / "dbt_project.yml").write_text(PROJECT_FILE)
    for name, text in models.items():
        (folder / "project" / "models" / name).write_text(text)


def environment(engine: Engine, token: str) -> dict[str, str]:
    """Return an environment with every secret in it and every log on."""
    return {
        **engine.environment,
        **SECRETS,
        "DBT_TARGET": "ci",
        "SMART_TRADER_SCHEMA": "exposure",
        "SMART_TRADER_DEBUG": "1",
        "RUNTIME__LOG_LEVEL": "DEBUG",
        "SPARK_CONNECT_LOG_LEVEL": "debug",
        "SPARK_THRIFT_HOST": "127.0.0.1",
        "SPARK_THRIFT_PORT": str(engine.record.endpoints.thrift_port),
        "SPARK_CONNECT_HOST": "localhost",
        "SPARK_CONNECT_PORT": str(engine.record.endpoints.connect_port),
        "SPARK_CONNECT_TOKEN": token,
        "DLT_DATA_DIR": str(engine.paths.home / "dlt-global"),
    }


@pytest.fixture(scope="module")
def run(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Load and build with the secrets at hand, well and badly, in two processes at once."""
    folder = tmp_path_factory.mktemp("exposed")
    write_project(folder)
    rows = [token(SOL), *(swap(wallet, AS_OF - 60, wallet) for wallet in (SERVED, ECHOED))]
    app = sandbox_app(recordings(folder / "rows", *rows), clock=AS_OF)
    keys: list[str] = []
    env = environment(engine, engine.record.endpoints.token)
    with watching_processes() as lines, serving(echoing_the_key(app, keys)) as url:
        processes = [
            subprocess.Popen(
                [sys.executable, str(HERE / script), *arguments],
                env=env, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for script, arguments in (
                ("live_loader.py", loader_commands(url)),
                ("dbt_in_turn.py", dbt_commands(folder)),
            )
        ]  # fmt: skip
        shown = "".join(process.communicate(timeout=240)[0] for process in processes)

    return Run(engine, folder, keys, lines, shown)


def test_the_run_did_what_it_was_to_do(run: Run) -> None:
    assert set(run.keys) == {KEY}
    assert len(run.keys) == 6
    for text in (
        "key is refused: Unauthorized: ***",
        "the last one: ConnectionError",
        "refused with 400: no such key: ***",
        "DEBUG urllib3.connectionpool",
        "dbt run succeeded: False",
        "a mistake, with all its local values",
        "dbt docs succeeded: True",
    ):
        assert text in run.shown, run.shown[-5000:]
    assert {row["sent_key"] for row in run.rows("transaction_history")} == {None, "***"}
    assert any("no such key: ***" in str(row["error"]) for row in run.rows("fetch_log"))
    assert len(run.engine.sql("select * from lakehouse_exposure.workers")) == 2


def test_no_output_shows_a_secret(run: Run, secrets: dict[str, str]) -> None:
    assert found_in(run.shown.encode(), secrets) == set()


def test_no_file_holds_a_secret_but_the_two_that_hold_the_token(run: Run, secrets: dict[str, str]) -> None:
    paths = run.engine.paths
    holders = {paths.server_file, paths.properties}
    assert files_with([paths.home, run.folder], secrets, holders) == {}
    # what is to be found is found: in a table's file, a log, an artifact
    for name in (SERVED, "with all its local values"):
        assert files_with([paths.home, run.folder], {"": name}, set()), name
    for path in holders:
        assert found_in(path.read_bytes(), secrets) == {"Connect token"}
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


def test_a_full_memory_writes_no_secret_to_disk(run: Run, secrets: dict[str, str]) -> None:
    # a cached table of a lake's files holds the settings that its reader was given, for as long as it is cached
    table = run.engine.paths.table("exposure_bronze", "transaction_history")
    # more than the memory holds: what lay in it before, those settings among it, goes to files
    text = "concat(sha2(cast(id as string), 512), sha2(cast(-id as string), 512))"
    try:
        run.engine.sql(f"cache table held as select * from delta.`{table}`")
        run.engine.sql(f"cache table pressure as select {text} as text from range(0, 3000000, 1, 300)")
        moved = [path for path in run.engine.paths.tmp.rglob("broadcast_*") if path.is_file()]
        assert moved, "no block was moved to disk"
        assert files_with([run.engine.paths.tmp], secrets, set()) == {}
    finally:
        run.engine.sql("clear cache")


def test_no_process_list_shows_a_secret(run: Run, secrets: dict[str, str]) -> None:
    shown = "\n".join(run.command_lines)
    for seen in ("live_loader.py", "dbt_in_turn.py", MAIN_CLASS, "pyspark.daemon"):
        assert seen in shown
    assert found_in(shown.encode(), secrets) == set()


def test_settings_that_sql_reads_show_no_secret(run: Run, secrets: dict[str, str]) -> None:
    # SQL that calls Java can read all that the server knows: docs/server.md describes it
    keys = ("fs.s3a.secret.key", "spark.hadoop.fs.s3a.secret.key", "spark.connect.authenticate.token")
    shown = [run.engine.sql(statement) for statement in ("set", "set -v", *(f"set {key}" for key in keys))]
    assert found_in(str(shown).encode(), secrets) == set()


def test_server_and_workers_do_not_have_the_api_key(run: Run) -> None:
    process = run.engine.record.process()
    assert process is not None
    found = [process.environ()]
    for worker in process.children(recursive=True):
        # a worker may end at any time, the server may not
        with suppress(psutil.NoSuchProcess):
            found.append(worker.environ())
    for variables in found:
        # what the server was started with is there, but for the key
        assert set(variables) >= {"AWS_SECRET_ACCESS_KEY", "SPARK_HOME"}
        assert not any(name.startswith("BIRDEYE_") for name in variables)
        assert KEY not in str(variables)


def test_after_python_models_everything_still_listens_on_loopback_only(run: Run) -> None:
    process = run.engine.record.process()
    assert process is not None
    endpoints = run.engine.record.endpoints
    connections = process.net_connections("inet")
    for worker in process.children(recursive=True):
        # a worker may end at any time, the server may not
        with suppress(psutil.NoSuchProcess):
            connections += worker.net_connections("inet")
    bound = [connection.laddr for connection in connections if connection.laddr and not connection.raddr]
    assert {address.port for address in bound} >= {endpoints.thrift_port, endpoints.connect_port}
    assert {address.ip.removeprefix("::ffff:") for address in bound} == {"127.0.0.1"}


def test_nothing_is_sent_to_anybody_else(run: Run) -> None:
    hosts = {line.split(": ", 2)[-1] for line in run.shown.splitlines() if "Starting new HTTP" in line}
    assert hosts
    assert all(": 127.0.0.1:" in f": {where}" for where in hosts), hosts


def test_text_in_data_variables_and_descriptions_is_never_run_as_python(run: Run) -> None:
    assert not run.marker.exists()
    texts = hostile(run.marker)
    assert {note for (note,) in run.engine.sql("select note from lakehouse_exposure.workers")} == set(texts.values())
    detail = run.engine.sql("describe extended lakehouse_exposure.workers")
    assert texts["single"] in [row[1] for row in detail if row[0] == "Comment"]
