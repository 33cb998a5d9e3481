"""Servers that cannot be reached: one clear message, soon, and without the token."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from adapter_support import Engine, endpoint_content
from dbt.adapters.sparkconnect import connect_client
from dbt.adapters.sparkconnect.connections import SparkConnectConnectionManager
from dbt.adapters.sparkconnect.credentials import SparkConnectCredentials
from dbt.tests.util import run_dbt
from dbt_common.exceptions import DbtRuntimeError

SECRET = "not-the/token=1"  # pragma: allowlist secret
HINT = "Start it with: make server"


def credentials(**settings: Any) -> SparkConnectCredentials:
    """Return a target's settings as dbt makes them of a profile."""
    data = {"schema": "s", "server_hint": HINT, "connect_deadline": 1.5, **settings}
    return SparkConnectCredentials.from_dict(data)


def message_of(action: Callable[[], object]) -> str:
    """Return the error of an action that must fail within seconds."""
    start = time.monotonic()
    with pytest.raises(DbtRuntimeError) as caught:
        action()
    assert time.monotonic() - start < 6
    assert HINT in caught.value.msg
    assert SECRET not in caught.value.msg
    return str(caught.value.msg)


def connect(creds: SparkConnectCredentials) -> Any:
    """Open a session for a Python model."""
    return connect_client.open_session(creds, creds.connect_endpoint())


@pytest.fixture
def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_connect_refuses_the_token(engine: Engine) -> None:
    """A wrong token is named as the cause, and where to set it."""
    port = endpoint_content(engine.endpoint_file)["connect"]["port"]
    creds = credentials(connect_host="127.0.0.1", connect_port=port, connect_token=SECRET)
    message = message_of(lambda: connect(creds))
    assert f"The token was refused by the Spark Connect server at localhost:{port}" in message
    assert "`connect_token` in the profile" in message


def test_nobody_listens_for_python_models(free_port: int) -> None:
    """Nobody listens at the port."""
    creds = credentials(connect_port=free_port, connect_token=SECRET)
    message = message_of(lambda: connect(creds))
    assert f"Cannot reach the Spark Connect server at localhost:{free_port}" in message


def test_nobody_answers() -> None:
    """Somebody listens, and says nothing: both servers get the deadline and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        creds = credentials(port=port, connect_port=port, connect_token=SECRET)
        assert "within 1.5 seconds" in message_of(lambda: connect(creds))
        opened = message_of(lambda: SparkConnectConnectionManager._open_once(creds))
        assert f"No Spark Thrift server answers at 127.0.0.1:{port}" in opened


def test_nobody_listens_for_sql(free_port: int) -> None:
    """The message names the endpoint."""
    creds = credentials(port=free_port)
    message = message_of(lambda: SparkConnectConnectionManager._open_once(creds))
    assert f"No Spark Thrift server answers at 127.0.0.1:{free_port}" in message


def test_opening_is_retried_as_configured(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`connect_retries` is for a server that is still starting."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    creds = credentials(port=free_port, connect_retries=2, connect_timeout=7)
    message_of(lambda: SparkConnectConnectionManager._open_with_retries(creds))
    assert waits == [7, 7]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "does not exist. Is the server running?"),
        (f'{{"connect": "{SECRET}"', "is not valid JSON (line 1)"),
        ("[]", "must hold an object with 'thrift' and 'connect'"),
        ('{"thrift": {"host": "h", "port": "x"}}', "'thrift.port' must be of type int"),
        ('{"thrift": 1}', "'thrift' must be an object"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_endpoint_file_is_unusable(tmp_path: Path, content: str | bytes | None, expected: str) -> None:
    """Whatever is wrong with the file, its name and the cure are reported."""
    path = tmp_path / "endpoint.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    creds = credentials(endpoint_file=str(path))
    message = message_of(creds.thrift_endpoint)
    assert f"The endpoint file '{path}' {expected}" in message or expected in message
    assert str(path) in message


def test_endpoint_file_wins_and_is_read_every_time(tmp_path: Path) -> None:
    """Ports may change while dbt runs; what the file leaves out comes from the profile."""
    path = tmp_path / "endpoint.json"
    creds = credentials(endpoint_file=str(path), host="h", port=1, connect_token=SECRET)
    path.write_text(json.dumps({"thrift": {"port": 2}, "connect": {"port": 3}}), encoding="utf-8")
    assert (str(creds.thrift_endpoint()), str(creds.connect_endpoint())) == ("h:2", "localhost:3")
    path.write_text(json.dumps({"connect": {"host": "127.0.0.1", "port": 4}}), encoding="utf-8")
    assert (str(creds.thrift_endpoint()), str(creds.connect_endpoint())) == ("h:1", "localhost:4")
    assert creds.connect_endpoint().token == SECRET


def test_token_is_shown_nowhere() -> None:
    """Not in the profile's representation, in `dbt debug`, nor when it is a bare number."""
    creds = credentials(connect_token=SECRET)
    assert SECRET not in repr(creds)
    assert SECRET not in repr(creds.connect_endpoint())
    assert SECRET not in str(dict(creds.connection_info()))
    assert credentials(connect_token=12345).connect_token == "12345"


def test_another_lake_is_no_reason_to_parse_again() -> None:
    """What dbt compares a parse by holds neither the lake nor the file of its server; `dbt debug` shows both."""
    one, two = (credentials(method="auto", lake=f"/{name}", endpoint_file=f"/{name}/e.json") for name in ("one", "two"))
    assert dict(one.connection_info()) == dict(two.connection_info())
    assert two.place() == "lake: /two, endpoint_file: /two/e.json"
    assert credentials(host="h").place() == ""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"method": "http"}, "no connection method 'http': .* thrift, embedded or auto"),
        ({"query_retries": 1}, "never sends a statement"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], expected: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(Exception, match=expected):
        read_profile(settings)


def read_profile(settings: dict[str, Any]) -> SparkConnectCredentials:
    """Read a profile as dbt does."""
    SparkConnectCredentials.validate({"type": "sparkconnect", "schema": "s", **settings})
    return credentials(**settings)


class TestWithoutServer:
    """A dbt command where no server runs."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {"one.sql": "select 1 as id"}

    def test_run_names_the_endpoint_file_once(
        self, project: Any, dbt_profile_data: dict[str, Any], profiles_root: Path, tmp_path: Path
    ) -> None:
        """The whole command fails with the message, not with a traceback."""
        import yaml

        data = json.loads(json.dumps(dbt_profile_data))
        data["test"]["outputs"]["default"]["endpoint_file"] = str(tmp_path / "gone.json")
        elsewhere = tmp_path / "profiles"
        elsewhere.mkdir()
        (elsewhere / "profiles.yml").write_text(yaml.safe_dump(data), encoding="utf-8")
        with pytest.raises(DbtRuntimeError, match=r"gone\.json' does not exist") as caught:
            run_dbt(["run", "--profiles-dir", str(elsewhere)])
        assert "Start it with: make server" in str(caught.value)
