"""Flags, skill and places against figures worked out by hand."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from .facts import Following, Return, behaviour, counterparties, deals_by_token, followers, position_returns
from .flags import Flag
from .gold import Evaluation
from .market import AS_OF, QUOTES, START, WALLET, buy, run, sell
from .skill import Scale, counted, grade_of, money_return, scale_of, skill_of
from .trust import compute_trust, standing
from .verdict import Verdict, compute_reference

SECOND = 1 / 3600
AT = int(AS_OF.timestamp())
DAY = 86_400


def names(verdict: Verdict, launches: dict[str, int] | None = None, at: datetime = AS_OF) -> list[str]:
    """Return the flags of the one wallet."""
    return [flag.flag for flag in compute_trust(verdict, as_of=at, launches=launches or {}).flags[WALLET]]


def round_trips(count: int, others: int) -> list[dict[str, Any]]:
    """Buy and sell within some transactions, and only buy in others."""
    rows = [row for n in range(count) for row in (buy(f"R{n}", 10, 5, n), sell(f"R{n}", 10, 6, n))]
    return rows + [buy(f"B{n}", 10, 5, n + 0.5) for n in range(others)]


@pytest.mark.parametrize(
    ("count", "others", "expected"), [(5, 11, ["arbitrage"]), (5, 12, []), (4, 0, []), (6, 14, ["arbitrage"])]
)
def test_arbitrage_needs_five_and_three_in_ten(count: int, others: int, expected: list[str]) -> None:
    # none of the round trips leaves a trade, but each is a transaction with the token
    assert names(run(*round_trips(count, others))) == expected


@pytest.mark.parametrize(
    ("transactions", "same", "expected"),
    [(51, 10, ["machine_pace"]), (51, 9, []), (49, 40, []), (50, 10, ["machine_pace"])],
)
def test_machine_pace_counts_pairs_of_transactions(transactions: int, same: int, expected: list[str]) -> None:
    # the first `same` transactions share the second of the one before
    hours = [max(0, n - same) * 0.01 for n in range(transactions)]
    assert names(run(*(buy(f"T{n}", 10, 5, hour) for n, hour in enumerate(hours)))) == expected


def bought_and_sold(token: str, cost: float, got: float, hours: float = 0) -> list[dict[str, Any]]:
    """Buy a token and sell it an hour later."""
    return [
        buy(f"{token}-buy", 10, cost, hours, token=token),
        sell(f"{token}-sell", 10, got, hours + 1, token=token),
    ]


def test_launch_counts_profit_and_winners_of_known_launch() -> None:
    rows = [row for token in "ABC" for row in bought_and_sold(token, 10, 20)]
    launches = dict.fromkeys("ABC", START - 1800)
    assert names(run(*rows), launches) == ["launch"]
    assert names(run(*rows), {**launches, "C": START - 1801}) == []
    # 30 of 60 USD and 3 of 11 winners, then 30 of 61 USD; 3 of 10 winners are enough with less of the profit
    for others, got, expected in (("DEFGHIJK", 33, ["launch"]), ("DEFGHIJK", 34, []), ("DEFGHIJ", 99, ["launch"])):
        old = [row for token in others[1:] for row in bought_and_sold(token, 10, 11)]
        known = {**launches, **dict.fromkeys(others, START - 9999)}
        assert names(run(*rows, *old, *bought_and_sold(others[0], 10, got)), known) == expected
    # profit of unknown launch does not count, and here most of the best three is unknown
    assert names(run(*rows, *bought_and_sold("D", 10, 41)), launches) == ["launch", "launch_unknown"]


def test_unmatched_is_more_than_a_fifth_of_the_proceeds() -> None:
    assert names(run(buy("A", 8, 8), sell("B", 8, 8, 1), sell("C", 2, 2, 2))) == []
    assert names(run(buy("A", 8, 8), sell("B", 8, 8, 1), sell("C", 2, 2.01, 2))) == ["unmatched"]


@pytest.mark.parametrize(
    ("prices", "sizes", "expected"),
    [
        pytest.param([0.98] * 5, [0.8] * 5, ["martingale"], id="at both bounds"),
        pytest.param([0.98] * 4 + [0.981], [0.8] * 5, [], id="one not cheaper"),
        pytest.param([0.98] * 5, [0.8] * 4 + [0.799], [], id="one too small"),
        pytest.param([0.5] * 4, [1] * 4, [], id="four are too few"),
    ],
)
def test_martingale_is_five_rungs(prices: list[float], sizes: list[float], expected: list[str]) -> None:
    price, spent = Decimal(1), Decimal(1000)
    rows = [buy("first", 1000 * 10**6, spent)]
    for n, (cheaper, larger) in enumerate(zip(prices, sizes, strict=True), 1):
        usd = spent * Decimal(str(larger))
        # a unit more keeps the price at or below its bound, far from the next one
        quantity = int(usd / (price * Decimal(str(cheaper))) * 10**6) + 1
        price, spent = usd / quantity * 10**6, spent + usd
        rows.append(buy(f"T{n}", quantity, usd, n))
    found = behaviour(run(*rows).wallets[WALLET])
    assert (found.rungs >= 5) == bool(expected)


def test_a_sell_begins_the_ladder_anew() -> None:
    rows = [buy("A", 10, 10), buy("B", 10, 9, 1), sell("C", 1, 1, 2), buy("D", 10, 8, 3), buy("E", 10, 7, 4)]
    found = behaviour(run(*rows).wallets[WALLET])
    # B and E, of 9 + 7 in 34 USD; D follows a sell
    assert (found.rungs, found.rung_usd_share) == (2, pytest.approx(16 / 34))


def market_of(**wallets: list[dict[str, Any]]) -> Verdict:
    """Compute several wallets."""
    pages = {name: [[{**row, "owner": name} for row in rows]] for name, rows in wallets.items()}
    complete = dict.fromkeys(wallets, True)
    return compute_reference(pages, as_of=AS_OF, quote_assets=QUOTES, history_complete=complete)


def test_counterparties_meet_within_a_minute_at_about_the_same_value() -> None:
    verdict = market_of(
        seller=[buy("0", 100, 100), sell("1", 10, 10, 1), sell("2", 10, 10, 2), sell("3", 10, 10, 3)],
        near=[buy("4", 10, 7, 1 + 60 * SECOND), buy("5", 10, 9, 1 + 59 * SECOND)],
        late=[buy("6", 10, 10, 2 + 61 * SECOND)],
        small=[buy("7", 10, 6.99, 3)],
    )
    partners = counterparties(deals_by_token(verdict.wallets))
    # two purchases meet one sale, which counts once
    assert {name: found.sold_to for name, found in partners["seller"].items()} == {"near": 1}
    assert partners["near"]["seller"].bought_from == 2
    assert "late" not in partners
    assert "small" not in partners


def test_wash_pair_needs_both_ways_and_a_share() -> None:
    def legs(first: str, hours: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        both = [buy(f"{first}b", 10, 10, hours), sell(f"{first}s", 10, 10, hours + 1)]
        other = [sell(f"{first}S", 10, 10, hours), buy(f"{first}B", 10, 10, hours + 1)]
        return both, other

    pairs = [legs(str(n), 2 * n) for n in range(5)]
    mine, theirs = [row for pair in pairs for row in pair[0]], [row for pair in pairs for row in pair[1]]
    start = [buy("start", 100, 100, -9)]
    more = [buy(f"M{n}", 1, 1, 40 + n, token="M") for n in range(24)]
    trust = compute_trust(market_of(a=mine, b=start + theirs + more), as_of=AS_OF, launches={})
    assert [flag.flag for flag in trust.flags["a"]] == ["wash_pair"]
    # 10 of 35 trades are less than 30 %
    assert [flag.flag for flag in trust.flags["b"]] == []


def test_a_crowd_follows_late_buys() -> None:
    def at(seconds: int) -> float:
        return seconds * SECOND

    leader = [buy(f"L{n}", 1, 10, n * 3, token=f"T{n}") for n in range(5)]
    crowd = {f"f{m}": [buy(f"F{n}-{m}", 1, 10, n * 3 + at(61 + m), token=f"T{n}") for n in range(5)] for m in range(3)}
    launches = {f"T{n}": START + n * 3 * 3600 - 7201 for n in range(5)}
    verdict = market_of(leader=leader, **crowd)
    trust = compute_trust(verdict, as_of=AS_OF, launches=launches)
    assert trust.flags["leader"] == [Flag("followed", "cap", 1.0, 0.25, "QUALIFIED")]
    assert trust.flags["f0"] == []
    # a launch within two hours, or one that is not known, is no late buy
    deals = deals_by_token(verdict.wallets)
    assert followers(deals, {**launches, "T0": START - 7200})["leader"] == Following(4, 4)
    assert followers(deals, {})["leader"] == Following(0, 0)
    # one purchase before takes a crowd of six
    verdict = market_of(leader=leader, early=[buy("E", 1, 10, at(-61), token="T0")], **crowd)
    assert followers(deals_by_token(verdict.wallets), launches)["leader"].followed == 4


def test_one_hit_is_one_token_and_nothing_beside() -> None:
    rows = [row for token in "ABCD" for row in bought_and_sold(token, 10, 9)]
    launches = dict.fromkeys("ABCDE", START - DAY)
    assert names(run(*rows, *bought_and_sold("E", 10, 30)), launches) == ["one_hit"]
    # four positions are too few, and the others may not have made anything
    assert names(run(*rows[2:], *bought_and_sold("E", 10, 30)), launches) == []
    more = [row for token in "ABCD" for row in bought_and_sold(token, 10, 10.5)]
    assert names(run(*more, *bought_and_sold("E", 10, 30)), launches) == []


def test_churn_is_much_traded_and_little_moved() -> None:
    rows = [row for n in range(20) for row in (buy(f"B{n}", 10, 100, n), sell(f"S{n}", 10, 102, n + 0.5))]
    launches = {"A": START - DAY}
    assert names(run(*rows), launches) == ["churn"]
    assert names(run(*rows[:-2]), launches) == []
    earned = [row for n in range(20) for row in (buy(f"B{n}", 10, 100, n), sell(f"S{n}", 10, 104, n + 0.5))]
    assert names(run(*earned), launches) == []


def test_dormant_is_thirty_days_without_a_trade() -> None:
    rows = [buy("A", 10, 10)]
    last = datetime.fromtimestamp(START, AS_OF.tzinfo)
    assert names(run(*rows, as_of=last + timedelta(days=30)), at=last + timedelta(days=30)) == []
    later = last + timedelta(days=30, seconds=1)
    assert names(run(*rows, as_of=later), at=later) == ["dormant"]


def test_a_return_is_bounded() -> None:
    verdict = run(
        *bought_and_sold("A", 10, 100),
        *bought_and_sold("C", 5, 5.5),
        buy("D", 10, 7, token="D"),
    )
    returns = position_returns(WALLET, verdict.wallets[WALLET], {"A": START - 60}, {(WALLET, "C"): START + 1})
    # D is worth its own trade, so it returned nothing
    assert [(each.token, each.bounded, each.age_s, each.is_trigger) for each in returns] == [
        ("A", 3.0, 60, False), ("C", 0.1, None, True), ("D", 0.0, None, False),
    ]  # fmt: skip


def returned(values: list[float], at: int = AT, cost: int = 100) -> list[Return]:
    """Make positions of given returns, one a day."""
    return [
        Return(f"T{n}", at - n * DAY - 1, Decimal(cost), Decimal(str(value)) * cost, is_trigger=False, launched=None)
        for n, value in enumerate(values)
    ]


def test_old_and_small_positions_and_triggers_are_left_out() -> None:
    old = returned([0.1], AT - 90 * DAY + 1)[0]
    just = old._replace(first_trade=old.first_trade + 1)
    small = just._replace(cost=Decimal("4.999999"))
    assert counted([old, just, small, just._replace(is_trigger=True)], AT) == [just]


def test_the_scale_is_dersimonians_and_lairds() -> None:
    # two wallets of five: means 0 and 1, each with a sum of squares of 0.1
    peers = [[-0.1, 0, 0, 0, 0.1], [0.8, 1, 1, 1, 1.2]]
    squares = 0.02 + 0.08
    within = squares / 8
    weight = 5 / within
    between = (2 * weight * 0.25 - 1) / (2 * weight - weight)
    assert scale_of(peers) == pytest.approx((0.5, within, between, 2))
    # wallets with fewer than five say nothing, and equal means leave the least variance
    assert scale_of([[9.0] * 4]) is None
    assert scale_of([peers[0], peers[0], [9.0] * 4]) == pytest.approx((0, 0.005, 1e-4, 2))


def test_skill_is_drawn_to_the_peers() -> None:
    skill = skill_of(returned([0.5] * 10), Scale(0.1, 1.0, 0.1, 50), is_hard=False)
    # ten equal returns and a variance of 1 that counts as 20 positions
    pull = 0.1 / (0.1 + (20 * 1.0 / 29) / 10)
    deviation = math.sqrt(0.1 * (1 - pull))
    assert skill.skill == pytest.approx(0.1 + pull * 0.4)
    assert skill.skill_low == pytest.approx(0.1 + pull * 0.4 - 1.645 * deviation)
    assert skill.edge_low_90 == pytest.approx(pull * 0.4 - 1.2816 * deviation)
    # these ten days touch two periods
    assert (skill.position_count, skill.period_count, skill.good_period_share) == (10, 2, 1.0)
    assert (skill.money_return, skill.money_return_low) == (0.5, 0.5)
    lone = skill_of(returned([0.5]), Scale(0.1, 1.0, 0.1, 50), is_hard=False)
    assert (lone.money_return, lone.money_return_low) == (0.5, None)
    assert skill_of([], Scale(0.1, 1.0, 0.1, 50), is_hard=False).grade == "D"
    assert skill_of(returned([0.5] * 10), Scale(0.1, 1.0, 0.1, 50), is_hard=True).grade == "X"
    assert skill_of(returned([2.5] * 10), Scale(0.1, 1.0, 0.1, 50), is_hard=False).grade == "B"
    assert skill_of(returned([2.5] * 10), Scale(0.1, 1.0, 0.1, 50), is_hard=False, is_followed=True).grade == "D"


def test_the_return_on_all_money_has_a_bound() -> None:
    # 10 + 40 on 100 + 100 USD: 0.25, and residuals of -15 and 15
    low = 0.25 - 1.645 * math.sqrt(2 * 15**2) / 200
    assert money_return(returned([0.1, 0.4])) == pytest.approx((0.25, low))


GOOD = dict.fromkeys(("skill", "skill_low", "skill_low_90", "edge_low", "edge_low_90"), 0.1)


@pytest.mark.parametrize(
    ("count", "bounds", "periods", "good", "grade"),
    [
        pytest.param(15, {}, 3, 0.6, "A", id="a"),
        pytest.param(14, {}, 3, 0.6, "B", id="too few for a"),
        pytest.param(15, {}, 2, 0.6, "B", id="too short for a"),
        pytest.param(15, {}, 3, 0.59, "B", id="too unsteady for a"),
        pytest.param(15, {"edge_low": 0.0}, 3, 0.6, "B", id="no better than its peers"),
        pytest.param(9, {}, 3, 0.6, "C", id="too few for b"),
        pytest.param(15, {"skill_low": -0.1, "skill_low_90": 0.0}, 3, 0.6, "C", id="not sure enough for b"),
        pytest.param(4, {}, 3, 0.6, "D", id="too few for c"),
        pytest.param(15, dict.fromkeys(GOOD, 0.0), 3, 0.6, "D", id="no skill"),
        pytest.param(15, dict.fromkeys(GOOD), 3, 0.6, "D", id="nothing known"),
    ],
)
def test_grades(count: int, bounds: dict[str, float | None], periods: int, good: float, grade: str) -> None:
    assert grade_of(count, {**GOOD, **bounds}, periods, good) == grade


@pytest.mark.parametrize(
    ("tier", "grade", "cap", "expected"),
    [
        ("ELITE", "A", None, "ELITE"), ("ELITE", "B", None, "STRONG"), ("QUALIFIED", "A", None, "QUALIFIED"),
        ("ELITE", "A", "PROMISING", "PROMISING"), ("ELITE", "D", "PROMISING", "QUALIFIED"), ("ELITE", "X", None, None),
    ],
)  # fmt: skip
def test_the_lowest_cap_holds(tier: str, grade: str, cap: str | None, expected: str | None) -> None:
    flags = [Flag("some", "cap", 1.0, 1.0, cap)] if cap else []
    evaluation = Evaluation("w", True, (), Decimal(1), tier, Decimal(1))
    assert standing(evaluation, grade, flags).tier == expected
    assert standing(Evaluation("w", False, ("roi",), Decimal(1)), grade, flags).tier is None
