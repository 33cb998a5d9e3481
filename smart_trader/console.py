"""What every command line of the project shares: progress lines, error messages, exit codes, the log."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import NoReturn

import click

from smart_trader.errors import SmartTraderError
from smart_trader.loopback import bypass_proxies
from smart_trader.private import OWNER_ONLY_UMASK
from smart_trader.stopping import listen, stop_reason

# what shells give a command that Ctrl-C ended
USER_STOP = 128 + signal.SIGINT


def say(line: str) -> None:
    """Show a progress line; on stderr, so that output can be piped."""
    click.echo(line, err=True)


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command and exit: 0, or the error's own code with one message and no traceback.

    Files are the owner's alone, loopback is reached without a proxy, and SIGTERM and SIGHUP end a command as Ctrl-C
    does, with exit code 143 or 129.

    `SMART_TRADER_DEBUG=1` shows the traceback as well.
    """
    debug = bool(os.environ.get("SMART_TRADER_DEBUG"))
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    os.umask(OWNER_ONLY_UMASK)
    bypass_proxies()
    listen()
    try:
        code = command.main(prog_name=name, standalone_mode=False)
    except SmartTraderError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        # a stop may show up as a failure of what was under way
        told = stop_reason(error)
        if told is not None:
            click.echo(told[0], err=True)
        sys.exit(told[1] if told else error.exit_code)
    except click.exceptions.Abort as error:
        why, code = stop_reason(error.__cause__) or ("stopped by the user", USER_STOP)
        click.echo(why, err=True)
        sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
