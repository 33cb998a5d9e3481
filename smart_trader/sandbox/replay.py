"""Reads recorded response bodies and finds by their keys what each row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import simplejson

from smart_trader.data_sources import REPLAY
from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.source import Row, SwapQuery, TransferQuery

Identity = tuple[Any, ...]
# A row belongs to the kind whose keys it has all of.
KIND_KEYS = {
    "swaps": {"tx_hash", "owner", "base", "quote", "block_unix_time"},
    "holders": {"owner", "token_account", "mint", "amount"},
    "tokens": {"address", "symbol", "liquidity", "price"},
}


@dataclass(frozen=True, slots=True)
class Recordings:
    """The union of all recorded rows.

    Attributes:
        tokens: Newest recording of each token.
        holders: Newest recording of each token account by mint, largest first.
        swaps: Swap rows by owner, newest first.
        skipped: Files that hold no row we serve, each with the reason.
    """

    tokens: list[Row] = field(default_factory=list)
    holders: dict[str, list[Row]] = field(default_factory=dict)
    swaps: dict[str, list[Row]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    _texts: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Return what the data is called in the lake."""
        return REPLAY

    def facts(self) -> Row:
        """Return how much is recorded."""
        return {"seed": None, "wallets": len(self.swaps), "genesis": None}

    def tokens_at(self, now: int) -> list[Row]:
        """Return every token; what is recorded does not change with the clock."""
        return self.tokens

    def holder_texts(self, mint: str, offset: int, limit: int, now: int) -> list[str]:
        """Return a page of a token's accounts."""
        rows = self.holders.get(mint, [])
        return self._rendered(f"holders {mint}", rows)[offset : offset + limit]

    def swap_texts(self, query: SwapQuery, now: int) -> tuple[list[str], bool]:
        """Return a page of a wallet's swaps and whether there are more."""
        rows = self.swaps.get(query.owner, [])
        texts = self._rendered(f"swaps {query.owner}", rows)
        shown = [
            text
            for row, text in zip(rows, texts, strict=True)
            if query.after <= row["block_unix_time"]
            and (query.before is None or row["block_unix_time"] <= query.before)
            and query.kind in ("all", row.get("tx_type", "swap"))
        ]
        end = query.offset + query.limit
        return shown[query.offset : end], end < len(shown)

    def creation_at(self, mint: str, now: int) -> Row | None:
        """Return None: nobody records how tokens are made."""
        return None

    def price_at(self, mint: str, now: int) -> Row | None:
        """Return None: nobody records prices, and those of token lists are none that this endpoint gave."""
        return None

    def transfer_rows(self, query: TransferQuery, now: int) -> tuple[list[Row], bool]:
        """Return nothing: nobody records transfers."""
        return [], False

    def _rendered(self, key: str, rows: list[Row]) -> list[str]:
        """Return rows as JSON; each is written once."""
        if key not in self._texts:
            self._texts[key] = [render(row) for row in rows]
        return self._texts[key]


def parse(text: str) -> Any:
    """Parse JSON without losing a digit: numbers with a point become Decimal."""
    return simplejson.loads(text, use_decimal=True)


def render(content: Any) -> str:
    """Write JSON with the digits it was read with."""
    return str(simplejson.dumps(content, use_decimal=True, separators=(",", ":")))


def load_recordings(folder: Path) -> Recordings:
    """Read every JSON body below a folder and join what is the same row.

    A token is known by its address, a holder by its token account, a swap by its identity; swaps without an instruction
    index also by their place among equal ones of one file. Of a row that was recorded several times the newest
    recording is served: by the body's `recorded_at`, then by a token's last trade, then by the file's path.

    Args:
        folder: Holds envelopes `{"data": {"items": [...]}}` or bare lists of rows, at any depth.

    Raises:
        SmartTraderError: The folder does not exist or holds no row at all.
    """
    if not folder.is_dir():
        raise SmartTraderError(f"no folder {folder}", "name a folder with recorded responses")
    found: dict[str, dict[Identity, tuple[tuple[int, int], Row]]] = {kind: {} for kind in KIND_KEYS}
    skipped = []
    # in the order of their paths, so that of two equally old recordings the later file counts
    for path in sorted(folder.rglob("*.json")):
        file = _read_file(path)
        if file.reason:
            skipped.append(f"{path.relative_to(folder)}: {file.reason}")
        for kind, key, row in file.rows:
            age = (file.recorded_at, _last_trade(row) if kind == "tokens" else 0)
            known = found[kind].get(key)
            if known is None or age >= known[0]:
                found[kind][key] = age, row
    if not any(found.values()):
        raise SmartTraderError(
            f"no recorded row in {folder}", "record some with a key, or name the folder that holds the JSON bodies"
        )
    return _arrange({kind: [row for _, row in rows.values()] for kind, rows in found.items()}, skipped)


@dataclass(frozen=True, slots=True)
class _File:
    """The rows of one file, each with its kind and identity; why others or all were passed over."""

    rows: list[tuple[str, Identity, Row]] = field(default_factory=list)
    recorded_at: int = 0
    reason: str = ""


def _read_file(path: Path) -> _File:
    try:
        body = parse(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        return _File(reason=f"not JSON ({error})")
    rows: list[tuple[str, Identity, Row]] = []
    seen: Counter[Identity] = Counter()
    strange = 0
    for row in _items(body):
        kind = _kind(row)
        if kind is None:
            strange += 1
            continue
        key = _IDENTITIES[kind](row)
        if kind == "swaps" and row.get("ins_index") is None:
            seen[key] += 1
            key = (*key, seen[key])
        rows.append((kind, key, row))
    recorded_at = body.get("recorded_at") if isinstance(body, dict) else None
    if not rows:
        return _File(reason=f"no token, holder or swap among {strange} rows")
    reason = f"{strange} rows are no token, holder or swap" if strange else ""
    return _File(rows, recorded_at if isinstance(recorded_at, int) else 0, reason)


def _kind(row: Any) -> str | None:
    """Return what a row is; rows of other chains and of the API's older versions have some keys in common with ours."""
    if not isinstance(row, dict):
        return None
    kind = next((kind for kind, keys in KIND_KEYS.items() if keys <= row.keys()), None)
    if kind == "swaps" and not (isinstance(row["base"], dict) and isinstance(row["quote"], dict)):
        return None
    if kind == "tokens" and (str(row["address"]).startswith("0x") or any(key != key.lower() for key in row)):
        return None
    return kind


def _swap_identity(row: Row) -> Identity:
    """Return what makes two recorded rows one swap; which leg is called base says nothing."""
    names = ("tx_hash", "owner", "address", "block_unix_time", "ins_index", "inner_ins_index")
    legs = sorted((str(leg.get("address")), _amount(leg.get("amount"))) for leg in (row["base"], row["quote"]))
    return (*(row.get(name) for name in names), *legs)


def _amount(value: Any) -> str:
    """Write equal amounts as equal text, however they were spelt."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return str(amount.normalize(_EXACT)) if amount.is_finite() else str(value)


_EXACT = Context(prec=80)
_IDENTITIES: dict[str, Callable[[Row], Identity]] = {
    "swaps": _swap_identity,
    "holders": lambda row: (row["mint"], row["token_account"]),
    "tokens": lambda row: (row["address"],),
}


def _items(body: Any) -> Iterator[Any]:
    data = body.get("data", body) if isinstance(body, dict) else body
    items = data.get("items", []) if isinstance(data, dict) else data
    yield from items if isinstance(items, list) else []


def _arrange(rows: dict[str, list[Row]], skipped: list[str]) -> Recordings:
    tokens = sorted(rows["tokens"], key=_last_trade)
    holders: dict[str, list[Row]] = {}
    swaps: dict[str, list[Row]] = {}
    for row in sorted(rows["holders"], key=lambda row: -int(row["amount"])):
        holders.setdefault(row["mint"], []).append(row)
    for row in sorted(rows["swaps"], key=lambda row: -int(row["block_unix_time"])):
        swaps.setdefault(row["owner"], []).append(row)
    return Recordings(tokens, holders, swaps, skipped)


def _last_trade(row: Row) -> int:
    return int(row.get("last_trade_unix_time") or 0)
