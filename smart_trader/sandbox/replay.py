"""Reads recorded response bodies and tells by their keys what each row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import simplejson

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.source import Row, SwapQuery

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
        tokens: Newest recording of each token, by file name.
        holders: Token accounts by mint, largest first.
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
        return "replay"

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
    """Read every JSON body below a folder.

    A row that several files hold is served once; rows that are equal within one file are served as often as there.

    Args:
        folder: Holds envelopes `{"data": {"items": [...]}}` or bare lists of rows, at any depth.

    Raises:
        SmartTraderError: The folder does not exist or holds no row at all.
    """
    if not folder.is_dir():
        raise SmartTraderError(f"no folder {folder}", "name a folder with recorded responses")
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KIND_KEYS}
    skipped = []
    for path in sorted(folder.rglob("*.json")):
        rows, reason = _rows_of(path)
        if reason:
            skipped.append(f"{path.relative_to(folder)}: {reason}")
        for kind, texts in rows.items():
            # the most often one file holds it, not the sum over files
            found[kind] |= Counter(texts)
    if not any(found.values()):
        raise SmartTraderError(
            f"no recorded row in {folder}", "record some with a key, or name the folder that holds the JSON bodies"
        )
    return _arrange({kind: [parse(text) for text in counter.elements()] for kind, counter in found.items()}, skipped)


def _rows_of(path: Path) -> tuple[dict[str, list[str]], str]:
    try:
        body = parse(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        return {}, f"not JSON ({error})"
    rows: dict[str, list[str]] = {}
    strange = 0
    for row in _items(body):
        kind = next((kind for kind, keys in KIND_KEYS.items() if isinstance(row, dict) and keys <= row.keys()), None)
        if kind is None:
            strange += 1
        else:
            rows.setdefault(kind, []).append(render(row))
    if not rows:
        return {}, f"no token, holder or swap among {strange} rows"
    return rows, f"{strange} rows are no token, holder or swap" if strange else ""


def _items(body: Any) -> Iterator[Any]:
    data = body.get("data", body) if isinstance(body, dict) else body
    items = data.get("items", []) if isinstance(data, dict) else data
    yield from items if isinstance(items, list) else []


def _arrange(rows: dict[str, list[Row]], skipped: list[str]) -> Recordings:
    tokens = {row["address"]: row for row in sorted(rows["tokens"], key=_last_trade)}
    holders: dict[str, list[Row]] = {}
    swaps: dict[str, list[Row]] = {}
    for row in sorted(rows["holders"], key=lambda row: -int(row["amount"])):
        holders.setdefault(row["mint"], []).append(row)
    for row in sorted(rows["swaps"], key=lambda row: -int(row["block_unix_time"])):
        swaps.setdefault(row["owner"], []).append(row)
    return Recordings(list(tokens.values()), holders, swaps, skipped)


def _last_trade(row: Row) -> int:
    return int(row.get("last_trade_unix_time") or 0)
