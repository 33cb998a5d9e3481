"""What the FIFO engine refuses."""

from __future__ import annotations

from typing import Self

from smart_trader.errors import SmartTraderError


class TradeInputError(SmartTraderError):
    """A trade that cannot be computed with.

    Attributes:
        row: Position of the trade in the input, counted from 0; None where the input as a whole is at fault.
        line: Line of a CSV file that the trade ends on, counted from 1; None where lines mean nothing.
    """

    exit_code = 2

    def __init__(self, row: int | None, what: str, fix: str, line: int | None = None) -> None:
        self.row = row
        self.line = line
        self._bare = what
        place = [f"line {line}"] if line is not None else []
        place += [f"trade {row}"] if row is not None else []
        super().__init__(f"{', '.join(place)}: {what}" if place else what, fix)

    def at_line(self, line: int) -> Self:
        """Return the same error with the line of the file."""
        return type(self)(self.row, self._bare, self.fix, line)
