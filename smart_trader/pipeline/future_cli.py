"""`smart-trader discard-future`: the way out for a lake that a mistyped time has taken into the future."""

from __future__ import annotations

import sys
import uuid
from datetime import datetime

import click

from smart_trader.clock import latest_as_of
from smart_trader.console import say
from smart_trader.errors import SettingsError
from smart_trader.pipeline.cli import engine_option, target_option
from smart_trader.schemas import schema_name
from smart_trader.settings import lakehouse_settings


@click.command("discard-future")
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask for confirmation.")
@engine_option
@target_option
def discard_future(is_confirmed: bool) -> None:
    """Take out of the lake what is stamped with the future, as by a mistyped --as-of, and build it again without.

    Until then every run is refused, since time in a lake never moves back. Later than now counts as the future: in a
    lake of real data by more than 5 minutes, in one of made-up data by more than 400 days. The lake is then as it was
    before those runs; what they fetched is copied to _set_aside in the lake, and is due again.
    """
    from loaders.bronze import Bronze
    from loaders.tables import FETCH_LOG
    from smart_trader.lake_identity import ensure_exists
    from smart_trader.lake_lock import lock_lake
    from smart_trader.pipeline import future
    from smart_trader.pipeline.builds import Builds
    from smart_trader.pipeline.engine import lake_engine
    from smart_trader.pipeline.reading import Lake

    machine = lakehouse_settings()
    ensure_exists(machine.paths)
    bronze = Bronze(machine.paths, schema_name("bronze"))
    run_id = f"discard-future-{uuid.uuid4().hex[:6]}"

    with lock_lake(machine.paths, "discard-future"), lake_engine(machine, say) as engine:

        def builds_at(time: datetime) -> Builds:
            variables = {"pnl_refresh_hours": future.NO_REFRESH_HOURS}
            return Builds(machine.paths, engine, time.isoformat(), run_id, variables, say)

        if bronze.has(FETCH_LOG):
            # what waits to be landed may be of the future as well
            bronze.prepare()
        found = future.find_future(Lake(machine.paths), latest_as_of(bronze.data_source()))
        if not found:
            say(f"nothing in the lake is stamped later than {found.after:%Y-%m-%d %H:%M:%S} UTC; nothing to do")
            return
        say(str(found))
        _confirm(is_confirmed)
        future.discard_future(Lake(machine.paths), found, builds_at, engine, say)
    say("the next smart-trader run goes on from there")


def _confirm(is_confirmed: bool) -> None:
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise SettingsError("nothing was changed: this needs to be confirmed", "run it with --yes")
    click.confirm("Take these rows out of the lake? They are copied to _set_aside first.", abort=True, err=True)
