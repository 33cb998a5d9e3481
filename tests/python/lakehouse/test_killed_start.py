"""A start that is killed or stopped at any instant leaves a lake that the next command can use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import LakehouseSettings
from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import FileLock, is_held, lake_lock, processes_with
from smart_trader.lakehouse import jvm, server
from smart_trader.lakehouse.process import mark_of
from smart_trader.lakehouse.server_record import ServerRecord, read_record, write_record
from smart_trader.lakehouse.spark_config import MAIN_CLASS, Endpoints
from tests.python.support.engine import PROJECT, clean_environment, run_module, small_disk

RUN = ("run", "--demo", "--market", "easy", "--seed", "11", "--market-wallets", "20")
# A program that takes as long as a JVM and is called like one: what is tested here is who holds and who ends it.
SLEEPER = [sys.executable, "-c", "import time; time.sleep(120)", MAIN_CLASS]
# A start that never gets further than its JVM, as one that is killed.
STARTER = """
import json, sys, time
from pathlib import Path
from smart_trader.lakehouse import jvm
from smart_trader.config.settings import LakehouseSettings
from smart_trader.lake.file_lock import FileLock
paths = LakehouseSettings(home=Path(sys.argv[1])).paths
lock = FileLock(paths.server_lock, "smart-trader lakehouse start").acquire()
made = jvm.launch(json.loads(sys.argv[2]), paths, [lock])
if "abandon" in sys.argv:
    made.release()
print(made.process.pid, flush=True)
time.sleep(120)
"""


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def paths(tmp_path: Path) -> LakePaths:
    return LakehouseSettings(home=tmp_path).paths


@pytest.fixture
def begin(paths: LakePaths) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Begin a start in a process of its own; returns that process and the pid of what stands for its JVM."""
    begun: list[tuple[subprocess.Popen[str], int]] = []

    def begin(*extra: str) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-c", STARTER, str(paths.home), json.dumps(SLEEPER), *extra]
        starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert starter.stdout is not None
        begun.append((starter, int(starter.stdout.readline())))
        return begun[-1]

    yield begin
    for starter, pid in begun:
        starter.kill()
        starter.wait()
        if is_alive(pid) and MAIN_CLASS in psutil.Process(pid).cmdline():
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_jvm_ends_with_the_starter_and_frees_the_lock(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]], number: signal.Signals
) -> None:
    starter, pid = begin()
    assert is_alive(pid)
    starter.send_signal(number)
    starter.wait()
    assert until(lambda: not is_alive(pid)), "the JVM outlived its start"
    assert until(lambda: not is_held(paths.server_lock))


def test_a_jvm_that_was_let_go_outlives_its_starter(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]]
) -> None:
    starter, pid = begin("abandon")
    starter.kill()
    starter.wait()
    time.sleep(0.5)
    assert is_alive(pid)
    assert [process.pid for process in processes_with(paths.server_lock)] == [pid]


def test_no_child_and_no_guard_is_left_with_the_jvm(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]]
) -> None:
    _, pid = begin("abandon")
    assert until(lambda: psutil.Process(pid).children() == [])
    assert until(lambda: len(list(processes_with(paths.server_lock))) == 2), "the JVM and its starter"


def test_a_jvm_without_record_is_found_by_its_lock(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]]
) -> None:
    starter, pid = begin("abandon")
    starting = run_module(
        "smart_trader.cli", "lakehouse", "status", env=clean_environment(LAKEHOUSE_HOME=str(paths.home))
    )
    assert (starting.returncode, starting.stdout) == (3, f"being started by process {starter.pid}: {paths.home}\n")
    with pytest.raises(SmartTraderError, match=f"is being started by process {starter.pid}"):
        server.stop(paths, print)
    starter.kill()
    starter.wait()
    left = run_module("smart_trader.cli", "lakehouse", "status", env=clean_environment(LAKEHOUSE_HOME=str(paths.home)))
    assert left.returncode == 3
    assert f"left from a start that was killed, process {pid}; run: smart-trader lakehouse stop" in left.stdout
    assert server.stop(paths, print) is True
    assert not is_alive(pid)
    assert not is_held(paths.server_lock)


def test_a_start_ends_what_a_killed_start_left(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]]
) -> None:
    starter, pid = begin("abandon")
    starter.kill()
    starter.wait()
    lines: list[str] = []
    # it then goes on to start its own, which a Java that is none ends
    settings = LakehouseSettings(home=paths.home, java="/bin/false", min_free_mb=0)
    with pytest.raises(SmartTraderError, match="no usable Java"):
        server.start(settings, lines.append)
    assert f"process {pid} is left from a start that was killed" in lines
    assert not is_alive(pid)
    assert not is_held(paths.server_lock)


def test_a_server_that_becomes_ready_during_the_look_is_left_alone(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    starter, pid = begin("abandon")
    mark = mark_of(pid)
    assert mark is not None
    look = server.find_holders

    def ready_meanwhile(at: LakePaths) -> server.Holders:
        write_record(at.server_file, ServerRecord(mark, Endpoints(1, 2, "t"), at.uri, "", 1.0))
        starter.kill()
        starter.wait()
        return look(at)

    monkeypatch.setattr(server, "find_holders", ready_meanwhile)
    # nothing answers at those ports, so it waits until its time is over
    with pytest.raises(SmartTraderError, match=f"process {pid}. does not answer"):
        server.start(LakehouseSettings(home=paths.home, min_free_mb=0, start_timeout=5), print)
    assert is_alive(pid)


def test_a_running_server_is_found_after_its_lock_file_was_removed(
    paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]]
) -> None:
    starter, pid = begin("abandon")
    starter.kill()
    starter.wait()
    paths.server_lock.unlink()
    assert server.stop(paths, print) is True
    assert not is_alive(pid)


@pytest.fixture
def recorded(paths: LakePaths, begin: Callable[..., tuple[subprocess.Popen[str], int]]) -> ServerRecord:
    """A server that became ready and its record."""
    starter, pid = begin("abandon")
    mark = mark_of(pid)
    assert mark is not None
    record = ServerRecord(mark, Endpoints(1, 2, "t"), paths.uri, "", 1.0)
    write_record(paths.server_file, record)
    starter.kill()
    starter.wait()
    return record


def test_a_ready_server_is_known_by_its_record(paths: LakePaths, recorded: ServerRecord) -> None:
    # the process may still be on its way from the shell that starts it
    assert until(lambda: server.running(paths) == recorded)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process keeps the time of its start as it was")
def test_a_step_of_the_clock_changes_no_server(
    paths: LakePaths, recorded: ServerRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what a step looks like from here: the machine's start is put at another time
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: 0.0)
    assert psutil.Process(recorded.pid).create_time() < time.time() - 1e6
    assert server.running(paths) == recorded


@pytest.mark.parametrize(
    "changed",
    [{"started": "1"}, {"boot": "another"}, {"pid": os.getpid()}],
    ids=["pid-used-again", "machine-started-again", "another-process"],
)
def test_another_process_is_not_taken_for_the_server(
    paths: LakePaths, recorded: ServerRecord, changed: dict[str, object]
) -> None:
    write_record(paths.server_file, replace(recorded, mark=replace(recorded.mark, **changed)))
    assert server.running(paths) is None


def test_the_record_in_a_copied_home_is_not_the_copys_server(
    tmp_path_factory: pytest.TempPathFactory, paths: LakePaths, recorded: ServerRecord
) -> None:
    copy = tmp_path_factory.mktemp("copy")
    subprocess.run(["cp", "-a", f"{paths.home}/.", str(copy)], check=True)
    copied = LakehouseSettings(home=copy).paths
    assert read_record(copied.server_file) == recorded
    assert server.running(copied) is None
    assert server.stop(copied, print) is False
    assert is_alive(recorded.pid), "the original's server lives on"
    assert server.running(paths) == recorded


def test_a_cancelled_start_ends_soon(paths: LakePaths) -> None:
    server.prepare_home(LakehouseSettings(home=paths.home), paths)
    made = jvm.launch(SLEEPER, paths, [])
    begun = time.monotonic()
    with pytest.raises(jvm.StartCancelledError):
        jvm.wait_until_ready(made.process, Endpoints(1, 2, "t"), paths, 60, lambda: time.monotonic() - begun > 0.3)
    made.end()
    assert time.monotonic() - begun < 10
    assert made.process.poll() is not None


def test_the_lock_is_not_lost_to_a_look(tmp_path: Path) -> None:
    looking = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from smart_trader.lake.file_lock import is_held\n"
            "print('ready', flush=True)\nwhile True: is_held(Path(sys.argv[1])); time.sleep(0.0005)",
            str(tmp_path / "_lake.lock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert looking.stdout is not None
        looking.stdout.readline()
        for _ in range(2000):
            with lake_lock(tmp_path, "a run"):
                pass
    finally:
        looking.kill()
        looking.wait()


def test_a_lock_file_removed_by_hand_still_locks(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from smart_trader.lake.file_lock import lake_lock\n"
        "lake_lock(Path(sys.argv[1]), 'a load').acquire(); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        (tmp_path / "_lake.lock").unlink()
        for _ in range(2):
            with pytest.raises(SmartTraderError, match=f"process {holder.pid}"):
                lake_lock(tmp_path, "a second").acquire()
    finally:
        holder.kill()
        holder.wait()
    with lake_lock(tmp_path, "a third"):
        assert is_held(tmp_path / "_lake.lock")


def test_a_full_disk_keeps_nobody_from_the_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with FileLock(tmp_path / "a.lock", "maintain") as lock:
        assert is_held(lock.path)
    assert not is_held(lock.path)


def test_a_run_on_a_full_disk_is_refused_with_the_cause(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small disk", "900k") as disk:
        lake = disk / "lake"
        lake.mkdir()
        with suppress(OSError), (disk / "filling").open("wb", buffering=0) as filling:
            while True:
                filling.write(b"x" * 4096)
        done = run_module("smart_trader.cli", *RUN, env=clean_environment(LAKEHOUSE_HOME=str(lake)))
    assert done.returncode == 1
    assert "% full" in done.stderr or "No space left" in done.stderr
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr


def begin_run(home: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "smart_trader.cli", *RUN],
        cwd=PROJECT,
        env=clean_environment(LAKEHOUSE_HOME=str(home), LAKEHOUSE_ENGINE="spark", **environment),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_run_stopped_while_its_server_starts_leaves_nothing_in_the_way(
    tmp_path: Path, number: signal.Signals
) -> None:
    paths = LakehouseSettings(home=tmp_path / "lake").paths
    run = begin_run(paths.home)
    assert until(lambda: read_record(paths.server_file) is not None, 60), "the record is written before the answer"
    record = read_record(paths.server_file)
    assert record is not None
    assert record.ready_s is None
    time.sleep(1.5)
    run.send_signal(number)
    _, output = run.communicate(timeout=60)
    assert until(lambda: not is_alive(record.pid)), "the JVM outlived its run"
    assert until(lambda: not is_held(paths.server_lock))
    if number != signal.SIGKILL:
        assert run.returncode == 128 + number, output
        assert output.endswith(f"stopped by {number.name}\n")
        assert "Traceback" not in output
        assert not paths.server_file.exists()
    status = run_module(
        "smart_trader.cli", "lakehouse", "status", env=clean_environment(LAKEHOUSE_HOME=str(paths.home))
    )
    assert (status.returncode, status.stdout) == (3, f"not running: {paths.home}\n")
    assert server.stop(paths, print) is False


def test_a_record_that_cannot_be_written_ends_the_server(tmp_path: Path) -> None:
    paths = LakehouseSettings(home=tmp_path / "lake").paths
    (paths.home / "server.json").mkdir(parents=True)
    done = run_module("smart_trader.cli", "lakehouse", "start", env=clean_environment(LAKEHOUSE_HOME=str(paths.home)))
    assert done.returncode == 1
    assert f"cannot write the server's record {paths.server_file}: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(processes_with(paths.server_lock)) == []
    assert not is_held(paths.server_lock)


@pytest.mark.slow
def test_a_server_starts_behind_a_proxy_that_leads_nowhere_and_under_the_locale_of_cron(tmp_path: Path) -> None:
    env = clean_environment(
        LAKEHOUSE_HOME=str(tmp_path / "ü user@domain c++"),
        http_proxy="http://127.0.0.1:9",
        https_proxy="http://127.0.0.1:9",
        no_proxy="",
        LC_ALL="C",
    )
    try:
        done = run_module("smart_trader.cli", "lakehouse", "start", env=env)
        assert done.returncode == 0, done.stderr
        status = run_module("smart_trader.cli", "lakehouse", "status", "--json", env=env)
        assert json.loads(status.stdout)["running"] is True, status.stderr
    finally:
        assert run_module("smart_trader.cli", "lakehouse", "stop", env=env).stdout == "stopped\n"
