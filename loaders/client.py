"""One HTTP session to the BirdEye API: key, pace, retries, compute units. It pages nothing and lands nothing."""

from __future__ import annotations

import logging
import math
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from loaders.errors import (
    ApiError,
    BudgetReachedError,
    NoAnswerError,
    RequestRefusedError,
    TerminalApiError,
    UnusableAnswerError,
)
from loaders.loose_json import as_bytes, as_text, members
from loaders.pacing import Pacer
from loaders.transport import MAX_BODY_BYTES, BodyTooLargeError, ExchangeFailedError, Transport
from smart_trader.birdeye import CHAIN_HEADERS, DEFAULT_PRICE_CU, MULTI_PRICE, BirdeyeKey, multi_price_cu
from smart_trader.console import one_line
from smart_trader.errors import SmartTraderError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

CREDITS_GONE = "compute units usage limit exceeded"
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# A wait that the API demands is kept to the second, up to this; a longer one ends the run.
LONGEST_HOLD_S = 900.0
TOO_MANY = 429
# Refusals that may pass, beside those of 500 and above: a request time-out, too early, too many.
PASSING = {408, 425, TOO_MANY}
# Unix times from here on are in milliseconds.
MILLISECONDS = 1e11
MESSAGE_LETTERS = 300
# The message of a body that comes with status 200 and `success: false`, by the status it should have had.
MEANINGS = {
    429: re.compile("too many requests|rate limit"),
    401: re.compile("unauthorized|api key|permission"),
    403: re.compile("forbidden|access denied"),
    400: re.compile(f"{CREDITS_GONE}|invalid|bad request|should be|must be|required|not found|not supported|too long"),
}
# A shorter key, such as the sandbox's, is no secret: it is a word that may stand in the data.
SHORTEST_SECRET = 16


class HiddenKey(BirdeyeKey):
    """The key, which is taken out of what a server sends."""

    def hide(self, content: bytes) -> bytes:
        """Return a response without the key: repeated there, it would land in a table or show in an error."""
        return content if len(self._key) < SHORTEST_SECRET else content.replace(self._key.encode(), b"***")


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
    default_price: int = DEFAULT_PRICE_CU
    spent: int = 0
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def price(self, endpoint: str, names: int = 1) -> int:
        """Return the units of one request.

        Args:
            endpoint: Path to request.
            names: Tokens that it names; only prices cost more for more of them.
        """
        price = self.prices.get(endpoint, self.default_price)
        return multi_price_cu(names, price) if endpoint == MULTI_PRICE else price

    def charge(self, endpoint: str, names: int = 1) -> int:
        """Count one request before it is sent and return its units.

        Raises:
            BudgetReachedError: It would exceed the budget; nothing is counted.
        """
        price = self.price(endpoint, names)
        with self._lock:
            if self.budget is not None and self.spent + price > self.budget:
                raise BudgetReachedError(self.spent, price, self.budget)
            self.spent += price
            self.requests += 1
        return price


@dataclass(slots=True)
class RequestCost:
    """What one work item has cost so far: requests, tries included, and their compute units."""

    requests: int = 0
    cu: int = 0


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request.

    Attributes:
        endpoint: Path.
        query: What stands behind the path.
        posted: The object in the body of a POST, which the API takes for long lists of names; None is a GET.
        names: Tokens that it names, by which some endpoints count.
    """

    endpoint: str
    query: Mapping[str, Any]
    posted: Mapping[str, Any] | None = None
    names: int = 1


class _Envelope(msgspec.Struct):
    success: bool | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    message: Any = None


class _ErrorBody(msgspec.Struct):
    message: str


_envelope = msgspec.json.Decoder(_Envelope)
_error_body = msgspec.json.Decoder(_ErrorBody)


class BirdeyeClient:
    """Sends requests to the API; safe to share between threads, whose requests the pacer spaces.

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
        self._pacer = pacer
        self._meter = meter
        self._max_tries = max_tries
        self._end: SmartTraderError | None = None
        self._key = HiddenKey(key)
        self._transport = Transport(base_url, self._key, CHAIN_HEADERS, parallel)

    def stop(self, error: SmartTraderError, *, at_once: bool = False) -> None:
        """Let no further request start: each of them raises this error. The first error stays.

        Args:
            error: Why.
            at_once: End the requests under way and the pauses as well.
        """
        self._end = self._end or error
        if at_once:
            self._pacer.stop()
            self._transport.abort_all()

    def get(self, endpoint: str, params: Mapping[str, Any], cost: RequestCost | None = None) -> bytes:
        """Repeat one request until it is answered; returns the JSON text under the body's `data`, as it came."""
        return self.execute(ApiRequest(endpoint, params), cost, bytes)

    def execute(self, request: ApiRequest, cost: RequestCost | None, read: Callable[[bytes], Answer]) -> Answer:
        """Repeat one request until it is answered, refused or given up; what is posted asks, and changes nothing.

        Args:
            request: What to request.
            cost: Counts what this request cost.
            read: Makes something of the JSON text under the body's `data`; raises UnusableAnswerError where it cannot
                be true, and the request is repeated.

        Returns:
            What `read` made.

        Raises:
            TerminalApiError: The key is refused, the plan does not cover the endpoint, the month's units are gone, or
                the API demands too long a wait.
            RequestRefusedError: This request is refused.
            NoAnswerError: Every try failed.
            BudgetReachedError: The run's budget does not cover another try.
        """
        cost, endpoint = cost if cost is not None else RequestCost(), request.endpoint
        tries = Retrying(
            retry=retry_if_exception_type(UnusableAnswerError),
            stop=stop_after_attempt(self._max_tries),
            wait=_wait_s,
            # ends at once when the client is stopped
            sleep=self._pacer.pause,
            after=lambda state: _log_failed_try(endpoint, state),
            reraise=True,
        )
        try:
            return tries(lambda: read(self._try(request, cost)))
        except (TerminalApiError, BudgetReachedError) as error:
            self.stop(error)
            raise
        except UnusableAnswerError as last:
            raise NoAnswerError(
                f"{endpoint}: no answer in {self._max_tries} tries, the last one: {last.why}",
                "the item stays pending; run again later",
                endpoint,
                last.status,
            ) from None

    def _try(self, request: ApiRequest, cost: RequestCost) -> bytes:
        """Send one request; returns the answer, or raises what became of it."""
        endpoint = request.endpoint
        self._pacer.wait()
        # another thread may have met the end while this one waited for its turn
        if self._end is not None:
            raise self._end
        cost.cu += self._meter.charge(endpoint, request.names)
        cost.requests += 1
        try:
            reply = self._transport.send(endpoint, request.query, request.posted)
        except ExchangeFailedError as failed:
            if self._end is not None:
                raise self._end from None
            raise UnusableAnswerError(str(failed)) from None
        except BodyTooLargeError:
            raise RequestRefusedError(
                f"{endpoint}: the answer has more than {MAX_BODY_BYTES // 2**20} MB",
                "the item is skipped; an answer of this size is a fault of the server",
                endpoint,
                None,
            ) from None
        content = self._key.hide(reply.body)
        if reply.status == requests.codes.ok:
            return self._read(endpoint, content)
        message = _read_message(content) or one_line(reply.reason)
        raise self._make_fault(endpoint, reply.status, message, f"status {reply.status}", reply.headers)

    def _read(self, endpoint: str, content: bytes) -> bytes:
        """Take a body apart; a cut or strange one may pass and is requested again."""
        body = _read_envelope(content)
        if body.success and bytes(body.data):
            return bytes(body.data)
        message = one_line(body.message)[:MESSAGE_LETTERS] if isinstance(body.message, str) else ""
        if body.success is not False or not message:
            raise UnusableAnswerError("the body is no successful envelope", requests.codes.ok)
        # the same words as with a status of their own mean the same
        raise self._make_fault(endpoint, _find_meant_status(message), message, f"the API says: {message}", {})

    def _make_fault(self, endpoint: str, status: int, message: str, why: str, headers: Mapping[str, str]) -> Exception:
        """Return what an answer that is none leads to, and hold all requests back where it demands that."""
        if status in PASSING or status >= requests.codes.server_error:
            pause = _read_pause(headers)
            if pause > LONGEST_HOLD_S:
                return TerminalApiError(
                    f"{endpoint}: the API asks to wait {pause:.0f} s, longer than the {LONGEST_HOLD_S:.0f} s that a "
                    "run waits",
                    "run again after that time; what was loaded is kept",
                    endpoint,
                    status,
                )
            if status == TOO_MANY or pause:
                # a second at least, also where it names none
                self._pacer.hold_until(time.monotonic() + max(1.0, pause))
            return UnusableAnswerError("too many requests" if status == TOO_MANY else why, status)
        return _make_refusal(endpoint, status, message)


def _read_envelope(content: bytes) -> _Envelope:
    """Read the envelope; also of a body in which one value is no JSON, so that the row it stands in can be named."""
    try:
        return _envelope.decode(content)
    except msgspec.ValidationError:
        raise UnusableAnswerError("the body is no successful envelope", requests.codes.ok) from None
    except RecursionError:
        raise UnusableAnswerError("the body is nested too deep", requests.codes.ok) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        found = members(as_text(content))
    except RecursionError:
        raise UnusableAnswerError("the body is nested too deep", requests.codes.ok) from None
    except ValueError:
        raise UnusableAnswerError("the body is not JSON", requests.codes.ok) from None
    return _Envelope(found.get("success") == "true", msgspec.Raw(as_bytes(found.get("data", ""))))


def _read_message(content: bytes) -> str:
    try:
        return one_line(_error_body.decode(content).message)[:MESSAGE_LETTERS]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _find_meant_status(message: str) -> int:
    """Return the status that a refusal with status 200 should have come with; 500 where its words name no reason."""
    text = message.lower()
    return next((status for status, words in MEANINGS.items() if words.search(text)), 500)


def _make_refusal(endpoint: str, status: int, message: str) -> ApiError:
    """Separate what ends the run from what refuses one request; by status, but for the one text that matters."""
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


def _read_pause(headers: Mapping[str, str]) -> float:
    """Return the seconds the server demands to wait, 0 where it names none."""
    header = headers.get("Retry-After", "").strip()
    seconds = _parse_number(header)
    if seconds is None and header:
        with suppress(ValueError):
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
    if seconds is None:
        reset = _parse_number(headers.get("X-RateLimit-Reset", ""))
        if reset is not None:
            seconds = (reset / 1000 if reset >= MILLISECONDS else reset) - time.time()
    return max(0.0, seconds or 0.0)


def _parse_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _wait_s(state: RetryCallState) -> float:
    """Return a growing pause with jitter, so that parallel requests do not come back together.

    After a 429 there is none: the pacer holds back all requests.
    """
    if _get_failure(state).status == TOO_MANY:
        return 0.0
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**state.attempt_number)
    return random.uniform(longest / 2, longest)  # noqa: S311  no secret


def _log_failed_try(endpoint: str, state: RetryCallState) -> None:
    logger.info("%s: try %s failed: %s", endpoint, state.attempt_number, _get_failure(state).why)


def _get_failure(state: RetryCallState) -> UnusableAnswerError:
    """Return what made a try fail; no other error is tried again."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, UnusableAnswerError)  # noqa: S101  by `retry_if_exception_type`
    return error
