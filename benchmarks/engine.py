"""Figures of the engine: server start, dbt builds, maintenance, memory. Prints a table; asserts nothing.

    python benchmarks/engine.py [--starts 5] [--builds 5]

Every figure comes from this one run, on a lake of its own. Starts of the kinds compared alternate, so that a noisy
machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil

from smart_trader.config.settings import LakehouseSettings
from smart_trader.lakehouse import probe, server, training
from smart_trader.lakehouse.java import find_java

PROJECT = Path(__file__).resolve().parent.parent
KINDS = ("seed", "table", "merge", "python", "snapshot", "test")


def quiet(_line: str) -> None:
    """Progress that nobody reads."""


def row(name: str, value: str) -> None:
    """Print one line of the table."""
    print(f"{name:46} {value}", flush=True)


def measure_starts(base: Path, repeats: int) -> None:
    """Print the median start of each kind, and the archive's ratio under the same flags."""
    kinds = {
        "C2, no archive": {"compiler": "c2", "class_archive": False},
        "C2, archive": {"compiler": "c2", "class_archive": True},
        "C1, no archive": {"compiler": "c1", "class_archive": False},
        "C1, archive": {"compiler": "c1", "class_archive": True},
    }
    for compiler in ("c2", "c1"):
        training.train(LakehouseSettings(compiler=compiler), quiet)
    seconds: dict[str, list[float]] = defaultdict(list)
    for repeat in range(repeats + 1):
        for name, flags in kinds.items():
            settings = LakehouseSettings(home=base / name, **flags)
            started = server.start(settings, quiet)
            server.stop(settings.paths, quiet)
            # the first start of a lake also makes its metastore
            if repeat:
                seconds[name].append(started.record.ready_s)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        row(f"start, {name}", f"{medians[name]:.1f} s  (of {', '.join(f'{value:.1f}' for value in values)})")
    row("archive / plain, C2 (target <= 0.5)", f"{medians['C2, archive'] / medians['C2, no archive']:.2f}")
    row("archive / plain, C1", f"{medians['C1, archive'] / medians['C1, no archive']:.2f}")


def kind_of(node: dict[str, object], manifest: dict[str, dict[str, dict[str, object]]]) -> str:
    """Return the kind a result counts under."""
    unique_id = str(node["unique_id"])
    prefix = unique_id.split(".")[0]
    if prefix != "model":
        return prefix
    model = manifest["nodes"][unique_id]
    if model["language"] == "python":
        return "python"
    return "merge" if model["config"]["materialized"] == "incremental" else "table"  # type: ignore[index]


def build(home: Path) -> tuple[float, float, dict[str, list[float]], int]:
    """Run `dbt build` as a user would.

    Returns:
        Wall seconds; seconds from the first node's start to the last one's end; seconds per node by kind; peak
        resident bytes of dbt.
    """
    target = home / "dbt-target"
    command = [sys.executable, "-m", "dbt.cli.main", "build", "--target-path", str(target)]
    env = os.environ | {"LAKEHOUSE_HOME": str(home), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.DEVNULL)
    peak = peak_of(process.pid)
    code = process.wait()
    wall = time.monotonic() - begun
    if code:
        raise SystemExit(f"dbt build failed with code {code}; see {target}")
    manifest = json.loads((target / "manifest.json").read_text())
    results = json.loads((target / "run_results.json").read_text())["results"]
    nodes: dict[str, list[float]] = defaultdict(list)
    times = []
    for result in results:
        nodes[kind_of(result, manifest)].append(result["execution_time"])
        times += [datetime.fromisoformat(t[edge]) for t in result["timing"] for edge in ("started_at", "completed_at")]
    return wall, (max(times) - min(times)).total_seconds(), nodes, peak()


def initialise(home: Path) -> None:
    """Make the empty bronze tables, which a build requires."""
    environment = {**os.environ, "LAKEHOUSE_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "loaders", "init"], cwd=PROJECT, env=environment, check=True)


def peak_of(pid: int) -> Callable[[], int]:
    """Watch a process's resident memory until it ends; call the result for the peak in bytes."""
    seen = [0]

    def watch() -> None:
        try:
            process = psutil.Process(pid)
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                seen[0] = max(seen[0], process.memory_info().rss)
                time.sleep(0.1)
        except psutil.Error:
            return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def peak() -> int:
        thread.join()
        return seen[0]

    return peak


def peak_rss(pid: int) -> int:
    """Return the peak resident size the kernel noted for a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return psutil.Process(pid).memory_info().rss


def measure_builds(base: Path, builds: int) -> None:
    """Print builds, nodes by kind, maintenance and memory of one server."""
    settings = LakehouseSettings(home=base / "builds")
    record = server.start(settings, quiet).record
    try:
        initialise(settings.paths.home)
        first = build(settings.paths.home)
        row("first dbt build, empty lake, cold JVM", f"{first[0]:.1f} s wall")
        later = [build(settings.paths.home) for _ in range(builds)]
        row("second dbt build", f"{later[0][0]:.1f} s wall")
        warm = later[1:] or later
        row(f"warm dbt build (median of {len(warm)})", f"{statistics.median(one[0] for one in warm):.1f} s wall")
        overhead = statistics.median(one[0] - one[1] for one in warm)
        row("dbt's own overhead, wall - nodes (target <= 4 s)", f"{overhead:.1f} s")
        for kind in KINDS:
            seconds = [value for one in warm for value in one[2].get(kind, [])]
            target = {"table": " (target <= 1 s)", "merge": " (target <= 2 s)"}.get(kind, "")
            row(f"warm node, {kind}{target}", f"{statistics.median(seconds):.2f} s median of {len(seconds)}")
        for statement in ("optimize silver.wallet_swaps", "vacuum silver.wallet_swaps"):
            begun = time.monotonic()
            probe.execute_thrift(record.endpoints.thrift_port, statement, timeout_s=120)
            row(statement, f"{time.monotonic() - begun:.1f} s")
        row("peak RSS of the JVM (target <= 1.2 GB)", f"{peak_rss(record.pid) / 1e9:.2f} GB")
        row("peak RSS of dbt", f"{max(one[3] for one in [first, *later]) / 1e9:.2f} GB")
    finally:
        server.stop(settings.paths, quiet)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5, help="starts of each kind (default 5)")
    parser.add_argument("--builds", type=int, default=5, help="dbt builds after the first (default 5)")
    arguments = parser.parse_args()
    memory = psutil.virtual_memory().total / 2**30
    java = find_java()
    row("machine", f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, Java {java.version} ({java.source})")
    with tempfile.TemporaryDirectory(prefix="engine benchmark ") as base:
        measure_starts(Path(base), arguments.starts)
        measure_builds(Path(base), arguments.builds)


if __name__ == "__main__":
    main()
