"""What a copier would have earned: by hand on prices of our own, and by the market's own rows and prices."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest

from smart_trader.errors import SmartTraderError
from smart_trader.evaluation.copying import COST, DELAYS_S, Trade, copied, copied_returns, mean_returns, trades_of
from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.prices import asset_numbers, price_at
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.market.state import Floats, Ints
from smart_trader.sandbox.source import SwapQuery

DAY = 86_400
GENESIS = 1_779_926_400
BEGIN = GENESIS + 10 * DAY
END = BEGIN + 14 * DAY
KEPT = (1 - COST) ** 2


def prices(asset: int, times: Ints) -> Floats:
    """Asset 5 is worth 1, then 2 from second 100 on, then 4 from second 200 on; asset 6 is worth 10 for ever."""
    worth = np.where(times >= 200, 4.0, np.where(times >= 100, 2.0, 1.0))
    return worth if asset == 5 else np.full(len(times), 10.0)


@pytest.mark.parametrize(
    ("trades", "delay", "expected"),
    [
        pytest.param([(50, 5, 7), (150, 5, -7)], 0, 2 * KEPT - 1, id="bought-at-1-sold-at-2"),
        pytest.param([(50, 5, 7), (150, 5, -7)], 60, 2 * KEPT - 1, id="bought-at-2-sold-at-4"),
        pytest.param([(50, 5, 7), (90, 5, -7)], 10, 2 * KEPT - 1, id="late-enough-for-the-rise"),
        pytest.param([(50, 5, 7), (90, 5, -7)], 60, KEPT - 1, id="too-late-for-it"),
        pytest.param([(50, 5, 7)], 0, 4 * KEPT - 1, id="left-over-is-sold-at-the-end"),
        pytest.param([(50, 5, 8), (150, 5, -4)], 0, (0.5 * 2 + 0.5 * 4) * KEPT - 1, id="half-is-sold"),
        # the second stake buys half as much; both are sold at 4
        pytest.param([(50, 5, 8), (150, 5, 1), (250, 5, -9)], 0, (4 + 2) / 2 * KEPT - 1, id="each-stake-is-alike"),
        pytest.param([(50, 6, 3), (60, 5, 7), (150, 5, -7)], 0, (1 + 2) / 2 * KEPT - 1, id="two-tokens"),
        pytest.param([(10, 5, -99), (50, 5, 7), (150, 5, -99)], 0, 2 * KEPT - 1, id="older-holdings-are-nothing-to-it"),
    ],
)  # fmt: skip
def test_a_copier_earns_what_is_worked_out_by_hand(
    trades: list[tuple[int, int, int]], delay: int, expected: float
) -> None:
    assert copied([Trade(*trade) for trade in trades], prices, delay, 1000) == pytest.approx(expected)


def test_a_tier_is_the_mean_of_its_wallets_that_bought() -> None:
    returns = {"a": dict.fromkeys(DELAYS_S, 0.5), "b": dict.fromkeys(DELAYS_S, -0.1)}
    assert mean_returns(returns, ["a", "b", "bought nothing"]) == pytest.approx(dict.fromkeys(DELAYS_S, 0.2))
    assert mean_returns(returns, ["bought nothing"]) == dict.fromkeys(DELAYS_S)


@pytest.fixture(scope="module")
def source() -> MarketSource:
    return market(WorldSpec("easy", 3, 40, GENESIS), BEGIN)


@pytest.fixture(scope="module")
def returns(source: MarketSource) -> dict[str, dict[int, float]]:
    return copied_returns(source, source.wallets, BEGIN)


def test_trades_are_those_that_the_api_serves(source: MarketSource, returns: dict[str, dict[int, float]]) -> None:
    """Net amounts by transaction and token, from the JSON that anybody can ask for."""
    mints = {mint: number for mint, number in asset_numbers(source.world).items() if number >= 3}
    found = trades_of(source.world, range(len(source.wallets)), BEGIN, END)
    assert len(found) > 20
    for number, trades in found.items():
        texts, _ = source.swap_texts(SwapQuery(source.wallets[number], "swap", BEGIN + 1, END, 0, 10**9, False), END)
        net: defaultdict[tuple[int, str, int], float] = defaultdict(float)
        for row in map(json.loads, texts):
            for leg in (row["base"], row["quote"]):
                if leg["address"] in mints:
                    net[row["block_unix_time"], row["tx_hash"], mints[leg["address"]]] += float(leg["change_amount"])
        expected = sorted((time, asset, amount) for (time, _, asset), amount in net.items() if abs(amount) > 1)
        # rows that show up late are not served yet, and an order book's amounts are not whole
        made = sorted((trade.time, trade.asset, float(trade.amount)) for trade in trades if abs(trade.amount) > 1)
        assert len(made) - len(expected) <= max(2, len(made) // 20)
        served = {(time, asset): amount for time, asset, amount in expected}
        same = [served.get(trade[:2]) == pytest.approx(trade[2], abs=1) for trade in made]
        assert sum(same) >= 0.9 * len(same)


def test_a_return_is_made_of_the_worlds_prices(source: MarketSource, returns: dict[str, dict[int, float]]) -> None:
    wallet = next(wallet for wallet in source.wallets if wallet in returns)
    trades = trades_of(source.world, [source.wallets.index(wallet)], BEGIN, END - 300)[source.wallets.index(wallet)]
    for delay in DELAYS_S:
        paid = got = 0.0
        theirs: dict[int, int] = {}
        own: dict[int, float] = {}
        for time, asset, amount in trades:
            price = float(price_at(source.world, asset, [time + delay])[0])
            if amount > 0:
                paid += 1
                own[asset] = own.get(asset, 0.0) + (1 - COST) / price
                theirs[asset] = theirs.get(asset, 0) + amount
            elif theirs.get(asset, 0) > 0:
                sold = own[asset] * min(1.0, -amount / theirs[asset])
                got += sold * price * (1 - COST)
                own[asset] -= sold
                theirs[asset] = max(0, theirs[asset] + amount)
        got += sum(left * float(price_at(source.world, asset, [END])[0]) * (1 - COST) for asset, left in own.items())
        assert returns[wallet][delay] == pytest.approx(got / paid - 1)


def test_skill_pays_and_noise_does_not(source: MarketSource, returns: dict[str, dict[int, float]]) -> None:
    kinds = source.world.wallets.kind.tolist()
    by_kind = {
        kind: mean_returns(returns, [w for w, k in zip(source.wallets, kinds, strict=True) if k == kind])
        for kind in (0, 1)
    }
    assert (by_kind[1][60] or 0) > 0.05 > (by_kind[0][60] or 0)


def test_a_market_that_ends_too_early_is_named(source: MarketSource) -> None:
    with pytest.raises(SmartTraderError, match="days after genesis"):
        copied_returns(source, source.wallets[:1], GENESIS + 119 * DAY)
