"""Takes text apart that is almost JSON, such as one with NaN or half a surrogate pair in it.

It finds where each value begins and ends and checks none, so that one bad value is known from the good ones beside
it. What is cut off, or no JSON at all, is refused here too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_BLANKS = re.compile(r"[ \t\r\n]*")
# numbers stay text: some are too long for Python to read
_decoder = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def as_text(content: bytes) -> str:
    """Decode, keeping bytes that are no UTF-8; `as_bytes` gives them back."""
    return content.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """Encode what `as_text` decoded."""
    return text.encode("utf-8", "surrogateescape")


def members(text: str) -> dict[str, str]:
    """Return the text of each member of an object, by name.

    Raises:
        ValueError: It is no object.
        RecursionError: It is nested too deep.
    """
    found = {}

    def read(start: int) -> int:
        name, end = _decoder.raw_decode(text, start)
        colon = _skip_blanks(text, end)
        if not isinstance(name, str) or text[colon : colon + 1] != ":":
            raise ValueError(f"no member at {start}")
        begin = _skip_blanks(text, colon + 1)
        _, end = _decoder.raw_decode(text, begin)
        found[name] = text[begin:end]
        return end

    _read_each(text, "{", "}", read)
    return found


def elements(text: str) -> list[str]:
    """Return the text of each element of a list.

    Raises:
        ValueError: It is no list.
        RecursionError: It is nested too deep.
    """
    found = []

    def read(start: int) -> int:
        _, end = _decoder.raw_decode(text, start)
        found.append(text[start:end])
        return end

    _read_each(text, "[", "]", read)
    return found


def _read_each(text: str, opening: str, closing: str, read: Callable[[int], int]) -> None:
    """Call `read` where each entry starts; it returns where the entry ended."""
    at = _find_end(text, opening, 0)
    if not text.startswith(closing, at):
        at = _skip_blanks(text, read(at))
        while text.startswith(",", at):
            at = _skip_blanks(text, read(_find_end(text, ",", at)))
    if _find_end(text, closing, at) != len(text):
        raise ValueError("more text behind the end")


def _find_end(text: str, sign: str, at: int) -> int:
    at = _skip_blanks(text, at)
    if not text.startswith(sign, at):
        raise ValueError(f"no {sign} at {at}")
    return _skip_blanks(text, at + 1)


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at
