"""Lakes that earlier commits of this project have made are upgraded, and then equal a lake that is made now."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.checksums import unreadable_file
from smart_trader.lake.identity import LAKE_VERSION, read_identity
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.fingerprints import ProjectCode
from smart_trader.pipeline.renamed import FOLDED, SAME_FIGURES, TABLES, VIEWS, move_tables
from smart_trader.sandbox.running import serving
from tests.python.support.engine import PROJECT, EmbeddedLake, clean_environment, run_module
from tests.python.support.kill_targets import KilledLake, lake_at
from tests.python.support.market_lake import FIRST, SEED, WALLETS, MarketLake
from tests.python.support.object_store import object_store

pytestmark = pytest.mark.slow

# a lake of 24 November 2026, of the market's first run, with Spark's own files
KEPT = Path(__file__).parent / "lake_of_8750c72.tar.xz"
# the same market's first run on the embedded engine, of version 1: the last commit with the earlier names
VERSION_1 = Path(__file__).parent / "lake_of_910abe9.tar.xz"
MARKET = ("--demo", "--market", "easy", "--seed", str(SEED), "--market-wallets", str(WALLETS))
# the first commit that had a whole pipeline, and the last before lakes had a version
COMMITS = ("0b8b769", "c21225b")
HISTORIES = ("silver.pnl_history", "gold.trader_evaluations", "gold.smart_traders")
EARLIER = {"silver.pnl_history": "silver.pnl_calculations"}
# By which formulas an old history was calculated, its lake does not know. Before there were grades, whoever qualified was
# listed: such verdicts stay as they were given.
UNKNOWN = ("code_version", "moved_to_gold")
VERDICTS = ("gold.trader_evaluations", "gold.smart_traders")
BOARD = "gold.leaderboard"
LAYERS = ("bronze", "silver", "gold", "snapshots")


def unpack(folder: Path, kept: Path = KEPT) -> Path:
    with tarfile.open(kept) as archive:
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


def give_to(engine: EmbeddedLake, prefix: str, old: Path) -> KilledLake:
    """Put an old lake's tables into the session's lake, in schemas of their own."""
    for layer in LAYERS:
        shutil.copytree(old / layer, engine.paths.local_root / f"{prefix}{layer}")
    return lake_at(engine, prefix, FIRST)


def upgrade_and_compare(old: KilledLake, expected: dict[str, Counter[str]]) -> None:
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
    found = old.tables(*UNKNOWN)
    assert found.keys() == expected.keys()
    # who was listed by those verdicts and is not now is former, which a new lake does not know
    found[BOARD] = Counter({row: count for row, count in found[BOARD].items() if "'former': False" in row})
    for name, counted in expected.items():
        if name in VERDICTS:
            continue
        less, more = counted - found[name], found[name] - counted
        assert (less, more) == (Counter(), Counter()), name


def rows_of(table: Path) -> set[str]:
    return {str(row) for row in DeltaTable(str(table)).to_pyarrow_table().to_pylist()}


def env_of(old: KilledLake) -> dict[str, str]:
    own = {"DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": old.lake.prefix.rstrip("_"), "SMART_TRADER_AS_OF": str(FIRST)}
    return {**old.engine.environment, **own}


@pytest.fixture(scope="module")
def fresh(embedded: EmbeddedLake) -> dict[str, Counter[str]]:
    """The tables of the same market's first run, made now; an old lake has looked up neither prices nor launches."""
    lake = MarketLake(embedded, "fresh_")
    lake.demo(FIRST, "--skip-tests", "--var", "max_priced_tokens=0", "--var", "max_launch_lookups=0")
    return KilledLake(lake, FIRST).tables(*UNKNOWN)


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


def sizes(home: Path) -> dict[str, int]:
    """Return how many versions each table has that grows: one more is one more write."""
    return {name: DeltaTable(str(home / "silver" / name)).version() for name in ("wallet_trades", "position_pnl")}


def without(rows: list[dict[str, object]], *columns: str) -> Counter[str]:
    return Counter(str({name: value for name, value in row.items() if name not in columns}) for row in rows)


@pytest.mark.parametrize("command", ["upgrade", "repair", "run"])
def test_tables_get_their_present_names_and_nothing_is_computed_twice(tmp_path: Path, command: str) -> None:
    home = unpack(tmp_path / "lake", VERSION_1)
    lake = MarketLake(EmbeddedLake(home))
    history, due = lake.rows("silver", "pnl_calculations"), lake.rows("silver", "wallet_calculations")
    whales = lake.rows("snapshots", "tracked_whales_history")
    if command != "run":
        done = lake.smart_trader(command)
        assert done.returncode == 0, done.stderr
        assert sizes(home) == sizes(unpack(tmp_path / "before", VERSION_1))
    # an hour later another formula would make every wallet due
    shown = lake.demo(FIRST + 3600)
    assert ("[2/2] give tables their present names" in shown) is (command == "run")
    assert "built again from all rows" not in shown
    identity = read_identity(lake.engine.paths)
    assert identity is not None
    assert identity.version == LAKE_VERSION
    assert without(lake.rows("silver", "pnl_history")) == without(history)
    assert without(lake.rows("silver", "pnl_due_wallets"), "code_version") == without(due, "code_version")
    renamed = [{("is_too_active" if name == "too_active" else name): row[name] for name in row} for row in whales]
    assert set(without(renamed, "dbt_valid_to")) <= set(
        without(lake.rows("snapshots", "tracked_whales_history"), "dbt_valid_to")
    )
    for gone in (*TABLES, FOLDED):
        assert not (home / "silver" / gone).exists()
    views = json.loads((home / "_views.json").read_text())
    assert not {f"silver.{name}" for name in VIEWS} & set(views)
    assert {f"silver.{name}" for name in VIEWS.values()} <= set(views)


def test_a_move_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    home = unpack(tmp_path / "lake", VERSION_1)
    (home / "silver" / "swap_loads").rename(home / "silver" / "swap_load_batches")
    lake = Lake(LakePaths(home, str(home)))
    move_tables(lake, print)
    move_tables(lake, print)
    assert {name for name in TABLES.values() if lake.has("silver", name)} == set(TABLES.values())
    assert not any((home / "silver" / name).exists() for name in (*TABLES, FOLDED))


def test_tables_of_both_names_are_not_mixed(tmp_path: Path) -> None:
    home = unpack(tmp_path / "lake", VERSION_1)
    shutil.copytree(home / "silver" / "pnl_calculations", home / "silver" / "pnl_history")
    with pytest.raises(SmartTraderError, match=r"pnl_calculations and .*pnl_history are both tables"):
        move_tables(Lake(LakePaths(home, str(home))), print)
    assert (home / "silver" / "pnl_calculations").is_dir()


def test_a_move_on_a_store_that_was_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = unpack(tmp_path / "lake", VERSION_1)
    folder = home / "silver" / "pnl_calculations"
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    objects = {f"bucket/lake/silver/pnl_calculations/{name}": content for name, content in files.items()}
    # what a copy that was cut short has left, and what a cut deletion has
    first = sorted(files)[0]
    objects[f"bucket/lake/silver/pnl_history/{first}"] = files[first]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-this-test")
    with serving(object_store(objects)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        lake = Lake(LakePaths(tmp_path, "s3://bucket/lake"))
        move_tables(lake, print)
        move_tables(lake, print)
    kept = {key: content for key, content in objects.items() if content or not key.endswith("/")}
    moved = {f"bucket/lake/silver/pnl_history/{name}": content for name, content in files.items()}
    assert {key: kept[key] for key in moved} == moved
    assert not [key for key in kept if "/pnl_calculations/" in key]


def test_the_code_still_makes_the_figures_of_the_earlier_names() -> None:
    """A commit that edits the formula's code fails here.

    Where it changes no figure, `SAME_FIGURES` takes the new value; where it does, this test goes, and lakes of version 1
    are computed again.
    """
    assert ProjectCode.read().formula_code == SAME_FIGURES
