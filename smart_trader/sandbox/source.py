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


class TransferQuery(NamedTuple):
    """Which transfers of a wallet are asked for; time bounds are inclusive, None in place of any other is no bound."""

    wallet: str
    token: str | None
    flow: str | None
    after: int
    before: int | None
    offset: int
    limit: int


class Source(Protocol):
    """Rows of the endpoints as they are at one time."""

    @property
    def name(self) -> str:
        """Return what the data is called in the lake: sandbox or replay."""

    def tokens_at(self, now: int) -> Sequence[Row]:
        """Return every token's metrics."""

    def holder_texts(self, mint: str, offset: int, limit: int, now: int) -> list[str]:
        """Return a page of a token's accounts, largest first, as JSON."""

    def swap_texts(self, query: SwapQuery, now: int) -> tuple[list[str], bool]:
        """Return a page of a wallet's swaps, newest first, as JSON, and whether there are more."""

    def creation_at(self, mint: str, now: int) -> Row | None:
        """Return how a token was made; None where that is not known."""

    def price_at(self, mint: str, now: int) -> Row | None:
        """Return a token's last price and its liquidity; None where it has none."""

    def transfer_rows(self, query: TransferQuery, now: int) -> tuple[list[Row], bool]:
        """Return a page of a wallet's transfers, newest first, and whether there are more."""

    def facts(self) -> Row:
        """Return what identifies the source: its seed, its size."""
