"""Solana addresses as people give them: one check, and one message, for every command that takes one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import click

from smart_trader.errors import SettingsError

# Base58 leaves out what is easily mistaken for another letter or digit.
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # pragma: allowlist secret
ADDRESS_FIX = (
    "an address is 32 to 44 letters and digits of base58, mostly 43 or 44, without 0, O, I and l; "
    "copy it whole from a wallet or an explorer"
)
SHOWN_ITEMS = 3
SHOWN_CHARACTERS = 60

_SHAPE = re.compile(f"[{BASE58}]{{32,44}}")


def is_address(text: str) -> bool:
    """Whether a text looks like base58 of 32 bytes."""
    return _SHAPE.fullmatch(text) is not None


def check_addresses(items: Iterable[tuple[str, str]], source: str) -> list[str]:
    """Return addresses without blanks around them, each once, or refuse what is none.

    Args:
        items: Where each text stands, for the message (`line 3`; may be empty), and the text.
        source: The option or argument they come from.

    Raises:
        SettingsError: Names those that are no address.
    """
    stripped = [(place, text.strip()) for place, text in items]
    faults = [f"{place}: {shown(text)}" if place else shown(text) for place, text in stripped if not is_address(text)]
    if faults:
        more = f" and {len(faults) - SHOWN_ITEMS} more" if len(faults) > SHOWN_ITEMS else ""
        raise SettingsError(f"{source}: no Solana address: {'; '.join(faults[:SHOWN_ITEMS])}{more}", ADDRESS_FIX)
    return list(dict.fromkeys(text for _, text in stripped))


def shown(text: str) -> str:
    """Return a text in quotes, cut where it is long."""
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")


class AddressType(click.ParamType[str]):
    """A Solana address on a command line."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text.

        Raises:
            SettingsError: It is no address.
        """
        (found,) = check_addresses([("", str(value))], _name_parameter(param))
        return found


class AddressListType(click.ParamType[list[str]]):
    """Solana addresses on a command line, with commas between."""

    name = "addresses"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Check each part.

        Raises:
            SettingsError: One is no address.
        """
        if isinstance(value, list):
            return value
        return check_addresses([("", part) for part in value.split(",")], _name_parameter(param))


def _name_parameter(param: click.Parameter | None) -> str:
    """Return what a person calls a parameter."""
    if isinstance(param, click.Option):
        return param.opts[0]
    return param.human_readable_name.strip("[].") if param else "what is given"
