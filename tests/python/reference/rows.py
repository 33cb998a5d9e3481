"""From response pages to swaps: direction, identity, occurrence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

Item = Mapping[str, Any]
Page = Sequence[Item]


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a swap; `quantity` is in base units."""

    mint: str
    amount_text: str
    quantity: int
    decimals: int | None
    ui_amount: Decimal | None
    price: Decimal | None
    nearest_price: Decimal | None

    def usd_at(self, price: Decimal | None) -> Decimal | None:
        """Return the leg's worth at this price, None where either is unknown."""
        return None if price is None or self.ui_amount is None else self.ui_amount * price


@dataclass(frozen=True, slots=True)
class Swap:
    """One row of silver.wallet_swaps."""

    tx_hash: str
    owner: str
    block_unix_time: int
    block_number: int | None
    sold: Leg
    bought: Leg


class Swaps(NamedTuple):
    """A wallet's swaps and how many served rows named another owner."""

    rows: list[Swap]
    foreign_rows: int


def number(value: Any) -> Decimal | None:
    """Read a JSON number, or a number in a string, digit for digit."""
    return None if value is None else Decimal(str(value))


def integer(value: Any) -> int | None:
    """Read an integer that may be absent."""
    return None if value is None else int(value)


def canonical(amount: Decimal) -> str:
    """Write equal numbers as equal text: no exponent, no trailing zeros."""
    return format(amount.normalize(), "f") if amount else "0"


def read_leg(raw: Item) -> Leg:
    """Read one leg; the amount is the only number that must be there."""
    amount = number(raw.get("amount"))
    if amount is None:
        raise ValueError(f"a leg of {raw.get('address')} has no amount")
    return Leg(
        mint=raw["address"],
        amount_text=canonical(amount),
        quantity=int(amount.to_integral_value(rounding=ROUND_HALF_EVEN)),
        decimals=integer(raw.get("decimals")),
        ui_amount=number(raw.get("ui_amount")),
        price=number(raw.get("price")),
        nearest_price=number(raw.get("nearest_price")),
    )


def direction(raw: Item) -> str | None:
    """Return whether the owner gave (`from`) or received (`to`) this leg."""
    if raw.get("type_swap") in ("from", "to"):
        return str(raw["type_swap"])
    change = number(raw.get("ui_change_amount"))
    if not change:
        return None
    return "from" if change < 0 else "to"


def read_swap(item: Item) -> Swap:
    """Read a served row; base and quote say nothing about what was sold."""
    directions = [direction(item["base"]), direction(item["quote"])]
    if directions in (["from", "to"], ["from", None], [None, "to"]):
        sold, bought = item["base"], item["quote"]
    elif directions in (["to", "from"], ["to", None], [None, "from"]):
        sold, bought = item["quote"], item["base"]
    else:
        raise ValueError(f"the legs of {item['tx_hash']} have the directions {directions}")
    return Swap(
        tx_hash=item["tx_hash"],
        owner=item["owner"],
        block_unix_time=int(item["block_unix_time"]),
        block_number=integer(item.get("block_number")),
        sold=read_leg(sold),
        bought=read_leg(bought),
    )


def identity(item: Item, swap: Swap) -> tuple[object, ...]:
    """Return what makes two served rows the same swap."""
    return (
        swap.tx_hash,
        swap.owner,
        item.get("address"),
        swap.block_unix_time,
        integer(item.get("ins_index")),
        integer(item.get("inner_ins_index")),
        (swap.sold.mint, swap.sold.amount_text),
        (swap.bought.mint, swap.bought.amount_text),
    )


def distinct_swaps(wallet: str, pages: Iterable[Page]) -> Swaps:
    """Keep each swap once, as the first page brought it.

    Fills without `ins_index` can be equal and still be different trades: the page that shows the most of them counts.
    """
    found: dict[tuple[object, int], Swap] = {}
    foreign_rows = 0
    for page in pages:
        seen: Counter[object] = Counter()
        for item in page:
            if item["owner"] != wallet:
                foreign_rows += 1
                continue
            swap = read_swap(item)
            key = identity(item, swap)
            seen[key] += 1
            occurrence = 1 if item.get("ins_index") is not None else seen[key]
            found.setdefault((key, occurrence), swap)
    return Swaps(list(found.values()), foreign_rows)
