"""A small made-up market whose API corrupts the answers about chosen items."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.replay import parse
from smart_trader.sandbox.server import sandbox_app
from smart_trader.sandbox.source import Row, SwapQuery
from tests.python.support.api_rows import address

GENESIS = 1_779_926_400
NOW = GENESIS + 10 * 86_400
TEMPLATES = 20
ROWS = 12
TOKEN_LIST = "token_list"
Sent = defaultdict[tuple[str, str], list[bytes]]
LOADERS = {
    "/defi/v3/token/list": "tokens",
    "/defi/v3/token/holder": "whales",
    "/trader/txs/seek_by_time": "transactions",
}


class Corrupts(Protocol):
    """What changes an answer."""

    def corrupt(self, body: str) -> bytes:
        """Return what is sent in place of a body."""


def make_market() -> MarketSource:
    """Return the market that everything here is cut from."""
    return market(WorldSpec("easy", 7, TEMPLATES, GENESIS), NOW)


@dataclass
class Crowd:
    """Many wallets and tokens, each one with the newest rows of one of a small market.

    Attributes:
        source: The market.
        items: Their names; each is a wallet as well as a token.
    """

    source: MarketSource
    items: list[str]
    name: str = "sandbox"
    _swaps: dict[str, list[str]] = field(default_factory=dict)

    def facts(self) -> Row:
        return self.source.facts()

    def tokens_at(self, now: int) -> list[Row]:
        return list(self.source.tokens_at(now))

    def holder_texts(self, mint: str, offset: int, limit: int, now: int) -> list[str]:
        mints = [str(token["address"]) for token in self.source.tokens_at(now)]
        model = mints[self.items.index(mint) % len(mints)]
        texts = self.source.holder_texts(model, 0, ROWS, now)
        return [text.replace(model, mint) for text in texts][offset : offset + limit]

    def swap_texts(self, query: SwapQuery, now: int) -> tuple[list[str], bool]:
        texts = [
            text
            for text in self.swaps(query.owner)
            if query.before is None or parse(text)["block_unix_time"] <= query.before
        ]
        end = query.offset + query.limit
        return texts[query.offset : end], end < len(texts)

    def swaps(self, wallet: str) -> list[str]:
        """Return a wallet's rows, newest first."""
        if wallet not in self._swaps:
            model, texts = self._models[self.items.index(wallet) % len(self._models)]
            self._swaps[wallet] = [text.replace(model, wallet) for text in texts]
        return self._swaps[wallet]

    @cached_property
    def _models(self) -> list[tuple[str, list[str]]]:
        queries = [SwapQuery(wallet, "swap", 0, NOW, 0, ROWS, False) for wallet in self.source.wallets]
        found = [(query.owner, self.source.swap_texts(query, NOW)[0]) for query in queries]
        return [(wallet, texts) for wallet, texts in found if len(texts) == ROWS]


@dataclass
class Corrupter:
    """Stands before the API and corrupts what it answers about some items.

    Attributes:
        app: The API.
        crowd: Its source.
        cases: What happens to whose answers.
        sent: What was answered, by loader and item.
    """

    app: ASGIApp
    crowd: Crowd
    cases: Mapping[str, Corrupts]
    sent: Sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in LOADERS:
            await self.app(scope, receive, send)
            return
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        start = next(message for message in messages if message["type"] == "http.response.start")
        body = b"".join(message.get("body", b"") for message in messages)
        if start["status"] == 200:
            body = self._corrupted(LOADERS[scope["path"]], QueryParams(scope["query_string"]), body)
        start["headers"] = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send(start)
        await send({"type": "http.response.body", "body": body})

    def _corrupted(self, loader: str, query: QueryParams, body: bytes) -> bytes:
        item = query.get("address", TOKEN_LIST)
        if loader == "tokens" and "min_liquidity" in query:
            item = self.crowd.items[int(query["min_liquidity"])]
            # every list has tokens of its own
            name = item.rstrip("z").encode()
            body = re.sub(rb'(?<="address":")\w+', lambda found: name + found[0][len(name) :], body)
        if item in self.cases:
            body = self.cases[item].corrupt(body.decode())
        self.sent[loader, item].append(body)
        return body


def corrupted_app(crowd: Crowd, cases: Mapping[str, Corrupts], sent: Sent) -> Starlette:
    """Return the API of a crowd that corrupts the answers about some items and notes all it sends."""
    app = sandbox_app(crowd, clock=NOW)
    app.add_middleware(Corrupter, crowd=crowd, cases=cases, sent=sent)
    return app


def names(count: int) -> list[str]:
    """Return addresses that show which one they are."""
    return [address(f"case{number}") for number in range(count)]
