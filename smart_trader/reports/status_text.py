"""Writes the state of a lake for a person, and as the one line that a monitor reads."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from smart_trader.console import one_line
from smart_trader.data_sources import BIRDEYE, REPLAY, SANDBOX
from smart_trader.lake.disk import gigabytes, megabytes
from smart_trader.reports.alerts import worst_level
from smart_trader.reports.durations import duration_text, short_duration
from smart_trader.reports.text_table import SHOWN_ITEMS, columns_text

SOURCES = {
    BIRDEYE: "BirdEye",
    SANDBOX: "a made-up market (sandbox): no real wallet, no real money",
    REPLAY: "recorded responses (replay): not of today",
}
LABEL_WIDTH = 11
WIDEST = 100


def status_text(facts: Mapping[str, Any], with_tables: bool = False) -> str:
    """Write the state of a lake for a person: what needs attention first.

    Args:
        facts: What `status_facts` gathers.
        with_tables: List each table as well.
    """
    sections = [
        [*_alert_lines(facts)],
        [*_head_lines(facts)],
        [*_pending_lines(facts)],
        [*_left_alone_lines(facts)],
        [*_run_lines(facts)],
        [*_table_lines(facts)] if with_tables else [],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def check_line(facts: Mapping[str, Any]) -> str:
    """Write the state of a lake as monitors read it: one line, with figures behind a bar."""
    alerts = facts["alerts"]
    age = facts["list"]["age_seconds"]
    words = "; ".join(one_line(alert["what"]) for alert in alerts)
    if not words:
        words = f"list of {facts['list']['wallets']} wallets, {duration_text(age)} old"
    figures = {} if age is None else {"age": f"{age:.0f}s"}
    if facts["disk"] is not None:
        disk = facts["disk"]
        figures["disk"] = f"{disk['used_percent']:g}%;{disk['warn_percent']:g};{disk['refuse_percent']:g}"
    figures["units"] = f"{facts['units']['spent']};;;0;{facts['units']['of_plan']}"
    shown = " ".join(f"{name}={value}" for name, value in figures.items())
    # the bar parts words from figures, so that none may stand in the words
    return f"{(worst_level(alerts) or 'ok').upper()} - {words.replace('|', '/')} | {shown}"


def text_width() -> int:
    """Return the columns that text is wrapped at: the terminal's, within reason."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        one_line(text),
        text_width(),
        initial_indent=label.ljust(LABEL_WIDTH),
        subsequent_indent=" " * LABEL_WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _alert_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    for alert in facts["alerts"]:
        yield from _wrapped(f"{alert['level'].upper()}:", alert["what"])
        yield from _wrapped("  fix:", alert["fix"])


def _head_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    present, listed, size = facts["observed_at"], facts["list"], facts["size"]
    yield from _wrapped("lake", facts["lake"])
    yield from _wrapped("data from", SOURCES.get(facts["data_source"], facts["data_source"] or "nowhere yet"))
    if listed["wallets"] is not None:
        age = f", of {_moment(listed['as_of'], present)}" if listed["as_of"] else ""
        yield from _wrapped("list", f"{listed['wallets']:,} wallets{age}")
    grown = f"; grew by about {megabytes(size['week_bytes'])} in 7 days" if size["week_bytes"] else ""
    yield from _wrapped("size", f"{megabytes(size['bytes'])} in {size['tables']} tables{grown}")
    if facts["disk"]:
        disk = facts["disk"]
        bounds = f"runs warn at {disk['warn_percent']:g} % and stop at {disk['refuse_percent']:g} %"
        free = gigabytes(disk["free_bytes"])
        yield from _wrapped("disk", f"{disk['used_percent']:g} % full, {free} free; {bounds}")
    yield from _wrapped("units", _units_text(facts))
    yield from _wrapped("in use by", facts["in_use_by"] or "nobody")


def _units_text(facts: Mapping[str, Any]) -> str:
    units = facts["units"]
    if facts["is_made_up"]:
        return f"{units['spent']:,} CU in {units['month']}, made up like the market: nothing was paid"
    share = 100 * units["spent"] / units["of_plan"]
    return (
        f"{units['spent']:,} CU in {units['month']}, {share:.1f} % of the {units['plan']} plan's {units['of_plan']:,}; "
        "what other lakes spend is not in it"
    )


def _moment(at: datetime, present: datetime) -> str:
    """Write a time with how far it is from the present: 6 minutes ago, in 3 days."""
    seconds = (at - present).total_seconds()
    distance = f"in {duration_text(seconds)}" if seconds > 0 else f"{duration_text(-seconds)} ago"
    return f"{at:%Y-%m-%d %H:%M} UTC, {distance}"


def _pending_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        {
            "work list": what,
            "due now": counts["due"],
            "later": counts["later"],
            "next due": _moment(counts["next_due_at"], facts["observed_at"]) if counts["next_due_at"] else "-",
        }
        for what, counts in facts["pending"].items()
    ]
    if rows:
        yield columns_text(rows)


def _left_alone_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    held = {what: items for what, items in facts["left_alone"].items() if items}
    for what, items in held.items():
        more = f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else ""
        yield from textwrap.wrap(
            f"{what}: {len(items)} ({', '.join(map(one_line, items[:SHOWN_ITEMS]))}{more})",
            text_width(),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    if any(what.endswith("exhausted") for what in held):
        yield "exhausted items come back after exhausted_retry_days, or at once with:"
        yield "  smart-trader retry"


def _run_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    runs = facts["runs"]
    if not runs:
        return
    if len(runs) > 1:
        yield columns_text(
            [
                {
                    "run": run["run_id"],
                    "outcome": run["outcome"],
                    "began (UTC)": f"{run['started_at']:%Y-%m-%d %H:%M}",
                    "seconds": f"{run['seconds']:,.1f}",
                    "rows": run["rows"],
                    "CU": run["cu"],
                }
                for run in reversed(runs)
            ]
        )
        yield ""
    last = runs[-1]
    began = f"{last['started_at']:%Y-%m-%d %H:%M}"
    yield f"last run {last['run_id']}, {began} UTC: {last['outcome']} in {short_duration(last['seconds'])}"
    heads = ("step", "outcome", "seconds", "rows", "requests", "cu")
    table = columns_text([{head: row[head] for head in heads} for row in facts["last_run"]])
    yield textwrap.indent(table, "  ")
    for row in facts["last_run"]:
        if row["error"]:
            yield from _wrapped("", f"{row['step']}: {row['error']}")


def _table_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        {
            "table": fact["table"],
            "rows": fact["rows"],
            "MB": f"{fact['bytes'] / (1 << 20):,.2f}" if fact["bytes"] is not None else None,
            "written (UTC)": fact["written_at"] or "not there",
        }
        for fact in facts["tables"]
    ]
    yield columns_text(rows)
