"""One wallet explained: its verdict first, then why: grade, flags, failed minimums, which tokens made the profit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from smart_trader.lake.reader import Lake
from smart_trader.reports.text_table import cell_text, columns_text
from smart_trader.reports.wallet_facts import Row, WalletFacts, read_wallet

WIDTH = 96
TOP_TOKENS = 10
GRADES = {
    "A": "its skill exceeds 0, and its peers, with 95 %, over several periods",
    "B": "its skill exceeds 0, and its peers, with 90 %",
    "C": "not enough to tell; what is known points up",
    "D": "not enough to tell, or nothing that points up",
    "X": "none, since a hard flag holds",
}
_NOT_FIGURES = {
    "wallet_address", "token_address", "calculation_date", "processed_at", "batch_id", "data_source",
    "current_position_tokens", "moved_to_gold", "gold_processing_status", "gold_processed_at",
}  # fmt: skip


def explanation(lake: Lake, wallet: str) -> str:
    """Explain one wallet: its verdict, and what led to it.

    Raises:
        SmartTraderError: The wallet was never calculated.
    """
    facts = read_wallet(lake, wallet)
    source = facts.total["data_source"]
    parts = [
        [f"{wallet}, calculated {cell_text(facts.dates[-1])} UTC from {source} data", *_verdict(facts)],
        list(_failed(facts)),
        list(_grade(facts)),
        list(_flags(facts)),
        list(_profit(facts)),
        [f"  {name:28}{cell_text(facts.total[name]):>18}" for name in facts.total if name not in _NOT_FIGURES],
    ]
    if len(facts.dates) > 1:
        parts.append([f"calculated {len(facts.dates)} times, first {cell_text(facts.dates[0])}"])
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _verdict(facts: WalletFacts) -> Iterator[str]:
    """Say whether the wallet is listed, at which tier, and what keeps it from a better one."""
    evaluation, standing, board = facts.evaluation, facts.standing, facts.board
    if standing is None:
        yield from _old_verdict(evaluation)
        return
    if standing["is_listed"]:
        rank = f", rank {board['overall_rank']} of {facts.listed_count}" if board and board["overall_rank"] else ""
        yield f"listed: {standing['tier']}{rank}; score {cell_text(standing['smart_trader_score'])}"
        yield from _caps(facts, standing)
        return
    yield f"not listed: {standing['unlisted_reason']}"
    if board is not None and board["former"]:
        since = f" since {cell_text(board['former_since'])} UTC" if board.get("former_since") else ""
        reason = board.get("former_reason") or "no longer qualifies"
        yield from _wrapped(f"former: was {board['tier']}, is off the list{since}: {reason}")


def _old_verdict(evaluation: Row | None) -> Iterator[str]:
    if evaluation is None:
        yield "not evaluated yet"
    elif evaluation["is_qualified"]:
        yield f"qualifies: {evaluation['tier']}, score {cell_text(evaluation['smart_trader_score'])}"
    else:
        yield from _wrapped(f"does not qualify; rules failed: {evaluation['failed_rules']}")


def _caps(facts: WalletFacts, standing: Row) -> Iterator[str]:
    """Say what keeps a listed wallet below the tier of its size."""
    wanted, tier = standing["uncapped_tier"], standing["tier"]
    if wanted == tier:
        return
    caps = [(f"grade {standing['grade']}", facts.grade_tiers.get(standing["grade"]))]
    caps += [(f"the flag {row['flag']}", row["tier_cap"]) for row in facts.flags]
    by = [name for name, best in caps if best == tier]
    yield f"  by its size it would be {wanted}; {' and '.join(by) or 'its grade'} allows {tier} at most"


def _failed(facts: WalletFacts) -> Iterator[str]:
    """Show each rule that the wallet failed, with its figure and what was asked for."""
    row = facts.evaluation
    if row is None or row["is_qualified"]:
        return
    yield "does not qualify"
    for rule in row["failed_rules"].split(", "):
        wanted = facts.minimums.get(rule)
        if wanted is None:
            yield f"  {rule:28}  broke a check, see silver.calculation_checks"
        elif rule in row:
            yield f"  {rule:28}{cell_text(row[rule]):>18}   at least {wanted}"
        else:
            yield f"  {rule:28}{'':>18}   wanted: {wanted}"


def _grade(facts: WalletFacts) -> Iterator[str]:
    """Show the grade and all that it is made of, each beside what a grade takes."""
    row, settings = facts.score, facts.settings
    if row is None:
        return
    yield f"grade {row['grade']}: {GRADES.get(row['grade'], '')}"
    bounds = "above 0"
    lines: list[tuple[str, str, str]] = [
        (
            f"positions of the last {settings.skill_window_days} days",
            cell_text(row["position_count"]),
            f"A {settings.grade_a_positions}, B {settings.grade_b_positions}, C {settings.grade_c_positions}",
        ),
        ("mean return of a position", _percent(row["mean_return"]), ""),
        ("skill: that, drawn to the peers'", _percent(row["skill"]), f"C {bounds}"),
        ("skill exceeds, with 95 %", _percent(row["skill_low"]), f"A {bounds}"),
        ("skill exceeds, with 90 %", _percent(row["skill_low_90"]), f"B {bounds}"),
        ("beyond the peers, with 95 %", _percent(row["edge_low"]), f"A {bounds}"),
        ("beyond the peers, with 90 %", _percent(row["edge_low_90"]), f"B {bounds}"),
        (
            f"periods of {settings.skill_period_days} days traded in",
            cell_text(row["period_count"]),
            f"A {settings.grade_a_periods}",
        ),
        (
            "share of them that made money",
            _percent(row["good_period_share"], sign=""),
            f"A {100 * settings.grade_a_good_share:.0f} %",
        ),
        ("return on all money put in", _percent(row["money_return"]), ""),
        ("it exceeds, with 95 %", _percent(row["money_return_low"]), ""),
        ("peers", cell_text(row["peer_count"]), f"their mean return: {_percent(row['peer_mean'])}"),
    ]
    yield from (f"  {what:34}{value:>12}   {wanted}".rstrip() for what, value, wanted in lines)


def _flags(facts: WalletFacts) -> Iterator[str]:
    """Show every flag with its figure, its bound and its sentence."""
    if facts.score is None and not facts.flags:
        return
    yield "flags" if facts.flags else "flags: none"
    for row in facts.flags:
        effect = f"cap, {row['tier_cap']} at most" if row["severity"] == "cap" else row["severity"]
        yield f"  {row['flag']} ({effect}): {_figure(row['value'])}, bound {_figure(row['bound'])}"
        yield from textwrap.wrap(row["sentence"], WIDTH, initial_indent="    ", subsequent_indent="    ")


def _profit(facts: WalletFacts) -> Iterator[str]:
    """Show which tokens made the profit, and what all others came to."""
    made = [row for row in facts.positions if row["profit"] > 0]
    gross = sum((row["profit"] for row in made), Decimal(0))
    if made:
        yield f"tokens that made the profit of {cell_text(gross)} USD; age is the token's at the first trade"
        yield columns_text([_position(row, gross, facts.settings.launch_max_seconds) for row in made[:TOP_TOKENS]])
    if len(made) > TOP_TOKENS:
        rest = sum(row["profit"] for row in made[TOP_TOKENS:])
        yield f"{len(made) - TOP_TOKENS} tokens more made {cell_text(rest)} USD"
    lost = [row for row in facts.positions if row["profit"] < 0]
    if lost:
        yield f"{len(lost)} tokens lost {cell_text(-sum(row['profit'] for row in lost))} USD"
        yield f"  the worst: {cell_text(lost[-1]['profit'])} USD in {lost[-1]['token_address']}"
    unmatched = sum((row["unmatched_proceeds_usd"] for row in facts.positions), Decimal(0))
    if unmatched:
        yield f"{cell_text(unmatched)} USD came from tokens whose purchase is not known; they earn nothing here"
    if any(row["is_trigger"] for row in made[:TOP_TOKENS]):
        yield "* the wallet was found by this token, which is in no grade"
    if any(_is_launch(row, facts.settings.launch_max_seconds) for row in made[:TOP_TOKENS]):
        yield f"^ bought within {facts.settings.launch_max_seconds // 60} minutes of launch, which is in no grade"


def _is_launch(row: Row, launch_seconds: int) -> bool:
    return row["seconds_after_launch"] is not None and 0 <= row["seconds_after_launch"] <= launch_seconds


def _position(row: Row, gross: Decimal, launch_seconds: int) -> dict[str, Any]:
    marks = ("*" if row["is_trigger"] else "") + ("^" if _is_launch(row, launch_seconds) else "")
    return {
        "token": row["token_address"] + marks,
        "profit": row["profit"],
        "share": _percent(float(row["profit"] / gross), sign=""),
        "return": _percent(float(row["profit"] / row["cost"])) if row["cost"] else "-",
        "trades": row["trade_count"],
        "age": _age(row["seconds_after_launch"]),
    }


def _age(seconds: int | None) -> str:
    """Write how old a token was at the first trade, in its largest unit."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds} s"


def _percent(value: float | None, sign: str = "+") -> str:
    return "-" if value is None else f"{100 * value:{sign},.1f} %"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def _wrapped(text: str) -> Sequence[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")
