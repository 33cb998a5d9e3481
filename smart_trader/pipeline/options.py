"""Options that commands which build have in common."""

from __future__ import annotations

import os

import click

from smart_trader.config.schemas import TARGET_VARIABLE
from smart_trader.config.settings import ENGINE_VARIABLE


def _choose_target(_: click.Context, __: click.Parameter, name: str | None) -> None:
    """Set dbt's target by the flag; every later step reads it from the environment, as dbt does."""
    if name:
        os.environ[TARGET_VARIABLE] = name


target_option = click.option(
    "--target",
    expose_value=False,
    callback=_choose_target,
    help="dbt's target: local (either engine), spark, embedded, ci or cluster. Default: DBT_TARGET, else local.",
)


def _choose_engine(_: click.Context, __: click.Parameter, name: str | None) -> None:
    """Set the engine by the flag; every later step reads it from the environment, as dbt's profile does."""
    if name:
        os.environ[ENGINE_VARIABLE] = name


engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "embedded", "spark"]),
    expose_value=False,
    callback=_choose_engine,
    help="What builds: embedded (in this process, no Java), spark (the lake's server, started if need be), or auto: "
    "spark where the server is up, else embedded. Default: LAKEHOUSE_ENGINE, else auto.",
)
