"""Where there is no lake, a command that needs one says so, names the place and makes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from loaders.cli import load
from smart_trader.cli import smart_trader
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.sandbox.market.names import SOL

COMMANDS = {
    "status": ["status"],
    "leaderboard": ["leaderboard"],
    "explain": ["explain", SOL],
    "report": ["report"],
    "retry": ["retry"],
    "maintain": ["maintain"],
    "disk": ["maintain", "--only", "disk"],
    "repair": ["repair"],
    "upgrade": ["upgrade"],
    "backup": ["backup", "copy"],
    "discard-future": ["discard-future", "--yes"],
}
# These make a lake, or do without one.
MAKING = {
    "run": ["run", "--demo"],
    "as-of": ["as-of"],
    "restore": ["restore", "copy"],
    "server": ["lakehouse", "start"],
    "load": ["load", "init"],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LAKEHOUSE_HOME", "LAKEHOUSE_URI", "LAKEHOUSE_ENGINE", "DBT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def seen(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("setting", ["LAKEHOUSE_HOME", "LAKEHOUSE_URI"])
@pytest.mark.parametrize("name", ["missing", "empty", "other"])
def test_a_place_without_a_lake_is_named_and_left_as_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str, setting: str, command: str
) -> None:
    (place / "empty").mkdir()
    (place / "other").mkdir()
    (place / "other" / "notes.txt").write_text("not a lake")
    monkeypatch.setenv("LAKEHOUSE_HOME", str(place / "home"))
    monkeypatch.setenv(setting, str(place / name))
    before = seen(place)
    with pytest.raises(SmartTraderError) as refused:
        CliRunner().invoke(smart_trader, COMMANDS[command], catch_exceptions=False)
    assert refused.value.what == f"there is no lake in {place / name}"
    assert "correct LAKEHOUSE_HOME" in refused.value.fix
    assert "python -m loaders init" in refused.value.fix
    assert seen(place) == before


def test_the_schemas_of_another_target_are_another_lake(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "bronze").mkdir()
    monkeypatch.setenv("LAKEHOUSE_HOME", str(place))
    monkeypatch.setenv("DBT_TARGET", "ci")
    with pytest.raises(SmartTraderError, match=r"there is no lake with schemas ci_\* in "):
        CliRunner().invoke(smart_trader, ["status"], catch_exceptions=False)


@pytest.mark.parametrize("command", [*COMMANDS, *MAKING])
@pytest.mark.parametrize("setting", ["LAKEHOUSE_HOME", "LAKEHOUSE_URI"])
@pytest.mark.parametrize("below", ["", "/lake"], ids=["file", "below-a-file"])
def test_a_file_is_no_place_for_a_lake(
    place: Path, monkeypatch: pytest.MonkeyPatch, below: str, setting: str, command: str
) -> None:
    (place / "file").write_text("mine")
    monkeypatch.setenv("LAKEHOUSE_HOME", str(place / "home"))
    monkeypatch.setenv(setting, f"{place}/file{below}")
    before = seen(place)
    with pytest.raises(SettingsError) as refused:
        CliRunner().invoke(smart_trader, {**COMMANDS, **MAKING}[command], catch_exceptions=False)
    assert refused.value.what == f"{setting}='{place}/file{below}' cannot be used: {place}/file is a file, not a folder"
    assert refused.value.fix.startswith(f"set {setting} to a folder")
    assert seen(place) == before


def test_a_lake_without_builds_has_a_status(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(place / "lake"))
    assert CliRunner().invoke(load, ["init"]).exit_code == 0
    done = CliRunner().invoke(smart_trader, ["status", "--tables"])
    assert done.exit_code == 0
    assert done.stdout.startswith("CRITICAL:  there is no list yet\n  fix:     fill this lake: smart-trader run")
    assert re.search(r"^gold.leaderboard +- +- +not there$", done.stdout, re.MULTILINE)
