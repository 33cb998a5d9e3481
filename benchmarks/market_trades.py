"""Trades of a made-up market from its own rows: what each wallet bought and sold, net, transaction by transaction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from smart_trader.sandbox.market.hard.kinds import KINDS
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import WorldSpec

DAY = 86_400
DAYS = 30
GENESIS = 1_779_926_400
CLOCK = GENESIS + DAYS * DAY


class Trades(NamedTuple):
    """Net trades, ordered by wallet, token, time and transaction; an amount is negative for a sale."""

    wallet: npt.NDArray[np.int64]
    asset: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    tx: npt.NDArray[np.int64]
    amount: npt.NDArray[np.float64]
    usd: npt.NDArray[np.float64]
    is_round_trip: npt.NDArray[np.bool_]


def made(name: str, seed: int, wallets: int, strength: float, clock: int = CLOCK) -> MarketSource:
    """Return a market of a month."""
    return market(WorldSpec(name, seed, wallets, GENESIS, strength), clock)


def kinds_of(world: MarketWorld) -> list[str]:
    """Return each wallet's kind; of the skilled, with their style where they have one."""
    return [f"{member.kind} {member.style}".strip() for member in world.members()]


def kind_order(kind: str) -> tuple[int, str]:
    """Return where a kind stands in a table."""
    name = kind.split(" ")[0]
    return (KINDS.index(name) if name in KINDS else len(KINDS), kind)


def net_trades(world: MarketWorld) -> Trades:
    """Return every wallet's trades in tokens."""
    rows, pools = world.rows, world.pools
    a, b = pools.a[rows.pool], pools.b[rows.pool]
    scale = np.array(world.assets.scale[: len(world.tokens)])
    usd = rows.amount_b / scale[b] * rows.price_b
    sign = np.where(rows.sells_a == 1, -1.0, 1.0)
    of_token = b > 2
    columns = {
        "wallet": np.concatenate([rows.wallet, rows.wallet[of_token]]).astype(np.int64),
        "asset": np.concatenate([a, b[of_token]]),
        "time": np.concatenate([rows.time, rows.time[of_token]]),
        "tx": np.concatenate([rows.tx, rows.tx[of_token]]).astype(np.int64),
        "amount": np.concatenate([sign * rows.amount_a, -(sign * rows.amount_b)[of_token]]),
        "usd": np.concatenate([usd, usd[of_token]]),
    }
    kept = (columns["asset"] > 2) & (columns["amount"] != 0)
    order = np.lexsort([columns[name][kept] for name in ("tx", "time", "asset", "wallet")])
    columns = {name: values[kept][order] for name, values in columns.items()}
    same = np.ones(max(0, len(order) - 1), bool)
    for name in ("wallet", "asset", "tx"):
        same &= columns[name][1:] == columns[name][:-1]
    first = np.nonzero(np.append(True, ~same))[0]
    bought = np.add.reduceat(np.maximum(columns["amount"], 0), first)
    sold = np.add.reduceat(np.maximum(-columns["amount"], 0), first)
    net = bought - sold
    signed = np.add.reduceat(np.sign(columns["amount"]) * columns["usd"], first)
    return Trades(
        columns["wallet"][first], columns["asset"][first], columns["time"][first], columns["tx"][first], net,
        np.abs(signed), (bought > 0) & (sold > 0),
    )  # fmt: skip
