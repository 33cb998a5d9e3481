"""What a run has spent so far, read from the lake: a budget is the run's, whatever process spends it."""

from __future__ import annotations

from collections import Counter

import pyarrow.compute as pc

from loaders.bronze import Bronze
from loaders.resources import DETAILS, RESOURCES
from loaders.tables import FETCH_LOG, PIPELINE_RUNS
from smart_trader.lake.delta import read_table

# Where a load's units are noted: per fetch as it lands, and once more for the step that made them when it ends.
STEPS = {resource.kind: "load_details" if resource in DETAILS else f"load_{resource.name}" for resource in RESOURCES}


def spent_units(bronze: Bronze, run_id: str) -> int:
    """Return the compute units that all steps and tries of a run have spent.

    A step that was killed left only its fetches; one that the API ended spent on items that left no trace: of the two
    notes the larger one holds.

    Args:
        bronze: The lake's tables.
        run_id: The run.
    """
    mine = pc.field("run_id") == run_id
    by_fetch: Counter[str] = Counter()
    by_step: Counter[str] = Counter()
    if bronze.has(FETCH_LOG):
        for row in read_table(bronze.location(FETCH_LOG), ["kind", "cu"], mine).to_pylist():
            by_fetch[STEPS.get(row["kind"], row["kind"])] += row["cu"] or 0
    if bronze.has(PIPELINE_RUNS):
        for row in read_table(bronze.location(PIPELINE_RUNS), ["step", "cu"], mine).to_pylist():
            by_step[row["step"]] += row["cu"] or 0
    return sum((by_fetch | by_step).values())
