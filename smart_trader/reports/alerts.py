"""What of a lake's state needs a person: a stale list, a failed run, a full disk, a used-up plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from smart_trader.console import one_line
from smart_trader.data_sources import REPLAY, SANDBOX
from smart_trader.reports.durations import duration_text

WARNING, CRITICAL = "warning", "critical"
EXIT_CODES = {None: 0, WARNING: 1, CRITICAL: 2}
DEFAULT_MAX_AGE = timedelta(hours=24)
# A list older than this many times the age that warns is not what anybody should trade by.
CRITICAL_AGES = 2
# Share of a plan's units at which there is still time to ask for less.
UNITS_WARN_SHARE = 0.8
MESSAGE_LETTERS = 200


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that needs attention.

    Attributes:
        level: warning or critical.
        what: What is the matter.
        fix: What to do about it.
    """

    level: str
    what: str
    fix: str

    def as_json(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


def find_alerts(facts: Mapping[str, Any], max_age: timedelta) -> list[Alert]:
    """Return what needs attention, the worst first.

    Args:
        facts: What `status_facts` gathers.
        max_age: Age from which on the list is stale.
    """
    found = [*_of_list(facts, max_age), *_of_last_run(facts), *_of_disk(facts), *_of_units(facts)]
    return sorted(found, key=lambda alert: alert.level != CRITICAL)


def worst_level(alerts: Sequence[Mapping[str, str]]) -> str | None:
    """Return the worst level of some alerts; None where there are none."""
    levels = {alert["level"] for alert in alerts}
    return CRITICAL if CRITICAL in levels else WARNING if levels else None


def _run_again(facts: Mapping[str, Any]) -> str:
    """Return the command that fills this lake, with the flag that keeps a made-up one made up."""
    flags = {SANDBOX: " --demo", REPLAY: " --replay FOLDER"}
    return f"smart-trader run{flags.get(str(facts['data_source']), '')}"


def _of_list(facts: Mapping[str, Any], max_age: timedelta) -> Iterator[Alert]:
    listed = facts["list"]
    if listed["wallets"] is None:
        how = "smart-trader run with BIRDEYE_API_KEY set, or smart-trader run --demo for a made-up market"
        yield Alert(
            CRITICAL, "there is no list yet", f"fill this lake: {how if not facts['runs'] else _run_again(facts)}"
        )
    elif listed["age_seconds"] is None:
        yield Alert(CRITICAL, "no run is known to have made this list", f"make it anew: {_run_again(facts)}")
    elif listed["age_seconds"] >= max_age.total_seconds():
        level = CRITICAL if listed["age_seconds"] >= CRITICAL_AGES * max_age.total_seconds() else WARNING
        age, most = duration_text(listed["age_seconds"]), duration_text(max_age.total_seconds())
        yield Alert(level, f"the list is {age} old, more than {most}", f"run again: {_run_again(facts)}")


def _of_last_run(facts: Mapping[str, Any]) -> Iterator[Alert]:
    if not facts["runs"] or facts["runs"][-1]["outcome"] == "complete":
        return
    run = facts["runs"][-1]
    reason = f": {one_line(run['errors'][0])[:MESSAGE_LETTERS]}" if run["errors"] else ""
    if run["outcome"] == "failed":
        yield Alert(CRITICAL, f"the last run failed{reason}", f"put that right, then: {_run_again(facts)}")
    else:
        yield Alert(WARNING, f"the last run left work undone{reason}", f"the next run goes on: {_run_again(facts)}")


def _of_disk(facts: Mapping[str, Any]) -> Iterator[Alert]:
    disk = facts["disk"]
    if disk is None or disk["used_percent"] < disk["warn_percent"]:
        return
    is_refused = disk["used_percent"] >= disk["refuse_percent"]
    yield Alert(
        CRITICAL if is_refused else WARNING,
        f"the disk is {disk['used_percent']:g} % full; runs stop at {disk['refuse_percent']:g} %",
        "free space: smart-trader maintain --only vacuum, or delete what else lies there",
    )


def _of_units(facts: Mapping[str, Any]) -> Iterator[Alert]:
    units = facts["units"]
    if facts["is_made_up"] or units["spent"] < UNITS_WARN_SHARE * units["of_plan"]:
        return
    share = 100 * units["spent"] / units["of_plan"]
    yield Alert(
        CRITICAL if share >= 100 else WARNING,
        f"{units['spent']:,} compute units spent this month, {share:.0f} % of the {units['plan']} plan's "
        f"{units['of_plan']:,}",
        "spend less (cu_budget, token_limit), or set birdeye_plan to the plan that you have",
    )
