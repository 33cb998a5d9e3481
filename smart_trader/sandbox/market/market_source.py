"""A world, asked as the API asks."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from smart_trader.data_sources import SANDBOX
from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market.history import STEP
from smart_trader.sandbox.market.holding import Account, accounts, holder_text
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.listing import token_rows
from smart_trader.sandbox.market.lookups import PriceBook, creation_row, price_row
from smart_trader.sandbox.market.names import address
from smart_trader.sandbox.market.passing import TransferBook
from smart_trader.sandbox.market.prices import asset_numbers
from smart_trader.sandbox.market.rows import RowWriter, is_late, oddity
from smart_trader.sandbox.market.spec import EASY, WorldSpec
from smart_trader.sandbox.source import Row, SwapQuery, TransferQuery

LATE_SECONDS = 12 * 3600
# wallets with more swaps than this are so busy that the list's head moves between two pages
BUSY_SWAPS = 250


class MarketSource:
    """Serves a world at any clock that does not go back.

    Args:
        world: Carried on whenever the clock passes what it covers.
    """

    name = SANDBOX

    def __init__(self, world: MarketWorld) -> None:
        self.world = world
        self._writer = RowWriter(world)
        self._indexed = -1
        self._order = self._begins = self._seen_at = np.zeros(0, np.int64)
        self._tokens: tuple[int, list[Row]] = (-1, [])
        self._prices = PriceBook(world)
        self._passed: tuple[int, TransferBook] | None = None
        self._accounts: dict[tuple[int, int], list[Account]] = {}

    @cached_property
    def wallets(self) -> list[str]:
        """Return the address of every wallet."""
        return [address(self.world.seed, "wallet", number) for number in range(self.world.spec.wallets)]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {text: number for number, text in enumerate(self.wallets)}

    @property
    def pools(self) -> list[str]:
        """Return the address of every pool so far."""
        return [self._writer.pool(number) for number in range(self.world.pool_count)]

    def facts(self) -> Row:
        """Return what identifies the world."""
        return self.world.spec.as_json()

    def tokens_at(self, now: int) -> list[Row]:
        """Return every token's metrics at the last whole step."""
        self.world.carry_to(now)
        step = (now - self.world.genesis) // STEP
        if self._tokens[0] != step:
            self._tokens = (step, token_rows(self.world, now))
        return self._tokens[1]

    def holder_texts(self, mint: str, offset: int, limit: int, now: int) -> list[str]:
        """Return a page of a token's accounts."""
        self.world.carry_to(now)
        asset = next((number for number, token in enumerate(self.world.tokens) if token.mint == mint), None)
        if asset is None or self.world.tokens[asset].launched_at > now:
            return []
        if (asset, now) not in self._accounts:
            self._accounts = {key: kept for key, kept in self._accounts.items() if key[1] == now}
            self._accounts[asset, now] = accounts(self.world, asset, now, self.wallets, self.pools)
        decimals = self.world.tokens[asset].decimals
        page = self._accounts[asset, now][offset : offset + limit]
        return [holder_text(account, mint, decimals) for account in page]

    def swap_texts(self, query: SwapQuery, now: int) -> tuple[list[str], bool]:
        """Return a page of a wallet's swaps and whether there are more."""
        self.world.carry_to(now)
        wallet = self._numbers.get(query.owner)
        if wallet is None or query.kind not in ("swap", "all"):
            return [], False
        self._index()
        mine = self._order[self._begins[wallet] : self._begins[wallet + 1]]
        time = self.world.rows.time[mine]
        last = now if query.before is None else min(now, query.before)
        shown = mine[(time >= query.after) & (time <= last) & (self._seen_at[mine] <= now)]
        offset = query.offset
        if offset and query.before is None and len(shown) > BUSY_SWAPS:
            # meanwhile new swaps came in, so the page begins with rows that the page before it ended with
            offset -= (1 + wallet % 3) * -(-offset // 100)
        page = shown[offset : offset + query.limit]
        return self._writer.texts(page, query.owner, query.scaled), offset + query.limit < len(shown)

    def creation_at(self, mint: str, now: int) -> Row | None:
        """Return how a token was made."""
        asset = self._asset(mint, now)
        return None if asset is None else creation_row(self.world, asset)

    def price_at(self, mint: str, now: int) -> Row | None:
        """Return a token's last price and its liquidity."""
        asset = self._asset(mint, now)
        return None if asset is None else price_row(self.world, self._prices, asset, now)

    def transfer_rows(self, query: TransferQuery, now: int) -> tuple[list[Row], bool]:
        """Return a page of a wallet's transfers and whether there are more."""
        self.world.carry_to(now)
        wallet = self._numbers.get(query.wallet)
        if wallet is None:
            return [], False
        if self._passed is None or self._passed[0] != self.world.now:
            self._passed = (self.world.now, TransferBook(self.world, self.wallets, self._prices))
        return self._passed[1].page(wallet, query, now)

    def _asset(self, mint: str, now: int) -> int | None:
        """Return the number of a token that is launched by now."""
        self.world.carry_to(now)
        asset = asset_numbers(self.world).get(mint)
        return None if asset is None or self.world.tokens[asset].launched_at > now else asset

    def _index(self) -> None:
        """Order all rows by wallet, newest first; rows of one second stand in no particular order."""
        rows = self.world.rows
        if self._indexed == len(rows.time):
            return
        self._indexed = len(rows.time)
        odd = oddity(self.world.seed, np.arange(self._indexed))
        newest_first = (self.world.now + 86_400) - rows.time
        self._order = np.argsort(((rows.wallet.astype(np.int64) << 32) + newest_first << 14) + odd, kind="stable")
        self._begins = np.searchsorted(rows.wallet[self._order], np.arange(self.world.spec.wallets + 1))
        self._seen_at = rows.time + LATE_SECONDS * is_late(odd)


def world_of(spec: WorldSpec) -> MarketWorld:
    """Return a world at its genesis; what only the other market needs is not imported."""
    if spec.market == EASY:
        from smart_trader.sandbox.market.world import World

        return World(spec)
    from smart_trader.sandbox.market.hard.world import HardWorld

    return HardWorld(spec)


def market(spec: WorldSpec, clock: int) -> MarketSource:
    """Return a market carried on to a clock.

    Raises:
        SmartTraderError: The clock lies before genesis, or further behind it than a market lasts.
    """
    if clock < spec.genesis:
        raise SmartTraderError(
            f"clock {clock} lies before genesis {spec.genesis}", "give a later --clock or an earlier --genesis"
        )
    source = MarketSource(world_of(spec))
    source.world.carry_to(clock)
    return source
