"""The USD value of each row, before anything is netted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .rows import Leg, Swap

ROUTE_PASSES = 2


@dataclass(frozen=True, slots=True)
class ValuedSwap:
    """A row that is a trade; `usd` None is price_missing. Legs that are money are None."""

    swap: Swap
    sold: Leg | None
    bought: Leg | None
    usd: Decimal | None
    basis_known: bool


@dataclass(slots=True)
class Flow:
    """Base units of a token that changed hands for this much USD."""

    quantity: int = 0
    usd: Decimal = Decimal(0)

    def add(self, leg: Leg | None, usd: Decimal) -> None:
        """Take in a leg; money and legs of quantity 0 are no flow."""
        if leg is not None and leg.quantity > 0:
            self.quantity += leg.quantity
            self.usd += usd

    def worth_of(self, leg: Leg) -> Decimal | None:
        """Value a leg at the flow's average, if the flow is at least as large."""
        if leg.quantity == 0 or self.quantity < leg.quantity:
            return None
        return self.usd * leg.quantity / self.quantity


def value_swaps(swaps: Sequence[Swap], quote_assets: Container[str], max_leg_disagreement: Decimal) -> list[ValuedSwap]:
    """Value all rows of one wallet; rows that are no trade are left out."""
    valued: list[ValuedSwap] = []
    token_swaps: dict[str, list[Swap]] = defaultdict(list)
    anchors: dict[str, list[ValuedSwap]] = defaultdict(list)
    for swap in swaps:
        tokens = [leg for leg in (swap.sold, swap.bought) if leg.mint not in quote_assets]
        if not any(leg.quantity > 0 for leg in tokens):
            continue
        if len(tokens) == 2:
            token_swaps[swap.tx_hash].append(swap)
            continue
        row = value_by_money(swap, quote_assets)
        valued.append(row)
        anchors[swap.tx_hash].append(row)
    for tx_hash, rows in token_swaps.items():
        valued += value_token_swaps(rows, anchors[tx_hash], max_leg_disagreement)
    return valued


def value_by_money(swap: Swap, quote_assets: Container[str]) -> ValuedSwap:
    """Value a row by its one leg that is money."""
    sells_token = swap.bought.mint in quote_assets
    money = swap.bought if sells_token else swap.sold
    usd = money.usd_at(money.price if money.price is not None else money.nearest_price)
    usd = usd or None  # a value of 0 is price_missing
    return ValuedSwap(
        swap=swap,
        sold=swap.sold if sells_token else None,
        bought=None if sells_token else swap.bought,
        usd=usd,
        basis_known=usd is not None,
    )


def value_token_swaps(
    token_swaps: Sequence[Swap], anchors: Sequence[ValuedSwap], max_leg_disagreement: Decimal
) -> list[ValuedSwap]:
    """Value the token-for-token rows of one transaction from its valued rows, then by their own prices."""
    known = [row for row in anchors if row.usd is not None]
    done: list[ValuedSwap] = []
    waiting = list(token_swaps)
    for _ in range(ROUTE_PASSES):
        bought, sold = flows_by_token(known)
        values = [(swap, bought[swap.sold.mint].worth_of(swap.sold)) for swap in waiting]
        values = [(swap, sold[swap.bought.mint].worth_of(swap.bought) if usd is None else usd) for swap, usd in values]
        fresh = [ValuedSwap(swap, swap.sold, swap.bought, usd, True) for swap, usd in values if usd is not None]
        waiting = [swap for swap, usd in values if usd is None]
        known += fresh
        done += fresh
    return done + [value_by_legs(swap, max_leg_disagreement) for swap in waiting]


def flows_by_token(known: Iterable[ValuedSwap]) -> tuple[dict[str, Flow], dict[str, Flow]]:
    """Sum what the valued rows bought and sold, by token."""
    bought: dict[str, Flow] = defaultdict(Flow)
    sold: dict[str, Flow] = defaultdict(Flow)
    for row in known:
        if row.usd is not None:
            bought[row.swap.bought.mint].add(row.bought, row.usd)
            sold[row.swap.sold.mint].add(row.sold, row.usd)
    return bought, sold


def value_by_legs(swap: Swap, max_leg_disagreement: Decimal) -> ValuedSwap:
    """Value a row by the lower of its two legs, whose prices can be far off."""
    legs = [leg.usd_at(leg.nearest_price) for leg in (swap.sold, swap.bought)]
    known = sorted(usd for usd in legs if usd is not None)
    usd = (known[0] or None) if known else None
    agree = len(known) == 2 and known[1] <= max_leg_disagreement * known[0]
    return ValuedSwap(swap, swap.sold, swap.bought, usd, basis_known=usd is not None and agree)
