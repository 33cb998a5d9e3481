"""Which API a load uses: BirdEye with a key, or a sandbox; never one instead of the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from loaders.settings import api_key
from loaders.transport import BodyTooLargeError, ExchangeFailedError, Reply, Transport
from smart_trader import birdeye
from smart_trader.data_sources import BIRDEYE, REPLAY, SANDBOX
from smart_trader.errors import SmartTraderError

SANDBOX_KEY = "sandbox"


@dataclass(frozen=True, slots=True)
class Api:
    """Which API a run uses.

    Attributes:
        url: Its root.
        key: The key.
        data_source: birdeye, sandbox or replay; stamped on every row.
        facts: What a sandbox says of itself: its clock, and what names its market. Empty where nothing is said.
    """

    url: str
    key: str
    data_source: str
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def clock(self) -> int | None:
        """Unix time at which a sandbox says it is; None where it says none."""
        clock = self.facts.get("clock")
        return clock if isinstance(clock, int) and not isinstance(clock, bool) else None

    def __repr__(self) -> str:
        return f"Api({self.url}, ***, {self.data_source})"


def live_api() -> Api:
    """Return BirdEye itself.

    Raises:
        SettingsError: There is no key.
    """
    return Api(birdeye.BASE_URL, api_key(), BIRDEYE)


def sandbox_api(url: str) -> Api:
    """Return a sandbox that runs at an address; requests what it serves. The real key never goes there.

    A server that answers as BirdEye does and knows nothing of `/sandbox/info` counts as a sandbox too.

    Raises:
        SmartTraderError: No sandbox answers there.
    """
    url = url.rstrip("/")
    facts = _facts(url)
    if facts is None:
        raise SmartTraderError(
            f"no sandbox answers at {url}", "start one: smart-trader sandbox serve --seed 7, and give its address"
        )
    source = facts["data_source"]
    if source not in (SANDBOX, REPLAY):
        raise SmartTraderError(f"what answers at {url} serves {str(source)[:60]!r}", "give the address of a sandbox")
    return Api(url, SANDBOX_KEY, source, facts)


def _facts(url: str) -> Mapping[str, Any] | None:
    """Return what a sandbox says of itself, with its data source; None where none answers."""
    try:
        reply = Transport(url).get("/sandbox/info")
        if reply.status == requests.codes.not_found and _answers_as_birdeye(url):
            return {"data_source": SANDBOX}
        facts = _object(reply)
    except (ExchangeFailedError, BodyTooLargeError, ValueError):
        return None
    return facts if facts is not None and "data_source" in facts else None


def _answers_as_birdeye(url: str) -> bool:
    """Whether a server has a token list."""
    asked = {"sort_by": "liquidity", "sort_type": "desc", "offset": 0, "limit": 1}
    reply = Transport(url, birdeye.BirdeyeKey(SANDBOX_KEY), birdeye.CHAIN_HEADERS).get(birdeye.TOKEN_LIST, asked)
    body = _object(reply)
    data = body.get("data") if body is not None and body.get("success") is True else None
    return isinstance(data, dict) and isinstance(data.get("items"), list)


def _object(reply: Reply) -> Mapping[str, Any] | None:
    """Return the JSON object of a good answer; None where it is none."""
    try:
        body = json.loads(reply.body) if reply.status == requests.codes.ok else None
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
