"""Where bronze is broken, every command names the table and the backup: nothing can make it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from care.conftest import LoadedLake
from click.testing import CliRunner

from smart_trader.cli import smart_trader
from smart_trader.errors import SmartTraderError

COMMANDS = {
    "run": ["run", "--demo", "--as-of", "1790086400"],
    "status": ["status"],
    "maintain": ["maintain"],
    "repair": ["repair"],
}


def damage(lake: LoadedLake, name: str, part: str) -> None:
    logs = sorted((lake.table(name) / "_delta_log").glob("*.json"))
    for path in logs if part == "log" else lake.files(name):
        path.write_bytes(b"broken")


def seen(root: Path) -> dict[Path, bytes]:
    """Return the files of the tables."""
    return {path: path.read_bytes() for path in root.glob("*/*/**/*.parquet")}


@pytest.mark.parametrize(
    ("name", "part", "command"),
    [
        *(
            pytest.param(f"bronze.{table}", "log", command, id=f"{table}-log-{command}")
            for table in ("fetch_log", "transaction_history")
            for command in COMMANDS
        ),
        # what reads no file of it finds no fault: a status counts rows by the log
        pytest.param("bronze.fetch_log", "file", "run", id="fetch_log-file-run"),
        pytest.param("bronze.fetch_log", "file", "repair", id="fetch_log-file-repair"),
        pytest.param("bronze.transaction_history", "file", "repair", id="transaction_history-file-repair"),
    ],
)
def test_broken_bronze_is_named_with_the_backup(
    loaded: LoadedLake, monkeypatch: pytest.MonkeyPatch, name: str, part: str, command: str
) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(loaded.root))
    monkeypatch.setenv("LAKEHOUSE_ENGINE", "embedded")
    damage(loaded, name, part)
    before = seen(loaded.root)
    with pytest.raises(SmartTraderError) as refused:
        CliRunner().invoke(smart_trader, COMMANDS[command], catch_exceptions=False)
    assert name in refused.value.what or name.replace(".", "/") in refused.value.what
    assert "from a backup" in refused.value.fix
    assert "smart-trader restore" in refused.value.fix
    # repair is not sent to itself, and says what to do without a backup
    assert ("run: smart-trader repair" in refused.value.fix) == (command != "repair")
    assert "<unknown>" not in str(refused.value)
    # a run may land a load before it reads the file
    assert seen(loaded.root).items() >= before.items()
