"""Lakes that earlier commits of this project have made are upgraded, and then equal a lake that is made now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable
from engine import PROJECT, EmbeddedLake, clean_environment, run_module
from market_lake import FIRST, SEED, WALLETS, MarketLake
from victims import DoomedLake, lake_at

from smart_trader.lake_identity import LAKE_VERSION, read_identity
from smart_trader.paths import LakePaths
from smart_trader.pipeline.integrity import unreadable_file

# a lake of 24 November 2026, of the market's first run, with Spark's own files
KEPT = Path(__file__).parent / "lake_of_8750c72.tar.xz"
MARKET = ("--demo", "--seed", str(SEED), "--market-wallets", str(WALLETS))
# the first commit that had a whole pipeline, and the last before lakes had a version
COMMITS = ("0b8b769", "c21225b")
HISTORIES = ("silver.pnl_history", "gold.trader_evaluations", "gold.smart_traders")
EARLIER = {"silver.pnl_history": "silver.pnl_calculations"}
# by which formulas an old history was calculated, its lake does not know
UNKNOWN = "code_version"
LAYERS = ("bronze", "silver", "gold", "snapshots")


def unpack(folder: Path) -> Path:
    with tarfile.open(KEPT) as archive:
        archive.extractall(folder, filter="data")
    return folder


def make_with(commit: str, folder: Path) -> Path:
    """Let an earlier commit's own code make a lake."""
    code, lake = folder / "code", folder / "lake"
    code.mkdir()
    packed = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"no git history with {commit}")
    subprocess.run(["tar", "x", "-C", str(code)], input=packed.stdout, check=True)
    paths = os.pathsep.join([str(code), str(code / "adapter")])
    env = clean_environment(LAKEHOUSE_HOME=str(lake), PYTHONPATH=paths)
    command = [sys.executable, "-m", "smart_trader.cli", "run", *MARKET, "--as-of", str(FIRST), "--skip-tests"]
    done = subprocess.run(command, cwd=code, env=env, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    return lake


def give_to(engine: EmbeddedLake, prefix: str, old: Path) -> DoomedLake:
    """Put an old lake's tables into the session's lake, in schemas of their own."""
    for layer in LAYERS:
        shutil.copytree(old / layer, engine.paths.local_root / f"{prefix}{layer}")
    return lake_at(engine, prefix, FIRST)


def upgrade_and_compare(old: DoomedLake, expected: dict[str, Counter[str]]) -> None:
    """Upgrade a lake; see that its histories are still there, and that all equals what is made now."""
    prefix = old.lake.prefix
    histories = {name: old.lake.rows(*EARLIER.get(name, name).split(".")) for name in HISTORIES}
    assert read_identity(old.engine.paths, prefix) is None
    refused = run_module(
        "dbt.cli.main", "run", "--target-path", str(old.engine.paths.home / "dbt-old"), env=env_of(old)
    )
    assert refused.returncode != 0
    assert "smart-trader upgrade" in refused.stdout
    done = old.lake.smart_trader("upgrade")
    assert done.returncode == 0, done.stderr
    assert "[1/2] make every derived table again from bronze" in done.stderr
    assert "[2/2] give tables their present names" in done.stderr
    identity = read_identity(old.engine.paths, prefix)
    assert identity is not None
    assert (identity.version, identity.source) == (LAKE_VERSION, "sandbox")
    for name, rows in histories.items():
        # a version may add columns
        kept = {str({column: row[column] for column in rows[0]}) for row in old.lake.rows(*name.split("."))}
        assert {str(row) for row in rows} <= kept, f"{name} lost rows"
    old.check_views()
    found = old.tables(UNKNOWN)
    assert found.keys() == expected.keys()
    for name, counted in expected.items():
        less, more = counted - found[name], found[name] - counted
        assert (less, more) == (Counter(), Counter()), name


def rows_of(table: Path) -> set[str]:
    return {str(row) for row in DeltaTable(str(table)).to_pyarrow_table().to_pylist()}


def env_of(old: DoomedLake) -> dict[str, str]:
    own = {"DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": old.lake.prefix.rstrip("_"), "SMART_TRADER_AS_OF": str(FIRST)}
    return {**old.engine.environment, **own}


@pytest.fixture(scope="module")
def fresh(calm: MarketLake) -> dict[str, Counter[str]]:
    """The tables of the same market's first run, made now."""
    return DoomedLake(calm, FIRST).tables(UNKNOWN)


def test_an_old_lake_equals_a_new_one_once_it_is_upgraded(
    embedded: EmbeddedLake, fresh: dict[str, Counter[str]], tmp_path: Path
) -> None:
    upgrade_and_compare(give_to(embedded, "kept_", unpack(tmp_path)), fresh)


@pytest.mark.full
@pytest.mark.parametrize("commit", COMMITS)
def test_a_lake_of_another_commit_equals_a_new_one_once_it_is_upgraded(
    embedded: EmbeddedLake, fresh: dict[str, Counter[str]], tmp_path: Path, commit: str
) -> None:
    upgrade_and_compare(give_to(embedded, f"of_{commit}_", make_with(commit, tmp_path)), fresh)


@pytest.mark.full
def test_a_restored_lake_is_built_upon_where_it_is(tmp_path: Path) -> None:
    first, second = tmp_path / "first place", tmp_path / "second place"

    def smart_trader(home: Path, *arguments: str) -> str:
        done = run_module("smart_trader.cli", *arguments, env=clean_environment(LAKEHOUSE_HOME=str(home)), timeout=580)
        assert done.returncode == 0, done.stderr
        return done.stdout

    smart_trader(first, "run", *MARKET, "--as-of", str(FIRST), "--skip-tests")
    board = smart_trader(first, "leaderboard", "--format", "csv")
    history = rows_of(first / "silver" / "pnl_history")
    smart_trader(first, "backup", str(tmp_path / "backup"))
    shutil.rmtree(first)
    smart_trader(second, "restore", str(tmp_path / "backup"))
    assert smart_trader(second, "leaderboard", "--format", "csv") == board
    smart_trader(second, "run", *MARKET, "--as-of", str(FIRST + 3600), "--skip-tests")
    assert history <= rows_of(second / "silver" / "pnl_history")
    assert not first.exists()
    smart_trader(second, "repair")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_flipped_bit_in_a_page_that_spark_wrote_is_found(tmp_path: Path, share: float) -> None:
    table = unpack(tmp_path) / "silver" / "wallet_trades"
    name = str(DeltaTable(str(table)).get_add_actions(flatten=True)["path"][0].as_py())
    assert unreadable_file(str(table), [name]) is None
    held = bytearray((table / name).read_bytes())
    held[int(len(held) * share)] ^= 1
    (table / name).write_bytes(held)
    assert unreadable_file(LakePaths(tmp_path, str(tmp_path)).table("silver", "wallet_trades"), [name]) is not None
