"""What every command line of the project shares: progress lines, error messages, exit codes, the log."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import click

from smart_trader.errors import SmartTraderError


def say(line: str) -> None:
    """Show a progress line; on stderr, so that output can be piped."""
    click.echo(line, err=True)


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command and exit: 0, or the error's own code with one message and no traceback.

    `SMART_TRADER_DEBUG=1` shows the traceback as well.
    """
    debug = bool(os.environ.get("SMART_TRADER_DEBUG"))
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    try:
        code = command.main(prog_name=name, standalone_mode=False)
    except SmartTraderError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        click.echo("stopped by the user", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
