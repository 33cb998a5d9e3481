"""Advisory locks that the operating system releases when their holder dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from smart_trader.errors import SmartTraderError
from smart_trader.paths import OWNER_ONLY_FILE

LAKE_LOCK_NAME = "_lake.lock"
ENGINE_LOCK_NAME = "_engine.lock"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    command: str
    since: float

    def __str__(self) -> str:
        age = max(0, round(time.time() - self.since))
        return f"'{self.command}' (process {self.pid} on {self.host}, for {age} s)"


class LockHeldError(SmartTraderError):
    """Another process holds the lock.

    Attributes:
        holder: Who holds it; None in the instant before the holder has written its name.
    """

    def __init__(
        self,
        what: str,
        holder: Holder | None,
        fix: str = "wait until it is done, or stop that process; the lock frees itself when the process ends",
    ) -> None:
        self.holder = holder
        super().__init__(f"{what} is in use by {holder or 'another process'}", fix)


class FileLock:
    """An exclusive flock with its holder's name inside.

    The file stays behind after release (removing it would let two holders lock two files of one name); a file
    without a holder is not locked. The lock belongs to the open file, so a child process given `fileno()` keeps it
    for as long as the child lives.
    """

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        self.command = command
        self._fd: int | None = None

    def acquire(self) -> Self:
        """Take the lock at once or not at all.

        Raises:
            LockHeldError: Another process holds it.
            SmartTraderError: The lock file cannot be opened.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY_FILE)
        except OSError as error:
            raise SmartTraderError(
                f"cannot open the lock {self.path}: {error.strerror}",
                "make the folder writable for this user, or point LAKEHOUSE_HOME and LAKEHOUSE_URI elsewhere",
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise LockHeldError(str(self.path.parent), read_holder(self.path)) from None
        self._fd = fd
        # the name is for others' message: a full disk must not keep away the command that frees it
        with contextlib.suppress(OSError):
            self.write_holder(os.getpid())
        return self

    def write_holder(self, pid: int) -> None:
        """Write who holds the lock; `pid` differs from ours when it is handed to a child."""
        holder = Holder(pid, socket.gethostname(), self.command, time.time())
        os.ftruncate(self.fileno(), 0)
        os.pwrite(self.fileno(), json.dumps(asdict(holder)).encode(), 0)

    def fileno(self) -> int:
        """Return the open file's descriptor, to hand the lock to a child process."""
        if self._fd is None:
            raise ValueError(f"{self.path} is not locked by this object")
        return self._fd

    def hand_over(self) -> None:
        """Close our end only: the child that was given `fileno()` keeps the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self.hand_over()

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def read_holder(path: Path) -> Holder | None:
    """Return the name in a lock file, or None; says nothing about whether the lock is held."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_held(path: Path) -> bool:
    """Whether any process holds the lock right now."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def lake_lock(root: Path, command: str) -> FileLock:
    """Return the lock of a lake on this machine."""
    return FileLock(root / LAKE_LOCK_NAME, command)


def engine_lock(root: Path, command: str) -> FileLock:
    """Return the lock of the one server that may write a lake's tables."""
    return FileLock(root / ENGINE_LOCK_NAME, command)
