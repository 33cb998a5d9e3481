"""A command that a signal stops ends as with Ctrl-C, names the signal, and gives the signal's exit code."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deltalake import DeltaTable

from smart_trader.lake.file_lock import is_held
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.engine import PROJECT, clean_environment

pytestmark = pytest.mark.slow

FIRST = 1_790_000_000
COMMAND = """
import time, click, sys
from smart_trader.console import run
@click.command()
def wait():
    try:
        print("waits", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.5)
        print("cleaned up", flush=True)
        if "fails" in sys.argv:
            from smart_trader.errors import SmartTraderError
            raise SmartTraderError("the build failed", "see its log")
run(wait, "wait")
"""
ENDS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]


def begin(code: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        **options,  # type: ignore[call-overload]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    return process


@pytest.mark.parametrize(("number", "code"), ENDS, ids=[number.name for number, _ in ENDS])
def test_a_signal_ends_a_command_in_order(number: signal.Signals, code: int) -> None:
    process = begin(COMMAND)
    process.send_signal(number)
    if number != signal.SIGINT:
        # as `timeout` does; a second must not cut off the clean-up
        time.sleep(0.2)
        process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    words = "stopped by the user" if number == signal.SIGINT else f"stopped by {number.name}"
    assert (process.returncode, output, errors) == (code, "cleaned up\n", f"\n{words}\n")


def test_a_stop_that_shows_up_as_a_failure_keeps_its_exit_code() -> None:
    process = begin(COMMAND.replace('"fails" in sys.argv', "True"))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 143
    assert errors == "error: the build failed\n  fix: see its log\nstopped by SIGTERM\n"


def test_a_command_under_nohup_outlives_the_terminal() -> None:
    process = begin(f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{COMMAND}")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_a_closed_terminal_ends_a_command_in_order(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = COMMAND.replace(
        'print("cleaned up", flush=True)', f"print('x', flush=True); open({str(done)!r}, 'w').close()"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])
    assert b"waits" in os.read(terminal, 100)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert done.exists(), "what it does at its end was cut off"
    assert os.waitstatus_to_exitcode(status) == 129


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_stopped_loader_lands_what_it_fetched(tmp_path: Path, number: signal.Signals) -> None:
    source = market(WorldSpec("easy", 3, 40, FIRST - 30 * 86400), FIRST)
    with serving(sandbox_app(source, clock=FIRST)) as url:
        load = subprocess.Popen(
            [
                *(sys.executable, "-m", "loaders", "transactions", "--wallets", ",".join(source.wallets)),
                *("--sandbox", url, "--as-of", str(FIRST), "--var", "requests_per_second=5"),
            ],
            cwd=PROJECT,
            env=clean_environment(LAKEHOUSE_HOME=str(tmp_path / "lake")),
            stderr=subprocess.PIPE,
            text=True,
        )
        while not is_held(tmp_path / "lake" / "_lake.lock") and load.poll() is None:
            time.sleep(0.01)
        time.sleep(4)
        assert load.poll() is None
        load.send_signal(number)
        _, output = load.communicate(timeout=60)
    assert load.returncode == 128 + number, output
    assert output.endswith(f"stopped by {number.name}\n")
    log = DeltaTable(str(tmp_path / "lake" / "bronze" / "fetch_log")).to_pyarrow_table().to_pylist()
    assert 0 < sum(row["outcome"] == "complete" for row in log) < len(source.wallets)
    assert not is_held(tmp_path / "lake" / "_lake.lock")


# The demo's token list takes one request: too short to be stopped at a time of choice.
SLOW_RUN = """
import time
from smart_trader import cli
from smart_trader.pipeline import run
def slow(job, api, begin):
    print("waits", flush=True)
    time.sleep(60)
run.run_job = slow
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_stopped_run_records_that_it_was_stopped(tmp_path: Path, number: signal.Signals) -> None:
    env = clean_environment(LAKEHOUSE_HOME=str(tmp_path / "lake"))
    arguments = ["run", "--demo", "--market-wallets", "20", "--step", "load_tokens", "--run-id", "stopped"]
    run = begin(SLOW_RUN, *arguments, env=env)
    run.send_signal(number)
    _, output = run.communicate(timeout=120)
    assert run.returncode == 128 + number, output
    assert output.endswith(f"stopped by {number.name}\n")
    rows = DeltaTable(str(tmp_path / "lake" / "bronze" / "pipeline_runs")).to_pyarrow_table().to_pylist()
    assert [(row["run_id"], row["step"], row["outcome"], row["error"]) for row in rows] == [
        ("stopped", "load_tokens", "failed", f"stopped by {number.name}")
    ]
    assert not is_held(tmp_path / "lake" / "_lake.lock")
