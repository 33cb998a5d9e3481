"""dbt, called in this process: one parse for all builds of a run, and its failures as one readable error."""

from __future__ import annotations

import gc
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simplejson

from smart_trader.config.paths import LakePaths, project_root
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import REPAIR_FIX, repair_fix
from smart_trader.lake.disk import FULL_DISK_FIX
from smart_trader.lake.object_lock import LockLostError
from smart_trader.lakehouse.session import Engine
from smart_trader.pipeline.known_parse import KnownParse

SHOWN_FAILURES = 5
# New objects after which Python looks for garbage: some hundred bytes each.
COLLECT_AFTER = 100_000
LINE_EVERY_S = 10.0
VARIABLE = re.compile(r"""\bvar\(\s*['"](\w+)['"]""")
# What is done before each command: other nodes stand on other views.
RESTORING_HOOK = "restore_views"
BAD = ("error", "fail", "runtime error")
GOOD = ("success", "pass", "warn")
# The messages of Spark and Delta, or DuckDB and delta-rs, where a table's files or its entry in the catalog are gone,
# and where the disk is full.
FIXES = (
    (
        ("No space left on device", "DISK_FULL", "os error 28", "StorageFull"),
        f"{FULL_DISK_FIX}; then run again",
    ),
    (
        ("Permission denied", "Read-only file system", "os error 13", "os error 30"),
        "make the lake's folder writable for this user, then run again",
    ),
    (
        (
            "FILE_NOT_EXIST",
            "FileNotFoundException",
            "DELTA_FILE_NOT_FOUND",
            "DELTA_TRUNCATED_TRANSACTION_LOG",
            "DELTA_LOG_FILE_NOT_FOUND",
            "DELTA_VERSIONS_NOT_CONTIGUOUS",
            "DELTA_STATE_RECOVER_ERROR",
            "DELTA_TABLE_NOT_FOUND",
            "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION",
            "LOCATION_ALREADY_EXISTS",
            "ChecksumException",
            "Checksum error",
            "JsonParseException",
            "MALFORMED_RECORD",
            "smart-trader repair",
            "UNREADABLE_TABLE",
            "No such file or directory",
            "No files found that match",
            "os error 2)",
            "not found: Object at location",
            "magic bytes",
            "not a parquet file",
            "Parquet file size is",
            "TProtocolException",
            "Snappy decompression failure",
            "No table metadata or protocol found",
        ),
        REPAIR_FIX,
    ),
    (
        ("Out of Memory Error",),
        "give the embedded engine more memory (memory in profiles.yml), or build on Spark: --engine spark",
    ),
)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: how many tables it made, how many tests it ran, and the seconds that passed."""

    tables: int
    tests: int
    seconds: float

    def __str__(self) -> str:
        tables = f"{self.tables} table{'s' * (self.tables != 1)} built"
        tests = f", {self.tests} test{'s' * (self.tests != 1)} run" if self.tests else ""
        return f"{tables}{tests} in {self.seconds:.1f} s"


class Builds:
    """Runs dbt commands on one engine.

    Args:
        paths: The lake.
        engine: What they run on.
        as_of: The run's time, as ISO 8601.
        run_id: Stamped on what is built.
        variables: Settings of this run alone.
        progress: Takes progress lines.
        target: Where dbt writes; default: a folder for each engine, since another connection makes it parse everything
            again.
    """

    def __init__(
        self,
        paths: LakePaths,
        engine: Engine,
        as_of: str,
        run_id: str,
        variables: Mapping[str, Any],
        progress: ProgressFn,
        target: Path | None = None,
    ) -> None:
        self._paths = paths
        self._target = target or paths.home / "dbt-target" / engine.choice.name
        self._engine = engine
        self._progress = progress
        self._environment = {
            "LAKEHOUSE_HOME": str(paths.home),
            "LAKEHOUSE_URI": paths.uri,
            "SMART_TRADER_AS_OF": as_of,
            "SMART_TRADER_RUN_ID": run_id,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            # one engine for SQL and Python models of all commands, whatever starts or stops meanwhile
            **engine.environment,
        }
        self._variables = dict(variables)
        self._manifest: Any = None
        self._parsing: Future[Any] | None = None
        self.made: set[str] = set()

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Read the project beside other work while the block runs."""
        with ThreadPoolExecutor(1, thread_name_prefix="dbt-parse") as pool:
            self._parsing = pool.submit(self._parse)
            yield

    def invoke(self, what: str, *arguments: str, remade: Collection[str] = ()) -> Built:
        """Run a dbt command. What it built or tested well is in `made`, also where something else failed.

        Args:
            what: What is built, for the message of an error.
            arguments: The command and its selection.
            remade: Ids of the tables that are built from all rows, if the command builds them.

        Raises:
            SmartTraderError: A model failed or a test found something; names the first of them.
        """
        from dbt.cli.main import dbtRunner

        self.made = set()
        manifest = self._project()
        self._engine.wait()
        started = time.monotonic()
        with _environment(self._environment), _full_refresh(manifest.nodes, remade):
            done = dbtRunner(manifest=manifest, callbacks=[self._make_listener()]).invoke(
                ["--log-level", "none", "--log-level-file", "info", *arguments, *self._common(self._variables)],
            )
        _raise_end(done.exception)
        # a macro that is called alone is no node
        results = [result for result in getattr(done.result, "results", None) or [] if hasattr(result, "node")]
        self.made = {result.node.unique_id for result in results if str(result.status) in GOOD}
        failed = [result for result in results if str(result.status) in BAD]
        if failed or not done.success:
            shown = _list_failures(failed, done.exception)
            raise SmartTraderError(f"{what} failed:\n{shown}", _find_fix(shown) or f"see {self.log}")
        self._drop_checks(manifest)
        # what dbt does before a build, and an exposure, count as nodes to it, but build nothing
        kinds = [result.node.resource_type for result in results]
        tests = kinds.count("test")
        made = len(kinds) - tests - sum(kind in ("operation", "exposure") for kind in kinds)
        return Built(made, tests, time.monotonic() - started)

    def rebuild(self, progress: ProgressFn) -> None:
        """Make every table but the histories again from bronze.

        Raises:
            SmartTraderError: A model failed; names the first of them.
        """
        progress(f"seeds: {self.invoke('seeds', 'seed')}")
        # what grows with each load is only right as a whole
        progress(f"all tables, made again from bronze: {self.invoke('the rebuild', 'run', '--full-refresh')}")

    def write_docs(self) -> None:
        """Write dbt's documentation into the target folder, as one page too.

        Raises:
            SmartTraderError: A model cannot be compiled.
        """
        # nothing is built, so a lake that is in use, or of another version, is read all the same
        self._drop_checks(self._project())
        self.invoke("the documentation", "docs", "generate", "--static")

    def _project(self) -> Any:
        """Return the parsed project, read once for all commands."""
        if self._manifest is None:
            self._manifest = self._parsing.result() if self._parsing else self._parse()
        return self._manifest

    def _parse(self) -> Any:
        """Read the project; dbt keeps what it has parsed, so that the next run reads what was edited since."""
        from dbt.cli.main import dbtRunner

        variables = self._parsed_variables()
        known = KnownParse(self._target, self._engine.choice.name)
        # dbt parses everything again for other settings, which are of this run alone
        arguments = known.arguments() if not variables else []
        _collect_less()
        with _environment(self._environment):
            parsed = dbtRunner().invoke(["--log-level", "none", "parse", *arguments, *self._common(variables)])
        _collect_less()
        _raise_end(parsed.exception)
        if not parsed.success:
            raise SmartTraderError(
                f"dbt cannot read the project: {_take_first_line(parsed.exception)}", "run: dbt parse"
            )
        if not variables:
            known.keep()
        return parsed.result

    def _parsed_variables(self) -> dict[str, Any]:
        """Return the settings that parsing reads; any other would make dbt parse everything again."""
        read: set[str] = set()
        for path in (project_root() / "models").rglob("*.yml"):
            read.update(VARIABLE.findall(path.read_text()))
        return {name: value for name, value in self._variables.items() if name in read}

    @staticmethod
    def _drop_checks(manifest: Any) -> None:
        """Let a run's further commands begin without the checks that its first has passed; it holds the lake's lock."""
        for key in [key for key, node in manifest.nodes.items() if _is_check(node)]:
            del manifest.nodes[key]

    def nodes(self) -> Mapping[str, Any]:
        """Return the nodes of the project by their ids."""
        nodes: Mapping[str, Any] = self._project().nodes
        return nodes

    def histories(self) -> set[tuple[str, str]]:
        """Return schema and name of the tables that a full refresh leaves alone."""
        return {
            (node.schema, node.alias)
            for node in self.nodes().values()
            if node.resource_type == "snapshot" or node.config.get("full_refresh") is False
        }

    def _make_listener(self) -> Callable[[Any], None]:
        """Return what listens to dbt and reports now and then how far a long build is."""
        last = time.monotonic()

        def listen(event: Any) -> None:
            nonlocal last
            if event.info.name == "LogStartLine" and time.monotonic() - last >= LINE_EVERY_S:
                last = time.monotonic()
                # dbt's description ends in the name: python incremental model silver.fifo_positions
                name = event.data.description.split()[-1]
                self._progress(f"      {event.data.index} of {event.data.total}: {name}")

        return listen

    def _common(self, variables: Mapping[str, Any]) -> list[str]:
        root = str(project_root())
        common = ["--project-dir", root, "--profiles-dir", root, "--log-path", str(self.log.parent)]
        # nothing reads the JSON files that dbt would write for each command
        common.append("--no-write-json")
        common += ["--target-path", str(self._target)]
        return [*common, "--vars", simplejson.dumps(variables)] if variables else common

    @property
    def log(self) -> Path:
        """Dbt's own log."""
        return self._paths.home / "logs" / "dbt.log"


def _collect_less() -> None:
    """Keep Python's garbage collector off what dbt's modules and the parsed project hold.

    They live as long as the process. Walking them again and again takes a tenth of a build's CPU time.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _is_check(node: Any) -> bool:
    return node.resource_type == "operation" and RESTORING_HOOK not in node.raw_code


def _raise_end(exception: BaseException | None) -> None:
    """Raise again what ends a run from outside: dbt takes a stop by the user, and a lost lock, for its own failures."""
    if exception is not None and (isinstance(exception, LockLostError) or not isinstance(exception, Exception)):
        raise exception


def _list_failures(failed: Sequence[Any], exception: BaseException | None) -> str:
    if not failed:
        return f"  {_take_first_line(exception)}"
    shown = [f"  {result.node.name}: {_take_first_line(result.message)}" for result in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        shown.append(f"  and {len(failed) - SHOWN_FAILURES} more")
    return "\n".join(shown)


def _find_fix(message: str) -> str | None:
    """Return what to do about an error of Spark or Delta that a person can act on."""
    fix = next((fix for words, fix in FIXES if any(word in message for word in words)), None)
    return repair_fix(message) if fix == REPAIR_FIX else fix


def _take_first_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # dbt's first line only names the node
    return " ".join(lines[:3])[:500] if lines else "no reason given"


@contextmanager
def _full_refresh(nodes: Mapping[str, Any], remade: Collection[str]) -> Iterator[None]:
    """Let a command build some tables from all rows; dbt's own flag would take every table that the command selects."""
    before = {key: nodes[key].config.full_refresh for key in remade}
    try:
        for key in remade:
            nodes[key].config.full_refresh = True
        yield
    finally:
        for key, value in before.items():
            nodes[key].config.full_refresh = value


@contextmanager
def _environment(values: Mapping[str, str]) -> Any:
    """Set variables for a while: profiles.yml and the macros read the environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
