"""`python -m smart_trader.pipeline`: read the dbt project ahead, so that the first run on any lake finds it read."""

from __future__ import annotations

import uuid

import click

from smart_trader.clock import now
from smart_trader.config.settings import lakehouse_settings
from smart_trader.console import report_line, run
from smart_trader.lake.private import claim_folder
from smart_trader.lakehouse.session import choose_engine, lake_engine
from smart_trader.pipeline.dbt import Builds


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def prepare() -> None:
    """Read the dbt project with the engine that the settings name, and keep what was read for all lakes.

    dbt takes some seconds to read all of the project, and a fraction of that where only little was edited since.
    """
    machine = lakehouse_settings()
    claim_folder(machine.paths.home)
    with lake_engine(machine, report_line, choose_engine(machine)) as engine:
        builds = Builds(machine.paths, engine, now().isoformat(), f"prepare-{uuid.uuid4().hex[:6]}", {}, report_line)
        report_line(f"project read: {len(builds.nodes())} nodes")


if __name__ == "__main__":
    run(prepare, "python -m smart_trader.pipeline")
