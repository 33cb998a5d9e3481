"""Swap rows as the API writes them, from columns and on demand."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from smart_trader.sandbox.market.interface import AnyToken, MarketWorld
from smart_trader.sandbox.market.names import address, signature
from smart_trader.sandbox.market.state import Ints
from smart_trader.sandbox.market.venues import CRANK_SIGNER, OPENBOOK, ROUTER, VENUES

ODDITIES = 10_000
POISON = 3.1e9
SCALED = ',"is_scaled_ui_token":false,"multiplier":null'
BLOCK, BLOCK_TIME = 348_915_897, 1_750_778_204


def oddity(seed: int, numbers: Ints) -> Ints:
    """Return a number from 0 to 9,999 for each row number; what is odd about a row follows from it."""
    mixed = (numbers.astype(np.uint64) + np.uint64(seed + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed ^ (mixed >> np.uint64(32))) % np.uint64(ODDITIES)).astype(np.int64)


def is_late(oddities: Ints) -> npt.NDArray[np.bool_]:
    """Return which rows show up only long after their block time: three in a thousand."""
    return oddities < 30


class Leg(NamedTuple):
    """One side of a row; `is_sold` says whether its owner gave it."""

    asset: int
    is_sold: bool
    amount: int
    price: float
    nearest: float


class RowWriter:
    """Writes rows of one world; what repeats is written once."""

    def __init__(self, world: MarketWorld) -> None:
        self.world = world
        self._heads: dict[int, str] = {}
        self._pools: dict[int, str] = {}

    def texts(self, numbers: Ints, owner: str, scaled: bool) -> list[str]:
        """Return rows as JSON, in the order of the numbers given."""
        rows, pools, drained = self.world.rows, self.world.pools, self.world.drained
        columns = zip(*(column[numbers].tolist() for column in rows), strict=True)
        pool = rows.pool[numbers]
        venues = pools.venue[pool]
        # the equal fills of an order book are equal to the last byte
        odd = oddity(self.world.seed, np.where(venues == OPENBOOK, rows.tx[numbers], numbers)).tolist()
        tail = SCALED + "}" if scaled else "}"
        # where each row was traded; taken for the whole page, since one number of an array at a time is slow
        places = zip(
            *(column.tolist() for column in (venues, pools.a[pool], pools.b[pool], drained[pool])), strict=True
        )
        return [
            self._row(row, place, strange, owner, tail)
            for row, place, strange in zip(columns, places, odd, strict=True)
        ]

    def _row(self, row: tuple[Any, ...], place: tuple[int, int, int, int], odd: int, owner: str, tail: str) -> str:
        (time, _, pool, sells_a, amount_a, amount_b, tx, outer, inner, _, _, price_a, price_b, near_a) = row
        venue_number, a, b, drained = place
        venue = VENUES[venue_number]
        if drained and time >= drained and odd % 5 == 0:
            price_a *= POISON
        leg_a, leg_b = Leg(a, sells_a == 1, amount_a, price_a, near_a), Leg(b, sells_a == 0, amount_b, price_b, price_b)
        # where the token stands says nothing about who bought
        quote, base = (leg_b, leg_a) if venue.quote_first or pool % 3 else (leg_a, leg_b)
        base_price, quote_price = self._shown(base, odd), self._shown(quote, odd)
        is_book = venue_number == OPENBOOK
        scale = self.world.assets.scale
        usd = amount_b / scale[b] * price_b
        instruction = "" if is_book else f'"ins_index":{outer},'
        return (
            f'{{"quote":{self._leg(quote, venue_number, quote_price, odd, tail)},'
            f'"base":{self._leg(base, venue_number, base_price, odd, tail)},'
            f'"base_price":{base_price},"quote_price":{quote_price},"tx_hash":"{signature(self.world.seed, tx)}",'
            f'"source":"{venue.source}","block_unix_time":{time},"tx_type":"swap","address":"{self.pool(pool)}",'
            f'"owner":"{owner}","block_number":{BLOCK + (time - BLOCK_TIME) * 5 // 2},'
            f'"volume_usd":{number(float(usd))},"volume":{number(float(base.amount / scale[base.asset]))},{instruction}'
            f'"inner_ins_index":{"null" if inner < 0 or is_book else inner},'
            f'"signers":{self._signers(owner, odd, is_book, venue.quote_first and sells_a == 0)},'
            f'"interacted_program_id":"{venue.program if inner < 0 or is_book else ROUTER}"}}'
        )

    def pool(self, pool: int) -> str:
        """Return a pool's address."""
        text = self._pools.get(pool)
        if text is None:
            text = self._pools[pool] = address(self.world.seed, "pool", pool)
        return text

    def _shown(self, leg: Leg, odd: int) -> str:
        """Write a leg's price; now and then it is not known yet, for the quote money or for both."""
        if leg.amount == 0 or 30 <= odd < 60 or (60 <= odd < 90 and leg.asset < 3):
            return "null"
        return number(leg.price)

    def _leg(self, leg: Leg, venue: int, price: str, odd: int, tail: str) -> str:
        sign, side = ("-", "from") if leg.is_sold else ("", "to")
        raw = str(leg.amount)
        ui = number(leg.amount / 10 ** self.world.tokens[leg.asset].decimals)
        if venue == OPENBOOK and odd % 3 == 0 and leg.is_sold and leg.amount < 1 << 50:
            # an order book's lots times its price, in floating point
            raw = number(math.nextafter(float(leg.amount), 0.0))
        amount = f'"{raw}"' if VENUES[venue].text_amounts else raw
        sign = sign if leg.amount else ""
        nearest = f'"nearest_price":{number(leg.nearest)},' if leg.amount else ""
        return (
            f'{self._head(leg.asset)}{amount},"type":"{VENUES[venue].leg_type}","type_swap":"{side}","ui_amount":{ui},'
            f'"price":{price},{nearest}"change_amount":{sign}{raw},"ui_change_amount":{sign}{ui}{tail}'
        )

    def _head(self, asset: int) -> str:
        text = self._heads.get(asset)
        if text is None:
            token: AnyToken = self.world.tokens[asset]
            text = self._heads[asset] = (
                f'{{"symbol":{json.dumps(token.symbol)},"decimals":{token.decimals},"address":"{token.mint}","amount":'
            )
        return text

    def _signers(self, owner: str, odd: int, is_book: bool, is_pump_buy: bool) -> str:
        if is_book:
            return f'["{CRANK_SIGNER}"]'
        if odd % 150 == 1:
            return "null"
        if is_pump_buy and odd % 3 == 0:
            return f'["{owner}","{address(self.world.seed, "signer", odd)}"]'
        return f'["{owner}"]'


def number(value: float) -> str:
    """Write a number as the API does: whole ones without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)
