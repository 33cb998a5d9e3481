"""Every six hours: no file that nobody needs, few large ones instead of many small ones, room on the disk."""

from __future__ import annotations

from airflow.sdk import DAG
from smart_trader_tasks import RULES, command

with DAG(
    dag_id="lake_maintenance",
    description="VACUUM, OPTIMIZE, disk, source freshness",
    schedule="0 */6 * * *",
    doc_md=__doc__,
    **RULES,
) as dag:
    # what frees space comes first: a full disk, which fails the look at it, must not keep vacuum from running
    (
        command("vacuum", "smart-trader maintain --only vacuum")
        >> command("optimize", "smart-trader maintain --only optimize")
        >> [
            command("check_disk", "smart-trader maintain --only disk"),
            command("source_freshness", "dbt source freshness --project-dir . --profiles-dir ."),
        ]
    )
