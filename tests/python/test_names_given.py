"""Addresses and names of runs at every command that takes them: a wrong one is refused by name, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import jinja2
import pytest
from click.testing import CliRunner

from loaders.cli import load
from smart_trader.addresses import is_address
from smart_trader.cli import smart_trader
from smart_trader.errors import SettingsError
from smart_trader.run_ids import MAX_CHARACTERS
from smart_trader.sandbox.market.names import address
from tests.python.support.engine import PROJECT

MINE = address(7, "wallet", 1)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        pytest.param(MINE, True, id="address"),
        pytest.param("So11111111111111111111111111111111111111112", True, id="wrapped-sol"),
        pytest.param("1" * 32, True, id="system-program-32-zero-bytes"),
        pytest.param(MINE[:31], False, id="31-letters"),
        pytest.param(MINE + MINE[:2], False, id="too-long"),
        pytest.param("0x" + "ab" * 20, False, id="ethereum"),
        pytest.param(MINE[:-1] + "l", False, id="letter-that-base58-lacks"),
        pytest.param(f"{MINE}\n", False, id="line-feed"),
        pytest.param("", False, id="empty"),
    ],
)
def test_an_address_is_base58_of_32_bytes(text: str, is_one: bool) -> None:
    assert is_address(text) == is_one


def refused(command: click.Command, *arguments: str) -> str:
    with pytest.raises(SettingsError) as error:
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    return str(error.value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake that nothing may touch, in an environment without a developer's own settings."""
    for name in ("LAKEHOUSE_URI", "DBT_TARGET", "SMART_TRADER_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BIRDEYE_API_KEY", "k")
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.mark.parametrize(
    ("command", "arguments", "names"),
    [
        pytest.param(smart_trader, ["retry", MINE, "foo"], "ITEM: no Solana address: 'foo'", id="retry"),
        pytest.param(
            smart_trader, ["run", "--demo", "--wallets", "foo,bar"],
            "--wallets: no Solana address: 'foo'; 'bar'", id="run-wallets",
        ),
        pytest.param(
            smart_trader, ["run", "--demo", "--tokens", f"{MINE},BONK"],
            "--tokens: no Solana address: 'BONK'", id="run-tokens",
        ),
        pytest.param(smart_trader, ["run", "--demo", "--tokens", ""], "--tokens is empty", id="run-nothing"),
        pytest.param(
            load, ["whales", "--dry-run", "--tokens", "foo,bar"],
            "--tokens: no Solana address: 'foo'; 'bar'", id="load-whales",
        ),
        pytest.param(
            load, ["transactions", "--dry-run", "--wallets", "foo"],
            "--wallets 'foo': no such file, and no Solana address", id="load-transactions",
        ),
        pytest.param(
            smart_trader, ["sandbox", "record", "new", "--tokens", f"{MINE}, foo"],
            "--tokens: no Solana address: 'foo'", id="record-tokens",
        ),
        pytest.param(
            smart_trader, ["sandbox", "record", "new", "--wallets", MINE, "--wallets", "foo"],
            "--wallets: no Solana address: 'foo'", id="record-wallets",
        ),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_name(
    home: Path, command: click.Command, arguments: list[str], names: str
) -> None:
    message = refused(command, *arguments)
    assert message.startswith(f"{names}\n  fix: ")
    assert not home.exists()


def by_macro(text: str) -> str:
    """Return the message of a build whose environment names the run."""
    from dbt.adapters.sparkconnect.impl import SparkConnectAdapter

    template = (PROJECT / "macros" / "run" / "run_id.sql").read_text()
    module = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False).from_string(template, globals={
        "execute": True,
        "env_var": lambda name, _: {"SMART_TRADER_RUN_ID": text}[name],
        "invocation_id": "own",
        "adapter": SparkConnectAdapter.__new__(SparkConnectAdapter),
    }).module  # fmt: skip
    try:
        return str(module.run_id()).strip()  # type: ignore[attr-defined]
    except Exception as error:
        return str(error)


ENTRIES: dict[str, tuple[str, Callable[[str], str]]] = {
    "run": ("--run-id", lambda text: refused(smart_trader, "run", "--demo", "--run-id", text)),
    "load": ("--run-id", lambda text: refused(load, "tokens", "--run-id", text)),
    "dbt": ("SMART_TRADER_RUN_ID", by_macro),
}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("a\x1b[31mb", r"'a\x1b[31mb' cannot name a run", id="escape"),
        pytest.param("a\nb", r"'a\nb' cannot name a run", id="line-feed"),
        pytest.param("a\n", r"'a\n' cannot name a run", id="line-feed-at-the-end"),
        pytest.param(" ", "' ' cannot name a run", id="blank"),
        pytest.param("my run", "'my run' cannot name a run", id="blank-inside"),
        pytest.param("../run", "'../run' cannot name a run", id="path"),
        pytest.param("a/b", "'a/b' cannot name a run", id="slash"),
        pytest.param("a\\b", r"'a\\b' cannot name a run", id="backslash"),
        pytest.param("..", "'..' cannot name a run", id="dots"),
        pytest.param("o'hare", '"o\'hare" cannot name a run', id="quote"),
        pytest.param("l\u00e4uft", "'l\u00e4uft' cannot name a run", id="outside-ascii"),
        pytest.param("x" * (MAX_CHARACTERS + 1), f"has {MAX_CHARACTERS + 1} characters", id="too-long"),
    ],
)
@pytest.mark.parametrize("entry", ENTRIES)
def test_what_cannot_name_a_run_is_refused(home: Path, entry: str, text: str, fault: str) -> None:
    source, read = ENTRIES[entry]
    message = read(text)
    assert source in message
    assert fault in message
    assert "fix: name a run with 1 to 250 characters" in message
    assert not home.exists()


@pytest.mark.parametrize("entry", ["run", "load"])
def test_an_empty_name_is_refused_where_it_is_given(home: Path, entry: str) -> None:
    assert ENTRIES[entry][1]("").startswith("--run-id is empty\n  fix: ")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("", "'own'", id="dbts-own"),
        pytest.param("scheduled__2026-01-31T09:00:00+00:00", None, id="airflows"),
        pytest.param("x" * MAX_CHARACTERS, None, id="longest"),
    ],
)
def test_a_good_name_is_taken(text: str, name: str | None) -> None:
    assert by_macro(text) == (name or f"'{text}'")
