"""The token list: prices, liquidity, volumes and changes at the last whole quarter of an hour."""

from __future__ import annotations

from typing import Any

import numpy as np

from smart_trader.sandbox.market.history import BEFORE, STEP, Series
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.state import Floats

WINDOWS = {"1h": 4, "2h": 8, "4h": 16, "8h": 32, "24h": 96, "7d": 672, "30d": 2880}
# in the order of the wire
SIDES = (("buy", "24h"), ("sell", "24h"), ("buy", "7d"), ("buy", "30d"), ("sell", "7d"), ("sell", "30d"))
UNIQUE_TRADES = 3.1

Metrics = dict[str, Any]


def token_rows(world: MarketWorld, now: int) -> list[Metrics]:
    """Return the metrics of every token that had a price at the end of the last whole step."""
    row = BEFORE + min((now - world.genesis) // STEP, world.history.count) - 1
    found, holders = [], world.holder_counts()
    for asset in range(len(world.tokens)):
        past = world.history.series(asset)
        if not np.isnan(past.price[row]):
            found.append(_metrics(world, asset, past, row, now, int(holders[asset])))
    return found


def _metrics(world: MarketWorld, asset: int, past: Series, row: int, now: int, holders: int) -> Metrics:
    token = world.tokens[asset]
    price = float(past.price[row])
    supply = token.supply / 10**token.decimals
    idle = int(world.is_dead(asset)) * 4000 + asset * 37 % 300
    found: Metrics = {
        "address": token.mint,
        "logo_uri": None if asset % 5 == 3 else f"https://example.invalid/logo/{token.mint}.png",
        "name": token.name,
        "symbol": token.symbol,
        "decimals": token.decimals,
        "extensions": _extensions(asset, token.name),
        "market_cap": price * supply * 0.96,
        "fdv": price * supply,
        "total_supply": supply,
        "circulating_supply": supply * 0.96,
        "liquidity": float(past.liquidity[row]),
        "last_trade_unix_time": now - idle,
    }
    found |= _flows(past, row)
    found["price"] = price
    for window, steps in WINDOWS.items():
        found[f"price_change_{window}_percent"] = _price_change(past.price, row, steps)
    found["holder"] = 150 + holders + int(found["liquidity"] / 400)
    found["recent_listing_time"] = world.listing_time(asset)
    # whole numbers stand without a point
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in found.items()
    }


def _flows(past: Series, row: int) -> Metrics:
    """Return volumes and numbers of trades over the windows, and how they changed."""
    found = Metrics()
    volume, trades = past.bought + past.sold, past.buys + past.sells
    for window, steps in WINDOWS.items():
        found[f"volume_{window}_usd"] = _sum(volume, row, steps)
        found[f"volume_{window}_change_percent"] = _change(volume, row, steps)
    for window, steps in WINDOWS.items():
        found[f"trade_{window}_count"] = int(_sum(trades, row, steps))
    flows_of = {"buy": (past.buys, past.bought), "sell": (past.sells, past.sold)}
    for side, window in SIDES:
        steps, (counts, flows) = WINDOWS[window], flows_of[side]
        found[f"{side}_{window}"] = int(_sum(counts, row, steps))
        found[f"{side}_{window}_change_percent"] = _change(counts, row, steps)
        found[f"volume_{side}_{window}_usd"] = _sum(flows, row, steps)
        found[f"volume_{side}_{window}_change_percent"] = _change(flows, row, steps)
    found["unique_wallet_24h"] = int(_sum(trades, row, 96) / UNIQUE_TRADES)
    found["unique_wallet_24h_change_percent"] = _change(trades, row, 96)
    return found


def _extensions(asset: int, name: str) -> Metrics | None:
    if asset % 5 == 4:
        return None
    return {
        "website": f"https://example.invalid/{name.lower().replace(' ', '-')}",
        "twitter": None,
        "description": name,
    }


def _sum(series: Floats, row: int, steps: int) -> float:
    return float(series[max(0, row - steps + 1) : row + 1].sum())


def _change(series: Floats, row: int, steps: int) -> float | None:
    before = float(series[max(0, row - 2 * steps + 1) : max(0, row - steps + 1)].sum())
    return (_sum(series, row, steps) / before - 1.0) * 100.0 if before > 0 else None


def _price_change(prices: Floats, row: int, steps: int) -> float | None:
    if row < steps or np.isnan(prices[row - steps]):
        return None
    return float((prices[row] / prices[row - steps] - 1.0) * 100.0)
