"""Text from outside never steers the terminal."""

from __future__ import annotations

import logging

import click
import pytest

from smart_trader.console import one_line, printable, report_line, run, show
from smart_trader.errors import SmartTraderError
from tests.python.support.engine import PROJECT, clean_environment
from tests.python.support.pty import run_python_in_terminal

HOSTILE = {
    "clear-the-screen": ("a\x1b[2Jb", "a\\x1b[2Jb"),
    "window-title": ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    "clipboard": ("\x1b]52;c;eA==\x1b\\", "\\x1b]52;c;eA==\\x1b\\"),
    "8-bit-csi": ("\x9b31m", "\\x9b31m"),
    "overwrite": ("bad\rgood", "bad\\rgood"),
    "backspace": ("a\x08\x7f", "a\\x08\\x7f"),
    "zero-byte": ("a\0b", "a\\x00b"),
    "right-to-left": ("\u202eabc\u2066", "\\u202eabc\\u2066"),
    "half-a-surrogate-pair": ("a\ud800", "a\\ud800"),
}
HARMLESS = ["plain", "a\tb\nc", "H\u00e9llo \u540d \U0001f980\u200d\U0001f980", "\u05d0\u0645", "100 \u20ac"]


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_every_printed_line_is_harmless(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(text) == one_line(text) == shown
    report_line(text)
    show(text)
    assert capsys.readouterr() == (f"{shown}\n", f"{shown}\n")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_text_from_outside_stays_on_its_line() -> None:
    assert one_line("no\nerror: all lost\t!") == "no\\nerror: all lost\\t!"


@pytest.mark.parametrize("text", [case[0] for case in HOSTILE.values()], ids=HOSTILE)
def test_errors_and_log_lines_are_too(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])

    @click.command()
    def command() -> None:
        logging.getLogger("loaders.test").warning("the API says %s", text)
        raise SmartTraderError(f"refused: {text}", "ask again")

    monkeypatch.setattr("sys.argv", ["test"])
    with pytest.raises(SystemExit) as ended:
        run(command, "test")
    shown = capsys.readouterr().err
    assert ended.value.code == 1
    assert f"the API says {printable(text)}" in shown
    assert f"error: refused: {printable(text)}" in shown
    assert text not in shown


# what numba does where it has an error of its own to write, which costs no compiling here
COLOURS_OF_ERRORS = """
import click
from smart_trader.console import run

@click.command()
def read_trades():
    from numba.core.errors import termcolor
    termcolor().errmsg("a type")
    click.echo("read")

run(read_trades, "read")
"""


def test_a_library_that_colours_its_errors_leaves_no_escape_code_in_a_terminal() -> None:
    environment = clean_environment() | {"NO_COLOR": "1"}
    assert run_python_in_terminal(["-c", COLOURS_OF_ERRORS], (80, 24), environment, PROJECT).raw == "read\n"
