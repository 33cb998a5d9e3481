"""The one family of errors a person is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SmartTraderError(Exception):
    """Something the user can act on: what happened, to which item, and what to do.

    The command line prints it as one message and exits with `exit_code`; a traceback is never shown for it.

    Attributes:
        what: The cause, naming the item (a file, a port, a wallet).
        fix: What to do about it, as a sentence.
    """

    exit_code = 1

    def __init__(self, what: str, fix: str = "") -> None:
        self.what = what
        self.fix = fix
        super().__init__(f"{what}\n  fix: {fix}" if fix else what)


class SettingsError(SmartTraderError):
    """A setting has a value that cannot be used."""

    exit_code = 2


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return what somebody who mistyped a word may have meant; None where nothing is like it."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, 1)
    return by_folded[near[0]] if near else None
