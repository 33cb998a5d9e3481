"""A port that another program takes while the server starts."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from smart_trader.config.settings import LakehouseSettings
from smart_trader.errors import SmartTraderError
from smart_trader.lakehouse import server
from smart_trader.lakehouse.diagnosis import PortTakenError, explain_failed_start

TAKEN = PortTakenError("the server did not start: a port was taken", "start again")


@pytest.mark.parametrize(
    ("line", "is_port"),
    [
        pytest.param(
            "org.apache.thrift.transport.TTransportException: Could not create ServerSocket", True, id="thrift"
        ),
        pytest.param("java.net.BindException: Address already in use", True, id="connect"),
        pytest.param("java.lang.OutOfMemoryError: Java heap space", False, id="memory"),
    ],
)
def test_a_taken_port_is_distinguished_from_other_causes(tmp_path: Path, line: str, is_port: bool) -> None:
    settings = LakehouseSettings(home=tmp_path)
    settings.paths.log.write_text(f"starting\n{line}\n")
    assert isinstance(explain_failed_start(settings.paths, "it ended"), PortTakenError) is is_port


@pytest.mark.parametrize(
    ("settings", "outcomes", "starts"),
    [
        pytest.param({}, [TAKEN, "up"], 2, id="chosen-by-us"),
        pytest.param({}, [TAKEN] * server.PORT_TRIES, server.PORT_TRIES, id="again-and-again"),
        pytest.param({"thrift_port": 21000}, [TAKEN], 1, id="configured"),
        pytest.param({}, [SmartTraderError("no memory", "free some")], 1, id="another-cause"),
    ],
)
def test_the_server_starts_again_on_other_ports(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, int],
    outcomes: list[str | SmartTraderError],
    starts: int,
) -> None:
    # a real race cannot be had to order: the start of the JVM alone is replaced
    start_locked = Mock(side_effect=outcomes)
    monkeypatch.setattr(server, "_start_locked", start_locked)
    lines: list[str] = []
    lake = LakehouseSettings(home=tmp_path / "lake", **settings)  # type: ignore[arg-type]
    if outcomes[-1] == "up":
        assert server.start(lake, lines.append).record == "up"
    else:
        with pytest.raises(SmartTraderError):
            server.start(lake, lines.append)
    assert start_locked.call_count == starts
    assert len(lines) == starts - 1
