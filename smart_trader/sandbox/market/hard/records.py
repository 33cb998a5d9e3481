"""What has happened in the hard market: swaps, the crowd's prices, transfers, what wallets have forgotten."""

from __future__ import annotations

from typing import Any

import numpy as np

from smart_trader.sandbox.market.hard.state import LEFT, PASSED, ROWS, TICKS, Market
from smart_trader.sandbox.market.state import NARROW, Floats, Ints, Rows, Transfer

PRICES = {"price_a", "price_b", "nearest_a"}
# lines of swaps and prices that lists hold before they are moved out
FULL = 1 << 15


class Records:
    """Everything the kernel has written, moved out of its tables now and then.

    Attributes:
        passed: Time, giver, wallet, asset and amount of each transfer; the giver is -1 where it is unknown.
        left: Wallet, asset and amount of what a wallet holds and will never touch again.
        dust: Time, asset, wallets and amounts of what many got at once.
    """

    def __init__(self) -> None:
        self._chunks: list[Rows] = []
        self._joined = Rows(*(np.zeros(0, NARROW.get(name, np.int64)) for name in Rows._fields))
        self._ticks: list[tuple[Ints, Ints, Floats]] = []
        self.passed: list[tuple[int, int, int, int, int]] = []
        self.left: list[tuple[int, int, int]] = []
        self.dust: list[tuple[int, int, Ints, Ints]] = []

    @property
    def rows(self) -> Rows:
        """Every swap row so far, in order of time."""
        if self._chunks:
            columns: list[Any] = [np.concatenate(column) for column in zip(self._joined, *self._chunks, strict=True)]
            self._joined, self._chunks = Rows(*columns), []
        return self._joined

    @property
    def ticks(self) -> tuple[Ints, Ints, Floats]:
        """Assets, times and prices that the crowd's orders left."""
        if len(self._ticks) > 1:
            assets, times, usd = (np.concatenate(column) for column in zip(*self._ticks, strict=True))
            self._ticks = [(assets, times, usd)]
        return self._ticks[0] if self._ticks else (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))

    def transfers(self) -> list[Transfer]:
        """Return every transfer, from both ends, in order of time."""
        found = []
        for time, giver, wallet, asset, amount in self.passed:
            found.append(Transfer(time, wallet, asset, amount))
            if giver >= 0:
                found.append(Transfer(time, giver, asset, -amount))
        for time, asset, wallets, amounts in self.dust:
            given = zip(wallets.tolist(), amounts.tolist(), strict=True)
            found += [Transfer(time, wallet, asset, amount) for wallet, amount in given]
        return sorted(found)

    def correct(self, found: Ints, asset: int, now: int) -> None:
        """Turn what is in wallets' slots at the end of the last step into what they hold of an asset at a time."""
        for wallet, token, amount in self.left:
            if token == asset:
                found[wallet] += amount
        for time, token, wallets, given in self.dust:
            if token == asset and time <= now:
                np.add.at(found, wallets, given)
        for time, giver, wallet, token, amount in self.passed:
            if token == asset and time > now:
                found[wallet] -= amount
                if giver >= 0:
                    found[giver] += amount

    def take_in_if_full(self, m: Market) -> None:
        """Move the kernel's lines out if they are many; lists would take several times the memory."""
        if isinstance(m.rows, list) and len(m.rows) + len(m.ticks) > FULL:
            self.take_in(m)

    def take_in(self, m: Market) -> None:
        """Move what the kernel has written out of its tables."""
        rows = _lines(m.rows, int(m.counters[ROWS]))
        if rows:
            columns: list[Any] = [
                np.array(column, NARROW.get(name, np.float64 if name in PRICES else np.int64))
                for name, column in zip(Rows._fields, rows, strict=True)
            ]
            self._chunks.append(Rows(*columns))
        ticks = _lines(m.ticks, int(m.counters[TICKS]))
        if ticks:
            self._ticks.append((np.array(ticks[0], np.int64), np.array(ticks[1], np.int64), np.array(ticks[2])))
        self.passed += _tuples(m.passed, int(m.counters[PASSED]))
        self.left += _tuples(m.left, int(m.counters[LEFT]))
        for counter, table in ((ROWS, m.rows), (TICKS, m.ticks), (PASSED, m.passed), (LEFT, m.left)):
            m.counters[counter] = 0
            if isinstance(table, list):
                table.clear()


def _lines(table: Any, count: int) -> list[Any]:
    """Return the columns of a table's lines; none of an empty one."""
    if isinstance(table, list):
        return list(zip(*table, strict=True))
    return [column[:count] for column in table] if count else []


def _tuples(table: Any, count: int) -> list[Any]:
    """Return a table's lines one by one."""
    if isinstance(table, list):
        return table
    return list(zip(*(column[:count].tolist() for column in table), strict=True))
