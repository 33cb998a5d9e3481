"""Every six hours: is there room on the disk, few large files instead of many small ones, none that nobody needs."""

from __future__ import annotations

from airflow.sdk import DAG
from smart_trader_tasks import RULES, command

with DAG(
    dag_id="lake_maintenance",
    description="Disk, OPTIMIZE, VACUUM, source freshness",
    schedule="0 */6 * * *",
    doc_md=__doc__,
    **RULES,
) as dag:
    (
        command("check_disk", "smart-trader maintain --only disk")
        >> command("optimize", "smart-trader maintain --only optimize")
        >> command("vacuum", "smart-trader maintain --only vacuum")
        >> command("source_freshness", "dbt source freshness --project-dir . --profiles-dir .")
    )
