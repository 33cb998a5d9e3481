"""What an open position is worth, by the first rule that applies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from .rows import number
from .settings import Settings
from .trades import Trade

Observation = tuple[Mapping[str, Any], datetime]


class Mark(NamedTuple):
    """USD value of the open known-basis lots and the rule that gave it: observation, trade or none."""

    usd: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """The newest observation of a token."""

    observed_at: datetime
    price: Decimal | None
    liquidity: Decimal | None
    multiplier: Decimal | None


@dataclass(frozen=True, slots=True)
class Balance:
    """The newest holder observation of a wallet and token, token accounts summed, in base units."""

    observed_at: datetime
    quantity: int


@dataclass(frozen=True, slots=True)
class Market:
    """All that is known from outside the swaps, at as_of."""

    as_of: datetime
    prices: Mapping[str, TokenPrice]
    balances: Mapping[tuple[str, str], Balance]


def read_market(as_of: datetime, tokens: Iterable[Observation], holders: Iterable[Observation]) -> Market:
    """Keep the newest observations that are not from after as_of."""
    prices: dict[str, TokenPrice] = {}
    for item, observed_at in tokens:
        known = prices.get(item["address"])
        if observed_at <= as_of and (known is None or observed_at > known.observed_at):
            prices[item["address"]] = TokenPrice(
                observed_at, number(item.get("price")), number(item.get("liquidity")), number(item.get("multiplier"))
            )
    # a page seam can serve a token account twice; it holds its balance once
    accounts: dict[tuple[str, str], dict[datetime, dict[str, int]]] = {}
    for item, observed_at in holders:
        if observed_at <= as_of:
            by_account = accounts.setdefault((item["owner"], item["mint"]), {}).setdefault(observed_at, {})
            by_account.setdefault(item["token_account"], int(item["amount"]))
    balances = {key: Balance(max(by_time), sum(by_time[max(by_time)].values())) for key, by_time in accounts.items()}
    return Market(as_of, prices, balances)


class OpenPosition(NamedTuple):
    """The open known-basis lots of one wallet and token."""

    wallet: str
    token: str
    quantity: int
    cost: Decimal
    decimals: int
    trades: Sequence[Trade]


def mark(position: OpenPosition, market: Market, settings: Settings) -> Mark:
    """Value an open position."""
    if position.quantity == 0:
        return Mark(Decimal(0), "none")
    quantity = marked_quantity(position, market, settings)
    seen = market.prices.get(position.token)
    if seen and is_young(market.as_of, seen.observed_at, settings.max_price_age_hours):
        usd = usd_by_observation(seen, Decimal(quantity).scaleb(-position.decimals))
        if usd is not None:
            return Mark(usd, "observation")
    priced = [trade for trade in position.trades if trade.is_priced]
    if priced and is_young(market.as_of, at(priced[-1].block_unix_time), settings.max_trade_age_hours):
        # the trade's quantity is never 0: a net of zero is no trade
        usd = quantity * (priced[-1].usd or Decimal(0)) / priced[-1].quantity
        return Mark(min(position.cost, usd), "trade")
    return Mark(Decimal(0), "none")


def usd_by_observation(seen: TokenPrice, tokens: Decimal) -> Decimal | None:
    """Value tokens at the listed price, at most half the pool: more could not be sold."""
    if seen.price is None or seen.liquidity is None:
        return None
    scaled = tokens if seen.multiplier is None else tokens * seen.multiplier
    if scaled * seen.price < 0 or seen.liquidity < 0:
        return None
    return min(scaled * seen.price, seen.liquidity / 2)


def marked_quantity(position: OpenPosition, market: Market, settings: Settings) -> int:
    """Return the open quantity, at most what the wallet was last seen to hold."""
    balance = market.balances.get((position.wallet, position.token))
    if balance is None or not is_young(market.as_of, balance.observed_at, settings.max_trade_age_hours):
        return position.quantity
    return min(position.quantity, balance.quantity)


def is_young(as_of: datetime, then: datetime, hours: Decimal) -> bool:
    """Return whether something is at most this old."""
    return as_of - then <= timedelta(hours=float(hours))


def at(unix_time: int) -> datetime:
    """Return a block time as UTC."""
    return datetime.fromtimestamp(unix_time, UTC)
