"""What a copier of each kind of wallet earns, by how late the copy is.

    python benchmarks/latency.py --market hard --seeds 1 2 3 4 [--wallets 1000] [--strength 1] [--format json]

Every purchase of a wallet is copied by the same amount, every sale by the same share of what is held, at the market's
price so many seconds later; each side costs 2 %. What is open at the end is worth its price then. A kind's figure is
proceeds over cost of all copies of its wallets, in percent.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks.market_trades import CLOCK, Trades, kind_order, kinds_of, made, net_trades
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.prices import price_at
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, MARKETS

DELAYS = (0, 2, 10, 60, 300)
SIDE_COST = 0.02


def copied(world: MarketWorld, trades: Trades, delay: int) -> tuple[list[float], list[float]]:
    """Return cost and proceeds of a copy of each wallet that spends 1 USD on each purchase."""
    at = np.minimum(trades.time + delay, CLOCK)
    price, last = np.zeros(len(at)), np.zeros(len(world.tokens))
    for asset in np.unique(trades.asset).tolist():
        mine = trades.asset == asset
        found = price_at(world, asset, np.append(at[mine], CLOCK))
        price[mine], last[asset] = found[:-1], found[-1]
    cost, proceeds = [0.0] * world.spec.wallets, [0.0] * world.spec.wallets
    key, held, units = (-1, -1), 0.0, 0.0
    for wallet, asset, amount, usd_each in zip(
        trades.wallet.tolist(), trades.asset.tolist(), trades.amount.tolist(), price.tolist(), strict=True
    ):
        if key != (wallet, asset):
            if units > 0:
                proceeds[key[0]] += units * float(last[key[1]]) * (1 - SIDE_COST)
            key, held, units = (wallet, asset), 0.0, 0.0
        if amount > 0:
            cost[wallet] += 1.0
            units += (1 - SIDE_COST) / usd_each
            held += amount
        elif held > 0:
            share = min(1.0, -amount / held)
            proceeds[wallet] += units * share * usd_each * (1 - SIDE_COST)
            held, units = held * (1 - share), units * (1 - share)
    if units > 0:
        proceeds[key[0]] += units * float(last[key[1]]) * (1 - SIDE_COST)
    return cost, proceeds


def measure(name: str, seed: int, wallets: int, strength: float) -> dict[str, dict[int, float]]:
    """Return the copied return of each kind at each delay, in percent."""
    world = made(name, seed, wallets, strength).world
    trades, kinds = net_trades(world), kinds_of(world)
    kept = trades.time <= CLOCK
    columns: list[Any] = [column[kept] for column in trades]
    trades = Trades(*columns)
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for delay in DELAYS:
        spent: defaultdict[str, float] = defaultdict(float)
        got: defaultdict[str, float] = defaultdict(float)
        for kind, cost, proceeds in zip(kinds, *copied(world, trades, delay), strict=True):
            spent[kind] += cost
            got[kind] += proceeds
        for kind, cost in spent.items():
            if cost:
                found[kind][delay] = 100.0 * (got[kind] / cost - 1.0)
    return dict(found)


def main() -> None:
    """Print the table, one line a kind: the mean over seeds and from where to where they reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", choices=MARKETS, default=DEFAULT_MARKET, help="which world (default hard)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4], help="a market each (default 1 2 3 4)")
    parser.add_argument("--wallets", type=int, default=1000, help="wallets of each market (default 1000)")
    parser.add_argument("--strength", type=float, default=1.0, help="how well adversaries hide, 0 to 1 (default 1)")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    chosen = parser.parse_args()
    by_seed = {seed: measure(chosen.market, seed, chosen.wallets, chosen.strength) for seed in chosen.seeds}
    if chosen.format == "json":
        print(json.dumps({"market": chosen.market, "wallets": chosen.wallets, "seeds": by_seed}, indent=1))
        return
    kinds = sorted({kind for found in by_seed.values() for kind in found}, key=kind_order)
    print("| kind | " + " | ".join(f"{delay} s" for delay in DELAYS) + " |\n|---" * 1 + "|---" * len(DELAYS) + "|")
    for kind in kinds:
        cells = []
        for delay in DELAYS:
            values = [found[kind][delay] for found in by_seed.values() if kind in found]
            cells.append(f"{np.mean(values):+.0f} ({min(values):+.0f} to {max(values):+.0f})")
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
