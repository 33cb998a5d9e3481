"""Prices at any second: what a copier of a trade would have met."""

from __future__ import annotations

import numpy as np
import pytest

from smart_trader.sandbox.market.market_source import MarketSource
from smart_trader.sandbox.market.prices import asset_numbers, price_at, price_series

from .sandboxes import CLOCK, GENESIS


def test_a_price_holds_from_a_trade_until_the_next(source: MarketSource) -> None:
    world = source.world
    asset = asset_numbers(world)[world.tokens[5].mint]
    rows = world.rows
    mine = np.nonzero((world.pools.a[rows.pool] == asset) & (rows.amount_a > 0))[0]
    last_of_second = {int(time): float(price) for time, price in zip(rows.time[mine], rows.price_a[mine], strict=True)}
    series = price_series(world, asset)
    times = sorted(last_of_second)[::7]
    assert price_at(world, asset, times).tolist() == [last_of_second[time] for time in times]
    for time in times:
        until = series.time[np.searchsorted(series.time, time, side="right")]
        assert price_at(world, asset, [int(until) - 1])[0] == last_of_second[time]


def test_a_token_has_no_price_before_it_trades(source: MarketSource) -> None:
    world = source.world
    late = next(number for number, token in enumerate(world.tokens) if token.launched_at > GENESIS + 86_400)
    before, after = price_at(world, late, [world.tokens[late].launched_at - 1, CLOCK])
    assert np.isnan(before)
    assert after > 0


def test_a_time_that_is_not_known_yet_is_refused(source: MarketSource) -> None:
    with pytest.raises(ValueError, match="up to which the world is carried"):
        price_at(source.world, 3, [source.world.now + 1])
