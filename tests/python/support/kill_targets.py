"""Runs of a small market that are killed at a chosen time, and what a lake must look like afterwards."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from smart_trader.lake.file_lock import LAKE_LOCK_NAME, is_held
from smart_trader.lakehouse import server
from smart_trader.pipeline.steps import STEP_NAMES, STEPS
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app

from .engine import PROJECT, EmbeddedLake, Engine
from .market_lake import SEED, WALLETS, MarketLake

LOADERS = {
    "load_tokens": "tokens",
    "load_whales": "whales",
    "load_transactions": "transactions",
    "load_details": "prices",
}
# who can be killed in which step, by engine; "commit" is dbt between a commit's files and its entry in the log
KILL_TARGETS = {
    "spark": {step.name: ("pipeline", "dbt" if step.is_build else "loader", "jvm") for step in STEPS},
    "embedded": {step.name: ("pipeline", *(("dbt", "commit") if step.is_build else ("loader",))) for step in STEPS},
}
# lists loads, of which a run that is taken up again makes more
LOADS = ("silver", "swap_load_batches")
# the list of a time is noted by the first build of that time, also by that of a run that fails in the end
NOTED_ONCE = {("gold", "list_quality"), ("gold", "standing_history")}
# grow by calculation
BY_CALCULATION = ("fifo_positions", "position_pnl", "wallet_behaviour")
# a process of its own starts with importing: its kill must have a chance to hit its work
START_S = 3.0
# random names and times of the attempt that happened to bring a row; every figure stays in the comparison
ATTEMPT = re.compile(r"fetch_id|load_id|batch|landed_at|processed_at|run_id|dbt_scd_id|_dlt_id")


@dataclass(frozen=True)
class Kill:
    """Who is killed, in which step, how far into it."""

    step: str
    target: str
    share: float

    def __str__(self) -> str:
        return f"{self.target} at {self.share:.0%} of {self.step}"


@dataclass
class Reference:
    """What an undisturbed run leaves, and how long its steps take."""

    tables: dict[str, Counter[str]]
    seconds: dict[str, float]


@dataclass
class Tally:
    """How many kills hit which step."""

    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: int = 0

    def __str__(self) -> str:
        lines = [f"{sum(self.hits.values())} kills hit, {self.missed} came when the process was done"]
        for step in STEP_NAMES:
            targets = dict.fromkeys(target for listed in KILL_TARGETS.values() for target in listed[step])
            row = ", ".join(f"{self.hits[step, target]} {target}" for target in targets)
            lines.append(f"  {step:20}{row}")
        return "\n".join(lines)


MARKET = ("--demo", "--market", "easy", "--seed", str(SEED), "--market-wallets", str(WALLETS))


@dataclass(frozen=True)
class KilledLake:
    """A lake whose runs are killed.

    Attributes:
        lake: The lake.
        at: The time of its runs, in unix seconds.
        source: The source they name.
    """

    lake: MarketLake
    at: int
    source: tuple[str, ...] = MARKET

    @property
    def engine(self) -> Engine | EmbeddedLake:
        return self.lake.engine

    @property
    def kill_targets(self) -> dict[str, tuple[str, ...]]:
        """Who can be killed in which step on this lake's engine."""
        return KILL_TARGETS["spark" if isinstance(self.engine, Engine) else "embedded"]

    def _environment(self) -> dict[str, str]:
        return {
            **self.engine.environment,
            "DBT_TARGET": "ci",
            "SMART_TRADER_SCHEMA": self.lake.prefix.rstrip("_"),
            "SMART_TRADER_AS_OF": str(self.at),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one of the project's programs on the lake, at its time."""
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=self._environment(),
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_run(self) -> subprocess.Popen[str]:
        """Start the pipeline as a person does."""
        return self.start("smart_trader.cli", "run", *self.source, "--as-of", str(self.at), "--skip-tests")

    def run(self) -> str:
        """Run the pipeline as a person does, to its end; returns what it showed."""
        done = self.lake.smart_trader("run", *self.source, "--as-of", str(self.at), "--skip-tests")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr + done.stdout

    def kill(self, kill: Kill, seconds: float) -> bool:
        """Carry out a kill.

        Args:
            kill: What to do.
            seconds: How long the step takes undisturbed.

        Returns:
            Whether the target was at work when it was killed.
        """
        run = self.start_run()
        if not wait_for_step(run, kill.step):
            assert run.wait() == 0, f"{kill}: the run failed by itself"
            return False
        if kill.target in ("loader", "dbt", "commit"):
            # what this step does is done by a process of its own
            _kill(run)
            with self._alone(kill.step) as process:
                time.sleep(START_S * kill.share + seconds * kill.share)
                if kill.target == "commit":
                    self._wait_for_file(process, "silver/*", "gold/*", "snapshots/*")
                return _kill(process)
        time.sleep(seconds * kill.share)
        if kill.target == "pipeline":
            return _kill(run)
        assert isinstance(self.engine, Engine)
        os.kill(self._server_pid(), signal.SIGKILL)
        _, said = run.communicate(timeout=180)
        assert "Traceback" not in said, f"{kill}: {said}"
        server.start(self.engine.settings, lambda line: None)
        # the last step may have sent its last request
        return run.returncode != 0 or kill.step in LOADERS

    def kill_in_commit(self, table: str, is_logged: bool) -> bool:
        """Build everything with dbt, which dies in a commit of one table.

        Args:
            table: The table, as `silver/wallet_pnl`.
            is_logged: Whether the commit's entry is in the table's log then.

        Returns:
            Whether dbt was killed.
        """
        module = ("tests.python.support.dbt_killed_in_commit", f"{self.lake.prefix}{table}")
        process = self.start_build("build_traders", *module, "logged" if is_logged else "data")
        _, said = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), said
        return process.returncode == -signal.SIGKILL

    def _wait_for_file(self, process: subprocess.Popen[str], *tables: str) -> None:
        """Return when some table has a new file, or the process ends."""
        root, patterns = self.engine.paths.local_root, [f"{self.lake.prefix}{table}/*.parquet" for table in tables]

        def files() -> set[Path]:
            return {path for one in patterns for path in root.glob(one)}

        before = files()
        while process.poll() is None and not files() - before:
            # a commit takes some milliseconds, and dbt needs the processor too
            time.sleep(0.0005)

    def _server_pid(self) -> int:
        assert isinstance(self.engine, Engine)
        found = server.running(self.engine.paths)
        assert found is not None
        return found.pid

    @contextmanager
    def _alone(self, step: str) -> Iterator[subprocess.Popen[str]]:
        if step in LOADERS:
            with serving(sandbox_app(self.lake.source(self.at), clock=self.at)) as url:
                yield self.start("loaders", LOADERS[step], "--sandbox", url, "--as-of", str(self.at))
            return
        yield self.start_build(step)

    def start_build(self, step: str, *module: str) -> subprocess.Popen[str]:
        """Start dbt on all that a step's build stands on.

        Args:
            step: The step.
            module: What runs dbt, with its own arguments; dbt itself by default.
        """
        queues = next(made for made in STEPS if made.name == step).queues
        selection = [f"+{queue}" for queue in queues] or ["fqn:*"]
        target = str(self.engine.paths.home / "dbt-alone")
        return self.start(
            *(module or ("dbt.cli.main",)), "build", "--exclude-resource-type", "unit_test", "test",
            "--select", *selection, "--target-path", target, "--log-path", target,
        )  # fmt: skip

    def tables(self, *without: str, newest: bool = False) -> dict[str, Counter[str]]:
        """Return every table's rows without what an attempt writes about itself.

        Args:
            without: More columns to leave out.
            newest: Of what grows by calculation, only each wallet's newest: a table that is made again has no other.
                Nor what is noted once a time.
        """
        left_out = {LOADS} | (NOTED_ONCE if newest else set())
        names = [name for name in sorted(self.lake.tables()) if name not in left_out]
        due = self.lake.rows("silver", "pnl_due_wallets") if newest else []
        dates = {row["wallet_address"]: row["calculation_date"] for row in due}
        found = {}
        for schema, name in names:
            rows = self.lake.rows(schema, name)
            if newest and name in BY_CALCULATION:
                rows = [row for row in rows if row["calculation_date"] == dates[row["wallet_address"]]]
            found[f"{schema}.{name}"] = Counter(
                str({key: value for key, value in row.items() if not ATTEMPT.search(key) and key not in without})
                for row in rows
            )
        return found

    def step_seconds(self) -> dict[str, float]:
        """Return how long each step of the newest whole run took."""
        newest = max(self.lake.rows("bronze", "pipeline_runs"), key=lambda row: row["started_at"])["run_id"]
        rows = [row for row in self.lake.rows("bronze", "pipeline_runs") if row["run_id"] == newest]
        return {row["step"]: float(row["seconds"]) for row in rows}

    def reference(self) -> Reference:
        """Run undisturbed and return what that leaves."""
        self.run()
        return Reference(self.tables(), self.step_seconds())

    def check(self, expected: dict[str, Counter[str]], after: str, newest: bool = False) -> None:
        """Compare with an undisturbed run; `newest` as in `tables`."""
        found = self.tables(newest=newest)
        assert found.keys() == expected.keys(), f"{after}: other tables"
        for name, rows in expected.items():
            less, more = rows - found[name], found[name] - rows
            assert (less, more) == (Counter(), Counter()), f"{after}: {name}"
        self.check_left_overs(after)

    def check_left_overs(self, after: str) -> None:
        """Look for what a kill could leave behind."""
        self.check_views()
        assert not is_held(self.engine.paths.local_root / LAKE_LOCK_NAME), f"{after}: the lock is held"
        assert self._half_landed() == [], f"{after}: packages are left"
        self._check_nothing_is_pending(after)

    def check_views(self) -> None:
        """See that the views are there and can be read."""
        for view in ("silver.fetch_status", "silver.quarantined_wallets", "gold.pipeline_runs"):
            assert self.engine.sql(f"select count(*) from {self.lake.prefix}{view}")

    def _half_landed(self) -> list[str]:
        """Return dlt's packages that are not landed."""
        folder = self.engine.paths.dlt_home / f"bronze_{self.lake.prefix}bronze"
        extractions = [path for path in (folder / "normalize").iterdir() if path.is_dir() and path.name != "extracted"]
        places = ("normalize/extracted", "load/new", "load/normalized")
        return [str(path) for path in (*extractions, *(path for name in places for path in (folder / name).glob("*")))]

    def _check_nothing_is_pending(self, after: str) -> None:
        env = {"DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": self.lake.prefix.rstrip("_")}
        facts = json.loads(self.lake.smart_trader("status", "--format", "json", **env).stdout)
        left_alone = {item for items in facts["left_alone"].values() for item in items}
        for name, key in (("tracked_whales", "wallet_address"), ("tracked_tokens", "token_address")):
            for row in self.lake.rows("silver", name):
                waits = "pending" in (row.get("txns_fetch_status"), row.get("whale_fetch_status"))
                is_out = row.get("is_pool") or row.get("is_active") is False or row[key] in left_alone
                assert is_out or not waits, f"{after}: {name} keeps pending {row}"


def chain(seed: int, length: int, targets: dict[str, tuple[str, ...]]) -> list[Kill]:
    """Return kills in the order of the steps they hit; at most one of the JVM, which starts cold afterwards."""
    draw = random.Random(seed)
    steps = sorted(draw.choices(range(len(STEP_NAMES)), k=length))
    kills = []
    for number in steps:
        step = STEP_NAMES[number]
        had_jvm = any(kill.target == "jvm" for kill in kills)
        allowed = [target for target in targets[step] if target != "jvm" or not had_jvm]
        kills.append(Kill(step, draw.choice(allowed), draw.uniform(0.02, 0.8)))
    return kills


def wait_for_step(run: subprocess.Popen[str], step: str) -> bool:
    """Read what a run says until it begins a step; False if it ends before."""
    assert run.stderr is not None
    deadline = time.monotonic() + 600
    for line in run.stderr:
        if line.startswith("[") and line.split()[1].rstrip(":") == step:
            return True
        assert time.monotonic() < deadline
    return False


def _kill(process: subprocess.Popen[str]) -> bool:
    """Kill a process as hard as can be; False if it had ended."""
    if process.poll() is not None:
        said = process.stderr.read() if process.stderr else ""
        assert process.returncode == 0, f"failed before it was killed: {said}"
        return False
    process.kill()
    process.communicate()
    return True


def lake_at(engine: Engine | EmbeddedLake, prefix: str, at: int) -> KilledLake:
    """Return a lake with schemas of its own on an engine."""
    return KilledLake(MarketLake(engine, prefix), at)
