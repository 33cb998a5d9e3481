"""`explain` on lakes of a few rows: one of before there were grades, who was listed once, and what caps a tier."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.lake.reader import Lake
from smart_trader.reports.explain import explanation
from smart_trader.sandbox.market.names import address

AT = datetime(2026, 9, 21, 9, tzinfo=UTC)
WALLET = address(1, "wallet", 0)
TOKENS = [address(1, "token", number) for number in range(14)]
MINE: dict[str, Any] = {"wallet_address": WALLET, "calculation_date": AT}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of before there were grades: one wallet, which made a profit in twelve tokens and lost in two."""
    monkeypatch.delenv("DBT_TARGET", raising=False)
    made = Lake(LakePaths(tmp_path, str(tmp_path)))
    total = {**MINE, "token_address": "ALL_TOKENS", "data_source": "sandbox", "total_pnl": Decimal("5.5")}
    write(made, "silver", "wallet_pnl", total)
    write(made, "silver", "position_pnl", *(position(number) for number in range(14)))
    write(made, "silver", "qualification_minimums", {"metric": "total_pnl", "minimum": 10.0})
    verdict = {"is_qualified": False, "failed_rules": "total_pnl, basis_coverage, too_active, quarantined:some_check"}
    figures = {"total_pnl": Decimal("5.5"), "basis_coverage": None, "tier": None}
    write(made, "gold", "trader_evaluations", {**MINE, **verdict, **figures})
    return made


def write(lake: Lake, schema: str, table: str, *rows: dict[str, Any]) -> None:
    write_deltalake(
        lake.location(schema, table), pa.Table.from_pylist(list(rows)), mode="overwrite", schema_mode="overwrite"
    )


def position(number: int) -> dict[str, Any]:
    """Token n made n USD on 10; the last two lost 5 and 50."""
    profit = {12: -5, 13: -50}.get(number, number + 1)
    return {
        **MINE,
        "token_address": TOKENS[number],
        "realized_pnl_usd": Decimal(profit),
        "open_value_usd": Decimal(0),
        "open_cost_usd": Decimal(0),
        "cost_of_sold_usd": Decimal(10),
        "trade_count": 2,
        "unmatched_proceeds_usd": Decimal(3 if number == 0 else 0),
    }


def told(lake: Lake) -> list[str]:
    lines = explanation(lake, WALLET).splitlines()
    assert max(map(len, lines)) <= 100
    return lines


def listed(lake: Lake, tier: str | None, grade: str, **more: Any) -> None:
    """Put the wallet where a grade leaves it."""
    standing = {"is_listed": tier is not None, "unlisted_reason": None, "tier": tier, "uncapped_tier": "ELITE"}
    more = {"smart_trader_score": Decimal(50), "is_qualified": True, "failed_rules": None, **more}
    write(lake, "gold", "wallet_standings", {**MINE, **standing, "grade": grade, **more})
    verdict = {"is_qualified": True, "failed_rules": "", "tier": tier, "smart_trader_score": Decimal(50)}
    write(lake, "gold", "trader_evaluations", {**MINE, **verdict})
    grades = zip("ABCD", ("ELITE", "STRONG", "PROMISING", "QUALIFIED"), strict=True)
    write(lake, "silver", "grade_tiers", *({"grade": name, "best_tier": best} for name, best in grades))


def flag(name: str, severity: str, cap: str | None, sentence: str = "A sentence.") -> dict[str, Any]:
    return {
        **MINE,
        "flag": name,
        "severity": severity,
        "tier_cap": cap,
        "value": 0.5,
        "bound": 0.4,
        "sentence": sentence,
    }


def board(lake: Lake, **row: Any) -> None:
    # a second wallet is listed
    other = {"wallet_address": "other", "overall_rank": 1, "former": False, "tier": "ELITE"}
    rest = {"former_since": None, "former_reason": None}
    write(lake, "gold", "leaderboard", {**other, **rest}, {"wallet_address": WALLET, **rest, **row})


def test_a_lake_without_grades_tells_verdict_minimums_and_profit(lake: Lake) -> None:
    lines = told(lake)
    assert lines[0] == f"{WALLET}, calculated 2026-09-21 09:00 UTC from sandbox data"
    assert lines[1].startswith("does not qualify; rules failed: total_pnl, basis_coverage")
    # a figure below its minimum, one that is not known, a rule without a figure, a broken check
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ")}
    assert "total_pnl 5.50 at least 10" in [" ".join(line.split()) for line in lines]
    assert rows["basis_coverage"] == ["-", "at", "least", "0.9"]
    assert rows["too_active"] == ["wanted:", "20,000", "swaps", "at", "most"]
    assert rows["quarantined:some_check"][:3] == ["broke", "a", "check,"]
    assert not [line for line in lines if line.startswith(("grade", "flags"))]


def test_the_ten_best_tokens_are_told_and_what_the_others_came_to(lake: Lake) -> None:
    lines = told(lake)
    head = lines.index("tokens that made the profit of 78.00 USD; age is the token's at the first trade")
    assert [line.split()[0] for line in lines[head + 2 : head + 12]] == TOKENS[11:1:-1]
    # 12 of 78 USD, and 120 % of what was put in; no launch is known
    assert lines[head + 2].split()[1:] == ["12.00", "15.4", "%", "+120.0", "%", "2", "-"]
    assert lines[head + 12 : head + 16] == [
        "2 tokens more made 3.00 USD",
        "2 tokens lost 55.00 USD",
        f"  the worst: -50.00 USD in {TOKENS[13]}",
        "3.00 USD came from tokens whose purchase is not known; they earn nothing here",
    ]


def test_ages_and_the_token_that_led_to_the_wallet_are_told(lake: Lake) -> None:
    seconds = {11: 90, 10: 7200, 9: 200_000, 8: -30}
    rows = [
        {**MINE, "token_address": TOKENS[number], "seconds_after_launch": age, "is_trigger": number == 10}
        for number, age in seconds.items()
    ]
    write(lake, "silver", "position_returns", *rows)
    lines = told(lake)
    ages = [line.split()[-2:] for line in lines if line.startswith(tuple(TOKENS[8:12]))]
    assert ages == [["90", "s"], ["2", "h"], ["2", "d"], ["-30", "s"]]
    assert [line.split()[0] for line in lines if f"{TOKENS[10]}*" in line]
    assert "* the wallet was found by this token, which is in no grade" in lines
    assert [line.split()[0] for line in lines if "^ " in line] == [f"{TOKENS[11]}^", "^"]
    assert "^ bought within 30 minutes of launch, which is in no grade" in lines


@pytest.mark.parametrize(
    ("tier", "grade", "flags", "said"),
    [
        pytest.param("ELITE", "A", [], None, id="nothing-caps"),
        pytest.param("STRONG", "B", [], "grade B allows STRONG at most", id="grade"),
        pytest.param(
            "PROMISING", "A", [("launch_unknown", "PROMISING")], "the flag launch_unknown allows PROMISING", id="flag"
        ),
        pytest.param("QUALIFIED", "D", [("followed", "QUALIFIED")], "grade D and the flag followed allows", id="both"),
    ],
)
def test_a_listed_wallet_learns_what_caps_its_tier(
    lake: Lake, tier: str, grade: str, flags: list[tuple[str, str]], said: str | None
) -> None:
    listed(lake, tier, grade)
    board(lake, overall_rank=2, former=False, tier=tier)
    if flags:
        write(lake, "gold", "wallet_flags", *(flag(name, "cap", cap) for name, cap in flags))
    lines = told(lake)
    assert lines[1] == f"listed: {tier}, rank 2 of 2; score 50.00"
    assert ("by its size it would be ELITE" in lines[2]) == (said is not None)
    assert said is None or said in lines[2]


def test_a_former_trader_learns_since_when_and_why(lake: Lake) -> None:
    listed(lake, None, "X", unlisted_reason="flagged: launch")
    since = datetime(2026, 9, 20, 21, tzinfo=UTC)
    board(lake, overall_rank=None, former=True, tier="STRONG", former_since=since, former_reason="flagged: launch")
    write(
        lake, "gold", "wallet_flags", flag("one_hit", "soft", None), flag("launch", "hard", None, "Some words. " * 20)
    )
    lines = told(lake)
    assert lines[1] == "not listed: flagged: launch"
    assert lines[2] == "former: was STRONG, is off the list since 2026-09-20 21:00 UTC: flagged: launch"
    flags = [line for line in lines[lines.index("flags") :] if line.startswith("  ")]
    # hard ones first, and a long sentence on several lines
    assert flags[0] == "  launch (hard): 0.5, bound 0.4"
    assert flags[1].startswith("    Some words.")
    assert flags[2].startswith("    Some words.") or flags[2].startswith("    words.")
    assert "  one_hit (soft): 0.5, bound 0.4" in flags
