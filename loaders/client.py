"""One HTTP session to the BirdEye API: key, pace, retries, compute units. It pages nothing and lands nothing."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from loaders.errors import ApiError, BudgetReachedError, NoAnswerError, RequestRefusedError, TerminalApiError
from loaders.pacing import Pacer
from smart_trader.errors import SmartTraderError

logger = logging.getLogger(__name__)

CREDITS_GONE = "compute units usage limit exceeded"
TIMEOUT_S = (10, 30)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
TOO_MANY = 429
# A shorter key, such as the sandbox's, is no secret: it is a word that may stand in the data.
SHORTEST_SECRET = 16


class BirdeyeKey(AuthBase):
    """Puts the key on each request; an object, so that no header with it is ever logged or shown."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key."""
        request.headers["X-API-KEY"] = self._key
        return request

    def __repr__(self) -> str:
        return "BirdeyeKey(***)"

    def hidden(self, said: bytes) -> bytes:
        """Return what a server said without the key: said back, it would land in a table or show in an error."""
        return said if len(self._key) < SHORTEST_SECRET else said.replace(self._key.encode(), b"***")


@dataclass
class UnitMeter:
    """Counts compute units against a run's budget.

    Attributes:
        prices: Units a request costs, by endpoint; others cost `default_price`.
        budget: Units the run may spend; None is no limit.
        default_price: Price of an endpoint that `prices` does not name.
        spent: Units of the requests sent so far, tries included.
        requests: How many that were.
    """

    prices: Mapping[str, int]
    budget: int | None = None
    default_price: int = 100
    spent: int = 0
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def price(self, endpoint: str) -> int:
        """Return the units of one request."""
        return self.prices.get(endpoint, self.default_price)

    def charge(self, endpoint: str) -> int:
        """Count one request before it is sent and return its units.

        Raises:
            BudgetReachedError: It would exceed the budget; nothing is counted.
        """
        price = self.price(endpoint)
        with self._lock:
            if self.budget is not None and self.spent + price > self.budget:
                raise BudgetReachedError(self.spent, price, self.budget)
            self.spent += price
            self.requests += 1
        return price


@dataclass(slots=True)
class Tally:
    """What one work item has cost so far: requests, tries included, and their compute units."""

    requests: int = 0
    cu: int = 0


class _Envelope(msgspec.Struct):
    success: bool
    data: msgspec.Raw


class _ErrorBody(msgspec.Struct):
    message: str


_envelope = msgspec.json.Decoder(_Envelope)
_error_body = msgspec.json.Decoder(_ErrorBody)


class BirdeyeClient:
    """Asks the API; safe to share between threads, whose requests the pacer spaces.

    Args:
        base_url: The API's root, without a trailing slash.
        key: The API key.
        pacer: Spaces the requests.
        meter: Counts compute units.
        max_tries: Tries of one request before it counts as failed.
        parallel: Requests that may be in flight at once; more wait for a connection.
    """

    def __init__(
        self, base_url: str, key: str, pacer: Pacer, meter: UnitMeter, max_tries: int = 5, parallel: int = 8
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._pacer = pacer
        self._meter = meter
        self._max_tries = max_tries
        self._end: SmartTraderError | None = None
        self._session = requests.Session()
        self._session.mount(base_url, HTTPAdapter(pool_connections=1, pool_maxsize=parallel, pool_block=True))
        self._key = BirdeyeKey(key)
        self._session.auth = self._key
        # what a request needs of the environment (proxies, authorities) is read once
        self._connection = self._session.merge_environment_settings(base_url, {}, None, None, None)
        self._session.headers.update({"accept": "application/json", "x-chain": "solana"})

    def stop(self, error: SmartTraderError) -> None:
        """Let no further request start: each of them raises this error. The first error stays."""
        self._end = self._end or error

    def get(self, endpoint: str, params: Mapping[str, Any], tally: Tally | None = None) -> bytes:
        """Ask one question until it is answered, refused or given up.

        Args:
            endpoint: Path to ask.
            params: Its query.
            tally: Counts what this question cost.

        Returns:
            The JSON text under the body's `data`, as it came.

        Raises:
            TerminalApiError: The key is refused, the plan does not cover the endpoint, or the month's units are gone.
            RequestRefusedError: This request is refused.
            NoAnswerError: Every try failed.
            BudgetReachedError: The run's budget does not cover another try.
        """
        tally = tally if tally is not None else Tally()
        why = "no try"
        status: int | None = None
        for attempt in range(1, self._max_tries + 1):
            try:
                answer, status, why = self._try(endpoint, params, tally)
            except (TerminalApiError, BudgetReachedError) as error:
                self.stop(error)
                raise
            if answer is not None:
                return answer
            logger.info("%s: try %s of %s failed: %s", endpoint, attempt, self._max_tries, why)
            if attempt < self._max_tries and status != TOO_MANY:
                time.sleep(_pause(attempt))
        raise NoAnswerError(
            f"{endpoint}: no answer in {self._max_tries} tries, the last one: {why}",
            "the item stays pending; run again later",
            endpoint,
            status,
        )

    def _try(self, endpoint: str, params: Mapping[str, Any], tally: Tally) -> tuple[bytes | None, int | None, str]:
        """Send one request; returns the answer, or the status and why there is none yet."""
        request = self._session.prepare_request(
            requests.Request("GET", f"{self._base_url}{endpoint}", params=dict(params))
        )
        self._pacer.wait()
        # another thread may have met the end while this one waited for its turn
        if self._end is not None:
            raise self._end
        tally.cu += self._meter.charge(endpoint)
        tally.requests += 1
        try:
            # no redirects: requests would carry the key to whatever host they name
            response = self._session.send(request, timeout=TIMEOUT_S, allow_redirects=False, **self._connection)
        except requests.RequestException as error:
            return None, None, type(error).__name__
        status = response.status_code
        if status == requests.codes.ok:
            answer, why = _read(self._key.hidden(response.content))
            return answer, status, why
        if status == TOO_MANY:
            self._pacer.hold_until(time.monotonic() + _asked_pause(response.headers))
            return None, status, "too many requests"
        if status < requests.codes.server_error:
            raise _refusal(
                endpoint, status, self._key.hidden(_message(response).encode()).decode(errors="replace")[:300]
            )
        return None, status, f"status {status}"


def _read(content: bytes) -> tuple[bytes | None, str]:
    """Take a body apart; a cut or strange one may pass and is asked again."""
    try:
        body = _envelope.decode(content)
    except msgspec.ValidationError:
        return None, "the body is no successful envelope"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, "the body is not JSON"
    except RecursionError:
        return None, "the body is nested too deep"
    if not body.success:
        return None, "the body is no successful envelope"
    return bytes(body.data), ""


def _message(response: requests.Response) -> str:
    try:
        return _error_body.decode(response.content).message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return response.reason or ""


def _refusal(endpoint: str, status: int, message: str) -> ApiError:
    """Tell what ends the run from what refuses one request; by status, but for the one text that matters."""
    if CREDITS_GONE in message.lower():
        fix = "wait for the next billing period or buy units; what was loaded is kept"
        return TerminalApiError(f"the plan's compute units are used up: {message}", fix, endpoint, status)
    if status == requests.codes.unauthorized:
        fix = "check BIRDEYE_API_KEY and that the plan covers this endpoint; what was loaded is kept"
        return TerminalApiError(f"{endpoint}: the key is refused: {message}", fix, endpoint, status)
    if status == requests.codes.forbidden:
        fix = "allow this machine's address in the BirdEye account; what was loaded is kept"
        return TerminalApiError(f"{endpoint}: access denied: {message}", fix, endpoint, status)
    fix = "the item is skipped; report it if the address is right"
    return RequestRefusedError(f"{endpoint}: refused with {status}: {message}", fix, endpoint, status)


def _asked_pause(headers: Mapping[str, str]) -> float:
    """Return the seconds the server asks to wait, by either header; at least one."""
    pauses = [1.0]
    for name, offset in (("Retry-After", 0.0), ("X-RateLimit-Reset", time.time())):
        try:
            pauses.append(float(headers.get(name, "")) - offset)
        except ValueError:
            continue
    return min(max(pauses), LONGEST_PAUSE_S * 2)


def _pause(attempt: int) -> float:
    """Return a growing pause with jitter, so that parallel requests do not come back together."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311  no secret
