"""The lock of a lake on S3: an object that only one can write, with its owner and a heartbeat inside."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from types import FrameType, TracebackType
from typing import Any, Self

from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import Holder, LockHeldError
from smart_trader.lake.store import CONNECT_TIMEOUT_S, PRECONDITION_FAILED, bucket_and_prefix, error_code, s3_client

logger = logging.getLogger(__name__)

OBJECT = "_lake.lock"
HEARTBEAT_S = 5.0
# A lock whose heartbeat is older is nobody's. Its owner, if it lives, has given up before.
STALE_S = 60.0
# One heartbeat takes no longer than this, answered or not: the connection's time and the answer's.
BEAT_TAKES_S = CONNECT_TIMEOUT_S + HEARTBEAT_S
# After this long without an answer the next try, and the wait before it, would still end well before that.
GIVE_UP_S = STALE_S - HEARTBEAT_S - BEAT_TAKES_S - 5.0


class LockLostError(SmartTraderError):
    """The lock was taken over, or the store was away for so long that it may have been."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The lock as it lies in the store.

    Attributes:
        etag: Names this very version of it.
        owner: Which lock object wrote it.
        holder: Who that is; None once it is released.
        silent_s: Seconds since it was written, both by the store's own clock.
    """

    etag: str
    owner: str
    holder: Holder | None
    silent_s: float

    @property
    def is_free(self) -> bool:
        """Whether it may be taken."""
        return self.holder is None or self.silent_s > STALE_S


def look(uri: str, client: Any = None) -> Seen | None:
    """Return the lock of a lake as it is; None where there never was one.

    Raises:
        SmartTraderError: The store does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, prefix = bucket_and_prefix(uri)
    try:
        found = (client or s3_client()).get_object(Bucket=bucket, Key=prefix + OBJECT)
        content = json.loads(found["Body"].read())
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise SmartTraderError(f"cannot read the lock of {uri}: {error}", "see to the store, then run again") from None
    except (BotoCoreError, ValueError) as error:
        raise SmartTraderError(f"cannot read the lock of {uri}: {error}", "see to the store, then run again") from None
    date = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    holder = Holder(**content["holder"]) if content["holder"] else None
    return Seen(found["ETag"], content["owner"], holder, (date - found["LastModified"]).total_seconds())


class StoreLock:
    """An exclusive lock on a lake in an object store.

    A thread writes the heartbeat. When that cannot be done, the main thread gets a `LockLostError` wherever it is, so
    that it stops writing before another may begin.

    Args:
        uri: The lake, `s3://bucket/path`.
        command: What holds it, for the message to others.
    """

    def __init__(self, uri: str, command: str) -> None:
        self._uri = uri
        self._bucket, prefix = bucket_and_prefix(uri)
        self._key = prefix + OBJECT
        self._owner = uuid.uuid4().hex
        self._holder = Holder(os.getpid(), socket.gethostname(), command, time.time())
        self._client = s3_client()
        # a heartbeat that fails is tried again at the next one's time
        self._heart = s3_client(tries=1, read_timeout_s=HEARTBEAT_S)
        self._etag = ""
        self._beats = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._handler: Any = None
        self.lost: str | None = None

    def acquire(self) -> Self:
        """Take the lock at once or not at all.

        Raises:
            LockHeldError: Another process holds it, and its heart beats.
            SmartTraderError: The store does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        seen = look(self._uri, self._client)
        if seen is not None and not seen.is_free:
            raise self._make_held_error(seen)
        try:
            condition = {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen.etag}
            self._write(self._client, self._holder, condition)
        except ClientError as error:
            if error_code(error) in PRECONDITION_FAILED:
                # somebody was faster
                raise self._make_held_error(look(self._uri, self._client)) from None
            raise SmartTraderError(f"cannot write the lock of {self._uri}: {error}", "see to the store") from None
        except BotoCoreError as error:
            raise SmartTraderError(f"cannot write the lock of {self._uri}: {error}", "see to the store") from None
        self._handler = signal.signal(signal.SIGUSR1, self._raise_lost)
        self._thread = threading.Thread(target=self._beat, name="lake-lock", daemon=True)
        self._thread.start()
        return self

    def _make_held_error(self, seen: Seen | None) -> LockHeldError:
        silent = f"; its last sign of life is {seen.silent_s:.0f} s old" if seen else ""
        return LockHeldError(
            self._uri,
            seen.holder if seen else None,
            f"wait until it is done, or stop that process: {STALE_S:.0f} s after its last sign of life the lock is "
            f"free{silent}",
        )

    def _write(self, client: Any, holder: Holder | None, condition: dict[str, str]) -> None:
        self._beats += 1
        content = {"owner": self._owner, "holder": asdict(holder) if holder else None, "beats": self._beats}
        answer = client.put_object(Bucket=self._bucket, Key=self._key, Body=json.dumps(content).encode(), **condition)
        self._etag = answer["ETag"]

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._over.wait(HEARTBEAT_S):
            # the store may have written it at any time since then
            begun = time.monotonic()
            try:
                self._write(self._heart, self._holder, {"IfMatch": self._etag})
                last = begun
            except Exception as error:  # whatever goes wrong with it, the next one is tried
                logger.info("no heartbeat: %s", error)
                lost = self._is_taken(error)
                if lost is None and time.monotonic() - last > GIVE_UP_S:
                    lost = f"the store did not answer for {GIVE_UP_S:.0f} s"
                if lost and not self._over.is_set():
                    self.lost = lost
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                    return

    def _is_taken(self, error: Exception) -> str | None:
        """Return whether a refused heartbeat means another owner: an answer that was lost on its way refuses it too."""
        if error_code(error) not in PRECONDITION_FAILED:
            return None
        try:
            seen = look(self._uri, self._heart)
        except SmartTraderError:
            return None
        if seen is not None and seen.owner == self._owner:
            self._etag = seen.etag
            return None
        return f"it is now held by {seen.holder if seen else None}"

    def _raise_lost(self, _: int, __: FrameType | None) -> None:
        raise LockLostError(
            f"the lock of {self._uri} is lost: {self.lost}",
            "see to the store and to the other process, then run again: what is landed stays, the rest is done again",
        )

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        signal.signal(signal.SIGUSR1, self._handler)
        if self.lost:
            return
        try:
            self._write(self._client, None, {"IfMatch": self._etag})
        except (ClientError, BotoCoreError) as error:
            # it frees itself
            logger.warning("the lock of %s could not be given back: %s", self._uri, error)

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
