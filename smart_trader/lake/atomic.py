"""Writes small files and objects as a whole or not at all; nobody but their owner can read a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from smart_trader.config.paths import OWNER_ONLY_FILE
from smart_trader.errors import SmartTraderError
from smart_trader.lake.store import arrow_location, is_remote, s3_client


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file of this machine.

    It is written under a name that nobody can guess and no link can stand in for.

    Raises:
        OSError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, OWNER_ONLY_FILE), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(location: str, content: bytes) -> None:
    """Write a file, or an object of a lake on S3.

    Raises:
        SmartTraderError: It cannot be written.
    """
    _, path = arrow_location(location)
    if is_remote(location):
        _put_object(location, path, content)
        return
    try:
        write_file(Path(path), content)
    except OSError as error:
        raise SmartTraderError(
            f"cannot write {location}: {error.strerror or error}", "make the lake writable, and room on its disk"
        ) from None


def _put_object(location: str, path: str, content: bytes) -> None:
    """Write an object in one request, so that it is there as a whole or not at all."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = path.partition("/")
    try:
        s3_client().put_object(Bucket=bucket, Key=key, Body=content)
    except (BotoCoreError, ClientError) as error:
        raise SmartTraderError(f"cannot write {location}: {error}", "see to the store, then run again") from None
