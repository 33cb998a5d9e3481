"""What the page says of the whole list: head, who failed, who nearly made it, flags, calibration, health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smart_trader.data_sources import BIRDEYE, REPLAY, SANDBOX
from smart_trader.lake.reader import Lake
from smart_trader.report_page.formats import counted
from smart_trader.report_page.reading import Reading, Row
from smart_trader.reports.calibration import (
    LIST_VERDICTS,
    RANKING_SCORE,
    SCORES,
    VERDICTS,
    calibration_rows,
    calibration_sentence,
)
from smart_trader.reports.grades import SURE_GRADES
from smart_trader.reports.status import status_facts

SOURCES = {BIRDEYE: "BirdEye", SANDBOX: "a sandbox: made up", REPLAY: "recorded responses"}
WARNINGS = {
    SANDBOX: ("Made-up market.", "None of these wallets exists. Follow nobody from this page."),
    REPLAY: ("Recorded data.", "It was replayed and is not today's market."),
}
UNKNOWN = ("Not known to be real.", "The lake does not say that its rows come from BirdEye.")
CANDIDATES = 10
NEAR_MISSES = 25
FLAGGED_WALLETS = 12
# More points than that hide each other.
SCATTER_POINTS = 1500
FLAG_MEANINGS = {
    "arbitrage": "buys and sells a token in one transaction: a machine",
    "machine_pace": "trades second by second: a machine",
    "launch": "makes its profit right after launches, where nobody can follow",
    "wash_pair": "trades with one partner, as staged volume does",
    "unmatched": "much was sold that was not seen bought",
    "martingale": "doubles up on losers",
    "followed": "a crowd buys after it, so a copier pays more",
    "one_hit": "one token made the profit",
    "churn": "many quick trades that came to little",
    "launch_unknown": "nobody knows the launches behind its winners",
    "dormant": "has stopped trading",
}


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of the page.

    Attributes:
        as_of: When the newest calculation was made; None where no wallet is calculated.
        source: Where the data comes from, in words.
        warning: What to say where the data is not known to be real, as title and text; None where it is.
        is_made_up: Whether none of the wallets exists.
        evaluated: How many wallets have a verdict.
        qualified: How many failed no rule.
        listed: How many are on the list.
        shown: How many of them the page shows.
        former_left: How many former traders it does not show.
        by_grade: Listed wallets by grade.
        verdict: What is known of the list's worth.
        advice: Whom to follow, in a sentence.
        candidates: The first of the wallets shown whose grade says that it was more than luck, best first.
        sure: How many listed wallets have such a grade.
        run_cu: Compute units of the newest run.
        all_cu: Compute units of all runs.
    """

    as_of: datetime | None
    source: str
    warning: tuple[str, str] | None
    is_made_up: bool
    evaluated: int
    qualified: int
    listed: int
    shown: int
    former_left: int
    by_grade: Mapping[str, int]
    verdict: str
    advice: str
    candidates: Sequence[Row]
    sure: int
    run_cu: int
    all_cu: int


def head_of(lake: Lake, reading: Reading) -> Head:
    """Return the page's head.

    Raises:
        SmartTraderError: The project's settings cannot be read.
    """
    source = source_of(reading)
    dates = [row["calculation_date"] for row in reading.standings]
    grades = Counter(row["grade"] for row in reading.standings if row["is_listed"])
    newest = max(reading.runs, key=lambda row: row["started_at"])["run_id"] if reading.runs else None
    return Head(
        max(dates, default=None),
        SOURCES.get(source, source),
        None if source == BIRDEYE else WARNINGS.get(source, UNKNOWN),
        source == SANDBOX,
        len(reading.standings),
        sum(row["is_qualified"] for row in reading.standings),
        reading.board_count,
        sum(not row["former"] for row in reading.board),
        reading.former_count - sum(row["former"] for row in reading.board),
        dict(sorted(grades.items())),
        calibration_sentence(lake),
        head_advice(reading, grades),
        [row for row in reading.board if row.get("grade") in SURE_GRADES and not row["former"]][:CANDIDATES],
        _sure_count(grades),
        sum(row["cu"] or 0 for row in reading.runs if row["run_id"] == newest),
        sum(row["cu"] or 0 for row in reading.runs),
    )


def source_of(reading: Reading) -> str:
    """Return where the rows come from: the real API only where the lake and every wallet say so."""
    named = {reading.data_source, *(row.get("data_source") for row in (*reading.board, *reading.standings))} - {None}
    return next(iter(sorted(name for name in named if name and name != BIRDEYE)), BIRDEYE if named else "unknown")


def _sure_count(grades: Mapping[str, int]) -> int:
    return sum(grades.get(grade, 0) for grade in SURE_GRADES)


def head_advice(reading: Reading, grades: Mapping[str, int]) -> str:
    """Say whom the list gives reason to follow."""
    sure = _sure_count(grades)
    if not reading.board_count:
        return "Nobody is listed, so there is nobody to follow."
    if not sure:
        return f"{_none_of(reading.board_count)} returned more than luck gives. Follow nobody yet."
    rest = reading.board_count - sure
    return (
        f"{_some_of(sure, reading.board_count)}, grade A or B, returned more than chance among "
        f"{'its' if sure == 1 else 'their'} peers gives."
    ) + (f" Of the other {'one' if rest == 1 else f'{rest:,}'} that cannot be told from luck." if rest else "")


def _none_of(listed: int) -> str:
    return "The only listed wallet has not" if listed == 1 else f"None of the {listed:,} listed wallets has"


def _some_of(some: int, listed: int) -> str:
    if listed == 1:
        return "The only listed wallet"
    return f"All {listed:,} listed wallets" if some == listed else f"{some:,} of the {listed:,} listed wallets"


def wanted_by_rule(reading: Reading) -> dict[str, str]:
    """Return what qualification asks for, by rule."""
    settings = reading.settings
    return {rule: f"at least {minimum:,g}" for rule, minimum in reading.minimums.items()} | {
        "basis_coverage": f"at least {settings.min_basis_coverage:,g}",
        "history_incomplete": "the whole history",
        "too_active": f"{counted(settings.max_swaps_per_wallet, 'swap')} at most",
        "no_tier": "any profit or win",
    }


def failure_counts(reading: Reading) -> list[dict[str, Any]]:
    """Return how many wallets failed each rule, and how many failed it alone, with what it asks for."""
    wanted = wanted_by_rule(reading)
    failed = [row["failed_rules"].split(", ") for row in reading.standings if row["failed_rules"]]
    counts = Counter(rule for rules in failed for rule in rules)
    alone = Counter(rules[0] for rules in failed if len(rules) == 1)
    return [
        {"rule": rule, "wanted": wanted.get(rule, "it to pass"), "count": count, "alone": alone[rule]}
        for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def near_misses(reading: Reading) -> dict[str, Any]:
    """Return who failed a single rule, or is kept off by a flag or a grade alone.

    Those are the `count` of them all, and the `rows` of the most profitable.
    """
    wanted = wanted_by_rule(reading)
    near = [
        row
        for row in reading.standings
        if not row["is_listed"] and (row["is_qualified"] or ", " not in (row["failed_rules"] or ""))
    ]
    near.sort(key=lambda row: (-row["total_pnl"], row["wallet_address"]))
    return {"count": len(near), "rows": [{**row, "why": _miss(row, wanted)} for row in near[:NEAR_MISSES]]}


def _miss(row: Row, wanted: Mapping[str, str]) -> str:
    if row["is_qualified"]:
        return str(row["unlisted_reason"])
    rule = row["failed_rules"]
    figure = row.get(rule)
    if figure is None:
        return f"{rule}, wanted {wanted.get(rule, 'it to pass')}"
    return f"{rule} is {float(figure):,.4g}, wanted {wanted[rule]}"


def flag_groups(reading: Reading) -> list[dict[str, Any]]:
    """Return each flag with its meaning, its effect and the wallets that have it, the richest first."""
    profit = {row["wallet_address"]: row["total_pnl"] for row in reading.standings}
    groups: dict[str, list[Row]] = {}
    for flag in reading.flags:
        groups.setdefault(flag["flag"], []).append(flag)
    return [
        {
            "flag": name,
            "meaning": FLAG_MEANINGS.get(name, ""),
            "severity": rows[0]["severity"],
            "tier_cap": rows[0]["tier_cap"],
            "count": len(rows),
            "wallets": sorted(rows, key=lambda row: (-profit.get(row["wallet_address"], 0), row["wallet_address"]))[
                :FLAGGED_WALLETS
            ],
        }
        for name, rows in groups.items()
    ]


def calibration_of(lake: Lake, reading: Reading) -> dict[str, Any]:
    """Return the verdicts on the newest closed window, and what its plots draw; empty lists before one has closed."""
    rows = calibration_rows(lake)
    newest = [row for row in rows if row["scored_at"] == rows[0]["scored_at"]] if rows else []
    ranking = next((row for row in newest if row["score_name"] == RANKING_SCORE), None)
    points = [row for row in reading.forward if row["skill_low"] is not None and row["forward_return"] is not None]
    return {
        "windows": len({row["scored_at"] for row in rows}),
        "scored_at": newest[0]["scored_at"] if newest else None,
        "window_end": newest[0]["window_end"] if newest else None,
        "verdicts": [
            {
                "score": SCORES[row["score_name"]],
                "verdict": VERDICTS[row["verdict"]],
                "wallets": row["wallet_count"],
                "correlation": row["rank_correlation"],
                "low": row["rank_correlation_low"],
                "high": row["rank_correlation_high"],
            }
            for row in newest
        ],
        "graded": ranking and {**ranking, "verdict": LIST_VERDICTS[ranking["list_verdict"]]},
        "fifths": [
            {"fifth": number, "return": ranking[f"fifth_{number}_return"]}
            for number in range(1, 6)
            if ranking is not None and ranking[f"fifth_{number}_return"] is not None
        ],
        "points": [
            {"wallet": row["wallet_address"], "score": row["skill_low"], "return": row["forward_return"]}
            # by address, which has nothing to do with the score
            for row in sorted(points, key=lambda one: str(one["wallet_address"]))[:SCATTER_POINTS]
        ],
        "point_count": len(points),
    }


def health_of(lake: Lake, reading: Reading) -> dict[str, Any]:
    """Return the newest run's steps, what waits, and what was left alone.

    Raises:
        SmartTraderError: A table cannot be read.
    """
    facts = status_facts(lake)
    return {
        "last_run": facts["last_run"],
        "pending": facts["pending"],
        "left_alone": {what: len(items) for what, items in facts["left_alone"].items()},
        "runs": len({row["run_id"] for row in reading.runs}),
    }
