"""Lakes for the benchmarks: a made-up market loaded once, and the same market many times over.

Loading 20,000 wallets through the API takes minutes and says nothing of the builds, so 1,000 wallets are loaded and
every further thousand is a copy of them: the same swaps under other wallets, transactions and fetches.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

PROJECT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "smart_trader.cli"]
FIRST = 1_790_000_000
TWELVE_HOURS = 12 * 3600
GENESIS = (FIRST // 86_400 - 30) * 86_400
SEED = 7
LOADED_WALLETS = 1000
# what makes a row another wallet's; the tokens stay the same
RENAMED = {
    "transaction_history": ["wallet_address", "owner", "item", "tx_hash", "fetch_id", "_dlt_id"],
    "fetch_log": ["item", "fetch_id", "_dlt_id"],
}


def environment(lake: Path, **more: str) -> dict[str, str]:
    """Return the environment of a lake in a folder, and of nothing else of this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DBT_"))}
    return {**kept, "LAKEHOUSE_HOME": str(lake), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **more}


def as_of_text(at: int) -> str:
    """Return a unix time as the project's settings take it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def run_command(at: int, *arguments: str) -> list[str]:
    """Return the command of a run on the market of 1,000 wallets."""
    command = [*COMMAND, "run", "--demo", "--seed", str(SEED), "--market-wallets", str(LOADED_WALLETS)]
    return [*command, "--as-of", str(at), "--skip-tests", "--top", "0", *arguments]


def load_market(lake: Path, engine: str) -> None:
    """Load and build the market of 1,000 wallets, all of them tracked."""
    lake.mkdir(parents=True)
    market = {"seed": SEED, "wallets": LOADED_WALLETS, "genesis": GENESIS}
    (lake / "market.json").write_text(json.dumps(market))
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
    command = [*COMMAND, "sandbox", "truth", "--seed", str(SEED), "--wallets", str(LOADED_WALLETS)]
    listed = subprocess.run(
        [*command, "--genesis", str(GENESIS), "--clock", str(GENESIS), "--format", "csv"],
        check=True, capture_output=True, text=True, cwd=PROJECT,
    ).stdout  # fmt: skip
    return [row["address"] for row in csv.DictReader(io.StringIO(listed))][:LOADED_WALLETS]


def copy_bronze(source: Path, target: Path, copies: int) -> None:
    """Make a lake of bronze alone: the source's, and its wallets and their swaps so many times in all."""
    target.mkdir(parents=True)
    shutil.copytree(source / "bronze", target / "bronze")
    shutil.copy(source / "_lake.json", target)
    for table in RENAMED:
        _append_copies(target, table, _read_swap_rows(source, table), range(1, copies))


def append_new_loads(source: Path, target: Path, copies: int) -> int:
    """Land in a multiplied lake what its source loaded since, and return the new rows of swaps."""
    name = "_dlt_loads"
    known = {path.name for path in (target / "bronze" / name).iterdir()}
    new = [path for path in (source / "bronze" / name).iterdir() if path.name not in known]
    loads = [json.loads(line)["load_id"] for path in new for line in path.read_text().splitlines()]
    rows = 0
    for table in RENAMED:
        landed = _read_swap_rows(source, table)
        landed = landed.filter(pc.is_in(landed["_dlt_load_id"], pa.array(loads)))
        _append_copies(target, table, landed, range(copies))
        if table == "transaction_history":
            rows = landed.num_rows * copies
    for path in new:
        shutil.copy(path, target / "bronze" / name)
    return rows


def count_swap_rows(lake: Path) -> int:
    """Return the rows of swaps that a lake's bronze holds."""
    return int(DeltaTable(str(lake / "bronze" / "transaction_history")).to_pyarrow_dataset().count_rows())


def _read_swap_rows(lake: Path, table: str) -> pa.Table:
    rows = DeltaTable(str(lake / "bronze" / table)).to_pyarrow_table()
    return rows.filter(pc.equal(rows["kind"], "swaps")) if table == "fetch_log" else rows


def _append_copies(lake: Path, table: str, rows: pa.Table, copies: Iterable[int]) -> None:
    """Append rows under other names; copy 0 keeps its names."""
    for copy in copies:
        renamed = rows
        for name in RENAMED[table] if copy else ():
            index = renamed.schema.get_field_index(name)
            if index >= 0:
                # null stays null
                values = pc.binary_join_element_wise(renamed[name].cast(pa.string()), f"x{copy}", "")
                field = renamed.schema.field(index)
                renamed = renamed.set_column(index, field, values.cast(field.type))
        write_deltalake(str(lake / "bronze" / table), renamed, mode="append")
