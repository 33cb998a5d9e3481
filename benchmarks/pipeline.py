"""How long the pipeline takes, against a script by hand: each figure beside its target.

    python benchmarks/pipeline.py [--engine embedded spark] [--only demo nothing-new ...] [--docs]

| figure | what is measured |
|---|---|
| demo | `smart-trader run --demo`: the hard market of a demo, loads, builds and data tests, on a new lake |
| nothing-new | `smart-trader run` on a lake of 1,000 wallets a minute after the last run, the API's server up already |
| first-build | `dbt build` of all models, seeds and snapshots from bronze, 1,000 wallets |
| large-build | the same of 20,000 wallets (`--wallets`): 1,000 loaded, and copied under other names |
| new-swaps | `dbt build` after 1 % of the wallets traded for twelve hours more |
| growth | seconds and memory of `dbt build` at 1,000, 5,000 and `--wallets` wallets |

Times are those of whole processes, the program's start included. Builds are without data tests; the project was parsed
before, as it is in every run but the first, and Spark's server is up. `by hand` compares with `benchmarks/peer.py`,
run on the same lake right after, which makes a part of what the models make. Lakes are made under `--lakes`, where
loaded and multiplied ones are found again, or in a temporary folder. `--docs` puts the table into docs/performance.md.
With both engines, the rows that each built of the same bronze are compared, too. The exit code is 1 if the wallets that
qualify differ from the peer's, or the engines' rows from each other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import equality
import lakes
import psutil
from lakes import FIRST, LOADED_WALLETS, PROJECT, TWELVE_HOURS

from smart_trader.sandbox.market.spec import DEMO_WALLETS
from smart_trader.sandbox.running import serving_market

DBT = Path(sys.executable).with_name("dbt")
PAGE = PROJECT / "docs" / "performance.md"
BEGIN, END = "<!-- begin of benchmarks/pipeline.py -->", "<!-- end of benchmarks/pipeline.py -->"
ENGINES = ("embedded", "spark")
MIDDLE_WALLETS = 5000


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took; of a Spark server, its peak memory alone."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Target:
    """The most that a figure may be; None where it is only reported."""

    name: str
    most: float | None
    unit: str = "s"

    def __str__(self) -> str:
        return f"{self.name} <= {self.most:g} {self.unit}"


@dataclass(slots=True)
class Figure:
    """One row of the table."""

    name: str
    engine: str
    what: str
    values: dict[str, float]
    targets: list[Target] = field(default_factory=list)
    note: str = ""

    @property
    def missed(self) -> list[Target]:
        """The targets that the values do not meet."""
        return [one for one in self.targets if one.most is not None and self.values[one.name] > one.most]

    def row(self) -> list[str]:
        """Return the cells: figure, engine, measured, target, met."""
        measured = ", ".join(_shown(name, value) for name, value in self.values.items())
        bound = [one for one in self.targets if one.most is not None]
        verdict = (
            "" if not bound else f"**missed**: {', '.join(one.name for one in self.missed)}" if self.missed else "met"
        )
        return [self.what, self.engine, measured + self.note, ", ".join(map(str, bound)), verdict]


UNITS = {"seconds": "{:.1f} s", "CPU": "{:.1f} CPU s", "memory": "{:,.0f} MB"}


def _shown(name: str, value: float) -> str:
    if name in UNITS:
        return UNITS[name].format(value)
    return f"{value:.2f} x {name}"


def measure(lake: Path, command: list[str], **more: str) -> Usage:
    """Run a command on a lake and return what it took; ends the benchmark if the command fails."""
    with (lake / "benchmark.log").open("w+") as log:
        started = time.monotonic()
        running = subprocess.Popen(
            command, cwd=PROJECT, env=lakes.environment(lake, **more), stdout=log, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(running.pid, 0)
        seconds = time.monotonic() - started
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            log.seek(0)
            raise SystemExit(f"error: {' '.join(command)[:200]} failed:\n{log.read()[-3000:]}")
    # bytes on macOS, else KB
    peak_mb = usage.ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)
    return Usage(seconds, usage.ru_utime + usage.ru_stime, peak_mb)


class Bench:
    """Measures one engine on lakes in one folder."""

    def __init__(self, engine: str, folder: Path, wallets: int, report: Callable[[str], None]) -> None:
        self.engine = engine
        self.folder = folder
        self.copies = wallets // LOADED_WALLETS
        self.report = report
        # cached here, so that figures share what they were made of
        self.market = cache(self._market)
        self.bronze = cache(self._bronze)
        self.first_build = cache(self._first_build)
        self.peers: dict[int, tuple[Usage, int]] = {}
        self.differences = 0

    # lakes

    def _market(self) -> Path:
        """Return the lake of the loaded market, made once for all engines."""
        lake = self.folder / "market"
        if not (lake / "loaded").exists():
            shutil.rmtree(lake, ignore_errors=True)
            self.report(f"load {LOADED_WALLETS:,} wallets")
            lakes.load_market(lake, "embedded")
            (lake / "loaded").touch()
        return lake

    def _bronze(self, copies: int) -> Path:
        """Return a lake of bronze alone."""
        lake = self.folder / f"bronze-{copies}"
        if not (lake / "made").exists():
            shutil.rmtree(lake, ignore_errors=True)
            self.report(f"copy the market {copies} x")
            lakes.copy_bronze(self.market(), lake, copies)
            (lake / "made").touch()
        return lake

    def _fresh(self, name: str, source: Path | None = None) -> Path:
        """Return a new lake, a copy of another or empty."""
        lake = self.folder / f"{self.engine}-{name}"
        shutil.rmtree(lake, ignore_errors=True)
        if source is None:
            lake.mkdir(parents=True)
        else:
            shutil.copytree(source, lake)
        return lake

    # what is run

    def build(self, lake: Path, at: int) -> Usage:
        """Build a lake with plain dbt, the project parsed before."""
        more = {"DBT_TARGET": self.engine, "SMART_TRADER_AS_OF": lakes.as_of_text(at)}
        place = ["--target-path", str(lake / "dbt-target"), "--log-path", str(lake / "logs")]
        with self._server(lake) as server:
            measure(lake, [str(DBT), "parse", *place], **more)
            command = [str(DBT), "build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
            usage = measure(lake, [*command, *place], **more)
            server_mb = _peak_mb(server) if server is not None else 0.0
        return Usage(usage.seconds, usage.cpu_seconds, usage.peak_mb + server_mb)

    @contextmanager
    def _server(self, lake: Path) -> Iterator[int | None]:
        """Hold the lake's Spark server up, and yield its process; nothing of it with the embedded engine."""
        if self.engine != "spark":
            yield None
            return
        lakes.call(lake, [*lakes.COMMAND, "lakehouse", "start"])
        try:
            yield json.loads((lake / "server.json").read_text())["pid"]
        finally:
            lakes.call(lake, [*lakes.COMMAND, "lakehouse", "stop"])

    def _first_build(self, copies: int) -> Usage:
        lake = self._fresh(f"build-{copies}", self.bronze(copies))
        self.report(f"first build of {copies * LOADED_WALLETS:,} wallets")
        usage = self.build(lake, FIRST)
        self.report(f"by hand, {copies * LOADED_WALLETS:,} wallets")
        self.peers[copies] = self.peer(lake)
        return usage

    def peer(self, lake: Path) -> tuple[Usage, int]:
        """Return what the script by hand takes, and how many wallets that qualify differ from the lake's."""
        command = [sys.executable, str(PROJECT / "benchmarks" / "peer.py"), str(lake), "--format", "json"]
        done = subprocess.run(
            command, cwd=PROJECT, env=lakes.environment(lake), capture_output=True, text=True, check=False
        )
        if not done.stdout:
            raise SystemExit(f"error: {' '.join(command)} failed:\n{done.stderr[-3000:]}")
        found = json.loads(done.stdout)
        self.differences += found["differences"]
        return Usage(found["seconds"], found["cpu_seconds"], found["peak_mb"]), found["differences"]

    # figures

    def demo(self) -> Figure:
        """A whole first run."""
        lake = self._fresh("demo")
        command = [*lakes.COMMAND, "run", "--demo", "--engine", self.engine, "--as-of", str(FIRST)]
        usage = measure(lake, command)
        values = {"seconds": usage.seconds, "CPU": usage.cpu_seconds, "memory": usage.peak_mb}
        if self.engine == "spark":
            # of the server nothing is known afterwards
            values = {"seconds": usage.seconds}
        target = Target("seconds", {"embedded": 12, "spark": 60}[self.engine])
        return Figure("demo", self.engine, f"demo run, {DEMO_WALLETS} wallets", values, [target])

    def nothing_new(self) -> Figure:
        """A run that finds nothing to do."""
        lake = self._fresh("nothing-new", self.market())
        # views are each engine's own: the run before is this engine's
        measure(lake, lakes.run_command(FIRST + 60, "--engine", self.engine))
        log = lake / "logs" / "server.log"
        before = log.stat().st_mtime if log.exists() else 0.0
        with serving_market(lakes.WORLD, FIRST + 120) as url:
            usage = measure(lake, lakes.served_run_command(url, "--engine", self.engine))
        made_again = measure(lake, lakes.run_command(FIRST + 180, "--engine", self.engine))
        is_started = log.exists() and log.stat().st_mtime > before
        values = {"seconds": usage.seconds, "CPU": usage.cpu_seconds}
        target = Target("seconds", {"embedded": 4, "spark": 5}[self.engine])
        note = f"; {made_again.seconds:.1f} s where the run makes its market again"
        note += "; a Spark server was started" if is_started else ""
        return Figure("nothing-new", self.engine, "nothing new, 1,000 wallets", values, [target], note)

    def small_build(self) -> Figure:
        """The first build of the loaded market."""
        return self._build_figure(
            "first-build", 1, [Target("by hand", {"embedded": 4, "spark": None}[self.engine], "x")]
        )

    def large_build(self) -> Figure:
        """The first build of the market many times over."""
        targets = {
            "embedded": [Target("seconds", 75), Target("memory", 1536, "MB"), Target("by hand", 3, "x")],
            "spark": [Target("seconds", 200)],
        }
        return self._build_figure("large-build", self.copies, targets[self.engine])

    def _build_figure(self, name: str, copies: int, targets: list[Target]) -> Figure:
        usage = self.first_build(copies)
        peer, differences = self.peers[copies]
        values = {
            "seconds": usage.seconds, "CPU": usage.cpu_seconds, "memory": usage.peak_mb,
            "by hand": usage.seconds / peer.seconds,
        }  # fmt: skip
        note = f"; by hand {peer.seconds:.1f} s, {peer.cpu_seconds:.1f} CPU s, {peer.peak_mb:,.0f} MB"
        if self.engine == "embedded":
            values["CPU by hand"] = usage.cpu_seconds / peer.cpu_seconds
        if differences:
            note += f"; **{differences} wallets that qualify differ**"
        rows = lakes.count_swap_rows(self.bronze(copies))
        return Figure(name, self.engine, f"first build, {rows:,} swaps", values, targets, note)

    def new_swaps(self) -> Figure:
        """A build after 1 % new swaps, against the first build of the same lake."""
        first = self.first_build(self.copies)
        news = self.folder / "news"
        if not (news / "more").exists():
            shutil.rmtree(news, ignore_errors=True)
            shutil.copytree(self.market(), news)
            lakes.load_new_swaps(news)
            (news / "more").touch()
        lake = self.folder / f"{self.engine}-build-{self.copies}"
        rows = lakes.append_new_loads(news, lake, self.copies)
        usage = self.build(lake, FIRST + TWELVE_HOURS)
        peer, differences = self.peer(lake)
        values = {"seconds": usage.seconds, "CPU": usage.cpu_seconds, "first build": usage.seconds / first.seconds}
        targets = {
            "embedded": [Target("first build", 0.15, "x"), Target("seconds", 8)],
            "spark": [Target("first build", 0.3, "x")],
        }
        what = f"new swaps of 1 % of {self.copies * LOADED_WALLETS:,} wallets"
        note = f"; {rows:,} new rows; by hand {peer.seconds:.1f} s"
        if differences:
            note += f"; **{differences} wallets that qualify differ**"
        return Figure("new-swaps", self.engine, what, values, targets[self.engine], note)

    def growth(self) -> Figure:
        """What a swap more costs, at first and later, and whether memory goes on growing."""
        sizes = [1, MIDDLE_WALLETS // LOADED_WALLETS, self.copies]
        small, middle, large = (self.first_build(copies) for copies in sizes)
        early = (middle.seconds - small.seconds) / (sizes[1] - sizes[0])
        late = (large.seconds - middle.seconds) / (sizes[2] - sizes[1])
        values = {"cost of a further swap": late / early, "memory of 5,000 wallets": large.peak_mb / middle.peak_mb}
        targets = [Target("cost of a further swap", 1.2, "x")]
        if self.engine == "embedded":
            targets.append(Target("memory of 5,000 wallets", 1.2, "x"))
        seconds = ", ".join(f"{one.seconds:.1f}" for one in (small, middle, large))
        what = f"growth from 1,000 over 5,000 to {self.copies * LOADED_WALLETS:,} wallets"
        return Figure("growth", self.engine, what, values, targets, f"; {seconds} s")


def _peak_mb(pid: int) -> float:
    """Return a process's peak memory where the system reports it, else what it holds now."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return psutil.Process(pid).memory_info().rss / 2**20
    return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) / 1024


FIGURES: dict[str, Callable[[Bench], Figure]] = {
    "demo": Bench.demo,
    "nothing-new": Bench.nothing_new,
    "first-build": Bench.small_build,
    "large-build": Bench.large_build,
    "new-swaps": Bench.new_swaps,
    "growth": Bench.growth,
}


def compare_engines(folder: Path) -> list[tuple[str, equality.Equality]]:
    """Compare the lakes that both engines have built of the same bronze, as each was left."""
    compared = []
    for spark in sorted(folder.glob("spark-build-*"), key=lambda lake: int(lake.name.rpartition("-")[2])):
        copies = int(spark.name.rpartition("-")[2])
        embedded = folder / f"embedded-build-{copies}"
        if embedded.exists():
            compared.append((f"{copies * LOADED_WALLETS:,} wallets", equality.compare(embedded, spark)))
    return compared


def describe_machine() -> str:
    """Return the cores, memory and load that the figures were measured with."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}, "
        f"commit {commit or 'unknown'}; load average at the start {load}"
    )


def as_table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = [["figure", "engine", "measured", "target", ""], ["---"] * 5, *(figure.row() for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_page(machine: str, table: str) -> None:
    """Put a table into the docs, in place of the one before."""
    text = PAGE.read_text()
    if not re.search(f"{BEGIN}.*{END}", text, re.DOTALL):
        raise SystemExit(f"error: docs/performance.md has no place for the table; put it between {BEGIN} and {END}")
    block = f"{BEGIN}\n{machine}.\n\n{table}\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: block, text, flags=re.DOTALL))


def _choice(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; choose from {', '.join(names)}")
        return chosen

    return read


def _wallets(text: str) -> int:
    wallets = int(text)
    if wallets % LOADED_WALLETS or wallets <= MIDDLE_WALLETS:
        raise argparse.ArgumentTypeError(f"a multiple of {LOADED_WALLETS:,} beyond {MIDDLE_WALLETS:,}")
    return wallets


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--engine", type=_choice(ENGINES), default=["embedded"], metavar="ENGINES", help="embedded, spark, or both"
    )
    parser.add_argument(
        "--only", type=_choice(tuple(FIGURES)), default=list(FIGURES), metavar="FIGURES", help=", ".join(FIGURES)
    )
    parser.add_argument("--wallets", type=_wallets, default=20_000, help="of the large lake (default: 20000)")
    parser.add_argument("--lakes", type=Path, help="folder that keeps the lakes (default: a temporary one)")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


def main() -> None:
    """Measure what is requested."""
    given = _arguments()
    machine = describe_machine()
    started = time.monotonic()

    def report(text: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {text}", file=sys.stderr, flush=True)

    report(machine)
    figures: list[Figure] = []
    compared: list[tuple[str, equality.Equality]] = []
    differences = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.lakes or Path(temporary)).resolve()
        for engine in given.engine:
            bench = Bench(engine, folder, given.wallets, report)
            for name in given.only:
                report(f"{engine}: {name}")
                figures.append(FIGURES[name](bench))
                report("  ".join(cell for cell in figures[-1].row() if cell))
            differences += bench.differences
        if set(given.engine) == set(ENGINES):
            report("the rows of both engines")
            compared = compare_engines(folder)
    table = as_table(figures)
    if compared:
        table += f"\n\nRows of both engines: {'; '.join(f'{lake} {found}' for lake, found in compared)}."
    if given.format == "json":
        shown = [asdict(figure) | {"missed": [str(one) for one in figure.missed]} for figure in figures]
        rows = {lake: asdict(found) for lake, found in compared}
        print(json.dumps({"machine": machine, "figures": shown, "rows of both engines": rows}, indent=1))
    else:
        print(f"{machine}\n\n{table}")
    if given.docs:
        write_page(machine, table)
    if differences:
        raise SystemExit(f"error: {differences} wallets that qualify differ from those found by hand")
    different = [f"{lake}: {name}: {text}" for lake, found in compared for name, text in found.differences.items()]
    if different:
        raise SystemExit("error: the engines' rows differ\n" + "\n".join(different))


if __name__ == "__main__":
    main()
