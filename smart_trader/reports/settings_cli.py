"""`smart-trader config`: every setting, and where its value comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from smart_trader.config.variables import parse_variables
from smart_trader.console import show
from smart_trader.reports.text_table import plain_value

if TYPE_CHECKING:
    from loaders.settings import LoaderSettings
    from smart_trader.config.listing import Setting


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Show them with this setting of a run.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Form."
)
def config(names: tuple[str, ...], variables: tuple[str, ...], form: str) -> None:
    """List all settings with value, unit and origin.

    Secrets are shown as set or not set.

    \b
    Examples:
      smart-trader config
      smart-trader config token_limit cu_budget   # what they decide
      smart-trader config --format json
    """  # noqa: D301
    from loaders.settings import loader_settings
    from smart_trader.config.listing import all_settings, find_setting
    from smart_trader.reports.settings_text import setting_text, settings_text

    overrides = parse_variables(variables)
    settings = [*all_settings(overrides), *_pace(loader_settings(overrides))]
    chosen = [find_setting(name, settings) for name in names]
    if form == "json":
        show(json.dumps([setting.as_json() for setting in chosen or settings], default=plain_value, indent=1))
    elif chosen:
        show("\n\n".join(map(setting_text, chosen)))
    else:
        show(settings_text(settings))


def _pace(settings: LoaderSettings) -> Iterator[Setting]:
    """Yield what the loaders make of plan and overrides."""
    from smart_trader.config.listing import Setting

    origin = "birdeye_plan" if settings.requests_per_second is None else "requests_per_second"
    section, plan = "The loaders' pace, which follows from these", settings.plan
    yield Setting(section, "pace", plan.per_second, origin, "requests/s", "", "requests that are sent a second")
    yield Setting(section, "parallel", settings.parallel, origin, "requests", "", "requests in flight at once")
