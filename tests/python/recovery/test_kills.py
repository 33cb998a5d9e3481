"""Whatever is killed in whatever step, one plain run afterwards leaves the lake of an undisturbed run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.python.support.engine import EmbeddedLake, Engine
from tests.python.support.kill_targets import STEP_NAMES, Kill, KilledLake, Reference, Tally, chain, lake_at
from tests.python.support.market_lake import FIRST, REFRESH, MarketLake

pytestmark = pytest.mark.slow

# chains of kills, each on a first run and then on a refresh of the same lake
CHAINS = 4
KILLS_OF_A_CHAIN = 13
CHAIN_SEED = 2026


# dbt dies in a commit of each: with its files written, and with or without its entry in the table's log.
# Each stands on the one before, so that one's build has not come to it.
COMMITS = [
    ("silver/wallet_swaps", False),
    ("silver/wallet_trades", True),
    ("silver/fifo_positions", False),
    ("silver/pnl_history", True),
    ("gold/trader_evaluations", False),
]


def version(table: Path) -> int:
    """Return a table's newest version, or -1 where it has none."""
    return DeltaTable(str(table)).version() if DeltaTable.is_deltatable(str(table)) else -1


def test_builds_killed_in_and_after_commits_end_like_an_undisturbed_one(calm: MarketLake, tmp_path: Path) -> None:
    killed = KilledLake(MarketLake(EmbeddedLake(tmp_path / "lake"), calm.prefix), FIRST)
    shutil.copytree(
        calm.engine.paths.local_root,
        tmp_path / "lake",
        ignore=shutil.ignore_patterns("*_silver", "*_gold", "*_snapshots", "*dbt*", ".tmp", "*_views.json"),
    )
    for table, is_logged in COMMITS:
        folder = tmp_path / "lake" / f"{calm.prefix}{table}"
        before, files = version(folder), set(folder.glob("*.parquet"))
        assert killed.kill_in_commit(table, is_logged), f"{table}: the build ended before it was killed"
        assert (version(folder) > before) == is_logged, table
        assert set(folder.glob("*.parquet")) - files, f"{table}: the commit wrote no file"
    assert killed.start_build("build_traders").wait() == 0
    killed.check(KilledLake(calm, FIRST).tables(), "after kills in commits")


@pytest.mark.full
def test_a_run_killed_again_and_again_ends_like_an_undisturbed_one(embedded: EmbeddedLake, calm: MarketLake) -> None:
    undisturbed = KilledLake(calm, FIRST)
    expected, seconds = undisturbed.tables(), undisturbed.step_seconds()
    killed = lake_at(embedded, "killed_", FIRST)
    kills = [
        Kill("load_whales", "pipeline", 0.5),
        Kill("load_transactions", "loader", 0.9),
        Kill("build_traders", "pipeline", 0.15),
        Kill("build_traders", "commit", 0.5),
    ]
    for kill in kills:
        assert killed.kill(kill, seconds[kill.step]), f"{kill}: came too late"
    killed.run()
    killed.check(expected, ", ".join(map(str, kills)))


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """The count of all kills, shown at the end."""
    kept = Tally()
    yield kept
    print(f"\n{kept}")


def carry_out(
    target: Engine | EmbeddedLake, prefix: str, at: int, kills: list[Kill], reference: Reference, tally: Tally
) -> None:
    """Kill a run once or several times, run it plainly, compare."""
    killed = lake_at(target, prefix, at)
    for kill in kills:
        if killed.kill(kill, reference.seconds[kill.step]):
            tally.hits[kill.step, kill.target] += 1
        else:
            tally.missed += 1
    killed.run()
    killed.check(reference.tables, f"{prefix} at {at}: " + ", ".join(map(str, kills)))


@pytest.mark.full
@pytest.mark.parametrize("number", range(CHAINS))
def test_a_chain_of_kills_and_a_plain_run(
    target: Engine | EmbeddedLake, references: dict[int, Reference], tally: Tally, number: int
) -> None:
    for at in (FIRST, REFRESH):
        targets = lake_at(target, "", at).kill_targets
        kills = chain(CHAIN_SEED + 2 * number + (at == REFRESH), KILLS_OF_A_CHAIN, targets)
        carry_out(target, f"chain{number}_", at, kills, references[at], tally)


@pytest.mark.full
@pytest.mark.parametrize("number", range(len(STEP_NAMES)), ids=STEP_NAMES)
def test_one_kill_and_a_plain_run(
    target: Engine | EmbeddedLake, references: dict[int, Reference], tally: Tally, number: int
) -> None:
    targets = list(lake_at(target, "", FIRST).kill_targets.values())[number]
    kill = Kill(STEP_NAMES[number], targets[number % len(targets)], 0.4)
    carry_out(target, f"single_{kill.step}_{kill.target}_", FIRST, [kill], references[FIRST], tally)


@pytest.mark.full
def test_at_least_a_hundred_kills_hit(tally: Tally) -> None:
    print(tally)
    assert sum(tally.hits.values()) >= 100, str(tally)
    assert {step for step, _ in tally.hits} == set(STEP_NAMES)
