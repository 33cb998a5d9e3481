"""What each address of a market really is."""

from __future__ import annotations

import csv
import io
import json
from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.holding import RAYDIUM_AUTHORITY, locker
from smart_trader.sandbox.market.market_source import MarketSource

ADDRESSES_OF_LOCKERS = 5


class Truth(NamedTuple):
    """One address.

    Attributes:
        address: Wallet, pool, pool authority or locker.
        kind: One of the kinds of wallets, or what else it is.
        swaps: Its swap rows with a block time up to the clock.
        partner: The wallet it belongs with: the other of a wash pair; else empty.
        style: How a skilled wallet trades, where skilled wallets differ in it; else empty.
        skill_until: Unix time at which a skilled wallet's skill ends; empty if it never does.
    """

    address: str
    kind: str
    swaps: int
    partner: str = ""
    style: str = ""
    skill_until: str = ""


def truths(source: MarketSource, clock: int) -> list[Truth]:
    """Return every address that can show up among holders, wallets first."""
    world = source.world
    world.carry_to(clock)
    swaps = np.bincount(world.rows.wallet[world.rows.time <= clock], minlength=len(source.wallets)).tolist()
    found = [
        Truth(
            address,
            member.kind,
            count,
            source.wallets[member.partner] if member.partner >= 0 else "",
            member.style,
            "" if member.skill_until is None else str(member.skill_until),
        )
        for address, member, count in zip(source.wallets, world.members(), swaps, strict=True)
    ]
    found += [Truth(address, "pool", 0) for address in source.pools]
    found.append(Truth(RAYDIUM_AUTHORITY, "pool_authority", 0))
    return found + [Truth(locker(world.seed, number), "locker", 0) for number in range(ADDRESSES_OF_LOCKERS)]


def as_text(found: list[Truth], form: str) -> str:
    """Write truths as a table, CSV or JSON."""
    if form == "json":
        return json.dumps([truth._asdict() for truth in found], indent=1)
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([Truth._fields, *found])
        return out.getvalue().rstrip("\n")
    lines = [f"{'address':<46}{'kind':<16}{'swaps':>7}  partner"]
    lines += [f"{truth.address:<46}{truth.kind:<16}{truth.swaps:>7}  {truth.partner}".rstrip() for truth in found]
    return "\n".join(lines)
