"""What was passed between wallets without a swap, as the API lists it: airdrops, deposits, transfers in a cluster."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.lookups import PriceBook, block_of
from smart_trader.sandbox.market.names import address, signature
from smart_trader.sandbox.source import Row, TransferQuery

# a giver that is no wallet of the market
OUTSIDE = -1
# transactions without a swap have numbers below those of launches
FIRST_NUMBER = -(10**9)


class Passed(NamedTuple):
    """One transfer, as both ends see it: `number` names its transaction, an end is `OUTSIDE` or a wallet."""

    time: int
    number: int
    asset: int
    amount: int
    giver: int
    taker: int


class TransferBook:
    """The transfers of a world by wallet, newest first.

    The world notes each wallet's end: what it got, and with a sign what it gave. Two ends of one time, asset and amount
    are one transfer; an end without another came from outside.

    Args:
        world: Carried as far as is asked for.
        wallets: Their addresses.
        prices: What the tokens were worth.
    """

    def __init__(self, world: MarketWorld, wallets: Sequence[str], prices: PriceBook) -> None:
        self._world, self._wallets, self._prices = world, wallets, prices
        given: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
        ends = list(world.transfers)
        for end in ends:
            if end.amount < 0:
                given[end.time, end.asset, -end.amount].append(end.wallet)
        self._by_wallet: defaultdict[int, list[Passed]] = defaultdict(list)
        taken = [end for end in ends if end.amount > 0]
        for number, end in enumerate(taken):
            givers = given[end.time, end.asset, end.amount]
            giver = givers.pop(0) if givers else OUTSIDE
            passed = Passed(end.time, FIRST_NUMBER - number, end.asset, end.amount, giver, end.wallet)
            self._by_wallet[end.wallet].append(passed)
            if giver != OUTSIDE:
                self._by_wallet[giver].append(passed)
        for mine in self._by_wallet.values():
            mine.sort(key=lambda passed: (-passed.time, -passed.number))

    def page(self, wallet: int, query: TransferQuery, now: int) -> tuple[list[Row], bool]:
        """Return a page of a wallet's transfers and whether there are more."""
        last = now if query.before is None else min(now, query.before)
        mine = [
            passed
            for passed in self._by_wallet.get(wallet, ())
            if query.after <= passed.time <= last
            and query.token in (None, self._world.tokens[passed.asset].mint)
            and query.flow in (None, "in" if passed.taker == wallet else "out")
        ]
        end = query.offset + query.limit
        return [self._row(passed, wallet) for passed in mine[query.offset : end]], end < len(mine)

    def _row(self, passed: Passed, wallet: int) -> Row:
        world, asset = self._world, passed.asset
        token = world.tokens[asset]
        amount = passed.amount / 10**token.decimals
        price = self._prices.last(asset, passed.time)[0]
        known = None if math.isnan(price) else price
        return {
            "time": f"{datetime.fromtimestamp(passed.time, UTC):%Y-%m-%dT%H:%M:%S}Z",
            "block_number": block_of(passed.time),
            "unix_time": passed.time,
            "token_address": token.mint,
            "from_address": self._owner(passed.giver, asset),
            "to_address": self._owner(passed.taker, asset),
            "from_token_account": address(world.seed, f"account {asset}", passed.giver),
            "to_token_account": address(world.seed, f"account {asset}", passed.taker),
            "amount": str(passed.amount),
            "ui_amount": int(amount) if amount.is_integer() else amount,
            # what has not traded yet has no price
            "price": known,
            "value": None if known is None else amount * known,
            "tx_hash": signature(world.seed, passed.number),
            "flow": "in" if passed.taker == wallet else "out",
            "token_info": {
                "address": token.mint,
                "decimals": token.decimals,
                "symbol": token.symbol,
                "name": token.name,
                "logo_uri": None if asset % 5 == 3 else f"https://example.invalid/logo/{token.mint}.png",
            },
            "action": "transfer",
        }

    def _owner(self, wallet: int, asset: int) -> str:
        return address(self._world.seed, "giver", asset) if wallet == OUTSIDE else self._wallets[wallet]
