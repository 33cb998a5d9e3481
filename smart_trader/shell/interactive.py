"""A shell of SQL on a terminal."""

from __future__ import annotations

import code
import sys
from collections.abc import Callable
from contextlib import suppress

from smart_trader.config.paths import OWNER_ONLY_DIR, cache_dir
from smart_trader.console import report_line
from smart_trader.errors import SmartTraderError
from smart_trader.lake.opened import OpenLake
from smart_trader.lake.query import is_open
from smart_trader.shell.cli import standard_output
from smart_trader.shell.statements import is_command, is_leave, run_text

PROMPT = "sql> "
CONTINUED = "...> "
# Whoever types these means the command with the dot.
LEAVE_WORDS = frozenset({"exit", "quit"})
KEPT_LINES = 1000


class Shell(code.InteractiveConsole):
    """Reads lines until a query is whole, then runs it."""

    def __init__(self, lake: OpenLake, form: str) -> None:
        super().__init__()
        self._lake = lake
        self._form = form

    def runsource(self, source: str, filename: str = "", symbol: str = "") -> bool:
        """Run what was typed so far; returns whether more is needed."""
        text = source.strip()
        if is_leave(text) or text.rstrip(";").strip() in LEAVE_WORDS:
            raise SystemExit
        if not is_command(text) and is_open(text):
            return True
        try:
            run_text(self._lake, text, self._form, standard_output())
        except SmartTraderError as error:
            report_line(f"error: {error}")
        return False


def run_shell(lake: OpenLake, form: str) -> None:
    """Read and run queries until the user leaves."""
    save = _edit_lines([*map(str, lake.tables()), ".tables", ".schema ", ".help", ".quit"])
    sys.ps1, sys.ps2 = PROMPT, CONTINUED
    # SystemExit is how a command leaves the loop
    with suppress(SystemExit):
        Shell(lake, form).interact(banner="a query ends with ; and .help lists commands", exitmsg="")
    save()


def _edit_lines(words: list[str]) -> Callable[[], None]:
    """Give the terminal completion and the lines of earlier shells; returns what keeps those of this one."""
    try:
        import readline
    except ImportError:
        # a Python without it has plain lines
        return lambda: None

    def complete(text: str, at: int) -> str | None:
        return next(iter([word for word in words if word.startswith(text)][at:]), None)

    readline.set_completer_delims(" \t\n(,;")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(KEPT_LINES)
    file = cache_dir() / "sql_history"
    with suppress(OSError):
        readline.read_history_file(file)

    def save() -> None:
        with suppress(OSError):
            file.parent.mkdir(mode=OWNER_ONLY_DIR, parents=True, exist_ok=True)
            readline.write_history_file(file)

    return save
