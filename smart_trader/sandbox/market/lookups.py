"""What the API says of single tokens and of what was passed between wallets: creations, prices, transfers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from smart_trader.sandbox.market.history import BEFORE, STEP
from smart_trader.sandbox.market.names import address, signature
from smart_trader.sandbox.market.prices import price_series
from smart_trader.sandbox.market.rows import BLOCK, BLOCK_TIME
from smart_trader.sandbox.market.state import Transfer
from smart_trader.sandbox.market.world import World
from smart_trader.sandbox.source import Row, TransferQuery

DAY_S = 86_400
# money, which is older than any record of its making
QUOTE_ASSETS = 3
# one token in so many has no record of its making, and one in so many none of who made it
UNRECORDED, UNSIGNED = 13, 17


def creation_row(world: World, asset: int) -> Row | None:
    """Return how a token was made; None for money and for the few that the API knows nothing of."""
    token = world.tokens[asset]
    if asset < QUOTE_ASSETS or asset % UNRECORDED == 5:
        return None
    made_at = datetime.fromtimestamp(token.launched_at, UTC)
    row: Row = {
        # numbers below 0, where no swap has its own
        "txHash": signature(world.seed, -asset),
        "slot": block_of(token.launched_at),
        "tokenAddress": token.mint,
        "decimals": token.decimals,
        "owner": address(world.seed, "creator", asset),
        "blockUnixTime": token.launched_at,
        "blockHumanTime": f"{made_at:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    if asset % UNSIGNED == 9:
        del row["owner"]
    return row


def price_row(world: World, asset: int, now: int) -> Row | None:
    """Return a token's last price at a time, with its liquidity; None where it has not traded yet."""
    price, at = last_price(world, asset, now)
    if math.isnan(price):
        return None
    before, native = last_price(world, asset, now - DAY_S)[0], last_price(world, 0, now)[0]
    step = BEFORE + min((now - world.genesis) // STEP, world.history.count) - 1
    return {
        "isScaledUiToken": False,
        "value": price,
        "updateUnixTime": at,
        "updateHumanTime": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}",
        "priceInNative": price / native,
        # a token that is younger than a day has not changed in one
        "priceChange24h": 0 if math.isnan(before) else (price / before - 1.0) * 100.0,
        "liquidity": float(world.history.liquidity[step, asset]),
    }


def last_price(world: World, asset: int, time: int) -> tuple[float, int]:
    """Return an asset's newest price up to a time and when it was made; NaN and 0 where there is none."""
    series = price_series(world, asset)
    newest = int(np.searchsorted(series.time, time, "right")) - 1
    return (float(series.usd[newest]), int(series.time[newest])) if newest >= 0 else (math.nan, 0)


def transfer_page(
    world: World, wallets: Sequence[str], numbers: dict[str, int], query: TransferQuery, now: int
) -> tuple[list[Row], bool]:
    """Return a page of a wallet's transfers, newest first, and whether there are more."""
    wallet = numbers.get(query.wallet)
    last = now if query.before is None else min(now, query.before)
    mine = [
        (number, transfer)
        for number, transfer in enumerate(world.transfers)
        if transfer.wallet == wallet
        and query.after <= transfer.time <= last
        and query.token in (None, world.tokens[transfer.asset].mint)
    ]
    if query.flow == "out":
        # what is passed on in this market comes from addresses that trade nothing
        mine = []
    mine.sort(key=lambda found: (-found[1].time, found[0]))
    page = mine[query.offset : query.offset + query.limit]
    rows = [_transfer_row(world, number, transfer, wallets[transfer.wallet]) for number, transfer in page]
    return rows, query.offset + query.limit < len(mine)


def _transfer_row(world: World, number: int, transfer: Transfer, receiver: str) -> Row:
    token = world.tokens[transfer.asset]
    sender = address(world.seed, "giver", transfer.asset)
    amount = transfer.amount / 10**token.decimals
    price = last_price(world, transfer.asset, transfer.time)[0]
    known = None if math.isnan(price) else price
    return {
        "time": f"{datetime.fromtimestamp(transfer.time, UTC):%Y-%m-%dT%H:%M:%S}Z",
        "block_number": block_of(transfer.time),
        "unix_time": transfer.time,
        "token_address": token.mint,
        "from_address": sender,
        "to_address": receiver,
        "from_token_account": address(world.seed, f"giving account {transfer.asset}", 0),
        "to_token_account": address(world.seed, f"account {transfer.asset}", transfer.wallet),
        "amount": str(transfer.amount),
        "ui_amount": int(amount) if amount.is_integer() else amount,
        "price": known,
        "value": None if known is None else amount * known,
        "tx_hash": signature(world.seed, -(10**9) - number),
        "flow": "in",
        "token_info": {
            "address": token.mint,
            "decimals": token.decimals,
            "symbol": token.symbol,
            "name": token.name,
            "logo_uri": None if transfer.asset % 5 == 3 else f"https://example.invalid/logo/{token.mint}.png",
        },
        "action": "transfer",
    }


def block_of(time: int) -> int:
    """Return the number of the block at a time, as swap rows count them."""
    return BLOCK + (time - BLOCK_TIME) * 5 // 2
