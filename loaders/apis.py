"""Which API a load uses: BirdEye with a key, or a sandbox; never one instead of the other."""

from __future__ import annotations

import json
from dataclasses import dataclass

import requests

from loaders.settings import api_key
from loaders.transport import BodyTooLargeError, ExchangeFailedError, Transport
from smart_trader import birdeye
from smart_trader.errors import SmartTraderError

SANDBOX_KEY = "sandbox"


@dataclass(frozen=True, slots=True)
class Api:
    """Which API a run uses.

    Attributes:
        url: Its root.
        key: The key.
        data_source: birdeye, sandbox or replay; stamped on every row.
    """

    url: str
    key: str
    data_source: str

    def __repr__(self) -> str:
        return f"Api({self.url}, ***, {self.data_source})"


def live_api() -> Api:
    """Return BirdEye itself.

    Raises:
        SettingsError: There is no key.
    """
    return Api(birdeye.BASE_URL, api_key(), "birdeye")


def sandbox_api(url: str) -> Api:
    """Return a sandbox that runs at an address; requests what it serves. The real key never goes there.

    Raises:
        SmartTraderError: No sandbox answers there.
    """
    url = url.rstrip("/")
    try:
        reply = Transport(url).get("/sandbox/info")
        source = json.loads(reply.body)["data_source"] if reply.status == requests.codes.ok else None
    except (ExchangeFailedError, BodyTooLargeError, ValueError, KeyError, TypeError):
        source = None
    if source is None:
        raise SmartTraderError(
            f"no sandbox answers at {url}", "start one: smart-trader sandbox serve --seed 7, and give its address"
        )
    if source not in ("sandbox", "replay"):
        raise SmartTraderError(f"what answers at {url} serves {str(source)[:60]!r}", "give the address of a sandbox")
    return Api(url, SANDBOX_KEY, source)
