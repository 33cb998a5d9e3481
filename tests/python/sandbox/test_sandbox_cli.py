"""`smart-trader sandbox serve` and `truth` as a person uses them."""

from __future__ import annotations

import csv
import json
import socket
import subprocess
import sys
import time

import pytest
import requests

from smart_trader.console import run
from smart_trader.sandbox.cli import sandbox
from tests.python.support.engine import PROJECT, clean_environment, run_module

from .sandboxes import CLOCK, GENESIS

COMMAND = ("smart_trader.cli", "sandbox")


def called(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Call the command as `main` does, in this process; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["smart-trader", *arguments])
    with pytest.raises(SystemExit) as ended:
        run(sandbox, "smart-trader")
    return int(ended.value.code or 0)


def test_truth_is_printed_in_three_forms(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    forms = {}
    for form in ("table", "csv", "json"):
        world = ["--wallets", "20", "--genesis", str(GENESIS), "--clock", "2026-05-29T00:00:00"]
        assert called(["truth", "--seed", "7", *world, "--format", form], monkeypatch) == 0
        out = capsys.readouterr()
        assert f"--seed 7 --wallets 20 --genesis {GENESIS}" in out.err
        forms[form] = out.out
    listed = json.loads(forms["json"])
    assert [row["address"] for row in csv.DictReader(forms["csv"].splitlines())] == [row["address"] for row in listed]
    assert [line.split()[0] for line in forms["table"].splitlines()[1:]] == [row["address"] for row in listed]
    assert sum(row["swaps"] for row in listed) > 20


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["serve"], 2, "one of --seed and --replay is needed", id="neither"),
        pytest.param(["serve", "--seed", "7", "--replay", "x"], 2, "one of --seed and --replay", id="both"),
        pytest.param(["serve", "--seed", "7", "--plan", "premuim"], 2, "standard, lite, starter", id="plan"),
        pytest.param(["serve", "--seed", "7", "--fault", "slwo"], 2, "rate_limited, internal_error", id="fault"),
        pytest.param(["serve", "--seed", "7", "--fault", "slow:x"], 2, "slow:3", id="times"),
        pytest.param(["serve", "--seed", "7", "--clock", "noon"], 2, "--clock: 'noon' is no timestamp", id="clock"),
        pytest.param(
            ["truth", "--seed", "7", "--genesis", "2026-02-01", "--clock", "2026-01-01"],
            1,
            "before genesis",
            id="order",
        ),
        pytest.param(["truth", "--seed", "7", "--wallets", "5"], 1, "from 20 to", id="wallets"),
        pytest.param(["truth", "--seed", "-7"], 1, "negative", id="seed"),
    ],
)
def test_what_cannot_be_served_is_reported_with_its_exit_code(
    arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(arguments, monkeypatch) == code
    assert message in capsys.readouterr().err


def test_serve_answers_until_it_is_stopped() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        "serve",
        "--seed",
        "7",
        "--wallets",
        "20",
        "--clock",
        str(CLOCK),
        "--port",
        str(port),
        "--fault",
        "slow:1",
    ]
    command = [sys.executable, "-m", *COMMAND, *arguments]
    served = subprocess.Popen(command, cwd=PROJECT, env=clean_environment(), stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(200):
            try:
                info = requests.get(f"http://127.0.0.1:{port}/sandbox/info", timeout=5).json()
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        assert (info["data_source"], info["seed"], info["clock"]) == ("sandbox", 7, CLOCK)
        # midnight, thirty days before
        assert info["genesis"] == GENESIS
        second = run_module(*COMMAND, *arguments, env=clean_environment())
        assert (second.returncode, f"port {port} cannot be used" in second.stderr) == (1, True)
    finally:
        served.terminate()
        served.communicate(timeout=20)
    assert served.returncode is not None
