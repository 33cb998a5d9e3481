"""The run at 09:00 and 21:00 UTC: one task for each step of `smart-trader run`, each safe to try again alone."""

from __future__ import annotations

from airflow.sdk import DAG
from smart_trader_tasks import RULES, command

STEPS = (
    "load_tokens",
    "build_tokens",
    "load_whales",
    "build_whales",
    "load_transactions",
    "build_positions",
    "load_details",
    "build_traders",
)
# A list is made without it: its task may fail, the run does not.
OPTIONAL = "load_details"

with DAG(
    dag_id="optimized_delta_smart_trader_identification",
    description="Find the Solana wallets that really trade well",
    schedule="0 9,21 * * *",
    doc_md=__doc__,
    **RULES,
) as dag:
    # one timestamp for all steps: the logical date, or now where there is none or the lake is past it
    last = command(
        "choose_as_of", 'smart-trader as-of "$WANTED"', WANTED="{{ logical_date.isoformat() if logical_date else '' }}"
    )
    # what has landed is built and ranked also when a load failed; only the run as a whole is failed then
    all_loaded = command("all_loaded", "true")
    for step in STEPS:
        is_build = step.startswith("build_")
        task = command(
            step,
            f'smart-trader run --step {step} --run-id "$RUN_ID" --as-of "$AS_OF" $SMART_TRADER_SOURCE',
            trigger_rule="all_done" if is_build else "all_success",
            RUN_ID="{{ dag_run.run_id }}",
            AS_OF="{{ ti.xcom_pull(task_ids='choose_as_of') }}",
        )
        last >> task
        if not is_build and step != OPTIONAL:
            task >> all_loaded
        last = task
    last >> all_loaded
