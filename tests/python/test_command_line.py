"""The manners of the command line: helps that fit, one style of error, and a guess at what was mistyped."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from smart_trader.cli import COMMANDS, SECTIONS, smart_trader
from smart_trader.errors import closest
from tests.python.support.engine import PROJECT, clean_environment, run_module

WIDTH = 80


def helps(command: click.Command, *names: str) -> list[tuple[str, click.Command]]:
    """Return a command and all below it, by the words that call it."""
    found = [(" ".join(names), command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += helps(below, *names, name)
    return found


@pytest.mark.parametrize(("words", "command"), helps(smart_trader, "smart-trader"))
def test_each_help_fits_a_terminal_and_cuts_nothing(words: str, command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=words, terminal_width=WIDTH))
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert not re.search(r"\w\.\.\.$", text, re.MULTILINE)
    assert "\\b" not in text


def test_commands_are_listed_by_use_and_each_has_a_place() -> None:
    names = smart_trader.list_commands(click.Context(smart_trader))
    assert sorted(names) == sorted(COMMANDS)
    assert names[:5] == ["run", "leaderboard", "explain", "report", "status"]
    text = smart_trader.get_help(click.Context(smart_trader))
    assert [text.index(f"{title}:") for title in SECTIONS] == sorted(text.index(f"{title}:") for title in SECTIONS)


MISTYPED = [
    pytest.param(["leaderbord"], "no such command 'leaderbord'", "leaderboard", "smart-trader", id="command"),
    pytest.param(["RUN"], "no such command 'RUN'", "run", "smart-trader", id="capitals"),
    pytest.param(["zzzz"], "no such command 'zzzz'", None, "smart-trader", id="nothing-like-it"),
    pytest.param(["load", "walets"], "no such command 'walets'", "whales", "smart-trader load", id="loader"),
    pytest.param(["lakehouse", "strat"], "no such command", "start", "smart-trader lakehouse", id="server"),
    pytest.param(["sandbox", "srve"], "no such command", "serve", "smart-trader sandbox", id="sandbox"),
    pytest.param(["run", "--walets", "x"], "no such option '--walets'", "--wallets", "smart-trader run", id="option"),
    pytest.param(["run", "--market", "hrad"], "'hrad' is not one of", "hard", "smart-trader run", id="value"),
    pytest.param(["status", "--format", "jsno"], "'jsno' is not one of", "json", "smart-trader status", id="form"),
    pytest.param(["run", "--step", "load_token"], "no step 'load_token'", "load_tokens", None, id="step"),
    pytest.param(["run", "--var", "token_limt=1"], "token_limt is no setting", "token_limit", None, id="setting"),
    pytest.param(["run", "--var", "foo=1"], "foo is no setting", None, None, id="no-setting"),
    pytest.param(["explain"], "missing argument 'WALLET'", None, "smart-trader explain", id="missing"),
    pytest.param(["status", "now"], "got unexpected extra argument", None, "smart-trader status", id="extra"),
    pytest.param(["run", "--as-of"], "'--as-of' requires an argument", None, "smart-trader run", id="no-value"),
    pytest.param(
        ["load", "whales", "--var"], "'--var' requires", None, "smart-trader load whales", id="no-value-below"
    ),
]


@pytest.mark.parametrize(("arguments", "cause", "guess", "page"), MISTYPED)
def test_what_is_mistyped_gets_one_style_of_error(
    arguments: list[str], cause: str, guess: str | None, page: str | None
) -> None:
    done = run_module("smart_trader.cli", *arguments, env=clean_environment())
    first, second = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert first.startswith("error: ")
    assert cause in first
    assert second.startswith("  fix: ")
    assert ("did you mean" in done.stderr) == (guess is not None)
    assert guess is None or f"did you mean {guess}?" in done.stderr
    assert page is None or f"see {page} --help" in second


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["config", "token_limit"], "dbt_project.yml", id="a-setting-of-the-project"),
        pytest.param(["lakehouse", "env"], str(PROJECT / ".lakehouse"), id="its-own-lake"),
    ],
)
def test_a_command_knows_its_project_from_any_folder(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = run_module("smart_trader.cli", *arguments, env=clean_environment(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout


@pytest.mark.parametrize(
    ("word", "guess"), [("Hard", "hard"), ("hadr", "hard"), ("", None), ("\x1b[31m", None), ("no-skill", "no_skill")]
)
def test_the_nearest_word_is_found_in_capitals_or_not(word: str, guess: str | None) -> None:
    assert closest(word, ["easy", "hard", "no_skill"]) == guess
