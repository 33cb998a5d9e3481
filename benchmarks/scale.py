"""How the cost of the heaviest models grows with swaps and partitions, and what that means for far more of them.

    python benchmarks/scale.py [--swaps 500000 2000000 10000000] [--partitions 1 2 4] [--wallets 1000]

A made-up market is loaded once; its swaps are then multiplied inside the throw-away lake, each copy with wallets and
transactions of its own. For every number of partitions a server with as many task threads (LAKEHOUSE_CORES) builds the
models from nothing. `partitions` above the machine's cores share them: they show the cost of cutting, not a gain.

The fit is seconds = a * swaps ** b on the sizes of one row of the table: b of 1 is linear. Below 1, what a build costs
anyway weighs in, so it is not used for far larger sizes: for these, the two largest sizes are joined by a line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil
from pipeline import COMMAND, FIRST, GENESIS, PROJECT, environment, listed, peak_mb

from smart_trader.lakehouse import probe

MODELS = ("wallet_swaps", "wallet_trades", "fifo_positions")
BUILT = ("swap_loads", "wallet_swaps", "wallet_trades", "wallet_calculations", "fifo_positions")
FAR = (100_000_000, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class Measured:
    """One build of the models.

    Attributes:
        swaps: Rows of wallet_swaps.
        seconds: By model.
        jvm_mb: The server's peak.
        worker_mb: Peak of the largest Python worker.
    """

    swaps: int
    seconds: dict[str, float]
    jvm_mb: float
    worker_mb: float

    @property
    def total(self) -> float:
        """Seconds of all models."""
        return sum(self.seconds.values())


class Workers:
    """Watches the Python workers of a server."""

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            for child in self._server.children(recursive=True):
                try:
                    # until it runs a program of its own, a child is a copy of the server
                    if child.name().startswith("python"):
                        self.peak_mb = max(self.peak_mb, child.memory_info().rss / 2**20)
                except psutil.Error:
                    continue

    def stop(self) -> float:
        """Stop watching and return the peak in MB."""
        self._over.set()
        self._thread.join()
        return self.peak_mb


class Lake:
    """A throw-away lake and its server."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = environment(home) | {"LAKEHOUSE_DRIVER_MEMORY": "2g", "SMART_TRADER_AS_OF": str(FIRST)}

    def command(self, *arguments: str, **more: str) -> str:
        """Run `smart-trader`."""
        done = subprocess.run(
            [*COMMAND, *arguments], env=self.env | more, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    @property
    def record(self) -> dict[str, object]:
        """The running server's record."""
        return dict(json.loads((self.home / "server.json").read_text()))

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement."""
        return probe.ask_thrift(self.record["thrift"]["port"], statement, timeout_s=3600)  # type: ignore[index]

    def fill(self, wallets: int) -> None:
        """Load the market, once."""
        (self.home / "market.json").write_text(json.dumps({"seed": 7, "wallets": wallets, "genesis": GENESIS}))
        everyone, _ = listed(wallets, self.home.parent)
        self.command(
            "run", "--demo", "--market-wallets", str(wallets), "--as-of", str(FIRST), "--wallets", everyone,
            "--skip-tests", "--top", "0",
        )  # fmt: skip
        self.command("lakehouse", "start")
        for table in ("transaction_history", "fetch_log"):
            self.sql(f"create table bronze.{table}_seed using delta as select * from bronze.{table}")
        self.command("lakehouse", "stop")

    def grow(self, swaps: int, copies: int) -> int:
        """Add copies of the market until there are so many swaps; returns the number of copies there are then."""
        rows = int(str(self.sql("select count(*) from bronze.transaction_history_seed")[0][0]))
        wanted = max(1, round(swaps / rows))
        if wanted > copies:
            renamed = {
                "transaction_history": ("wallet_address", "owner", "tx_hash", "_dlt_id", "fetch_id"),
                "fetch_log": ("item", "fetch_id", "_dlt_id"),
            }
            for table, names in renamed.items():
                changes = ", ".join(f"concat({name}, '_', copy) as {name}" for name in names)
                where = "where kind = 'swaps'" if table == "fetch_log" else ""
                self.sql(
                    f"insert into bronze.{table} by name select * except (copy, {', '.join(names)}), {changes} "
                    f"from bronze.{table}_seed cross join (select id as copy from range({copies}, {wanted})) {where}"
                )
        return max(wanted, copies)

    def build(self) -> Measured:
        """Build the models from nothing."""
        for table in BUILT:
            self.sql(f"drop table if exists silver.{table}")
        pid = int(str(self.record["pid"]))
        workers = Workers(pid)
        target = self.home / "target"
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "--quiet", "run", "--select", *BUILT, "--target-path", str(target),
             "--log-path", str(target)],
            env=self.env, cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        results = json.loads((target / "run_results.json").read_text())["results"]
        seconds = {result["unique_id"].rpartition(".")[2]: result["execution_time"] for result in results}
        swaps = int(str(self.sql("select count(*) from silver.wallet_swaps")[0][0]))
        return Measured(swaps, {name: seconds[name] for name in MODELS}, peak_mb(pid), workers.stop())


def exponent(points: list[tuple[int, float]]) -> float:
    """Return b of seconds = a * swaps ** b by least squares of the logarithms."""
    return statistics.linear_regression(
        [math.log(swaps) for swaps, _ in points], [math.log(seconds) for _, seconds in points]
    ).slope


def show_header() -> None:
    """Print the names of the table's columns."""
    print(f"{'partitions':>10}{'swaps':>12}" + "".join(f"{name + ' s':>18}" for name in MODELS), end="")
    print(f"{'swaps/s':>10}{'JVM MB':>9}{'worker MB':>11}", flush=True)


def show_row(partitions: int, row: Measured) -> None:
    """Print a build as soon as it is done: the next one may take a quarter of an hour."""
    print(f"{partitions:10}{row.swaps:12,}" + "".join(f"{row.seconds[name]:18.1f}" for name in MODELS), end="")
    print(f"{row.swaps / row.total:10,.0f}{row.jvm_mb:9,.0f}{row.worker_mb:11,.0f}", flush=True)


def show_fits(found: dict[int, list[Measured]]) -> None:
    """Print how time and memory grow."""
    for partitions, rows in found.items():
        if len({row.swaps for row in rows}) < 2:
            continue
        for name in MODELS:
            power = exponent([(row.swaps, row.seconds[name]) for row in rows])
            print(f"{partitions} partitions, {name}: seconds ~ swaps ^ {power:.2f}")
        seconds_per_swap = (rows[-1].total - rows[-2].total) / (rows[-1].swaps - rows[-2].swaps)
        far = ", ".join(
            f"{swaps / 1e6:,.0f} M: {(rows[-1].total + seconds_per_swap * (swaps - rows[-1].swaps)) / 3600:,.1f} h"
            for swaps in FAR
        )
        print(f"{partitions} partitions, all three: {seconds_per_swap * 1e6:.1f} s more for each million; {far}")
        first, last = rows[0], rows[-1]
        print(
            f"{partitions} partitions: {last.swaps / first.swaps:.1f} x the swaps, "
            f"JVM {last.jvm_mb / first.jvm_mb:.2f} x, largest worker {last.worker_mb / max(first.worker_mb, 1):.2f} x",
            flush=True,
        )


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, nargs="+", default=[500_000, 2_000_000, 10_000_000])
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--wallets", type=int, default=1000)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, heap 2g", flush=True)
    found: dict[int, list[Measured]] = {partitions: [] for partitions in asked.partitions}
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        lake.home.mkdir()
        lake.fill(asked.wallets)
        show_header()
        copies = 1
        for swaps in sorted(asked.swaps):
            for partitions in asked.partitions:
                lake.command("lakehouse", "start", LAKEHOUSE_CORES=str(partitions))
                try:
                    copies = lake.grow(swaps, copies)
                    row = lake.build()
                finally:
                    lake.command("lakehouse", "stop")
                found[partitions].append(row)
                show_row(partitions, row)
    show_fits(found)


if __name__ == "__main__":
    main()
