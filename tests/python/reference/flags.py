"""What speaks against a wallet, one rule a flag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from .facts import LAUNCH_S, LEAST_COST_USD, Behaviour, Following, Partner, Return, share
from .trades import TokenTrades
from .wallets import PositionFigures

HARD, CAP, SOFT = "hard", "cap", "soft"
DAY_S = 86_400
BEST_TOKENS, TELLING_TOKENS = 3, 15


class Flag(NamedTuple):
    """A flag of a wallet; `value` is the share or figure that its bound is about."""

    flag: str
    severity: str
    value: float | None
    bound: float
    tier_cap: str | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """All that the flags of one wallet look at."""

    total: PositionFigures
    histories: Mapping[str, TokenTrades]
    returns: Sequence[Return]
    behaviour: Behaviour
    partners: Mapping[str, Partner]
    following: Following
    as_of: int


def flags_of(suspect: Suspect) -> list[Flag]:
    """Return every flag of a wallet, by name."""
    return sorted(flag for rule in RULES for flag in rule(suspect))


def arbitrage(suspect: Suspect) -> Iterator[Flag]:
    found = suspect.behaviour
    if found.round_trips >= 5 and (found.round_trip_share or 0) >= 0.3:
        yield Flag("arbitrage", HARD, found.round_trip_share, 0.3)


def machine_pace(suspect: Suspect) -> Iterator[Flag]:
    found = suspect.behaviour
    if found.transactions >= 50 and (found.same_second_share or 0) >= 0.2:
        yield Flag("machine_pace", HARD, found.same_second_share, 0.2)


def launch(suspect: Suspect) -> Iterator[Flag]:
    winners = [each for each in suspect.returns if each.pnl > 0]
    known = [each for each in winners if is_launch_known(each)]
    early = [each for each in known if each.age_s is not None and each.age_s <= LAUNCH_S]
    by_profit, by_count = share(gross(early), gross(known)), share(len(early), len(known))
    if len(early) < 3 or by_profit is None or by_count is None:
        return
    if by_profit >= 0.5:
        yield Flag("launch", HARD, by_profit, 0.5)
    elif by_count >= 0.3:
        yield Flag("launch", HARD, by_count, 0.3)


def wash_pair(suspect: Suspect) -> Iterator[Flag]:
    shares = [
        share(partner.sold_to + partner.bought_from, suspect.behaviour.net_trades) or 0
        for partner in suspect.partners.values()
        if partner.sold_to >= 5 and partner.bought_from >= 5
    ]
    if shares and max(shares) >= 0.3:
        yield Flag("wash_pair", HARD, max(shares), 0.3)


def unmatched(suspect: Suspect) -> Iterator[Flag]:
    part = share(suspect.total.unmatched_proceeds, suspect.total.sold)
    if part is not None and part > 0.2:
        yield Flag("unmatched", HARD, part, 0.2)


def martingale(suspect: Suspect) -> Iterator[Flag]:
    found = suspect.behaviour
    if found.rungs >= 5 and (found.rung_usd_share or 0) >= 0.3:
        yield Flag("martingale", HARD, found.rung_usd_share, 0.3)


def followed(suspect: Suspect) -> Iterator[Flag]:
    part = share(suspect.following.followed, suspect.following.late)
    if suspect.following.followed >= 5 and part is not None and part >= 0.25:
        yield Flag("followed", CAP, part, 0.25, "QUALIFIED")


def one_hit(suspect: Suspect) -> Iterator[Flag]:
    if len(suspect.returns) < 5:
        return
    best = max(each.pnl for each in suspect.returns)
    part = share(best, gross(suspect.returns))
    if part is not None and part >= 0.6 and sum(each.pnl for each in suspect.returns) - best <= 0:
        yield Flag("one_hit", SOFT, part, 0.6)


def churn(suspect: Suspect) -> Iterator[Flag]:
    total, found = suspect.total, suspect.behaviour
    hold = total.cost_hours / total.exact_matched_cost if total.exact_matched_cost else None
    if hold is None or found.net_trades < 40 or found.net_trades < 6 * found.tokens:
        return
    if hold < 12 and abs(total.realized) <= Decimal("0.03") * total.bought:
        yield Flag("churn", SOFT, share(found.net_trades, found.tokens), 6)


def launch_unknown(suspect: Suspect) -> Iterator[Flag]:
    winners = sorted((each for each in suspect.returns if each.pnl > 0), key=lambda each: (-each.pnl, each.token))
    best = winners[:BEST_TOKENS]
    part = share(gross([each for each in best if is_launch_known(each)]), gross(best))
    telling = sorted(winners, key=lambda each: (-each.pnl / max(each.cost, LEAST_COST_USD), each.token))[
        :TELLING_TOKENS
    ]
    by_count = share(sum(is_launch_known(each) for each in telling), len(telling))
    if part is not None and part < 0.5:
        yield Flag("launch_unknown", CAP, part, 0.5, "PROMISING")
    elif by_count is not None and by_count < 0.6:
        yield Flag("launch_unknown", CAP, by_count, 0.6, "PROMISING")


def dormant(suspect: Suspect) -> Iterator[Flag]:
    last = suspect.total.last_time
    if last is not None and suspect.as_of - last > 30 * DAY_S:
        yield Flag("dormant", HARD, (suspect.as_of - last) / DAY_S, 30)


def is_launch_known(position: Return) -> bool:
    """Return whether a token's launch is known; what was traded before it was launched before."""
    return position.age_s is not None and position.age_s >= 0


def gross(returns: Sequence[Return]) -> Decimal:
    """Return the profit of those that made one."""
    return sum((each.pnl for each in returns if each.pnl > 0), Decimal(0))


RULES = (
    *(arbitrage, machine_pace, launch, wash_pair, unmatched, martingale, followed, one_hit, churn, launch_unknown),
    dormant,
)
