"""Distinguishes one process from every other, whatever its pid was used for before and whatever the clock shows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# counted after the process's name, which may hold spaces and brackets itself: field 22 of /proc/PID/stat
START_TICKS = 19


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """What no two processes share.

    Attributes:
        pid: Its number.
        started: Linux: clock ticks between the machine's start and its own; a step of the clock does not change them.
            Elsewhere the time of its start, which the system keeps as it was.
        boot: Names the machine's start; empty where the system has no such name.
    """

    pid: int
    started: str
    boot: str

    def process(self) -> psutil.Process | None:
        """Return the process, or None if it has ended, whoever has its pid now."""
        if mark_of(self.pid) != self:
            return None
        try:
            process = psutil.Process(self.pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.Error:
            return None


def mark_of(pid: int) -> ProcessMark | None:
    """Return the mark of a process that lives now, or None."""
    try:
        if sys.platform == "linux":
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return ProcessMark(pid, fields[START_TICKS], BOOT_ID.read_text().strip())
        return ProcessMark(pid, repr(psutil.Process(pid).create_time()), "")
    except (OSError, psutil.Error):
        return None
