"""How a load shows its progress: a bar on a terminal alone, plain lines elsewhere; nothing unasked counts as done."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from loaders import progress as module
from loaders.client import UnitMeter
from loaders.progress import Progress
from smart_trader.console import report_line


def meter() -> UnitMeter:
    # an earlier step of the run has spent some
    return UnitMeter({"/a": 10}, spent=1000)


def test_without_a_terminal_a_plain_line_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.0)
    counted = meter()
    with Progress("transactions", 2000, counted) as shown:
        counted.charge("/a")
        shown.tick()
        shown.advance(1500)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r" +transactions: 0 of 2,000, 0 rows, 1 requests, 10 CU, [\d.]+ requests/s", first)
    assert re.fullmatch(r" +transactions: 1 of 2,000, 1,500 rows, .*, about [\d,]+ s left", second)


def test_the_lines_come_ten_seconds_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("transactions", 2, meter()) as shown:
        shown.advance(1)
    assert module.LINE_EVERY_S == 10
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_a_bar_that_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, columns: int) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with io.TextIOWrapper(os.fdopen(theirs, "wb", 0), write_through=True) as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        counted = meter()
        with Progress("transactions", 206, counted) as shown:
            counted.charge("/a")
            for _ in range(7):
                shown.advance(100)
            report_line("a line of another part")
            frame: Any = shown._bar
            frame.refresh()
        written = os.read(ours, 1 << 16).decode()
    os.close(ours)
    # it stands above the bar, on a line of its own
    assert re.search(r"\x1b\[2Ka line of another part\r?\n", written)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "\n").splitlines()
    bars = [line for line in lines if "transactions" in line]
    assert "7/206" in bars[-1]
    assert "700 rows 10 CU" in bars[-1]
    assert max(map(len, bars)) <= columns
