"""Which wallet a person means: a whole address or its first letters; what is none is told from what is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import pyarrow.compute as pc

from smart_trader.addresses import ADDRESS_FIX, BASE58, is_address, shown
from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake

SHOWN_CANDIDATES = 10
# A mistake in one half of an address leaves the other as it was.
SAME_END = 8
# The shortest address of 32 bytes.
LEAST_LETTERS = 32
LEAST_ALIKE = 0.9
LIST_FIX = "`smart-trader leaderboard` lists who is there"


def resolve_wallet(lake: Lake, text: str) -> str:
    """Return the calculated wallet that a text names, whole or by its beginning.

    Raises:
        SmartTraderError: None or several begin so; says what it is instead: a pool, a token, a near miss.
    """
    wanted = text.strip()
    if lake.read("silver", "wallet_pnl", ["wallet_address"], pc.field("wallet_address") == wanted).num_rows:
        return wanted
    calculated = _column(lake, "wallet_pnl", "wallet_address")
    found = sorted(wallet for wallet in calculated if wanted and wallet.startswith(wanted))
    if len(found) == 1:
        return found[0]
    if found:
        raise ambiguous("wallets of this lake begin with", wanted, found)
    raise _unknown(lake, wanted, calculated)


def ambiguous(what: str, wanted: str, found: Sequence[str]) -> SmartTraderError:
    """Return the error of a name that several have; `what` says what they are and share."""
    more = f"\n    and {len(found) - SHOWN_CANDIDATES} more" if len(found) > SHOWN_CANDIDATES else ""
    names = "".join(f"\n    {one}" for one in found[:SHOWN_CANDIDATES])
    return SmartTraderError(f"{len(found)} {what} {shown(wanted)}:{names}{more}", "give more of it")


def account_kind(lake: Lake, address: str) -> str | None:
    """Return what an address is where the lake knows it for something else than a trader."""
    if lake.has("silver", "program_accounts"):
        mine = pc.field("account_address") == address
        owners = lake.read("silver", "program_accounts", ["owner_name"], mine)["owner_name"].to_pylist()
        if owners:
            return f"an account of a program ({owners[0]})"
    for table, column in (("pool_addresses", "pool_address"), ("wallet_swaps", "pool_address")):
        if _has(lake, table, column, address):
            return "a liquidity pool, which swaps were made in"
    if lake.has("silver", "tracked_whales"):
        names = lake.delta("silver", "tracked_whales").schema().to_arrow().names
        mine = pc.field("wallet_address") == address
        if (
            "is_pool" in names
            and lake.read("silver", "tracked_whales", ["is_pool"], mine & pc.field("is_pool")).num_rows
        ):
            return "a pool, or an account of a program that holds tokens for others"
    return None


def _unknown(lake: Lake, wanted: str, calculated: set[str]) -> SmartTraderError:
    tracked = _column(lake, "tracked_whales", "wallet_address")
    known = _known_as(lake, wanted, tracked) if is_address(wanted) else None
    if known is not None:
        return known
    near = _near(wanted, [*calculated, *tracked])
    if near is not None:
        how = "other capitals" if near.lower() == wanted.lower() else "a letter or two that differ"
        return SmartTraderError(
            f"{shown(wanted)} is no wallet of this lake; {near} is, with {how}",
            f"if that is the one: smart-trader explain {near}",
        )
    if is_address(wanted):
        return SmartTraderError(
            f"{wanted} was never calculated in this lake, and no address in it is like it",
            f"{LIST_FIX}; to track it, which takes requests to the API: smart-trader run --wallets {wanted}",
        )
    if wanted and len(wanted) < LEAST_LETTERS and set(wanted) <= set(BASE58):
        return SmartTraderError(f"no wallet of this lake begins with {shown(wanted)}", LIST_FIX)
    return SmartTraderError(f"{shown(wanted)} is no Solana address", ADDRESS_FIX)


def _known_as(lake: Lake, address: str, tracked: set[str]) -> SmartTraderError | None:
    """Return the error of an address that the lake knows, though not as a calculated wallet."""
    kind = account_kind(lake, address)
    if kind is not None:
        return SmartTraderError(f"{address} is {kind}, not a trader; it is never ranked", LIST_FIX)
    if address in tracked:
        return SmartTraderError(
            f"{address} was never calculated in this lake: it is tracked, and its swaps are not fetched yet",
            "smart-trader run fetches them when they are due; `smart-trader status` tells how many wallets wait",
        )
    mints = (("quote_assets", "mint"), ("tracked_tokens", "token_address"), ("wallet_trades", "token_address"))
    if any(_has(lake, table, column, address) for table, column in mints):
        return SmartTraderError(f"{address} is a token, not a wallet", LIST_FIX)
    return None


def _near(wanted: str, known: Iterable[str]) -> str | None:
    """Return the known address that differs in a letter or two, or in capitals alone."""
    if len(wanted) < SAME_END:
        return None
    lowered = wanted.lower()
    like = {
        address
        for address in known
        if address.lower() == lowered
        or address[:SAME_END] == wanted[:SAME_END]
        or address[-SAME_END:] == wanted[-SAME_END:]
    }
    exact = [address for address in like if address.lower() == lowered and address != wanted]
    others = like - {wanted}
    found = exact or difflib.get_close_matches(wanted, sorted(others), 1, LEAST_ALIKE)
    return found[0] if found else None


def _column(lake: Lake, table: str, column: str) -> set[str]:
    if not lake.has("silver", table):
        return set()
    return set(pc.unique(lake.read("silver", table, [column])[column]).to_pylist()) - {None}


def _has(lake: Lake, table: str, column: str, value: str) -> bool:
    if not lake.has("silver", table):
        return False
    return bool(lake.read("silver", table, [column], pc.field(column) == value).num_rows)
