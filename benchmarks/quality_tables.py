"""Writes what quality.py found as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smart_trader.evaluation.copying import DELAYS_S
from smart_trader.evaluation.quality import CUTS

Row = Mapping[str, Any]

RULE_COLUMNS = {
    **{f"p{cut}": f"P@{cut}" for cut in CUTS},
    "average_precision": "AP",
    "adversaries_top": "adversaries",
    "copied_10": "copied",
}
GROUP_COLUMNS = {
    "wallets": "wallets",
    "skilled": "skilled",
    "adversaries": "adversaries",
    **{f"copied_{delay}": f"copied, {delay} s" for delay in DELAYS_S},
}
LUCK_COLUMNS = {
    "listed": "ELITE + STRONG",
    "expected_by_luck": "A or B by luck",
    "luck_low": "from",
    "luck_high": "to",
    "between_variance": "variance between wallets",
}
CALIBRATION_COLUMNS = {
    "wallet_count": "wallets",
    "rank_correlation": "rank correlation",
    "rank_correlation_low": "from",
    "rank_correlation_high": "to",
    "verdict": "verdict",
    "graded_count": "A or B",
    "graded_return": "their return",
    "mean_return": "all",
    "list_verdict": "list",
}
LEAK_COLUMNS = {
    "slipped": "slipped past",
    "p10": "P@10",
    "p25": "P@25",
    "p50": "P@50",
    "adversaries": "adversaries in ELITE + STRONG",
    "skilled_of_a": "skilled of A",
    "is_faithful": "grades as built",
}
BAR_COLUMNS = {"value": "value", "bar": "wanted", "verdict": "verdict"}


def as_text(content: Row) -> str:
    """Write everything that is known."""
    seeds = ", ".join(map(str, content["seeds"]))
    low, high = content["base_rate_range"]
    parts = [
        f"Market {content['market']}, {content['wallets']:,} wallets, seeds {seeds}, "
        f"runs after {', '.join(map(str, content['days']))} days. {content['machine']}.\n"
        f"Base rate among evaluated wallets: {content['base_rate']:.3f} ({low:.3f} to {high:.3f}).",
        table(content["rules"], RULE_COLUMNS, "rule"),
    ]
    for name, what in (("tier", "tiers"), ("grade", "grades")):
        if content[what]:
            parts += [table(content[what], GROUP_COLUMNS, name), "All seeds together:"]
            parts += [table(content[f"{what}_pooled"], GROUP_COLUMNS, name)]
    if falls := content["copied_return_falls_by_grade"]:
        said = ", ".join(f"{delay} s {_plain(falling)}" for delay, falling in falls.items())
        parts.append(f"Copied return falls from A to D: {said}.")
    singles: Sequence[tuple[str, Mapping[str, Row], Mapping[str, str]]] = (
        ("seed", content["luck"], LUCK_COLUMNS),
        ("seed, score", _by_score(content["calibration"]), CALIBRATION_COLUMNS),
        ("seed, leak", _by_cut(content["leak"]), LEAK_COLUMNS),
        ("bar", {bar["name"]: bar for bar in content["bars"]}, BAR_COLUMNS),
    )
    parts += [plain_table(rows, columns, head) for head, rows, columns in singles if rows]
    differing = content.get("spark_differs")
    if differing is not None:
        parts.append("\n".join(["Through Spark differ:", *differing]) if differing else "Through Spark: equal.")
    return "\n\n".join(parts)


def table(rows: Mapping[str, Row], columns: Mapping[str, str], head: str) -> str:
    """Write means, with their ranges where there are some, as a Markdown table."""
    lines = [f"| {head} | {' | '.join(columns.values())} |", f"|---{'|---' * len(columns)}|"]
    for name, metrics in rows.items():
        cells = [_cell(metrics.get(column), metrics.get(f"{column}_range"), column) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plain_table(rows: Mapping[str, Row], columns: Mapping[str, str], head: str) -> str:
    """Write single values as a Markdown table."""
    lines = [f"| {head} | {' | '.join(columns.values())} |", f"|---{'|---' * len(columns)}|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(_plain(row.get(column)) for column in columns)} |")
    return "\n".join(lines)


def _cell(value: object, span: Sequence[float] | None, column: str) -> str:
    if not isinstance(value, float):
        return "-"
    percent = column.startswith("copied")
    shown = [f"{100 * one:+.0f} %" if percent else f"{one:.2f}" for one in (value, *(span or ()))]
    if column in ("wallets", "ranked"):
        shown = [f"{one:.0f}" for one in (value, *(span or ()))]
    return shown[0] if len(set(shown[1:])) < 2 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _by_score(by_seed: Mapping[str, Mapping[str, Row]]) -> dict[str, Row]:
    return {f"{seed}, {score}": row for seed, rows in by_seed.items() for score, row in rows.items()}


def _by_cut(by_seed: Mapping[str, Row]) -> dict[str, Row]:
    return {
        seed: {**row, **{f"p{cut}": value for cut, value in row["precision"].items()}} for seed, row in by_seed.items()
    }
