"""What is known of a wallet beside its figures: returns of its positions, its pace, its partners, who follows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from .marks import Observation
from .trades import TokenTrades, Trade
from .verdict import WalletVerdict

HOUR_S = 3600
# a purchase so soon after the launch is one of it
LAUNCH_S = 1800
LEAST_COST_USD = Decimal(5)
WORST_RETURN, BEST_RETURN = Decimal(-1), Decimal(3)
# counterparties: how far apart two trades may be, and the smaller one's share of the larger
PAIR_S = 60
PAIR_SIZE = Fraction(7, 10)
# followers: a buy is late beyond this age of the token; who follows buys in this window
LATE_S = 2 * HOUR_S
FOLLOWED_FROM_S, FOLLOWED_TO_S = 61, HOUR_S
LEAST_FOLLOWERS, FOLLOWERS_TO_BEFORE = 3, 3
# martingale: a rung is this much cheaper, and this large beside all bought since the last sell
RUNG_PRICE = Fraction(98, 100)
RUNG_SIZE = Fraction(8, 10)


class Return(NamedTuple):
    """What a position brought; one of less than 5 USD is part of the profit, and says nothing of skill."""

    token: str
    first_trade: int
    cost: Decimal
    pnl: Decimal
    is_trigger: bool
    launched: int | None

    @property
    def bounded(self) -> float:
        """Return profit over cost, from -1 to 3."""
        return float(min(max(self.pnl / self.cost, WORST_RETURN), BEST_RETURN))

    @property
    def age_s(self) -> int | None:
        """Return the token's age at the first trade; None where its launch is not known."""
        return None if self.launched is None else self.first_trade - self.launched


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a wallet trades; shares are None where there is nothing to divide by."""

    transactions: int
    same_second_share: float | None
    net_trades: int
    tokens: int
    round_trips: int
    round_trip_share: float | None
    rungs: int
    rung_usd_share: float | None


@dataclass(slots=True)
class Partner:
    """How often a wallet sold to another one, and bought from it."""

    sold_to: int = 0
    bought_from: int = 0


@dataclass(slots=True)
class Following:
    """A wallet's late buys, and how many of them a crowd followed."""

    late: int = 0
    followed: int = 0


class Deal(NamedTuple):
    """A net trade and who made it."""

    wallet: str
    trade: Trade


def position_returns(
    wallet: str, found: WalletVerdict, launches: Mapping[str, int], triggers: Mapping[tuple[str, str], int]
) -> list[Return]:
    """Return what each position with a trade brought, tokens in order."""
    returns = []
    for token, figures in sorted(found.positions.items()):
        if figures.first_time is None:
            continue
        since = triggers.get((wallet, token))
        returns.append(
            Return(
                token,
                figures.first_time,
                figures.matched_cost + figures.open_cost,
                figures.realized + figures.open_value - figures.open_cost,
                is_trigger=since is not None and figures.first_time < since,
                launched=launches.get(token),
            )
        )
    return returns


def trigger_tokens(holders: Iterable[Observation]) -> dict[tuple[str, str], int]:
    """Return wallet and token of each holding that made the wallet tracked, with the time that it did."""
    seen = [(item["owner"], item["mint"], int(observed_at.timestamp())) for item, observed_at in holders]
    since: dict[str, int] = {}
    for wallet, _, time in seen:
        since[wallet] = min(time, since.get(wallet, time))
    return {(wallet, token): time for wallet, token, time in seen if time == since[wallet]}


def behaviour(found: WalletVerdict) -> Behaviour:
    """Count a wallet's pace, its round trips and its rungs."""
    times = sorted(found.transactions.values())
    same = sum(first == second for first, second in pairwise(times))
    bundles = sum(token.bundle_count for token in found.histories.values())
    round_trips = sum(token.round_trip_count for token in found.histories.values())
    rungs = [rung for token in found.histories.values() for rung in rungs_of(token)]
    bought = sum(
        (trade.usd or 0 for token in found.histories.values() for trade in token.trades if trade.is_buy), Decimal(0)
    )
    return Behaviour(
        transactions=len(times),
        same_second_share=share(same, len(times) - 1),
        net_trades=bundles,
        tokens=len(found.histories),
        round_trips=round_trips,
        round_trip_share=share(round_trips, bundles),
        rungs=len(rungs),
        rung_usd_share=share(sum((rung.usd or 0 for rung in rungs), Decimal(0)), bought),
    )


def rungs_of(token: TokenTrades) -> list[Trade]:
    """Return the buys that go on buying what has become cheaper, as large as nearly all bought since the last sell."""
    rungs = []
    before: Trade | None = None
    since_sell = Decimal(0)
    for trade in token.trades:
        if not trade.is_buy:
            before, since_sell = None, Decimal(0)
            continue
        if before is not None and is_rung(before, trade, since_sell):
            rungs.append(trade)
        before, since_sell = trade, since_sell + (trade.usd or 0)
    return rungs


def is_rung(before: Trade, trade: Trade, since_sell: Decimal) -> bool:
    """Return whether a buy that follows a buy doubles up; what has no price is no rung."""
    if not before.usd or not trade.usd:
        return False
    price, price_before = Fraction(trade.usd) / trade.quantity, Fraction(before.usd) / before.quantity
    return price <= RUNG_PRICE * price_before and Fraction(trade.usd) >= RUNG_SIZE * Fraction(since_sell)


def deals_by_token(wallets: Mapping[str, WalletVerdict]) -> dict[str, list[Deal]]:
    """Return all net trades of all wallets, by token."""
    deals: dict[str, list[Deal]] = defaultdict(list)
    for wallet, found in wallets.items():
        for token, history in found.histories.items():
            deals[token] += [Deal(wallet, trade) for trade in history.trades]
    return deals


def counterparties(deals: Mapping[str, Sequence[Deal]]) -> dict[str, dict[str, Partner]]:
    """Pair each trade with each opposite one of about its size at about its time; a trade counts once a partner."""
    partners: dict[str, dict[str, Partner]] = defaultdict(lambda: defaultdict(Partner))
    for mine in deals.values():
        buys = [deal for deal in mine if deal.trade.is_buy]
        sells = [deal for deal in mine if not deal.trade.is_buy]
        for sell in sells:
            for other in {buy.wallet for buy in buys if is_pair(sell, buy)}:
                partners[sell.wallet][other].sold_to += 1
        for buy in buys:
            for other in {sell.wallet for sell in sells if is_pair(sell, buy)}:
                partners[buy.wallet][other].bought_from += 1
    return partners


def is_pair(sell: Deal, buy: Deal) -> bool:
    """Return whether one wallet may have sold to the other; a size is a value in USD."""
    if sell.wallet == buy.wallet or abs(sell.trade.block_unix_time - buy.trade.block_unix_time) > PAIR_S:
        return False
    small, large = sorted((sell.trade.usd or Decimal(0), buy.trade.usd or Decimal(0)))
    return small > 0 and Fraction(small) >= PAIR_SIZE * Fraction(large)


def followers(deals: Mapping[str, Sequence[Deal]], launches: Mapping[str, int]) -> dict[str, Following]:
    """Count late buys, and those that other wallets' buys follow as they did not come before."""
    found: dict[str, Following] = defaultdict(Following)
    for token, mine in deals.items():
        buys = [(deal.wallet, deal.trade.block_unix_time) for deal in mine if deal.trade.is_buy]
        launched = launches.get(token)
        if launched is None:
            continue
        for wallet, time in buys:
            if time <= launched + LATE_S:
                continue
            apart = [other - time for who, other in buys if who != wallet]
            after = sum(FOLLOWED_FROM_S <= seconds <= FOLLOWED_TO_S for seconds in apart)
            before = sum(FOLLOWED_FROM_S <= -seconds <= FOLLOWED_TO_S for seconds in apart)
            found[wallet].late += 1
            found[wallet].followed += after >= LEAST_FOLLOWERS and after >= FOLLOWERS_TO_BEFORE * (before + 1)
    return found


def share(part: Decimal | int, whole: Decimal | int) -> float | None:
    """Divide, None by nothing."""
    return float(Fraction(part) / Fraction(whole)) if whole > 0 else None
