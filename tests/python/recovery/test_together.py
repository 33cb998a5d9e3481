"""Several at work on one lake at once: runs, builds, loaders, readers."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable

from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.reference import differences
from tests.python.reference.compare import WRITERS_OWN, Row
from tests.python.reference.wallets import ALL_TOKENS
from tests.python.support.engine import PROJECT, EmbeddedLake, Engine, clean_environment
from tests.python.support.kill_targets import KilledLake, Reference, lake_at, wait_for_step
from tests.python.support.market_lake import FIRST, REFRESH, MarketLake

pytestmark = pytest.mark.slow

# columns of wallet_pnl that hold a mark
MARKED = {"unrealized_pnl", "total_pnl", "current_position_value"}
TABLES = (("silver", "quote_assets"), ("silver", "wallet_pnl"), ("gold", "leaderboard"))


def start_step(home: Path, run_id: str) -> subprocess.Popen[str]:
    """Start a run that only lists the tokens."""
    command = ["smart_trader.cli", "run", "--demo", "--step", "load_tokens", "--as-of", str(FIRST), "--run-id", run_id]
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=clean_environment(LAKEHOUSE_HOME=str(home)),
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_runs_one_works_and_the_other_learns_who_does(tmp_path: Path) -> None:
    first = start_step(tmp_path / "lake", "the-first")
    assert first.stderr is not None
    assert first.stderr.readline().startswith("[1/1] load_tokens")
    first.send_signal(signal.SIGSTOP)
    second = start_step(tmp_path / "lake", "the-second")
    _, output = second.communicate(timeout=60)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert f"in use by 'run the-first' (process {first.pid} " in output
    _, output = first.communicate(timeout=60)
    assert first.returncode == 0, output
    records = DeltaTable(str(tmp_path / "lake" / "bronze" / "pipeline_runs")).to_pyarrow_table().to_pylist()
    assert [row["run_id"] for row in records] == ["the-first"]


def check_readers(lake: MarketLake, tmp_path: Path) -> None:
    """Read tables while a build replaces them with the rows they have: a reader must never see anything else."""
    queries = (
        "select count(*), sum(total_pnl), count_if(token_address = 'ALL_TOKENS') from {}silver.wallet_pnl",
        "select count(*), sum(score) from (select smart_trader_score as score from {}gold.leaderboard)",
        "select count(*), max(mint) from {}silver.quote_assets",
    )
    queries = tuple(query.format(lake.prefix) for query in queries)
    expected = [lake.engine.sql(query) for query in queries]
    names = [name for _, name in TABLES]
    places = [lake.engine.paths.table(f"{lake.prefix}{schema}", name) for schema, name in TABLES]
    before = [DeltaTable(place).version() for place in places]
    build = KilledLake(lake, FIRST).start(
        *("dbt.cli.main", "build", "--full-refresh", "--exclude-resource-type", "test", "unit_test"),
        *("--select", *names, "--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")),
    )
    reads = 0
    while build.poll() is None:
        assert [lake.engine.sql(query) for query in queries] == expected
        reads += 1
    assert build.returncode == 0
    assert reads >= 3
    assert all(DeltaTable(place).version() > old for place, old in zip(places, before, strict=True))


def test_readers_see_whole_versions_only(calm: MarketLake, tmp_path: Path) -> None:
    lake = MarketLake(EmbeddedLake(tmp_path / "lake"), calm.prefix)
    shutil.copytree(calm.engine.paths.local_root, tmp_path / "lake")
    check_readers(lake, tmp_path)


@pytest.mark.full
def test_readers_beside_a_build_of_either_engine(target: Engine | EmbeddedLake, tmp_path: Path) -> None:
    lake = lake_at(target, "readers_", FIRST)
    lake.run()
    check_readers(lake.lake, tmp_path)


@pytest.mark.full
def test_of_two_whole_runs_one_is_refused(target: Engine | EmbeddedLake, references: dict[int, Reference]) -> None:
    lake = lake_at(target, "pair_", FIRST)
    first = lake.start_run()
    assert wait_for_step(first, "build_whales")
    second = lake.start_run()
    _, output = second.communicate(timeout=120)
    assert second.returncode == 1
    assert f"(process {first.pid} " in output
    _, output = first.communicate(timeout=580)
    assert first.returncode == 0, output
    lake.check(references[FIRST].tables, "after a second run was refused")


@pytest.mark.full
def test_either_engine_has_the_references_figures(
    target: Engine | EmbeddedLake, references: dict[int, Reference]
) -> None:
    assert references
    check_figures(lake_at(target, "calm_", REFRESH).lake)


@pytest.mark.full
def test_a_loader_against_a_lake_being_built_is_safe(target: Engine | EmbeddedLake) -> None:
    shared = lake_at(target, "shared_", FIRST)
    shared.run()
    busy = lake_at(target, "shared_", REFRESH)
    _load(busy, "tokens")
    build = busy.start_build("build_traders")
    wait_for_first_model(busy, build)
    for loader in ("whales", "transactions"):
        _load(busy, loader)
    assert build.poll() is None, "the build was over before the loaders were"
    assert build.wait() == 0
    busy.run()
    busy.check_left_overs("after loads beside a build")
    # loads beside a build request what was due before it, so other wallets may be fetched; none may have other figures
    check_figures(busy.lake)


def wait_for_first_model(lake: KilledLake, build: subprocess.Popen[str]) -> None:
    """Wait until a build is past the check of the lock: a loader that was faster would have it refused."""
    log = lake.engine.paths.home / "dbt-alone" / "dbt.log"
    while not (log.is_file() and "START sql" in log.read_text()):
        assert build.poll() is None, "the build ended before its first model"
        time.sleep(0.05)


def check_figures(lake: MarketLake) -> None:
    """Compare every wallet that was fetched at the refresh with the reference.

    What dbt alone took in has no price of its time, since only a run asks for one: there the next rule marks, which is
    never above cost, and the figures that hold a mark are compared with that bound.
    """
    log = lake.rows("bronze", "fetch_log")
    fetched = {row["item"] for row in log if row["kind"] == "swaps" and row["as_of"].timestamp() == REFRESH}
    found = [
        row
        for row in lake.rows("silver", "wallet_pnl")
        if row["calculation_date"].timestamp() == REFRESH and row["wallet_address"] in fetched
    ]
    assert {row["wallet_address"] for row in found} == fetched
    expected = [row for row in lake.verdict(REFRESH).wallet_pnl if row["wallet_address"] in fetched]
    runs = {row["run_id"] for row in lake.rows("bronze", "pipeline_runs")}
    unpriced = {row["wallet_address"] for row in found if row["batch_id"] not in runs}
    assert differences(_of(expected, fetched - unpriced), _of(found, fetched - unpriced)) == []
    fields = [name for name in expected[0] if name not in WRITERS_OWN and name not in MARKED]
    beside, wanted = _of(found, unpriced), _of(expected, unpriced)
    assert differences(wanted, beside, fields=fields) == []
    # a listed token has a price without being asked for; where it marks, the figures are the reference's
    above = [row for row in beside if row["unrealized_pnl"] > 0 and row["token_address"] != ALL_TOKENS]
    keys = {(row["wallet_address"], row["token_address"]) for row in above}
    assert differences([row for row in wanted if (row["wallet_address"], row["token_address"]) in keys], above) == []


def _of(rows: Sequence[Row], wallets: set[str]) -> list[Row]:
    return [row for row in rows if row["wallet_address"] in wallets]


def _load(lake: KilledLake, loader: str) -> None:
    with serving(sandbox_app(lake.lake.source(lake.at), clock=lake.at)) as url:
        process = lake.start("loaders", loader, "--sandbox", url, "--as-of", str(lake.at))
        _, output = process.communicate(timeout=120)
    assert process.returncode == 0, output
