"""Who holds a token at one time: one row per token account, as the API lists them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.names import address
from smart_trader.sandbox.market.rows import number
from smart_trader.sandbox.market.state import Ints

RAYDIUM_AUTHORITY = "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1"
LOCKED_SHARE = 25


class Account(NamedTuple):
    """A token account: raw amount, who owns it, its own address."""

    amount: int
    owner: str
    account: str


def balances(world: MarketWorld, asset: int, now: int) -> Ints:
    """Return what each wallet holds of an asset at one time of the world's last step."""
    held = world.held(asset, now)
    rows = world.rows
    # the world is carried to the end of its step; what lies behind the clock is taken back
    later = np.nonzero(rows.time > now)[0]
    for side, amounts, is_a in ((world.pools.a, rows.amount_a, 1), (world.pools.b, rows.amount_b, 0)):
        mine = later[side[rows.pool[later]] == asset]
        given = np.where(rows.sells_a[mine] == is_a, amounts[mine], -amounts[mine])
        np.add.at(held, rows.wallet[mine], given)
    return held


def accounts(world: MarketWorld, asset: int, now: int, wallets: list[str], pools: list[str]) -> list[Account]:
    """Return a token's accounts, largest first: wallets (some with two), exchanges, pools and a locker."""
    found = []
    for wallet, amount in enumerate(balances(world, asset, now).tolist()):
        if amount <= 0:
            continue
        owner = wallets[wallet]
        # now and then an owner has a second account
        second = amount // 4 if (wallet * 7 + asset) % 41 == 0 else 0
        found.append(Account(amount - second, owner, address(world.seed, f"account {asset}", wallet)))
        if second:
            found.append(Account(second, owner, address(world.seed, f"second account {asset}", wallet)))
    for side, reserves in ((world.pools.a, world.pools.reserve_a), (world.pools.b, world.pools.reserve_b)):
        for pool in np.nonzero(side[: world.pool_count] == asset)[0].tolist():
            owner = RAYDIUM_AUTHORITY if world.pools.venue[pool] == 0 else pools[pool]
            account = address(world.seed, f"reserve {asset}", pool)
            found.append(Account(int(reserves[pool]), owner, account))
    if asset > 2:
        locked = world.tokens[asset].supply // LOCKED_SHARE
        found.append(Account(locked, locker(world.seed, asset), address(world.seed, "locked account", asset)))
    return sorted(found, key=lambda row: (-row.amount, row.account))


def locker(seed: int, asset: int) -> str:
    """Return the address that keeps a part of a token's supply out of trade."""
    return address(seed, "locker", asset % 5)


def holder_text(account: Account, mint: str, decimals: int) -> str:
    """Write a token account as JSON."""
    return (
        f'{{"amount":"{account.amount}","decimals":{decimals},"mint":"{mint}","owner":"{account.owner}",'
        f'"token_account":"{account.account}","ui_amount":{number(account.amount / 10**decimals)}}}'
    )
