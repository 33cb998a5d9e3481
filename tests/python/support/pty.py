"""Runs the command in a terminal of a given size, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

from .market_lake import MarketLake

STYLES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class TerminalText:
    """What a terminal was sent."""

    raw: str

    @property
    def lines(self) -> list[str]:
        """Its lines, without colours."""
        return STYLES.sub("", self.raw).splitlines()


def run_in_terminal(
    lake: MarketLake, arguments: list[str], size: tuple[int, int], environment: dict[str, str]
) -> TerminalText:
    """Run `smart-trader` on a lake in a terminal of columns and rows; it has to succeed."""
    unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TERM"}
    env = {name: value for name, value in lake.environment.items() if name not in unset}
    words = ["-m", "smart_trader.cli", *arguments]
    return run_python_in_terminal(words, size, {**env, **environment}, lake.project)


def run_python_in_terminal(
    words: list[str], size: tuple[int, int], environment: dict[str, str], cwd: Path
) -> TerminalText:
    """Run this Python with these words in a terminal of columns and rows; it has to succeed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = subprocess.Popen(
        [sys.executable, *words],
        env={"TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
    )
    os.close(theirs)
    chunks = []
    try:
        # the end of a terminal is an error on Linux
        while chunk := os.read(ours, 65_536):
            chunks.append(chunk)
    except OSError:
        pass
    finally:
        os.close(ours)
    text = b"".join(chunks).decode().replace("\r\n", "\n")
    assert process.wait(timeout=60) == 0, text
    return TerminalText(text)
