"""How long the pipeline takes on a made-up market: the first run, one with nothing new, one with 1 % new swaps.

    python benchmarks/pipeline.py [--wallets 1000 20000]

All wallets of the market are tracked. The server is started before; data tests are left out. 1 % new swaps are the new
swaps of 1 % of the wallets, twelve hours later. Prints figures and ratios of one run.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from deltalake import DeltaTable

PROJECT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "smart_trader.cli"]
FIRST = 1_790_000_000
GENESIS = (FIRST // 86_400 - 30) * 86_400
TWELVE_HOURS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took."""

    seconds: float
    steps: dict[str, float]
    rows: int
    peak_mb: float


class Peak:
    """Watches the memory of a process and its children, the server left out."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            try:
                process = psutil.Process(self._pid)
                rss = sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
            except psutil.Error:
                continue
            self.mb = max(self.mb, rss / 2**20)

    def stop(self) -> float:
        """Stop watching and return the peak in MB."""
        self._done.set()
        self._thread.join()
        return self.mb


def run(home: Path, wallets: int, at: int, *arguments: str) -> Run:
    """Run the pipeline once."""
    run_id = f"bench-{at}"
    command = [*COMMAND, "run", "--demo", "--market-wallets", str(wallets), "--as-of", str(at), "--run-id", run_id]
    started = time.monotonic()
    running = subprocess.Popen(
        [*command, "--skip-tests", "--top", "0", *arguments],
        env=environment(home),
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched = Peak(running.pid)
    assert running.stderr is not None
    told = running.stderr.read()
    if running.wait():
        raise SystemExit(told)
    seconds = time.monotonic() - started
    rows = DeltaTable(str(home / "bronze" / "pipeline_runs")).to_pyarrow_table().to_pylist()
    mine = [row for row in rows if row["run_id"] == run_id]
    landed = sum(row["rows"] or 0 for row in mine if row["step"] == "load_transactions")
    return Run(seconds, {row["step"]: float(row["seconds"]) for row in mine}, landed, watched.stop())


def peak_mb(pid: int) -> float:
    """Return a process's peak memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a lake in a folder."""
    return {**os.environ, "LAKEHOUSE_HOME": str(home)}


def listed(wallets: int, folder: Path) -> tuple[str, str]:
    """Write the addresses of all wallets and of one in a hundred to files."""
    command = ["sandbox", "truth", "--seed", "7", "--wallets", str(wallets), "--genesis", str(GENESIS)]
    told = subprocess.run(
        [*COMMAND, *command, "--clock", str(GENESIS), "--format", "csv"],
        check=True, capture_output=True, text=True, cwd=PROJECT,
    ).stdout  # fmt: skip
    addresses = [row["address"] for row in csv.DictReader(io.StringIO(told))][:wallets]
    for name, found in (("all.txt", addresses), ("some.txt", addresses[::100])):
        (folder / name).write_text("\n".join(found))
    return str(folder / "all.txt"), str(folder / "some.txt")


def measure(wallets: int) -> None:
    """Print the figures of one size."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "lake"
        home.mkdir()
        (home / "market.json").write_text(json.dumps({"seed": 7, "wallets": wallets, "genesis": GENESIS}))
        everyone, some = listed(wallets, Path(folder))
        subprocess.run(
            [*COMMAND, "lakehouse", "start"], env=environment(home), check=True, cwd=PROJECT, stdout=subprocess.DEVNULL
        )
        try:
            record = json.loads((home / "server.json").read_text())
            runs = {
                "first": run(home, wallets, FIRST, "--wallets", everyone),
                "nothing new": run(home, wallets, FIRST + 60),
                "1 % new swaps": run(home, wallets, FIRST + TWELVE_HOURS, "--wallets", some),
            }
            peak = peak_mb(record["pid"])
        finally:
            subprocess.run([*COMMAND, "lakehouse", "stop"], env=environment(home), check=True, cwd=PROJECT)
    show(wallets, runs, peak)


def show(wallets: int, runs: dict[str, Run], server_mb: float) -> None:
    """Print a table."""
    print(f"{wallets:,} wallets, {runs['first'].rows:,} swap rows; server's peak {server_mb:,.0f} MB")
    steps = list(runs["first"].steps)
    print(f"{'':18}{'wall s':>8}" + "".join(f"{step:>19}" for step in steps) + f"{'rows':>12}{'client MB':>11}")
    for name, made in runs.items():
        seconds = "".join(f"{made.steps.get(step, 0.0):19.1f}" for step in steps)
        print(f"{name:18}{made.seconds:8.1f}{seconds}{made.rows:12,}{made.peak_mb:11,.0f}")
    builds = {
        name: sum(seconds for step, seconds in made.steps.items() if step.startswith("build"))
        for name, made in runs.items()
    }
    print(f"builds: first {builds['first']:.1f} s, 1 % {builds['1 % new swaps']:.1f} s", end="; ")
    print(f"ratio {builds['1 % new swaps'] / builds['first']:.2f}", flush=True)


def main() -> None:
    """Measure the sizes that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wallets", type=int, nargs="+", default=[1000, 20_000])
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for wallets in asked.wallets:
        measure(wallets)


if __name__ == "__main__":
    main()
