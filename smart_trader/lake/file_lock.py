"""Advisory locks that the operating system releases when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from smart_trader.config.paths import OWNER_ONLY_FILE
from smart_trader.errors import SmartTraderError
from smart_trader.lake.private import claim_folder

LAKE_LOCK_NAME = "_lake.lock"
ENGINE_LOCK_NAME = "_engine.lock"
# Looking whether a lock is held takes it for an instant.
LOOK_S = 0.3
LOOK_AGAIN_S = 0.005
FDS = Path("/proc/self/fd")


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

    Attributes:
        lost: Always None: the system takes no lock away. A lock on a store may be lost, and gives the cause here.
    """

    lost: str | None = None

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        self.command = command
        self._fd: int | None = None

    def acquire(self) -> Self:
        """Take the lock at once or not at all.

        Raises:
            LockHeldError: Another process holds it.
            SmartTraderError: The lock file cannot be opened, or its folder is somebody else's.
        """
        claim_folder(self.path.parent)
        deadline = time.monotonic() + LOOK_S
        while self._fd is None:
            fd, is_new = self._open()
            try:
                if is_new:
                    self._refuse_a_holder_without_a_file()
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # a file that was removed meanwhile locks nothing
                if self._is_the_file(fd):
                    self._fd = fd
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LockHeldError(str(self.path.parent), read_holder(self.path)) from None
                time.sleep(LOOK_AGAIN_S)
            finally:
                if self._fd is None:
                    os.close(fd)
        self.write_holder(os.getpid())
        return self

    def _open(self) -> tuple[int, bool]:
        """Open the file; returns whether it was not there before."""
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with suppress(FileNotFoundError):
                return os.open(self.path, flags), False
            with suppress(FileExistsError):
                return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, OWNER_ONLY_FILE), True
            return os.open(self.path, flags), False
        except OSError as error:
            raise SmartTraderError(
                f"cannot open the lock {self.path}: {error.strerror}",
                "make the folder and the file writable for this user, free some space if the disk is full, or point "
                "LAKEHOUSE_HOME and LAKEHOUSE_URI elsewhere",
            ) from None

    def _is_the_file(self, fd: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(fd), self.path.stat())
        return False

    def _refuse_a_holder_without_a_file(self) -> None:
        """Refuse the lock while somebody holds a file of this name that was removed.

        Raises:
            LockHeldError: Names that process.
        """
        for process in processes_with(self.path, is_removed=True):
            holder = Holder(process.pid, socket.gethostname(), self.path.name, process.create_time())
            self.path.unlink(missing_ok=True)
            raise LockHeldError(str(self.path.parent), holder)

    def write_holder(self, pid: int) -> None:
        """Write who holds the lock; `pid` differs from ours when it is handed to a child.

        The name is for others' message: a full disk must not keep away the command that frees it.
        """
        holder = Holder(pid, socket.gethostname(), self.command, time.time())
        with suppress(OSError):
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
    """Return the name in a lock file, or None; does not show whether the lock is held."""
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


def processes_with(path: Path, is_removed: bool = False) -> Iterator[psutil.Process]:
    """Yield the other processes of this user that have a lock's file open: those hold it.

    The system's own list of locks names who took a lock, which is not who was given it.

    Args:
        path: The file.
        is_removed: Only those whose file of that name was removed meanwhile; none is found where the system does not
            list such files.
    """
    for process in psutil.process_iter():
        if process.pid != os.getpid() and has_open(process, path, is_removed):
            yield process


def has_open(process: psutil.Process, path: Path, is_removed: bool = False) -> bool:
    """Whether a process of this user has a file open, as `processes_with` counts it."""
    name = str(path.resolve())
    names = {f"{name} (deleted)"} if is_removed else {name, f"{name} (deleted)"}
    with suppress(psutil.Error, OSError):
        return not names.isdisjoint(_open_files(process))
    return False


def _open_files(process: psutil.Process) -> set[str]:
    if not FDS.is_dir():
        return {file.path for file in process.open_files()}
    found = set()
    # read here, since psutil leaves removed files out
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            found.add(str(entry.readlink()))
    return found


def lake_lock(root: Path, command: str) -> FileLock:
    """Return the lock of a lake on this machine."""
    return FileLock(root / LAKE_LOCK_NAME, command)


def engine_lock(root: Path, command: str) -> FileLock:
    """Return the lock of the one server that may write a lake's tables."""
    return FileLock(root / ENGINE_LOCK_NAME, command)
