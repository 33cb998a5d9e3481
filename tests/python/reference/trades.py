"""One net trade per transaction and token, in the order FIFO takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .rows import Leg, Swap
from .values import ValuedSwap

BILLION = 10**9


@dataclass(slots=True)
class Side:
    """What one transaction bought, or sold, of one token; `usd` None once a row of it is price_missing."""

    quantity: int = 0
    usd: Decimal | None = Decimal(0)
    basis_known: bool = True

    def add(self, leg: Leg, row: ValuedSwap) -> None:
        """Take in one row."""
        self.quantity += leg.quantity
        self.usd = None if self.usd is None or row.usd is None else self.usd + row.usd
        self.basis_known = self.basis_known and row.basis_known

    def usd_of(self, quantity: int) -> Decimal | None:
        """Return the share of the USD value that falls to this part of the quantity."""
        return None if self.usd is None else self.usd * quantity / self.quantity


@dataclass(frozen=True, slots=True)
class Trade:
    """A net trade; `usd` None is price_missing."""

    tx_hash: str
    block_unix_time: int
    block_number: int | None
    is_buy: bool
    quantity: int
    usd: Decimal | None
    basis_known: bool

    @property
    def is_priced(self) -> bool:
        """Return whether the trade has a USD value, whatever its basis is."""
        return self.usd is not None

    def order(self) -> tuple[int, bool, int, bool, str]:
        """Return the sort key: a slot gives no order, so buys come before sells."""
        number = self.block_number
        return (self.block_unix_time, number is None, number or 0, not self.is_buy, self.tx_hash)


@dataclass(slots=True)
class TokenTrades:
    """All that a wallet did with one token; a bundle is a transaction, also one that nets to nothing."""

    trades: list[Trade] = field(default_factory=list)
    round_trip_usd: Decimal = Decimal(0)
    round_trip_count: int = 0
    bundle_count: int = 0
    decimals: int | None = None


@dataclass(slots=True)
class Bundle:
    """The rows of one transaction for one token."""

    swaps: list[Swap] = field(default_factory=list)
    bought: Side = field(default_factory=Side)
    sold: Side = field(default_factory=Side)
    decimals: int | None = None

    def add(self, side: Side, leg: Leg, row: ValuedSwap) -> None:
        """Take in one leg of a row."""
        self.swaps.append(row.swap)
        side.add(leg, row)
        if self.decimals is None:
            self.decimals = leg.decimals


def net_trades(rows: Iterable[ValuedSwap]) -> dict[str, TokenTrades]:
    """Net all rows of one wallet, by token; a token with round trips only has no trades."""
    bundles: dict[tuple[str, str], Bundle] = defaultdict(Bundle)
    for row in rows:
        if row.bought is not None and row.bought.quantity > 0:
            bundle = bundles[row.swap.tx_hash, row.bought.mint]
            bundle.add(bundle.bought, row.bought, row)
        if row.sold is not None and row.sold.quantity > 0:
            bundle = bundles[row.swap.tx_hash, row.sold.mint]
            bundle.add(bundle.sold, row.sold, row)
    tokens: dict[str, TokenTrades] = defaultdict(TokenTrades)
    for (_, mint), bundle in bundles.items():
        token = tokens[mint]
        token.round_trip_usd += round_trip_usd(bundle)
        token.bundle_count += 1
        token.round_trip_count += min(bundle.bought.quantity, bundle.sold.quantity) > 0
        if token.decimals is None:
            token.decimals = bundle.decimals
        trade = net_trade(bundle)
        if trade is not None:
            token.trades.append(trade)
    for token in tokens.values():
        token.trades.sort(key=Trade.order)
    return dict(tokens)


def net_trade(bundle: Bundle) -> Trade | None:
    """Return what is left of a transaction once both its sides are set off."""
    bought, sold = bundle.bought.quantity, bundle.sold.quantity
    if abs(bought - sold) * BILLION <= bought + sold:
        return None
    side = bundle.bought if bought > sold else bundle.sold
    quantity = abs(bought - sold)
    blocks = [swap.block_number for swap in bundle.swaps if swap.block_number is not None]
    return Trade(
        tx_hash=bundle.swaps[0].tx_hash,
        block_unix_time=min(swap.block_unix_time for swap in bundle.swaps),
        block_number=min(blocks, default=None),
        is_buy=bought > sold,
        quantity=quantity,
        usd=side.usd_of(quantity),
        basis_known=side.basis_known,
    )


def round_trip_usd(bundle: Bundle) -> Decimal:
    """Return what the part both bought and sold in one transaction brought in."""
    both = min(bundle.bought.quantity, bundle.sold.quantity)
    if both == 0 or bundle.bought.usd is None or bundle.sold.usd is None:
        return Decimal(0)
    return bundle.sold.usd * both / bundle.sold.quantity - bundle.bought.usd * both / bundle.bought.quantity
