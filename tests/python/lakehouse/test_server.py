"""The running server: what it shows, whom it lets in, and what a second start or a stop by a wrong record does."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from smart_trader.config.settings import LakehouseSettings
from smart_trader.errors import SmartTraderError
from smart_trader.lakehouse import jvm, probe, server
from smart_trader.lakehouse.process import mark_of
from smart_trader.lakehouse.server_record import ServerRecord, read_record, write_record
from smart_trader.lakehouse.spark_config import MAIN_CLASS, Endpoints
from tests.python.support.engine import Engine, clean_environment, deny, run_module

NOT_SERVERS = ("dlt", "logs", "dbt-target", "dbt-vars", "dbt-logs", "market.json", "built.json", "_lake.lock")


def test_start_is_idempotent_also_when_several_start_at_once(engine: Engine) -> None:
    with ThreadPoolExecutor(3) as pool:
        tries = [pool.submit(run_module, "smart_trader.lakehouse", "start", env=engine.environment) for _ in range(3)]
        lines = {done.result().stdout for done in tries}
    assert len(lines) == 1
    assert f"already running: SQL on port {engine.record.endpoints.thrift_port}" in lines.pop()


def test_status_reports_where_the_server_is(engine: Engine) -> None:
    done = run_module("smart_trader.cli", "lakehouse", "status", "--json", env=engine.environment)
    facts = json.loads(done.stdout)
    assert (facts["running"], facts["pid"]) == (True, engine.record.pid)
    assert 100 < facts["rss_mb"] < 4000


def test_status_of_a_lake_without_a_server_exits_with_3(tmp_path: Path) -> None:
    done = run_module("smart_trader.lakehouse", "status", env=clean_environment(LAKEHOUSE_HOME=str(tmp_path)))
    assert (done.returncode, done.stdout) == (3, f"not running: {tmp_path}\n")


def test_env_prints_shell_lines_and_keeps_the_token_back(engine: Engine) -> None:
    done = run_module("smart_trader.lakehouse", "env", env=engine.environment)
    assert f"export LAKEHOUSE_HOME='{engine.paths.home}'" in done.stdout
    assert engine.record.endpoints.token not in done.stdout
    port = engine.record.endpoints.thrift_port
    assert f"export LAKEHOUSE_JDBC_URL=jdbc:hive2://localhost:{port}\n" in done.stdout
    with_token = run_module("smart_trader.lakehouse", "env", "--with-token", env=engine.environment)
    assert f"token={engine.record.endpoints.token}" in with_token.stdout


def test_env_without_a_server_has_no_address_of_one(tmp_path: Path) -> None:
    done = run_module("smart_trader.lakehouse", "env", env=clean_environment(LAKEHOUSE_HOME=str(tmp_path)))
    assert "export LAKEHOUSE_JDBC_URL" not in done.stdout
    assert done.stdout.endswith("# no server runs; LAKEHOUSE_JDBC_URL comes with: smart-trader lakehouse start\n")


def test_files_are_readable_by_the_owner_only(engine: Engine) -> None:
    engine.sql("create schema if not exists modes")
    engine.sql("create table if not exists modes.t using delta as select 1 as a")
    # what loaders and dbt write lies in a folder that nobody else can enter, with modes of their own
    others = [path for path in engine.paths.home.iterdir() if path.name.endswith("bronze") or path.name in NOT_SERVERS]
    open_to_others = [
        f"{oct(path.stat().st_mode)} {path}"
        for path in [engine.paths.home, *engine.paths.home.rglob("*")]
        if path.exists()
        and not any(path.is_relative_to(other) for other in others)
        and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []
    assert stat.S_IMODE(engine.paths.home.stat().st_mode) == 0o700


def test_the_server_listens_on_loopback_only(engine: Engine) -> None:
    process = engine.record.process()
    assert process is not None
    listening = {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    # Java shows an IPv4 address bound through an IPv6 socket in its mapped form
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_the_token_is_in_no_process_list_log_or_setting(engine: Engine) -> None:
    process = engine.record.process()
    assert process is not None
    token = engine.record.endpoints.token
    assert token not in " ".join(process.cmdline())
    assert token not in " ".join(process.environ().values())
    assert token not in engine.paths.log.read_text()
    shown = [*engine.sql("set"), *engine.sql("set spark.connect.authenticate.token")]
    assert token not in str(shown)


def test_a_wrong_connect_token_is_refused_with_a_clear_message(engine: Engine) -> None:
    with pytest.raises(SmartTraderError, match=r"refuses our token.*\n.*lakehouse stop"):
        probe.execute_connect(engine.record.endpoints.connect_port, "wrong")


def test_tables_lie_where_the_lake_is_configured(engine: Engine) -> None:
    location = f"{engine.paths.home}/placed"
    engine.sql(f"create schema if not exists placed location 'file:{location}'")
    engine.sql("create or replace table placed.t using delta as select 1 as a")
    assert (Path(location) / "t" / "_delta_log" / "00000000000000000000.json").is_file()


def test_a_second_server_on_the_same_lake_is_refused_by_name(engine: Engine, tmp_path: Path) -> None:
    env = clean_environment(LAKEHOUSE_HOME=str(tmp_path / "other"), LAKEHOUSE_URI=engine.paths.uri)
    done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert f"another server writes the lake {engine.paths.uri}" in done.stderr
    assert f"process {engine.record.pid}" in done.stderr


def test_the_same_home_with_another_lake_is_refused(engine: Engine, tmp_path: Path) -> None:
    env = engine.environment | {"LAKEHOUSE_URI": str(tmp_path)}
    done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert "is running on another lake" in done.stderr


@pytest.mark.parametrize("setting", ["LAKEHOUSE_THRIFT_PORT", "LAKEHOUSE_CONNECT_PORT"])
def test_a_configured_port_that_is_taken_is_refused_by_name(tmp_path: Path, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = clean_environment(LAKEHOUSE_HOME=str(tmp_path), **{setting: str(port)})
        done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert f"port {port} is taken by another program\n  fix: stop that program, or unset {setting}" in done.stderr


def test_a_default_port_that_is_taken_is_replaced_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "THRIFT_PORT", port)
        lines: list[str] = []
        endpoints = server.choose_endpoints(LakehouseSettings(), lines.append)
    assert endpoints.thrift_port != port
    assert f"port {port} is taken, using {endpoints.thrift_port}" in lines


def test_too_little_disk_space_is_refused_before_anything_starts(tmp_path: Path) -> None:
    env = clean_environment(LAKEHOUSE_HOME=str(tmp_path), LAKEHOUSE_MIN_FREE_MB=str(10**9))
    done = run_module("smart_trader.lakehouse", "start", env=env)
    assert done.returncode == 1
    assert "no disk space" in done.stderr
    assert f"{10**9} MB needed" in done.stderr


@pytest.mark.parametrize("command", ["start", "status", "stop"])
def test_a_home_of_somebody_else_is_explained(tmp_path: Path, command: str) -> None:
    home = tmp_path / "theirs"
    home.mkdir()
    deny(home)
    env = clean_environment(LAKEHOUSE_HOME=str(home))
    done = run_module("smart_trader.lakehouse", command, env=env, unprivileged=True)
    assert done.returncode == 1
    assert str(home) in done.stderr
    assert "fix: " in done.stderr
    assert "LAKEHOUSE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_stop_leaves_a_process_alone_that_only_has_the_recorded_pid(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        paths = LakehouseSettings(home=tmp_path).paths
        mark = mark_of(other.pid)
        assert mark is not None
        write_record(paths.server_file, ServerRecord(mark, Endpoints(1, 2, "t"), "", "", 1.0))
        assert MAIN_CLASS not in psutil.Process(other.pid).cmdline()
        assert server.stop(paths, print) is False
        assert other.poll() is None
        assert read_record(paths.server_file) is None, "the stale record is cleared away"
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', "[]"], ids=["empty", "cut", "keys-missing", "list"])
def test_a_damaged_record_counts_as_none(tmp_path: Path, content: str) -> None:
    paths = LakehouseSettings(home=tmp_path).paths
    paths.server_file.write_text(content)
    assert server.running(paths) is None
    assert server.stop(paths, print) is False


def test_the_answer_of_another_lakes_server_is_not_taken_for_ours(engine: Engine, tmp_path: Path) -> None:
    paths = LakehouseSettings(home=tmp_path / "home").paths
    server.prepare_home(LakehouseSettings(home=paths.home), paths)
    paths.log.write_text("")
    # two starts at one time chose the same ports, and this one's server cannot have them
    with subprocess.Popen(["sleep", "3"]) as ours, pytest.raises(SmartTraderError, match="the process ended"):
        jvm.wait_until_ready(ours, engine.record.endpoints, paths, timeout_s=20)
