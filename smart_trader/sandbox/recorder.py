"""Asks the real API and keeps what it says, for later replay. The key never reaches a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import simplejson

from smart_trader.birdeye import (
    BASE_URL,
    CHAIN_HEADERS,
    MAX_OFFSET,
    PAGE_ROWS,
    TOKEN_HOLDERS,
    TOKEN_LIST,
    WALLET_SWAPS,
    BirdeyeKey,
)
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.sandbox.replay import parse
from smart_trader.sandbox.source import Row

TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Recorder:
    """Asks one page after the other.

    Attributes:
        key: The API key.
        url: The API's base address.
        per_second: Requests a second.
        sleep: Waits; replaced in tests.
    """

    key: str
    url: str = BASE_URL
    per_second: float = 1.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise SettingsError(f"{self.url} would show the key to the network", "use https")

    def execute(self, path: str, query: dict[str, str]) -> str:
        """Return the body of one answer.

        Raises:
            SmartTraderError: The API could not be reached, refused, or sent no JSON.
        """
        # a little slower than allowed, since a refused request counts as well
        self.sleep(1.05 / self.per_second)
        try:
            answer = requests.get(
                f"{self.url}{path}",
                params=query,
                auth=BirdeyeKey(self.key),
                headers={"accept": "application/json", **CHAIN_HEADERS},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise SmartTraderError(f"{path}: no answer ({type(error).__name__})", "try again later") from None
        about = " ".join(query.get(name, "") for name in ("address", "offset")).strip()
        if answer.status_code != 200:
            said = self.without_key(answer.text)[:200]
            raise SmartTraderError(f"{path} {about}: status {answer.status_code}: {said}", "files so far are kept")
        text: str = self.without_key(answer.text)
        return text

    def without_key(self, text: str) -> str:
        """Return a text in which the key does not stand."""
        return text.replace(self.key, "[key]") if self.key else text


def record(recorder: Recorder, folder: Path, tokens: list[str], wallets: list[str], pages: int) -> Iterator[Path]:
    """Record the token list, and the holders and swaps of what is named; one file per answer.

    Args:
        recorder: Asks the API.
        folder: New or empty.
        tokens: Mints whose holders are asked for.
        wallets: Owners whose swaps are asked for.
        pages: At most so many pages of anything.

    Yields:
        Each file once it is written.

    Raises:
        SmartTraderError: The folder holds something, or the API does not answer.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SmartTraderError(f"{folder} is not empty", "name a new folder; recordings are never overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    listed = {"sort_by": "liquidity", "sort_type": "desc"}
    wanted = [(TOKEN_LIST, "token_list", listed)]
    wanted += [(TOKEN_HOLDERS, f"holders_{mint}", {"address": mint}) for mint in tokens]
    wanted += [(WALLET_SWAPS, f"swaps_{owner}", {"address": owner, "tx_type": "swap"}) for owner in wallets]
    for path, name, query in wanted:
        for number, body in enumerate(_pages(recorder, path, query, pages)):
            # of a row that is recorded several times replay serves the newest
            body["recorded_at"] = int(time.time())
            target = folder / f"{name}_{number:03}.json"
            with target.open("x", encoding="utf-8") as file:
                file.write(simplejson.dumps(body, use_decimal=True, indent=1) + "\n")
            yield target


def _pages(recorder: Recorder, path: str, query: dict[str, str], pages: int) -> Iterator[Row]:
    for offset in range(0, min(pages * PAGE_ROWS, MAX_OFFSET), PAGE_ROWS):
        text = recorder.execute(path, {**query, "offset": str(offset), "limit": str(PAGE_ROWS)})
        try:
            body = parse(text)
            data = body["data"] or {}
            items = data.get("items") or []
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SmartTraderError(f"{path}: no JSON answer with data at offset {offset}", "try again later") from None
        yield body
        # the holder list has no has_next: a page that is not full is the last
        if not data.get("has_next", data.get("hasNext", len(items) == PAGE_ROWS)):
            return
