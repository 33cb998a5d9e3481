"""What the answers need of recordings or of a market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

Row = dict[str, Any]


class SwapQuery(NamedTuple):
    """Which swaps of a wallet are asked for; time bounds are inclusive."""

    owner: str
    kind: str
    after: int
    before: int | None
    offset: int
    limit: int
    scaled: bool


class Source(Protocol):
    """Rows of the three endpoints as they are at one time."""

    @property
    def name(self) -> str:
        """Return what the data is called in the lake: sandbox or replay."""

    def tokens_at(self, now: int) -> Sequence[Row]:
        """Return every token's metrics."""

    def holder_texts(self, mint: str, offset: int, limit: int, now: int) -> list[str]:
        """Return a page of a token's accounts, largest first, as JSON."""

    def swap_texts(self, query: SwapQuery, now: int) -> tuple[list[str], bool]:
        """Return a page of a wallet's swaps, newest first, as JSON, and whether there are more."""

    def facts(self) -> Row:
        """Return what identifies the source: its seed, its size."""
