"""Folders that only their owner can read or write."""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from smart_trader.config.paths import OWNER_ONLY_DIR, OWNER_ONLY_UMASK
from smart_trader.errors import SmartTraderError

OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
OWN_FOLDER = "set LAKEHOUSE_HOME (and LAKEHOUSE_URI) to a folder of your own"


def claim_folder(folder: Path) -> None:
    """Make a folder, or close an existing one of ours to everybody else.

    Args:
        folder: Where our files go; its missing parents are made as well.

    Raises:
        SmartTraderError: It cannot be made, belongs to another user, or holds what another user could put there.
    """
    try:
        folder.mkdir(mode=OWNER_ONLY_DIR, parents=True, exist_ok=True)
        seen = folder.stat()
    except OSError as error:
        raise SmartTraderError(f"cannot make {folder}: {error.strerror}", OWN_FOLDER) from None
    if seen.st_uid != os.geteuid():
        raise SmartTraderError(
            f"{folder} belongs to {owner_name(seen.st_uid)}, this process runs as {owner_name(os.geteuid())}",
            f"run as {owner_name(seen.st_uid)}, or {OWN_FOLDER}",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise SmartTraderError(
            f"{folder} is not readable and writable for this user", f"change its mode, or {OWN_FOLDER}"
        )
    if seen.st_mode & OTHERS_CAN_WRITE:
        _refuse_files_of_others(folder)
    if seen.st_mode & OWNER_ONLY_UMASK:
        with suppress(OSError):
            folder.chmod(OWNER_ONLY_DIR)
        if folder.stat().st_mode & OTHERS_CAN_WRITE:
            raise SmartTraderError(
                f"every user can write into {folder}, and its disk keeps no modes",
                f"mount the disk with modes for owners, or {OWN_FOLDER}",
            )


def _refuse_files_of_others(folder: Path) -> None:
    """Refuse what somebody else has put into a folder that was open to them.

    Raises:
        SmartTraderError: Names the first such file and its owner.
    """
    for path in sorted(folder.iterdir()):
        owner = path.lstat().st_uid
        if owner != os.geteuid():
            raise SmartTraderError(
                f"every user could write into {folder}, and {path.name} in it belongs to {owner_name(owner)}",
                f"look at that file and remove it, or {OWN_FOLDER}",
            )


def owner_name(uid: int) -> str:
    """Return a user's name, or the number of one that this machine does not know."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
