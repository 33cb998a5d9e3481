"""Lakes for the benchmarks: a made-up market of 1,000 wallets loaded once, and the same market many times over.

Loading 20,000 wallets through the API takes minutes and measures no build, so `grow.py` copies 1,000.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from deltalake import DeltaTable

from smart_trader.sandbox.market.spec import EASY, FULL_STRENGTH, WorldSpec

PROJECT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "smart_trader.cli"]
FIRST = 1_790_000_000
TWELVE_HOURS = 12 * 3600
GENESIS = (FIRST // 86_400 - 30) * 86_400
SEED = 7
LOADED_WALLETS = 1000
WORLD = WorldSpec(EASY, SEED, LOADED_WALLETS, GENESIS, FULL_STRENGTH)
QUIET = ("--skip-tests", "--top", "0")
GROW = [sys.executable, str(PROJECT / "benchmarks" / "grow.py")]


def environment(lake: Path, **more: str) -> dict[str, str]:
    """Return the environment of a lake in a folder, and of nothing else of this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DBT_"))}
    return {**kept, "LAKEHOUSE_HOME": str(lake), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **more}


def as_of_text(at: int) -> str:
    """Return a unix time as the project's settings take it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def run_command(at: int, *arguments: str) -> list[str]:
    """Return the command of a run that makes the market of 1,000 wallets and serves it to itself."""
    market = ("--market", WORLD.market, "--seed", str(SEED), "--market-wallets", str(LOADED_WALLETS))
    return [*COMMAND, "run", "--demo", *market, "--as-of", str(at), *QUIET, *arguments]


def served_run_command(url: str, *arguments: str) -> list[str]:
    """Return the command of a run on a market's server that is up, at the server's time."""
    return [*COMMAND, "run", "--sandbox", url, *QUIET, *arguments]


def load_market(lake: Path, engine: str) -> None:
    """Load and build the market of 1,000 wallets, all of them tracked."""
    lake.mkdir(parents=True)
    (lake / "market.json").write_text(json.dumps(WORLD.as_json()))
    call(lake, run_command(FIRST, "--engine", engine, "--wallets", ",".join(_addresses())))


def load_new_swaps(lake: Path) -> None:
    """Load, without a build, the swaps that 1 % of the wallets made in twelve hours more."""
    wallets = ",".join(_addresses()[::100])
    call(lake, run_command(FIRST + TWELVE_HOURS, "--step", "load_transactions", "--wallets", wallets))


def call(lake: Path, command: list[str]) -> None:
    """Run a command on a lake; its output is shown only if it fails."""
    done = subprocess.run(command, cwd=PROJECT, env=environment(lake), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)[:200]} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _addresses() -> list[str]:
    command = [*COMMAND, "sandbox", "truth", "--market", "easy", "--seed", str(SEED), "--wallets", str(LOADED_WALLETS)]
    listed = subprocess.run(
        [*command, "--genesis", str(GENESIS), "--clock", str(GENESIS), "--format", "csv"],
        check=True, capture_output=True, text=True, cwd=PROJECT,
    ).stdout  # fmt: skip
    return [row["address"] for row in csv.DictReader(io.StringIO(listed))][:LOADED_WALLETS]


def copy_bronze(source: Path, target: Path, copies: int) -> None:
    """Make a lake of bronze alone: the source's, with its wallets and their swaps so many times in all."""
    target.mkdir(parents=True)
    call(target, [*GROW, str(source), str(target), "--times", str(copies)])
    shutil.copy(source / "_lake.json", target)


def append_new_loads(source: Path, target: Path, copies: int) -> int:
    """Land in a multiplied lake what its source loaded since, and return the new rows of swaps."""
    before = count_swap_rows(target)
    call(target, [*GROW, str(source), str(target), "--times", str(copies), "--onto", "--one-in", "1"])
    return count_swap_rows(target) - before


def count_swap_rows(lake: Path) -> int:
    """Return the rows of swaps that a lake's bronze holds."""
    return int(DeltaTable(str(lake / "bronze" / "transaction_history")).to_pyarrow_dataset().count_rows())
