"""Commands of the pipeline. What they need is imported when they run: reading takes no server and no second."""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime
from pathlib import Path

import click

from smart_trader.clock import MomentType, now, parse_moment
from smart_trader.console import say
from smart_trader.errors import SettingsError
from smart_trader.schemas import TARGET_VARIABLE
from smart_trader.settings import lakehouse_settings

# A century: longer than any calculation is old.
NO_REFRESH_HOURS = 24 * 365 * 100


def _choose_target(_: click.Context, __: click.Parameter, name: str | None) -> None:
    """Make dbt's target what the flag says; every later step reads it from the environment, as dbt does."""
    if name:
        os.environ[TARGET_VARIABLE] = name


target_option = click.option(
    "--target",
    expose_value=False,
    callback=_choose_target,
    help="dbt's target: local (the lake's own server), spark, embedded or cluster. Default: DBT_TARGET, else local.",
)


@click.command("run")
@target_option
@click.option("--demo", is_flag=True, help="Ask a made-up market; no key needed.")
@click.option("--replay", type=click.Path(path_type=Path), metavar="FOLDER", help="Ask recorded responses.")
@click.option("--tokens", metavar="FILE", help="Fetch the holders of these tokens as well: a file, - or a,b,c.")
@click.option("--wallets", metavar="FILE", help="Track these wallets as well: a file, - or a,b,c.")
@click.option("--as-of", type=MomentType(), help="The run's moment; default: now.")
@click.option("--step", metavar="NAME", help="Do one step alone, as a scheduler does.")
@click.option("--run-id", default="", help="Name of the run; the steps of one run share it. Default: made up.")
@click.option("--seed", default=7, show_default=True, help="The made-up market's seed.")
@click.option(
    "--market-wallets", default=200, show_default=True, type=click.IntRange(20, 20_000), help="The market's size."
)
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=0), help="Traders to show at the end.")
@click.option("--skip-tests", is_flag=True, help="Build without the data tests.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A setting of this run alone.")
def run_pipeline(
    demo: bool,
    replay: Path | None,
    tokens: str | None,
    wallets: str | None,
    as_of: datetime | None,
    step: str | None,
    run_id: str,
    seed: int,
    market_wallets: int,
    top: int,
    skip_tests: bool,
    variables: tuple[str, ...],
) -> None:
    """Load, build and rank: the whole pipeline, or one step of it.

    Asks BirdEye with BIRDEYE_API_KEY, or what --demo or --replay names. Run again at any time: what is done is not done
    twice, and what an earlier run left half-way is finished.
    """
    from loaders.cli import parse_variables
    from loaders.queues import given_items
    from loaders.settings import loader_settings
    from smart_trader.pipeline import run
    from smart_trader.pipeline.sources import Wanted
    from smart_trader.pipeline.steps import STEP_NAMES

    if step is not None and step not in STEP_NAMES:
        raise SettingsError(f"no step {step!r}", f"the steps are {', '.join(STEP_NAMES)}")
    overrides = parse_variables(variables)
    settings = loader_settings(overrides)
    # a file that cannot be read is told before anything starts, and - can be read only once
    given = {
        flag: [item.item for item in given_items(source, flag)] if source else []
        for flag, source in (("--tokens", tokens), ("--wallets", wallets))
    }
    moment = as_of or now()
    order = run.Order(
        Wanted(demo, replay, seed, market_wallets),
        moment,
        run_id or f"{moment:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}",
        step,
        ",".join(given["--tokens"]) or None,
        ",".join(given["--wallets"]) or None,
        overrides,
        not skip_tests,
    )
    machine = lakehouse_settings()
    records = run.run_pipeline(order, settings, machine, say)
    say(f"run {order.run_id} done in {sum(record.seconds for record in records):.1f} s")
    if step is None:
        from smart_trader.pipeline import shown
        from smart_trader.pipeline.reading import Lake

        lake = Lake(machine.paths)
        click.echo(shown.leaderboard_text(shown.leaderboard_rows(lake, top), "table"))
        click.echo(shown.verdicts_text(lake, given["--wallets"]))


@click.command()
@click.option("--top", type=click.IntRange(min=1), help="Wallets at most; default: all.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Form."
)
def leaderboard(top: int | None, form: str) -> None:
    """Show the ranked traders, read straight from the lake."""
    from smart_trader.pipeline import shown
    from smart_trader.pipeline.reading import Lake

    click.echo(shown.leaderboard_text(shown.leaderboard_rows(Lake(lakehouse_settings().paths), top), form))


@click.command()
@click.argument("wallet")
def explain(wallet: str) -> None:
    """Explain one wallet: its verdict and why, its figures, each token."""
    from smart_trader.pipeline import shown
    from smart_trader.pipeline.reading import Lake

    click.echo(shown.explanation(Lake(lakehouse_settings().paths), wallet))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show tables, pending work, items left alone, the last run, the disk."""
    from smart_trader.pipeline import shown
    from smart_trader.pipeline.reading import Lake

    facts = shown.status_facts(Lake(lakehouse_settings().paths))
    click.echo(json.dumps(facts, default=str, indent=1) if as_json else shown.status_text(facts))


@click.command("as-of")
@click.argument("wanted", default="")
def as_of_moment(wanted: str) -> None:
    """Print the moment a run may take: WANTED, or now where that is missing or the lake is past it.

    A scheduler asks this once and gives the answer to every step of a run.
    """
    from loaders.bronze import Bronze
    from smart_trader.schemas import schema_name

    moment = parse_moment(wanted) if wanted.strip() else now()
    newest = Bronze(lakehouse_settings().paths, schema_name("bronze")).newest_as_of()
    if newest is not None and moment < newest:
        say(f"{moment.isoformat()} is before the lake's newest, {newest.isoformat()}: taking now")
        moment = max(now(), newest)
    click.echo(moment.isoformat())


@click.command()
@click.option(
    "--only",
    type=click.Choice(["disk", "optimize", "vacuum"]),
    multiple=True,
    help="Do this alone: look at the disk, compact small files, remove old ones. Default: all three.",
)
@target_option
def maintain(only: tuple[str, ...]) -> None:
    """Look at the disk, compact small files and remove old ones, each table through the engine that writes it."""
    from loaders.settings import loader_settings
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline import upkeep
    from smart_trader.pipeline.engine import lake_server
    from smart_trader.pipeline.reading import Lake

    settings, machine = loader_settings(), lakehouse_settings()
    lake = Lake(machine.paths)
    work = upkeep.Work("optimize" in only or not only, "vacuum" in only or not only, settings.vacuum_retention_hours)
    if work.optimize or work.vacuum:
        with lock_lake(machine.paths, "maintain"):
            upkeep.maintain_bronze(lake, work, say)
            with lake_server(machine) as ready:
                upkeep.maintain_spark(lake, ready(), work, say)
    if "disk" in only or not only:
        # a full disk is what maintenance may have cured: then it only warns
        refuse = settings.disk_refuse_percent if only == ("disk",) else 101
        upkeep.check_disk(machine.paths, settings.disk_warn_percent, refuse, say)


@click.command()
@target_option
def repair() -> None:
    """Look at every file of every table, register what the catalog has lost, make broken tables again.

    Nothing is deleted: a broken table is moved to _set_aside in the lake. Bronze and histories cannot be made again;
    where one of them is broken, nothing is changed and you are told what to do.
    """
    from loaders.bronze import Bronze
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline.builds import Builds
    from smart_trader.pipeline.engine import lake_server
    from smart_trader.pipeline.reading import Lake
    from smart_trader.pipeline.repair import repair as repair_lake
    from smart_trader.schemas import schema_name

    machine = lakehouse_settings()
    lake = Lake(machine.paths)
    with lock_lake(machine.paths, "repair"), lake_server(machine) as ready:
        # a state is true at a moment: the lake's own newest
        moment = Bronze(machine.paths, schema_name("bronze")).newest_as_of() or now()
        # time alone makes nothing due here: what is due at this moment may be about to be fetched for it
        variables = {"pnl_refresh_hours": NO_REFRESH_HOURS}
        builds = Builds(machine.paths, moment.isoformat(), f"repair-{uuid.uuid4().hex[:6]}", variables, say)
        repair_lake(lake, builds, ready(), say)
