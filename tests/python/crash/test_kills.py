"""Whatever is killed in whatever step, one plain run afterwards leaves the lake of an undisturbed run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine import Engine
from market_lake import FIRST, REFRESH, MarketLake
from victims import STEP_NAMES, VICTIMS, Kill, Reference, Tally, chain, lake_at

# chains of kills, each on a first run and then on a refresh of the same lake
CHAINS = 4
KILLS_OF_A_CHAIN = 13
CHAIN_SEED = 2026


@pytest.mark.full
def test_a_run_killed_again_and_again_ends_like_an_undisturbed_one(
    engine: Engine, lake: MarketLake, shown: str
) -> None:
    undisturbed = lake_at(engine, lake.prefix, FIRST)
    expected, seconds = undisturbed.tables(), undisturbed.step_seconds()
    doomed = lake_at(engine, "killed_", FIRST)
    kills = [
        Kill("load_whales", "pipeline", 0.5),
        Kill("load_transactions", "loader", 0.9),
        # the undisturbed run was a cold server's, with tests
        Kill("build_traders", "pipeline", 0.15),
    ]
    for kill in kills:
        assert doomed.kill(kill, seconds[kill.step]), f"{kill}: came too late"
    doomed.run()
    doomed.check(expected, ", ".join(map(str, kills)))


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """The count of all kills, shown at the end."""
    kept = Tally()
    yield kept
    print(f"\n{kept}")


def carry_out(target: Engine, prefix: str, at: int, kills: list[Kill], reference: Reference, tally: Tally) -> None:
    """Kill a run once or several times, run it plainly, compare."""
    doomed = lake_at(target, prefix, at)
    for kill in kills:
        if doomed.kill(kill, reference.seconds[kill.step]):
            tally.hits[kill.step, kill.victim] += 1
        else:
            tally.missed += 1
    doomed.run()
    doomed.check(reference.tables, f"{prefix} at {at}: " + ", ".join(map(str, kills)))


@pytest.mark.full
@pytest.mark.parametrize("number", range(CHAINS))
def test_a_chain_of_kills_and_a_plain_run(
    target: Engine, references: dict[int, Reference], tally: Tally, number: int
) -> None:
    for at in (FIRST, REFRESH):
        kills = chain(CHAIN_SEED + 2 * number + (at == REFRESH), KILLS_OF_A_CHAIN)
        carry_out(target, f"chain{number}_", at, kills, references[at], tally)


SINGLE = [Kill(step, VICTIMS[step][number % 3], 0.4) for number, step in enumerate(STEP_NAMES)]


@pytest.mark.full
@pytest.mark.parametrize("kill", SINGLE, ids=str)
def test_one_kill_and_a_plain_run(target: Engine, references: dict[int, Reference], tally: Tally, kill: Kill) -> None:
    prefix = f"single_{kill.step}_{kill.victim}_"
    carry_out(target, prefix, FIRST, [kill], references[FIRST], tally)


@pytest.mark.full
def test_at_least_a_hundred_kills_hit(tally: Tally) -> None:
    print(tally)
    assert sum(tally.hits.values()) >= 100, str(tally)
    assert {step for step, _ in tally.hits} == set(STEP_NAMES)
