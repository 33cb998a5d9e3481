"""What every command line of the project shares: progress lines, error messages, exit codes, the log."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from smart_trader.config.paths import OWNER_ONLY_UMASK
from smart_trader.errors import SmartTraderError, closest
from smart_trader.loopback import bypass_proxies
from smart_trader.stopping import listen, stop_reason

# Takes progress lines.
ProgressFn = Callable[[str], None]

# what shells give a command that Ctrl-C ended
USER_STOP = 128 + signal.SIGINT

# Control characters but for tab and line feed, what turns the direction of writing, and halves of surrogate pairs. A
# name or a message from outside could steer the terminal with them, or show other text than is there.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# how click names a value that is none of an option's
_CHOSEN = re.compile("^'([^']*)' is not ")


def printable(text: str) -> str:
    """Return text with every character that a terminal would obey, or that cannot be shown, as an escape."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return text from outside for use inside a line of ours: as `printable`, with tabs and line feeds written out."""
    return printable(text).replace("\t", "\\t").replace("\n", "\\n")


def show(text: str) -> None:
    """Print a result on stdout."""
    click.echo(printable(text))


def report_line(line: str) -> None:
    """Show a progress line; on stderr, so that output can be piped."""
    # not click's own stream: what stands in for stderr puts lines above a bar that is live
    click.echo(printable(line), file=sys.stderr)


class _PrintableFormatter(logging.Formatter):
    """Keeps text from outside from steering the terminal; lets tracebacks keep their lines."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def usage_text(error: click.ClickException, name: str) -> str:
    """Write an error of click as the project's own are written: the cause, and below it what to do.

    Args:
        error: The error.
        name: The program, for an error that names no command.
    """
    text = getattr(error, "message", "") if isinstance(error, click.NoSuchOption) else error.format_message()
    what = f"{text[:1].lower()}{text[1:]}".rstrip(".")
    context = getattr(error, "ctx", None)
    near = _near_word(error)
    page = f"see {context.command_path if context is not None else name} --help"
    return f"error: {what}\n  fix: {f'did you mean {near}? or ' if near else ''}{page}"


def _near_word(error: click.ClickException) -> str | None:
    """Return what somebody may have meant by a mistyped command, option or value."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        options = [name for option in error.ctx.command.params for name in (*option.opts, *option.secondary_opts)]
        return closest(error.option_name, [name for name in options if name.startswith("--")])
    if isinstance(error, click.BadParameter) and error.param is not None:
        kind, value = error.param.type, _CHOSEN.search(error.message)
        return closest(value[1], map(str, kind.choices)) if isinstance(kind, click.Choice) and value else None
    near: str | None = getattr(error, "near", None)
    return near


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command and exit: 0, or the error's own code with one message and no traceback.

    Files are the owner's alone, loopback is reached without a proxy, and SIGTERM and SIGHUP end a command as Ctrl-C
    does, with exit code 143 or 129.

    `SMART_TRADER_DEBUG=1` shows the traceback as well.
    """
    debug = bool(os.environ.get("SMART_TRADER_DEBUG"))
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[handler])
    # numba's coloured errors would end every command that reads trades with an escape code
    os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
    os.umask(OWNER_ONLY_UMASK)
    bypass_proxies()
    listen()
    try:
        code = command.main(prog_name=name, standalone_mode=False)
    except SmartTraderError as error:
        if debug:
            raise
        report_line(f"error: {error}")
        # a stop may show up as a failure of what was under way
        stopped = stop_reason(error)
        if stopped is not None:
            report_line(stopped[0])
        sys.exit(stopped[1] if stopped else error.exit_code)
    except click.exceptions.Abort as error:
        why, code = stop_reason(error.__cause__) or ("stopped by the user", USER_STOP)
        report_line(why)
        sys.exit(code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        report_line(usage_text(error, name))
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
