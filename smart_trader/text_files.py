"""Reads the text files that people write: UTF-8, with or without a mark at its beginning."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

from smart_trader.errors import SettingsError

UTF8_FIX = "save it as UTF-8 text"
_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def read_text(path: Path, name: str, fix: str) -> str:
    """Return the text of a file.

    Args:
        path: The file.
        name: What the message calls it.
        fix: What to do where there is no such file.

    Raises:
        SettingsError: It cannot be read, or is no UTF-8 text; names which.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {name}: {error.strerror or error}", fix) from None
    return _decode(content, name)


def read_standard_input() -> str:
    """Return what is piped in.

    Raises:
        SettingsError: It is no UTF-8 text.
    """
    return _decode(sys.stdin.buffer.read(), "standard input")


def _decode(content: bytes, name: str) -> str:
    """Return UTF-8 text without the mark that some editors begin it with.

    Raises:
        SettingsError: It is something else.
    """
    for mark, encoding in _OTHER_MARKS:
        if content.startswith(mark):
            raise SettingsError(f"cannot read {name}: it is {encoding} text, not UTF-8", UTF8_FIX)
    if b"\0" in content:
        # text in UTF-16 without a mark has one in every other place
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise SettingsError(f"cannot read {name}: line {line} holds a zero byte: UTF-16, or no text", UTF8_FIX)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(
            f"cannot read {name}: line {line} holds the byte 0x{content[error.start]:02x}, which is not UTF-8", UTF8_FIX
        ) from None
