"""Who trades: how many wallets of each kind, how often and with how much."""

from __future__ import annotations

import numpy as np

from smart_trader.sandbox.market.simulation import (
    AIRDROP_SELLER,
    BAG_HOLDER,
    EXCHANGE,
    INSIDER,
    KINDS,
    MARTINGALE,
    MEV_BOT,
    NOISE,
    ONE_HIT,
    SKILLED,
    WASH_PAIR,
)  # fmt: skip
from smart_trader.sandbox.market.spec import FEWEST_WALLETS
from smart_trader.sandbox.market.state import SLOTS, Floats, Wallets
from smart_trader.sandbox.market.tokens import DAY

# share of all wallets, the fewest there are, occasions to act in a day, usual USD of a trade
MEMBERS = {
    SKILLED: (0.08, 3, 5.0, 450.0),
    ONE_HIT: (0.03, 1, 3.0, 90.0),
    BAG_HOLDER: (0.06, 1, 3.0, 250.0),
    MARTINGALE: (0.03, 1, 6.0, 60.0),
    INSIDER: (0.02, 1, 4.0, 600.0),
    MEV_BOT: (0.01, 1, 24.0, 1200.0),
    WASH_PAIR: (0.02, 2, 8.0, 2500.0),
    AIRDROP_SELLER: (0.04, 1, 3.0, 100.0),
    EXCHANGE: (0.01, 1, 0.0, 100.0),
    NOISE: (1.0, 0, 2.3, 120.0),
}


def kinds_of(count: int) -> list[int]:
    """Return each wallet's kind; wallets of a wash pair stand side by side."""
    kinds: list[int] = []
    for kind, (share, fewest, _, _) in MEMBERS.items():
        number = max(fewest, round(share * count))
        kinds += [kind] * min(number + (kind == WASH_PAIR and number % 2), count - len(kinds))
    return kinds


def populate(seed: int, count: int, assets: int) -> tuple[Wallets, Floats]:
    """Return the wallets with their first money, and how often each acts in a day."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 1]))
    kind = np.array(kinds_of(count), np.int64)
    members = np.array([MEMBERS[number] for number in range(len(KINDS))])
    spread = 0.4 + 1.8 * rng.random(count) ** 3
    size = members[kind, 3] * spread
    pace = members[kind, 2] * (0.35 + 1.3 * rng.random(count))
    if count > FEWEST_WALLETS:
        # some wallets hardly trade at all
        pace[(kind == NOISE) & (rng.random(count) < 0.1)] *= 0.05
    number = np.arange(count, dtype=np.int64)
    first = int(np.argmax(kind == WASH_PAIR))
    partner = np.where(kind == WASH_PAIR, first + ((number - first) ^ 1), number)
    balance = np.zeros((count, assets), np.int64)
    balance[:, 0] = (size * 100 / 150.0).astype(np.int64) * 10**9
    balance[:, 1] = (size * 60).astype(np.int64) * 10**6
    wallets = Wallets(
        kind=kind,
        size=size,
        goal=1.06 + 0.8 * rng.random(count),
        partner=partner.astype(np.int64),
        balance=balance,
        cost=np.zeros((count, assets)),
        slots=np.zeros((count, SLOTS), np.int64),
        memory=np.zeros(count, np.int64),
        chosen=np.zeros(count, np.int64),
    )
    # of a pair only the first acts; the other answers
    pace[(kind == WASH_PAIR) & (partner < number)] = 0.0
    return wallets, pace / DAY
