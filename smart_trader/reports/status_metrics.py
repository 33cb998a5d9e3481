"""Writes the state of a lake in Prometheus' text exposition format, e.g. for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from smart_trader.reports.alerts import CRITICAL, WARNING

PREFIX = "smart_trader_"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

Labels = dict[str, str]


@dataclass(slots=True)
class Gauge:
    """One metric and its samples.

    Attributes:
        name: Without the prefix, with its unit behind it.
        help: What it measures.
        samples: Labels and value of each; without any, the metric is left out.
    """

    name: str
    help: str
    samples: list[tuple[Labels, float]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield its lines."""
        if not self.samples:
            return
        yield f"# HELP {PREFIX}{self.name} {self.help}"
        yield f"# TYPE {PREFIX}{self.name} gauge"
        for labels, value in self.samples:
            named = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
            yield f"{PREFIX}{self.name}{f'{{{named}}}' if named else ''} {_number(value)}"


def metrics_text(facts: Mapping[str, Any]) -> str:
    """Write the state of a lake as metrics; what is not known is left out, never 0."""
    gauges = [*_lake_gauges(facts), *_run_gauges(facts), *_item_gauges(facts)]
    return "\n".join(line for gauge in gauges for line in gauge.lines())


def _number(value: float) -> str:
    return repr(value) if isinstance(value, float) else str(int(value))


def _known(value: float | None) -> list[tuple[Labels, float]]:
    return [] if value is None else [({}, value)]


def _lake_gauges(facts: Mapping[str, Any]) -> Iterator[Gauge]:
    source = {"lake": facts["lake"], "data_source": facts["data_source"] or ""}
    yield Gauge("lake_info", "Where the lake is and where its rows come from.", [(source, 1)])
    yield Gauge("made_up_data", "Whether the rows are made up or recorded, not live.", [({}, facts["is_made_up"])])
    levels = [alert["level"] for alert in facts["alerts"]]
    samples: list[tuple[Labels, float]] = [({"level": level}, levels.count(level)) for level in (WARNING, CRITICAL)]
    yield Gauge("alerts", "Things that need attention, as smart-trader status words them.", samples)
    yield Gauge("list_age_seconds", "Age of the newest list that a run made.", _known(facts["list"]["age_seconds"]))
    yield Gauge("list_wallets", "Wallets of the list, former ones too.", _known(facts["list"]["wallets"]))
    yield Gauge("lake_size_bytes", "Bytes of the newest version of all tables.", _known(facts["size"]["bytes"]))
    yield Gauge("in_use", "Whether a command holds the lake's lock.", [({}, facts["in_use_by"] is not None)])
    if facts["disk"] is not None:
        yield Gauge("disk_used_ratio", "Used share of the lake's disk.", _known(facts["disk"]["used_percent"] / 100))
        yield Gauge("disk_free_bytes", "Free bytes of the lake's disk.", _known(facts["disk"]["free_bytes"]))
    units = facts["units"]
    yield Gauge("month_compute_units", "Compute units this lake spent this month.", _known(units["spent"]))
    plan: list[tuple[Labels, float]] = [({"plan": units["plan"]}, units["of_plan"])]
    yield Gauge("plan_compute_units", "Compute units that the plan includes a month.", plan)


def _run_gauges(facts: Mapping[str, Any]) -> Iterator[Gauge]:
    if not facts["runs"]:
        return
    run = facts["runs"][-1]
    yield Gauge("last_run_success", "Whether the last run failed in no step.", _known(run["outcome"] != "failed"))
    yield Gauge("last_run_complete", "Whether the last run left nothing undone.", _known(run["outcome"] == "complete"))
    yield Gauge("last_run_end_timestamp_seconds", "When the last run ended.", _known(run["ended_at"].timestamp()))
    yield Gauge("last_run_duration_seconds", "Seconds that the last run's steps took.", _known(run["seconds"]))
    yield Gauge("last_run_rows", "Rows that the last run landed.", _known(run["rows"]))
    yield Gauge("last_run_requests", "Requests that the last run sent.", _known(run["requests"]))
    yield Gauge("last_run_compute_units", "Compute units that the last run spent.", _known(run["cu"]))
    by_step: dict[str, float] = {}
    for row in facts["last_run"]:
        by_step[row["step"]] = by_step.get(row["step"], 0) + row["seconds"]
    steps: list[tuple[Labels, float]] = [({"step": step}, seconds) for step, seconds in by_step.items()]
    yield Gauge("last_run_step_duration_seconds", "Seconds that each step of the last run took.", steps)


def _item_gauges(facts: Mapping[str, Any]) -> Iterator[Gauge]:
    queued = Gauge("queue_items", "Items of a work list that are due, or will be later.")
    due = Gauge("queue_next_due_timestamp_seconds", "When the next of what is not due yet falls due.")
    for what, counts in facts["pending"].items():
        queued.samples += [({"queue": what, "state": state}, counts[state]) for state in ("due", "later")]
        if counts["next_due_at"]:
            due.samples.append(({"queue": what}, counts["next_due_at"].timestamp()))
    alone = Gauge("left_alone_items", "Items that are left alone, by the reason.")
    alone.samples += [({"reason": what}, len(items)) for what, items in facts["left_alone"].items()]
    rows, sizes = (
        Gauge("table_rows", "Rows of a table."),
        Gauge("table_size_bytes", "Bytes of a table's newest version."),
    )
    for fact in facts["tables"]:
        if fact["rows"] is not None:
            rows.samples.append(({"table": fact["table"]}, fact["rows"]))
            sizes.samples.append(({"table": fact["table"]}, fact["bytes"]))
    yield from (queued, due, alone, rows, sizes)
