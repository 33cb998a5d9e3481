"""The whole pipeline on the recordings: every wallet against the reference, and some figures pinned."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from smart_trader.sandbox.replay import load_recordings
from tests.python.reference import Verdict, compute_reference, differences
from tests.python.support.engine import PROJECT, EmbeddedLake, Engine
from tests.python.support.kill_targets import Kill, KilledLake
from tests.python.support.market_lake import DAY, MarketLake, quote_assets
from tests.python.support.trust import flag_differences, judge_trust, skill_differences

SAMPLES = PROJECT.parent / "shared" / "birdeye" / "samples"
TRADER = "8vMeKNeECuwE2t5YufLZ3YhJBN1YjtdsckpuLbMEkCWt"
TOKEN = "5SGJtEayXVArEk1s1bg5iS5Mc9Hm8CPJmmgiHodtnfW1"
# the trader's last trade
AS_OF = 1_753_454_851
# by the first letters of their addresses
MACHINES = {"4GQe", "H3Ss"}
PEOPLE = {"8vMe", "HZfz", "2Hd3", "3YNH", "H8Ad"}
KILL = Kill("build_positions", "pipeline", 0.5)
# the step takes more than that
KILLED_STEP_S = 2.0

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared recordings are not beside this checkout")


@dataclass(frozen=True)
class Replay:
    """The lake after a run on the recordings, and what the run showed."""

    lake: MarketLake
    shown: str
    wallets: list[str]
    source: tuple[str, ...]

    def verdict(self) -> Verdict:
        """Let the reference compute every recorded wallet."""
        recordings = load_recordings(SAMPLES)
        log = {row["item"]: row for row in self.lake.rows("bronze", "fetch_log") if row["kind"] == "swaps"}
        return compute_reference(
            {wallet: [[row for row in recordings.swaps[wallet] if row["block_unix_time"] <= AS_OF]] for wallet in log},
            as_of=datetime.fromtimestamp(AS_OF, UTC),
            quote_assets=quote_assets(),
            history_complete={wallet: row["reached_oldest"] for wallet, row in log.items()},
            token_observations=self.lake.observed_prices(),
            holder_observations=self.lake.observed("whale_holders"),
            data_source="replay",
        )


@pytest.fixture(scope="module")
def replay(replayed: MarketLake, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """A run on the recordings that was killed on its way: its numbers must be the reference's all the same."""
    recordings = load_recordings(SAMPLES)
    listed = tmp_path_factory.mktemp("wallets") / "wallets.txt"
    listed.write_text("\n".join(recordings.swaps))
    source = ("--replay", str(SAMPLES), "--wallets", str(listed), "--tokens", ",".join(recordings.holders))
    killed_lake = KilledLake(replayed, AS_OF, source)
    assert killed_lake.kill(KILL, KILLED_STEP_S), f"{KILL}: came too late"
    # the data tests run in the made-up market's first run
    shown = killed_lake.run()
    killed_lake.check_left_overs(str(KILL))
    return Replay(replayed, shown, list(recordings.swaps), source)


def test_every_recorded_wallet_is_fetched_and_evaluated(replay: Replay) -> None:
    assert {row["wallet_address"] for row in replay.lake.rows("gold", "trader_evaluations")} == set(replay.wallets)
    # each run that is killed has fetched what it was given
    assert len({(row["token_address"], row["owner"]) for row in replay.lake.rows("bronze", "whale_holders")}) == 2
    assert {row["data_source"] for row in replay.lake.rows("silver", "wallet_pnl")} == {"replay"}


def test_the_reference_finds_the_same_numbers_in_the_recordings(replay: Replay) -> None:
    verdict = replay.verdict()
    assert differences(verdict.wallet_pnl, replay.lake.rows("silver", "wallet_pnl")) == []
    found = {row["wallet_address"]: row for row in replay.lake.rows("gold", "trader_evaluations")}
    expected = {wallet: (made.is_qualified, made.tier) for wallet, made in verdict.evaluations.items()}
    assert {wallet: (row["is_qualified"], row["uncapped_tier"]) for wallet, row in found.items()} == expected


def test_the_reference_finds_the_same_flags_and_skill_in_the_recordings(replay: Replay) -> None:
    trust = judge_trust(replay.lake, AS_OF, replay.verdict())
    assert flag_differences(replay.lake, trust) + skill_differences(replay.lake, trust) == []
    # two machines, and nobody else
    machines = {
        row["wallet_address"][:4]
        for row in replay.lake.rows("gold", "wallet_flags")
        if row["flag"] in ("arbitrage", "machine_pace")
    }
    assert machines == {"4GQe", "H3Ss"}


def test_the_numbers_of_a_recorded_position_are_pinned(replay: Replay) -> None:
    (row,) = [
        row
        for row in replay.lake.rows("silver", "wallet_pnl")
        if (row["wallet_address"], row["token_address"]) == (TRADER, TOKEN)
    ]
    wanted = {
        "trade_count": 172,
        "realized_pnl": Decimal("1781.661316"),
        "roi": Decimal("50.625328"),
        "avg_holding_time_hours": Decimal("3.808591"),
        "trade_frequency_daily": Decimal(172),
    }
    assert {name: row[name] for name in wanted} == wanted


def test_machines_are_flagged_and_people_are_not(replay: Replay) -> None:
    flagged = {
        row["wallet_address"][:4]
        for row in replay.lake.rows("gold", "wallet_flags")
        if row["flag"] in ("machine_pace", "arbitrage")
    }
    assert flagged >= MACHINES
    assert not flagged & PEOPLE
    assert {wallet[:4] for wallet in replay.wallets} >= MACHINES | PEOPLE


def test_who_does_not_qualify_learns_why(replay: Replay) -> None:
    for row in replay.lake.rows("gold", "trader_evaluations"):
        unlisted = (
            f"qualifies as {row['uncapped_tier']}, and is not listed: grade {row['grade']}, flags: {row['flags']}"
            if row["is_qualified"]
            else f"does not qualify: {row['failed_rules']}"
        )
        assert f"  {row['wallet_address']}: {row['tier'] or unlisted}" in replay.shown


def test_one_step_can_be_run_alone(replay: Replay) -> None:
    done = replay.lake.smart_trader(
        "run", "--replay", str(SAMPLES), "--as-of", str(AS_OF), "--step", "load_tokens", "--run-id", "one-step"
    )
    assert done.returncode == 0, done.stderr
    records = [row for row in replay.lake.rows("bronze", "pipeline_runs") if row["run_id"] == "one-step"]
    assert [(row["step"], row["outcome"]) for row in records] == [("load_tokens", "complete")]


@pytest.fixture(scope="module")
def on_spark(replay: Replay, engine: Engine) -> KilledLake:
    """The same run on Spark."""
    spark = KilledLake(MarketLake(engine, "recorded_"), AS_OF, replay.source)
    assert "engine: spark" in spark.run()
    return spark


def differences_of_tables(one: KilledLake, other: KilledLake) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Return what each of two lakes has alone, by table; both must have the same tables."""
    found, expected = one.tables(), other.tables()
    assert found.keys() == expected.keys()
    return {name: (found[name] - rows, rows - found[name]) for name, rows in expected.items() if found[name] != rows}


def test_spark_makes_the_same_tables_of_the_recordings(replay: Replay, on_spark: KilledLake) -> None:
    assert differences_of_tables(on_spark, KilledLake(replay.lake, AS_OF)) == {}


def test_the_embedded_engine_goes_on_with_sparks_lake_as_with_its_own(
    replay: Replay, on_spark: KilledLake, tmp_path: Path
) -> None:
    later = []
    for source in (replay.lake, on_spark.lake):
        copy = MarketLake(EmbeddedLake(tmp_path / source.prefix), source.prefix)
        source.copy_to(copy)
        later.append(KilledLake(copy, AS_OF + 15 * DAY, replay.source))
        assert "engine: embedded" in later[-1].run()
        assert len(copy.rows("bronze", "fetch_log")) > len(source.rows("bronze", "fetch_log"))
    assert differences_of_tables(*later) == {}
