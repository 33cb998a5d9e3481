"""Names of runs, which stand in every row that a run makes, in logs and in messages."""

from __future__ import annotations

import re
from typing import Any

import click

from smart_trader.addresses import shown
from smart_trader.errors import SettingsError

RUN_ID_VARIABLE = "SMART_TRADER_RUN_ID"
# As long as Airflow's, and of the signs that it allows.
MAX_CHARACTERS = 250
RUN_ID_FIX = (
    f"name a run with 1 to {MAX_CHARACTERS} characters: ASCII letters, digits and _ . : + - ~ = @, a letter, digit or "
    "_ first; or leave it out"
)

_SHAPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+\-~=@]*")


def check_run_id(text: str, source: str) -> str:
    """Return a run's name, or refuse it.

    Args:
        text: The name.
        source: The option or variable it comes from.

    Raises:
        SettingsError: It is empty, too long, or holds something else than plain signs.
    """
    if not text:
        raise SettingsError(f"{source} is empty", RUN_ID_FIX)
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"{source} {shown(text)} has {len(text)} characters", RUN_ID_FIX)
    if not _SHAPE.fullmatch(text):
        raise SettingsError(f"{source} {shown(text)} cannot name a run", RUN_ID_FIX)
    return text


def command_run_id(text: str, default: str) -> str:
    """Return the name of a dbt command's run.

    Args:
        text: Value of SMART_TRADER_RUN_ID; empty takes the default.
        default: The command's own name.

    Raises:
        SettingsError: It can be no run's name.
    """
    return check_run_id(text, RUN_ID_VARIABLE) if text else default


class RunIdType(click.ParamType[str]):
    """A run's name on a command line."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name.

        Raises:
            SettingsError: It can be no run's name.
        """
        return check_run_id(str(value), param.opts[0] if param else "the run's name")
