"""Whether the scores earned anything: what wallets' buys came to after each run, in sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.lake.delta import is_one_of
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.data_source import source_of, source_warning
from smart_trader.reports.grades import SURE_GRADES
from smart_trader.reports.tables import PLAIN, Screen, prose
from smart_trader.reports.text_table import plain_value

RANKING_SCORE = "skill_low"
SCORES = {
    RANKING_SCORE: "skill_low, which ranks the list",
    "smart_trader_score": "smart_trader_score",
    "realized_pnl": "realized_pnl, the naive rival",
}
VERDICTS = {
    "too_few": "too few wallets to tell",
    "suspicious": "suspicious: so much order is a leak or a toy world",
    "predictive": "predictive: wallets that scored higher earned more",
    "inverted": "inverted: wallets that scored higher earned less",
    "no_evidence": "no evidence that wallets that score higher earn more",
}
LIST_VERDICTS = {
    "too_few": "too few to tell",
    "profitable": "profitable",
    "better_than_peers": "better than the others, but not surely profitable",
    "not_better": "no better than the others",
}


def calibration_rows(lake: Lake) -> list[dict[str, Any]]:
    """Return what is measured, the newest window first and each window's scores in their order; empty before that."""
    if not lake.has("gold", "score_calibration"):
        return []
    names = list(SCORES)
    rows = rows_of(lake.read("gold", "score_calibration"))
    return sorted(rows, key=lambda row: (-row["scored_at"].timestamp(), names.index(row["score_name"])))


def calibration_json(lake: Lake) -> str:
    """Write all that is measured as JSON."""
    return json.dumps(calibration_rows(lake), default=plain_value, indent=1)


def calibration_text(lake: Lake, screen: Screen = PLAIN) -> str:
    """Write the newest window and what luck alone would list.

    Raises:
        SmartTraderError: The project's settings cannot be read.
    """
    rows = calibration_rows(lake)
    newest = [row for row in rows if row["scored_at"] == rows[0]["scored_at"]]
    lines = _window_lines(newest) if newest else [f"Whether a score orders what comes after is {_not_known(lake)}."]
    warning = source_warning(source_of(lake))
    marked = [prose(warning, screen, style="bold yellow")] if warning else []
    told = [prose(line.lstrip(), screen, indent=_indent(line)) for line in [*lines, *_luck_lines(lake)]]
    return "\n".join([*marked, *told])


def calibration_sentence(lake: Lake) -> str:
    """Return the newest verdict on the score that ranks the list, or from when there will be one, in one sentence.

    Raises:
        SmartTraderError: The project's settings cannot be read.
    """
    rows = [row for row in calibration_rows(lake) if row["score_name"] == RANKING_SCORE]
    if not rows:
        return f"Does this order tell what comes after? It is {_not_known(lake)}."
    row = rows[0]
    return (
        f"Does this order tell what comes after? {_capital(VERDICTS[row['verdict']])} ({_counted(row)} scored on "
        f"{_day(row['scored_at'])}{_correlation(row)}); `smart-trader calibration` tells more."
    )


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _window_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    first = rows[0]
    lines = [
        f"Scored on {_day(first['scored_at'])}, against what the wallets' buys until {_day(first['window_end'])} "
        "came to:"
    ]
    for row in rows:
        lines.append(f"  {SCORES[row['score_name']]}: {VERDICTS[row['verdict']]}; {_counted(row)}{_correlation(row)}.")
        if row["fifth_5_return"] is not None:
            best, worst = _percent(row["fifth_1_return"]), _percent(row["fifth_5_return"])
            lines.append(f"    The fifth that scored best returned {best}, the fifth that scored worst {worst}.")
    return [*lines, _list_line(first)]


def _list_line(row: dict[str, Any]) -> str:
    if not row["graded_count"]:
        return "  Of these wallets none was graded A or B."
    low = f" (at least {_percent(row['graded_return_low'])})" if row["graded_return_low"] is not None else ""
    return (
        f"  Grades A and B: {LIST_VERDICTS[row['list_verdict']]}; {row['graded_count']:,} of these wallets returned "
        f"{_percent(row['graded_return'])}{low}, all of them {_percent(row['mean_return'])}."
    )


def _luck_lines(lake: Lake) -> list[str]:
    if not lake.has("gold", "list_quality"):
        return []
    rows = rows_of(lake.read("gold", "list_quality"))
    if not rows:
        return []
    row = max(rows, key=lambda one: one["scored_at"])
    good = row["grade_a_count"] + row["grade_b_count"]
    verb = "was" if good == 1 else "were"
    return [
        f"On {_day(row['scored_at'])} {good:,} of {row['unflagged_count']:,} "
        f"unflagged wallets {verb} graded A or B{_unlisted(lake, good)}; luck alone would grade "
        f"{row['expected_by_luck']:,.1f} so ({row['luck_low']:,.0f} to {row['luck_high']:,.0f})."
    ]


def _unlisted(lake: Lake, good: int) -> str:
    """Say how many of the good grades are on the list, where not all are: a grade is no pass for the minimums."""
    is_good = pc.field("is_listed") & is_one_of("grade", SURE_GRADES)
    listed = lake.read("gold", "wallet_standings", ["wallet_address"], is_good).num_rows
    if listed == good:
        return ""
    count = f"{listed:,}" if listed else "none"
    return f" ({count} of them listed: `smart-trader explain WALLET` shows why another is not)"


def _not_known(lake: Lake) -> str:
    """Say from when there will be a verdict."""
    times = _score_times(lake)
    if times is None:
        return "not known yet: no wallet is scored"
    closes = times[0] + timedelta(days=read_variables(ProjectVariables).calibration_window_days)
    if closes > times[1]:
        return f"not known yet: the first window closes on {_day(closes)}"
    return f"not known yet: the first window closed on {_day(closes)}, and not all of its wallets are fetched since"


def _score_times(lake: Lake) -> tuple[datetime, datetime] | None:
    """Return the first and the newest time at which wallets were scored; None if none was."""
    if not lake.has("gold", "standing_history"):
        return None
    times = pc.min_max(lake.read("gold", "standing_history", ["scored_at"])["scored_at"]).as_py()
    return None if times["min"] is None else (times["min"], times["max"])


def _counted(row: dict[str, Any]) -> str:
    return f"{row['wallet_count']:,} wallet{'' if row['wallet_count'] == 1 else 's'}"


def _correlation(row: dict[str, Any]) -> str:
    if row["rank_correlation_low"] is None:
        return ""
    return (
        f", rank correlation {row['rank_correlation']:.2f} with what they earned, with 95 % between "
        f"{row['rank_correlation_low']:.2f} and {row['rank_correlation_high']:.2f}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"


def _day(timestamp: datetime) -> str:
    return f"{timestamp:%Y-%m-%d}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
