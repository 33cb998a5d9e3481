"""What `bronze.pipeline_runs` and `fetch_log` keep of a lake's runs: how each went, and the units of a month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from smart_trader.lake.reader import Lake, rows_of

# A list is made without these; the step that ends a run.
OPTIONAL_STEPS = frozenset({"load_details"})
LAST_STEP = "build_traders"
# By kind of fetch, the step that notes its units once more; named here, since the loaders take a second to import.
STEPS_OF_KINDS = {
    "tokens": "load_tokens",
    "holders": "load_whales",
    "swaps": "load_transactions",
    "prices": "load_details",
    "launches": "load_details",
}
STEP_COLUMNS = (
    "run_id",
    "step",
    "outcome",
    "data_source",
    "as_of",
    "started_at",
    "rows",
    "requests",
    "cu",
    "seconds",
    "error",
)


def step_rows(lake: Lake) -> list[dict[str, Any]]:
    """Return what each step of each run did, oldest first; none where nothing ran yet."""
    if not lake.has("bronze", "pipeline_runs"):
        return []
    rows = rows_of(lake.read("bronze", "pipeline_runs", STEP_COLUMNS).sort_by([("started_at", "ascending")]))
    return [{**row, "seconds": float(row["seconds"] or 0)} for row in rows]


def run_facts(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how each run went, oldest first.

    Args:
        steps: What `step_rows` returns.
    """
    by_run: dict[str, list[dict[str, Any]]] = {}
    for row in steps:
        by_run.setdefault(row["run_id"], []).append(row)
    return [_facts_of(rows) for rows in by_run.values()]


def _facts_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    # a scheduler tries a failed step again under the same name: the last try counts
    last = {row["step"]: row for row in rows}
    outcomes = {step: row["outcome"] for step, row in last.items()}
    failed = [step for step, outcome in outcomes.items() if outcome == "failed"]
    is_failed = bool(set(failed) - OPTIONAL_STEPS)
    is_whole = not failed and "partial" not in outcomes.values()
    return {
        "run_id": rows[0]["run_id"],
        "outcome": "failed" if is_failed else "complete" if is_whole else "partial",
        "data_source": rows[0]["data_source"],
        "as_of": rows[0]["as_of"],
        "started_at": rows[0]["started_at"],
        "ended_at": max(row["started_at"] + timedelta(seconds=row["seconds"]) for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows), 3),
        "steps": len(last),
        "is_list_made": outcomes.get(LAST_STEP, "failed") != "failed",
        **{name: sum(row[name] or 0 for row in rows) for name in ("rows", "requests", "cu")},
        "errors": [f"{step}: {row['error']}" for step, row in last.items() if row["error"]],
    }


def last_good(runs: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the newest run that made a list of all that it loaded; None where no run did."""
    return next((run for run in reversed(runs) if run["is_list_made"] and run["outcome"] != "failed"), None)


def units_since(lake: Lake, since: datetime) -> int:
    """Return the compute units that all runs and loads of a lake have spent from a time on.

    A killed step left only its fetches, one that the API ended only its own line: of the two notes the larger holds.
    """
    landed = pc.field("landed_at") >= since
    notes: list[Counter[tuple[str, str]]] = []
    for table, column in (("fetch_log", "kind"), ("pipeline_runs", "step")):
        noted: Counter[tuple[str, str]] = Counter()
        if lake.has("bronze", table):
            units = lake.read("bronze", table, ["run_id", column, "cu"], landed)
            for row in rows_of(units.group_by(["run_id", column]).aggregate([("cu", "sum")])):
                noted[row["run_id"], STEPS_OF_KINDS.get(row[column], row[column])] += row["cu_sum"] or 0
        notes.append(noted)
    return sum((notes[0] | notes[1]).values())
