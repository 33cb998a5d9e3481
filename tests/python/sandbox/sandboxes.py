"""What the sandbox's tests share: a default market, ways to query it, a short FIFO to see who earns."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

import requests

from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.source import Source, SwapQuery

LIST, HOLDER, SWAPS = "/defi/v3/token/list", "/defi/v3/token/holder", "/trader/txs/seek_by_time"
DAY = 86_400
GENESIS = 1_779_926_400
CLOCK = GENESIS + 30 * DAY
SORTED = {"sort_by": "liquidity", "sort_type": "desc"}
QUOTES = {
    "So11111111111111111111111111111111111111112",
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB",
}


def make_market(seed: int = 7, wallets: int = 40, days: float = 4.0) -> MarketSource:
    """Return a market some days old."""
    return market(seed, wallets, GENESIS, GENESIS + int(days * DAY))


def get(url: str, path: str, **query: object) -> requests.Response:
    """Send a request to a served sandbox."""
    return requests.get(f"{url}{path}", params=query, headers={"X-API-KEY": "k"}, timeout=10, allow_redirects=False)


def texts_of(source: Source, owner: str, now: int, before: int | None = None) -> list[str]:
    """Return every row of a wallet exactly as it is written, without the offset drift of a moving head."""
    before, offset, found = now if before is None else before, 0, []
    while True:
        page, more = source.swap_texts(SwapQuery(owner, "swap", 0, before, offset, 100, False), now)
        found += page
        if not more:
            return found
        offset += 100


def everything(source: MarketSource, now: int) -> list[str]:
    """Return all that a market serves at a timestamp, as text."""
    tokens = source.tokens_at(now)
    holders = [text for token in tokens for text in source.holder_texts(token["address"], 0, 10_000, now)]
    swaps = [text for owner in source.wallets for text in texts_of(source, owner, now)]
    return [json.dumps(token) for token in tokens] + holders + swaps


def legs(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sold and the bought leg."""
    one, other = row["quote"], row["base"]
    return (one, other) if one["type_swap"] == "from" else (other, one)


def results(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Match a wallet's rows first in, first out, netted per transaction; open lots count nothing."""
    lots: defaultdict[str, deque[list[float]]] = defaultdict(deque)
    found = {"realized": 0.0, "cost": 0.0, "wins": 0, "losses": 0, "sold": 0.0, "unmatched": 0.0}
    for token, quantity, usd in netted(rows):
        if quantity > 0:
            lots[token].append([quantity, usd])
            continue
        left, cost = -quantity, 0.0
        while left > 1e-9 * -quantity and lots[token]:
            lot = lots[token][0]
            part = min(left, lot[0])
            paid = lot[1] * part / lot[0]
            cost, left, lot[0], lot[1] = cost + paid, left - part, lot[0] - part, lot[1] - paid
            if lot[0] <= 1e-9 * part:
                lots[token].popleft()
        known = usd * (1 - left / -quantity)
        found["sold"] += usd
        found["unmatched"] += usd - known
        if cost > 0:
            found["realized"] += known - cost
            found["cost"] += cost
            found["wins"] += known - cost > 1
            found["losses"] += known - cost < -1
    return found


def netted(rows: list[dict[str, Any]]) -> Iterator[tuple[str, float, float]]:
    """Yield token, net quantity and USD of each transaction, oldest first."""
    by_tx: defaultdict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_tx[row["block_unix_time"], row["tx_hash"]].append(row)
    for _, group in sorted(by_tx.items()):
        bought: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        sold: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for row in group:
            usd = next(
                (
                    leg["ui_amount"] * leg["nearest_price"]
                    for leg in legs(row)
                    if leg["address"] in QUOTES and "nearest_price" in leg
                ),
                0.0,
            ) or min(leg["ui_amount"] * leg.get("nearest_price", 0.0) for leg in legs(row))
            for leg, side in zip(legs(row), (sold, bought), strict=True):
                if leg["address"] not in QUOTES:
                    side[leg["address"]][0] += leg["ui_amount"]
                    side[leg["address"]][1] += usd
        for token in {*bought, *sold}:
            b, s = bought[token], sold[token]
            if b[0] > s[0]:
                yield token, b[0] - s[0], b[1] * (b[0] - s[0]) / b[0]
            elif s[0] > b[0]:
                yield token, b[0] - s[0], s[1] * (s[0] - b[0]) / s[0]
