"""What the DAGs share: their rules, and tasks that call the project's own command lines, in its own environment.

Airflow's packages and dbt's do not go together, so nothing of the project is imported here. The tasks' environment says
where its programs are and which API a run reads:

SMART_TRADER_BIN: folder of `smart-trader` and `dbt`; default: `.venv/bin` of the checkout.
SMART_TRADER_SOURCE: options of every step, `--demo` for the made-up market; default: none, which is BirdEye.
DBT_TARGET: `local` (default) or `cluster`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.standard.operators.bash import BashOperator

PROJECT = Path(__file__).resolve().parent.parent
BIN = os.environ.get("SMART_TRADER_BIN") or str(PROJECT / ".venv" / "bin")
# What holds for every DAG here: one run at a time, none for the past, none before a person has switched it on.
RULES: dict[str, Any] = {
    "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"),
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": True,
    "default_args": {"retries": 2, "retry_delay": timedelta(minutes=10)},
    "tags": ["smart-trader"],
}


def command(task_id: str, line: str, trigger_rule: str = "all_success", **values: str) -> BashOperator:
    """Return a task that runs a command line in the project.

    Args:
        task_id: The task's name.
        line: The command, as a shell reads it; its last line of output is the task's result.
        trigger_rule: Airflow's rule for when it runs, by how the tasks before it ended.
        values: Variables for it, which may be templates: a value never becomes part of the line itself.
    """
    return BashOperator(
        task_id=task_id,
        bash_command=f'PATH="$BIN:$PATH"; {line}',
        cwd=str(PROJECT),
        env={"BIN": BIN, **values},
        append_env=True,
        do_xcom_push=task_id == "choose_as_of",
        trigger_rule=trigger_rule,
    )
