"""The server's process: launched so that it cannot outlive a start that was killed, watched until it answers, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from smart_trader.config.paths import OWNER_ONLY_FILE, LakePaths
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import FileLock
from smart_trader.lakehouse import spark_config
from smart_trader.lakehouse.diagnosis import explain_failed_start
from smart_trader.lakehouse.probe import NoAnswerError, check_endpoints, import_clients
from smart_trader.lakehouse.spark_config import Endpoints

STOP_TIMEOUT_S = 30
END_TIMEOUT_S = 10
POLL_S = 0.1
# The shell leaves a guard behind and becomes the JVM, so the guard knows its pid and there is no instant without one.
# The guard waits for a line from the starter; the pipe's end, which is the starter's own end, makes it kill the JVM.
# A child that leaves at once keeps the guard from being a dead child that the JVM never collects.
GUARDED = 'exec {fd}<&0 </dev/null; ((read -r ready <&{fd} || kill -9 $$) &); exec "$@" {fd}<&-'
# what a plain shell can name
SHELL_FDS = range(3, 10)


class StartCancelledError(SmartTraderError):
    """The caller needs the server no longer."""


class Jvm:
    """A JVM whose starter is still responsible for it.

    Attributes:
        process: The JVM itself.
    """

    def __init__(self, process: subprocess.Popen[bytes], guard: int) -> None:
        self.process = process
        self._guard: int | None = guard

    def release(self) -> None:
        """Let it live on without its starter."""
        if self._guard is not None:
            # without a guard there is nobody to notify
            with suppress(BrokenPipeError):
                os.write(self._guard, b"ready\n")
            os.close(self._guard)
            self._guard = None

    def end(self) -> None:
        """End it."""
        # first, as the pid may be another's once the process is gone
        self.release()
        self.process.terminate()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def launch(command: list[str], paths: LakePaths, locks: list[FileLock]) -> Jvm:
    """Start the JVM as a process of its own session, holding the locks.

    Until `release` it ends when this process does, however that happens.
    """
    with suppress(FileNotFoundError):
        paths.log.replace(paths.log.with_suffix(".log.1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    kept = [lock.fileno() for lock in locks]
    script = GUARDED.format(fd=next(fd for fd in SHELL_FDS if fd not in kept))
    hears, guard = os.pipe()
    try:
        with os.fdopen(os.open(paths.log, flags, OWNER_ONLY_FILE), "wb") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", script, "sh", *command],
                cwd=paths.home,
                env=spark_config.server_environment(sys.executable, paths),
                stdin=hears,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=kept,
                umask=0o077,
            )
    except BaseException:
        os.close(guard)
        raise
    finally:
        os.close(hears)
    return Jvm(process, guard)


def wait_until_ready(
    process: subprocess.Popen[bytes],
    endpoints: Endpoints,
    paths: LakePaths,
    timeout_s: int,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Wait for a real answer on both endpoints.

    Raises:
        SmartTraderError: The process ended or the time is over; names the cause as the log shows it.
        StartCancelledError: `is_cancelled` returned True.
    """
    deadline = time.monotonic() + timeout_s
    why = "it does not listen on its ports"
    # the clients take a second of imports: done while the JVM starts anyway
    import_clients()
    while time.monotonic() < deadline:
        if is_cancelled():
            raise StartCancelledError("the server is no longer wanted")
        if process.poll() is not None:
            raise explain_failed_start(paths, f"the process ended with code {process.returncode}")
        # the endpoints of another lake's server would answer as well; and calling takes CPU from the starting JVM
        if {endpoints.thrift_port, endpoints.connect_port} <= _ports_of(process.pid):
            try:
                check_endpoints(endpoints, timeout_s=max(1.0, deadline - time.monotonic()))
            except NoAnswerError as error:
                why = error.why
            else:
                return
        time.sleep(POLL_S)
    raise explain_failed_start(paths, f"no answer within {timeout_s} s ({why})")


def _ports_of(pid: int) -> set[int]:
    """Return the ports a process listens on."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return set()
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}


def stop_process(process: psutil.Process, progress: ProgressFn) -> None:
    """Stop a server that may be another process's child, and wait for its end.

    Raises:
        SmartTraderError: It belongs to another user.
    """
    progress(f"stopping process {process.pid}")
    try:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise SmartTraderError(f"process {process.pid} belongs to another user", "stop it as that user") from None
    except psutil.TimeoutExpired:
        progress(f"no end within {STOP_TIMEOUT_S} s, killing it")
        process.kill()
        process.wait(STOP_TIMEOUT_S)
