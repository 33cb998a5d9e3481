"""Every six hours: is there room on the disk, few large files instead of many small ones, none that nobody needs."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG
from smart_trader_tasks import RETRIES, command

with DAG(
    dag_id="lake_maintenance",
    description="Disk, OPTIMIZE, VACUUM, source freshness",
    schedule="0 */6 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args=RETRIES,
    doc_md=__doc__,
    tags=["smart-trader"],
) as dag:
    (
        command("check_disk", "smart-trader maintain --only disk")
        >> command("optimize", "smart-trader maintain --only optimize")
        >> command("vacuum", "smart-trader maintain --only vacuum")
        >> command("source_freshness", "dbt source freshness --project-dir . --profiles-dir .")
    )
