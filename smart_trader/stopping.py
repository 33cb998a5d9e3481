"""How a command ends that a signal stops: SIGTERM and SIGHUP go the way of Ctrl-C, with an exit code of their own."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)

_received: list[int] = []


class StoppedError(KeyboardInterrupt):
    """A signal stops the command; what handles Ctrl-C handles this.

    Attributes:
        number: The signal's number.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")

    def __repr__(self) -> str:
        return str(self)


def listen() -> None:
    """Turn SIGTERM and SIGHUP into `StoppedError` in the main thread; one that is ignored (nohup) stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    # `timeout` and systemd send more than one; a second must not cut off the clean-up of the first. Ctrl-C still can.
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    _received.append(number)
    if number == signal.SIGHUP:
        _leave_terminal()
    raise StoppedError(number)


def _leave_terminal() -> None:
    """Send what is still printed to nowhere: the terminal is gone, and writing to it would fail."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        with suppress(OSError):
            # a terminal that is gone no longer reports to be one
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere, stream)
    os.close(nowhere)


def stop_reason(error: BaseException | None) -> tuple[str, int] | None:
    """Return which signal stopped the command and its exit code, or None.

    Args:
        error: What ended the command. Where it hides the signal, ours is remembered; dlt catches some in our place.
    """
    number = _received[0] if _received else getattr(error, "signal_code", None)
    if number is None or number == signal.SIGINT:
        return None
    return f"stopped by {signal.Signals(number).name}", 128 + number
