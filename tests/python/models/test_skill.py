"""Skill and luck against NumPy, on made-up positions: figures within 1e-9, grades and lucky wallets exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.python.support.engine import EmbeddedLake, run_module

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PERMUTATIONS = 20
# positions that the pooled variance counts as
WITHIN_POSITIONS = 20
# seconds after a launch
LAUNCH = range(1801)
FIGURES = ("mean_return", "skill", "skill_low", "skill_low_90", "edge_low", "edge_low_90", "money_return",
           "money_return_low", "good_period_share", "peer_mean", "own_variance", "within_variance", "between_variance")  # fmt: skip
COUNTS = ("position_count", "period_count", "peer_count")


@dataclass(frozen=True)
class Position:
    """One position of a wallet."""

    wallet: str
    token: str
    bounded_return: float
    days_ago: float = 1.0
    cost_usd: float = 100.0
    is_trigger: bool = False
    seconds_after_launch: int | None = None


@dataclass(frozen=True)
class Case:
    """Wallets, their positions, and who has a hard flag."""

    wallets: Sequence[str]
    positions: Sequence[Position]
    flagged: frozenset[str] = frozenset()

    def counted(self) -> list[Position]:
        """Return the positions that skill is measured on."""
        return [
            position
            for position in self.positions
            if position.days_ago <= 90 and not position.is_trigger and position.seconds_after_launch not in LAUNCH
        ]


def random_case() -> Case:
    """Return wallets of every size, some with an edge, with returns that are bounded at both ends."""
    random = np.random.default_rng(18)
    wallets, positions = [], []
    for number in range(160):
        wallet = f"wallet{number:03}"
        wallets.append(wallet)
        edge = 0.6 if number % 8 == 0 else 0.0
        for index in range(int(random.integers(0, 40))):
            value = float(np.clip(random.standard_t(3) * 0.5 + edge - 0.05, -1, 3))
            cost = float(np.round(random.lognormal(4, 1.5) + 5, 6))
            days = float(random.uniform(0.1, 110))
            is_trigger, since_launch = bool(random.random() < 0.05), int(random.integers(-900, 40_000))
            positions.append(Position(wallet, f"token{index}", value, days, cost, is_trigger, since_launch))
    return Case(wallets, positions, frozenset(wallets[::13]))


def alike(wallet: str, count: int, value: float) -> list[Position]:
    return [Position(wallet, f"token{index}", value, 1.0 + index) for index in range(count)]


CASES = {
    "random": random_case(),
    "no_wallet": Case([], []),
    "no_peer": Case(["a", "b", "flagged"], [*alike("a", 4, 0.5), *alike("flagged", 30, 0.5)], frozenset({"flagged"})),
    "one_peer": Case(["a", "b"], [*alike("a", 20, 0.5), *alike("b", 1, 3.0)]),
    "nothing_varies_within": Case(["a", "b", "c"], [*alike("a", 20, 0.5), *alike("b", 20, -0.5), *alike("c", 1, 0.5)]),
}


def scale_of(counts: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> tuple[float, float, float] | None:
    """Return mean, variance within and variance between, by DerSimonian and Laird; None without a peer."""
    if not len(counts):
        return None
    means = sums / counts
    mean = float(sums.sum() / counts.sum())
    within = max(0.0, float((squares - counts * means**2).sum() / (counts - 1).sum()))
    spread = float(counts.sum() - (counts**2).sum() / counts.sum())
    between = (float((counts * (means - mean) ** 2).sum()) - (len(counts) - 1) * within) / spread if spread else 0.0
    return mean, within, max(1e-4, between)


def own_variance(returns: np.ndarray, within: float) -> float:
    """Return the variance of a wallet's returns, drawn to the pooled one."""
    squares = float(((returns - returns.mean()) ** 2).sum())
    return (WITHIN_POSITIONS * within + squares) / (WITHIN_POSITIONS + len(returns) - 1)


def expected_scores(case: Case) -> dict[str, dict[str, Any]]:
    """Compute each wallet's row."""
    own = {wallet: [position for position in case.counted() if position.wallet == wallet] for wallet in case.wallets}
    returns = {wallet: np.array([one.bounded_return for one in positions]) for wallet, positions in own.items()}
    peers = [values for wallet, values in returns.items() if len(values) >= 5 and wallet not in case.flagged]
    scale = scale_of(
        np.array([len(values) for values in peers]),
        np.array([values.sum() for values in peers]),
        np.array([(values**2).sum() for values in peers]),
    )
    return {
        wallet: expected_score(own[wallet], returns[wallet], scale, wallet in case.flagged)
        | {"peer_count": len(peers), "position_count": len(own[wallet])}
        for wallet in case.wallets
    }


def expected_score(
    positions: Sequence[Position], returns: np.ndarray, scale: tuple[float, float, float] | None, is_flagged: bool
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys((*FIGURES, *COUNTS))
    row["period_count"] = 0
    if scale:
        row |= dict(zip(("peer_mean", "within_variance", "between_variance"), scale, strict=True))
    if len(returns):
        row |= {"mean_return": float(returns.mean()), **expected_money(positions), **expected_periods(positions)}
    if len(returns) and scale:
        mean, within, between = scale
        row["own_variance"] = own_variance(returns, within)
        weight = between / (between + row["own_variance"] / len(returns))
        deviation = np.sqrt(between * (1 - weight))
        edge = weight * (returns.mean() - mean)
        row["skill"] = mean + edge
        for name, width in (("", 1.645), ("_90", 1.2816)):
            row[f"edge_low{name}"] = edge - width * deviation
            row[f"skill_low{name}"] = mean + edge - width * deviation
    return row | {"grade": expected_grade(row, len(returns), is_flagged)}


def expected_money(positions: Sequence[Position]) -> dict[str, float | None]:
    costs = np.array([position.cost_usd for position in positions])
    pnl = np.array([round(position.cost_usd * position.bounded_return, 6) for position in positions])
    mean = pnl.sum() / costs.sum()
    error = np.sqrt(((pnl - costs * mean) ** 2).sum()) / costs.sum()
    return {"money_return": mean, "money_return_low": mean - 1.645 * error if len(positions) > 1 else None}


def expected_periods(positions: Sequence[Position]) -> dict[str, float]:
    profits: dict[int, float] = {}
    for position in positions:
        opened = NOW - timedelta(days=position.days_ago)
        number = int(opened.timestamp() // (6 * 86400))
        profits[number] = profits.get(number, 0) + round(position.cost_usd * position.bounded_return, 6)
    return {"period_count": len(profits), "good_period_share": float(np.mean([one > 0 for one in profits.values()]))}


def expected_grade(row: Mapping[str, Any], count: int, is_flagged: bool) -> str:
    if is_flagged:
        return "X"
    if row["skill"] is None:
        return "D"
    is_steady = row["period_count"] >= 3 and row["good_period_share"] >= 0.6
    if count >= 15 and row["skill_low"] > 0 and row["edge_low"] > 0 and is_steady:
        return "A"
    if count >= 10 and row["skill_low_90"] > 0 and row["edge_low_90"] > 0:
        return "B"
    return "C" if count >= 5 and row["skill"] > 0 else "D"


def drawn_numbers(name: str, positions: Sequence[Position]) -> np.ndarray:
    """Number positions from 1 in an order that is drawn."""
    texts = [hashlib.md5(f"luck|{name}|{one.wallet}|{one.token}".encode()).hexdigest() for one in positions]
    order = np.argsort(np.array(texts, str), kind="stable")
    numbers = np.zeros(len(positions), np.int64)
    numbers[order] = np.arange(1, len(positions) + 1)
    return numbers


def expected_luck(case: Case) -> list[int]:
    """Count the wallets that each shuffle would grade A or B."""
    positions = [position for position in case.counted() if position.wallet not in case.flagged]
    positions.sort(key=lambda position: (position.wallet, position.token))
    owners = np.array([position.wallet for position in positions])
    values = np.round(np.array([position.bounded_return for position in positions]), 12)
    first, second = (drawn_numbers(name, positions) for name in ("first", "second"))
    counted = []
    for permutation in range(1, PERMUTATIONS + 1):
        shuffled = values[np.argsort(second)][(first + permutation) % max(len(positions), 1)]
        wallets = [shuffled[owners == wallet] for wallet in np.unique(owners)]
        peers = [one for one in wallets if len(one) >= 5]
        scale = scale_of(*(np.array([f(one) for one in peers]) for f in (len, np.sum, lambda one: (one**2).sum())))
        lucky = 0
        for one in wallets if scale else []:
            mean, within, between = scale or (0.0, 0.0, 1.0)
            weight = between / (between + own_variance(one, within) / len(one))
            low = weight * (one.mean() - mean) - 1.2816 * np.sqrt(between * (1 - weight))
            lucky += len(one) >= 10 and low > 1e-12 and mean + low > 1e-12
        counted.append(lucky)
    return counted


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedLake:
    made = EmbeddedLake(tmp_path_factory.mktemp("skill"))
    done = run_module("loaders", "init", env=made.environment)
    assert done.returncode == 0, done.stderr
    return made


def write(lake: EmbeddedLake, case: Case) -> None:
    """Write the tables that the models read."""
    schemas = {
        "silver.pnl_due_wallets": pa.schema([("wallet_address", pa.string()), ("calculation_date", TIME)]),
        "silver.position_returns": pa.schema([
            ("wallet_address", pa.string()), ("token_address", pa.string()), ("calculation_date", TIME),
            ("first_trade_at", TIME), ("bounded_return", pa.float64()), ("pnl_usd", pa.float64()),
            ("cost_usd", pa.float64()), ("is_trigger", pa.bool_()), ("seconds_after_launch", pa.int64()),
        ]),
        "gold.wallet_flags": pa.schema([
            ("wallet_address", pa.string()), ("flag", pa.string()), ("severity", pa.string()), ("tier_cap", pa.string()),
        ]),
        "gold.wallet_standings": pa.schema([
            ("wallet_address", pa.string()), ("grade", pa.string()), ("tier", pa.string()), ("is_flagged", pa.bool_()),
        ]),
    }  # fmt: skip
    rows: dict[str, list[dict[str, Any]]] = {
        "silver.pnl_due_wallets": [{"wallet_address": one, "calculation_date": NOW} for one in case.wallets],
        "silver.position_returns": [
            {
                "wallet_address": one.wallet,
                "token_address": one.token,
                "calculation_date": NOW,
                "first_trade_at": NOW - timedelta(days=one.days_ago),
                "bounded_return": one.bounded_return,
                "pnl_usd": one.cost_usd * one.bounded_return,
                "cost_usd": one.cost_usd,
                "is_trigger": one.is_trigger,
                "seconds_after_launch": one.seconds_after_launch,
            }
            for one in case.positions
        ],
        "gold.wallet_flags": [
            {"wallet_address": wallet, "flag": flag, "severity": severity}
            for wallet in case.flagged
            for flag, severity in (("launch", "hard"), ("unmatched", "hard"), ("churn", "soft"))
        ],
        "gold.wallet_standings": [
            {"wallet_address": one, "grade": "D", "is_flagged": one in case.flagged} for one in case.wallets
        ],
    }
    for name, schema in schemas.items():
        location = lake.paths.table(*name.split("."))
        write_deltalake(location, pa.Table.from_pylist(rows[name], schema), mode="overwrite")


TIME = pa.timestamp("us", "UTC")


@pytest.mark.parametrize("name", CASES)
def test_skill_and_luck_are_those_of_a_reference(lake: EmbeddedLake, name: str) -> None:
    case, at = CASES[name], NOW + timedelta(minutes=list(CASES).index(name))
    write(lake, case)
    models = ("skill_positions", "skill_scores", "list_quality")
    done = lake.dbt("run", "--select", *models, SMART_TRADER_AS_OF=at.isoformat())
    assert done.success, done.failures
    found = {row["wallet_address"]: row for row in read(lake, "skill_scores")}
    expected = expected_scores(case)
    assert found.keys() == expected.keys()
    for wallet, row in expected.items():
        assert {key: found[wallet][key] for key in FIGURES} == pytest.approx(
            {key: row[key] for key in FIGURES}, rel=1e-9, abs=1e-9
        ), wallet
        assert {key: found[wallet][key] for key in (*COUNTS, "grade")} == {key: row[key] for key in (*COUNTS, "grade")}
    quality = [row for row in read(lake, "list_quality") if row["scored_at"] == at]
    lucky = expected_luck(case)
    assert [(row["luck_low"], row["expected_by_luck"], row["luck_high"]) for row in quality] == (
        [(min(lucky), pytest.approx(np.mean(lucky)), max(lucky))] if case.wallets else []
    )
    if name == "random":
        assert {row["grade"] for row in expected.values()} == set("ABCDX")


def read(lake: EmbeddedLake, table: str) -> list[dict[str, Any]]:
    return list(DeltaTable(lake.paths.table("gold", table)).to_pyarrow_table().to_pylist())
