"""How far each kind of wallet stands apart from honest ones by one simple feature.

    python benchmarks/separation.py --market hard --seeds 1 2 3 4 [--wallets 1000] [--strength 1] [--format json]

Of each kind, the share of its wallets that lie where the middle 98 % of honest wallets lie, feature by feature. The
last column is the best single feature's, the one with the smallest share: 0 would separate the whole kind. Wallets
with fewer than five trades are left out. Honest are noise, skilled and unlucky wallets: who trades on its own account
by what everybody can see.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from benchmarks.market_trades import DAYS, Trades, kind_order, made, net_trades
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.roles import TRADERS
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, MARKETS

FEWEST_TRADES = 5
MIDDLE = (1, 99)
EARLY_SECONDS = 1800

FEATURES = (
    "realized USD", "return", "win rate", "trades a day", "median hold", "early buys", "unmatched", "same second",
    "round trips", "trades a token", "median USD",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Ledger:
    """One wallet's trades, matched at average cost."""

    def __init__(self) -> None:
        self.realized = self.cost = self.sold = self.unmatched = 0.0
        self.wins = self.losses = 0
        self.holds: list[int] = []

    def add(self, amounts: list[float], usd: list[float], times: list[int]) -> None:
        """Add the trades of one token, oldest first."""
        held = cost = 0.0
        since = 0
        for amount, worth, time in zip(amounts, usd, times, strict=True):
            if amount > 0:
                since = time if held <= 0 else since
                held, cost = held + amount, cost + worth
                continue
            if amount == 0:
                # bought and sold alike within a transaction
                continue
            known = min(1.0, held / -amount)
            self.sold += worth
            self.unmatched += worth * (1 - known)
            if held > 0:
                share = min(1.0, -amount / held)
                gained = worth * known - cost * share
                self.realized += gained
                self.cost += cost * share
                self.wins += gained > 1
                self.losses += gained < -1
                self.holds.append(time - since)
                held, cost = held * (1 - share), cost * (1 - share)


def features(world: MarketWorld, trades: Trades) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the wallets with enough trades, and of each its features."""
    launched_at = np.array([token.launched_at for token in world.tokens])
    numbers, begins, counts = np.unique(trades.wallet, return_index=True, return_counts=True)
    kept = counts >= FEWEST_TRADES
    found = []
    for begin, count in zip(begins[kept].tolist(), counts[kept].tolist(), strict=True):
        mine = slice(begin, begin + count)
        asset, time, amount, usd = trades.asset[mine], trades.time[mine], trades.amount[mine], trades.usd[mine]
        ledger = Ledger()
        edges = [0, *(np.nonzero(np.diff(asset))[0] + 1).tolist(), count]
        for first, last in pairwise(edges):
            ledger.add(amount[first:last].tolist(), usd[first:last].tolist(), time[first:last].tolist())
        times = np.sort(time[np.unique(trades.tx[mine], return_index=True)[1]])
        buys = amount > 0
        decided = ledger.wins + ledger.losses
        found.append(
            (
                ledger.realized,
                ledger.realized / ledger.cost if ledger.cost else 0.0,
                ledger.wins / decided if decided else 0.5,
                len(times) / DAYS,
                float(np.median(ledger.holds)) if ledger.holds else 0.0,
                float(np.mean((time - launched_at[asset])[buys] <= EARLY_SECONDS)) if buys.any() else 0.0,
                ledger.unmatched / ledger.sold if ledger.sold else 0.0,
                float(np.mean(np.diff(times) == 0)) if len(times) > 1 else 0.0,
                float(np.mean(trades.is_round_trip[mine])),
                count / (len(edges) - 1),
                float(np.median(usd)),
            )
        )
    return numbers[kept], np.array(found)


def overlaps(kinds: list[str], values: Floats) -> dict[str, list[float]]:
    """Return each kind's share within the honest wallets' middle 98 %, feature by feature."""
    of = np.array(kinds)
    low, high = np.percentile(values[np.isin(of, TRADERS)], MIDDLE, axis=0)
    inside = (values >= low) & (values <= high)
    return {kind: inside[of == kind].mean(axis=0).tolist() for kind in sorted(set(kinds), key=kind_order)}


def measure(name: str, seed: int, wallets: int, strength: float) -> dict[str, list[float]]:
    """Return the overlaps of one world."""
    world = made(name, seed, wallets, strength).world
    numbers, values = features(world, net_trades(world))
    members = world.members()
    return overlaps([members[number].kind for number in numbers.tolist()], values)


def main() -> None:
    """Print the table: the mean over seeds, and the lowest best single feature of any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", choices=MARKETS, default=DEFAULT_MARKET, help="which world (default hard)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4], help="a market each (default 1 2 3 4)")
    parser.add_argument("--wallets", type=int, default=1000, help="wallets of each market (default 1000)")
    parser.add_argument("--strength", type=float, default=1.0, help="how well adversaries hide, 0 to 1 (default 1)")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    chosen = parser.parse_args()
    by_kind: defaultdict[str, list[list[float]]] = defaultdict(list)
    for seed in chosen.seeds:
        for kind, shares in measure(chosen.market, seed, chosen.wallets, chosen.strength).items():
            by_kind[kind].append(shares)
    if chosen.format == "json":
        table = {kind: [dict(zip(FEATURES, each, strict=True)) for each in found] for kind, found in by_kind.items()}
        print(json.dumps({"market": chosen.market, "strength": chosen.strength, "kinds": table}, indent=1))
        return
    print("| kind | " + " | ".join(FEATURES) + " | best single feature |")
    print("|---" * (len(FEATURES) + 2) + "|")
    for kind, found in by_kind.items():
        mean = np.mean(found, axis=0)
        best = int(np.argmin(mean))
        cells = " | ".join(f"{100 * share:.0f}" for share in mean)
        print(f"| {kind} | {cells} | {FEATURES[best]}: {100 * mean[best]:.0f} |")


if __name__ == "__main__":
    main()
