"""What the FIFO engine refuses."""

from __future__ import annotations

from smart_trader.errors import SmartTraderError


class TradeInputError(SmartTraderError):
    """A trade that cannot be computed with.

    Attributes:
        row: Position of the trade in the input, counted from 0; None where the input as a whole is at fault.
    """

    exit_code = 2

    def __init__(self, row: int | None, what: str, fix: str) -> None:
        self.row = row
        super().__init__(what if row is None else f"trade {row}: {what}", fix)
