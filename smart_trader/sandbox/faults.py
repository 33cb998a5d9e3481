"""What goes wrong on demand."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from smart_trader.errors import SettingsError

BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"
SERVER_ERROR = "<!DOCTYPE html><html><head><title>Error 500</title></head><body>cloudflare</body></html>"
PLAN_MESSAGE = (
    "Your API key is either suspended or lacks sufficient permissions to access this resource. Please check your "
    "account status or upgrade to a higher plan. For assistance, contact bds.support@birdeye.so."
)
# faults that take the place of the answer with a JSON body: status and message
MESSAGES = {
    "bad_request": (400, "Bad request"),
    "cu_exhausted": (400, "Compute units usage limit exceeded"),
    "unauthorized": (401, "Unauthorized"),
    "plan": (401, PLAN_MESSAGE),
    "forbidden": (403, "Access Denied"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Internal Server Error"),
}
PAGES = {"server_error": (500, SERVER_ERROR), "bad_gateway": (502, BAD_GATEWAY)}
# faults that change the answer or its time
CHANGES = ("timeout", "slow", "truncated", "key_order", "has_next", "null_data", "redirect")
KINDS = (*MESSAGES, *PAGES, *CHANGES)
SECONDS = {"timeout": 60.0, "slow": 1.0}


@dataclass(slots=True)
class Fault:
    """One fault to show.

    Attributes:
        kind: One of `KINDS`.
        times: How often; None is always.
        endpoint: Only on this path.
        address: Only for this token or wallet.
        after: Requests it would fit that are let through first.
        seconds: How long `slow` and `timeout` wait.
    """

    kind: str
    times: int | None = 1
    endpoint: str | None = None
    address: str | None = None
    after: int = 0
    seconds: float = 0.0

    def strikes(self, endpoint: str, address: str | None) -> bool:
        """Return whether it hits a request, and count it."""
        if self.times == 0 or self.endpoint not in (None, endpoint) or self.address not in (None, address):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def fault_of(spec: dict[str, Any]) -> Fault:
    """Read a fault as the control endpoint takes it: `{"fault": "slow", "times": 3, "seconds": 2, ...}`.

    Raises:
        SettingsError: The kind or a field is unknown, or a value is none of its type.
    """
    fields = {"times": 1, "endpoint": None, "address": None, "after": 0, "seconds": None}
    unknown = set(spec) - {*fields, "fault"}
    if unknown:
        raise SettingsError(
            f"a fault has no field {sorted(unknown)[0]!r}", f"its fields are fault, {', '.join(fields)}"
        )
    kind = spec.get("fault")
    if kind not in KINDS:
        raise SettingsError(f"no fault {kind!r}", f"choose one of {', '.join(KINDS)}")
    given = {**fields, **spec}
    counts_ok = (given["times"] is None or _is_count(given["times"])) and _is_count(given["after"])
    texts_ok = all(given[name] is None or isinstance(given[name], str) for name in ("endpoint", "address"))
    seconds = SECONDS.get(kind, 0.0) if given["seconds"] is None else given["seconds"]
    if not counts_ok or not texts_ok or not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
        raise SettingsError(
            f"fault {kind!r} has a value that cannot be used",
            "times and after are whole numbers from 0 (times may be null), seconds is a number up to 3600",
        )
    return Fault(kind, given["times"], given["endpoint"], given["address"], given["after"], float(seconds))


def fault_named(text: str) -> Fault:
    """Read a fault as the command line takes it: `KIND` for always, `KIND:times`.

    Raises:
        SettingsError: The kind is unknown or the number is none.
    """
    kind, _, times = text.partition(":")
    if times and not times.isdecimal():
        raise SettingsError(f"fault {text!r} has no number behind its colon", "write for example slow:3")
    return fault_of({"fault": kind, "times": int(times) if times else None})


def refusal(status: int, message: str, wait: int = 1) -> Response:
    """Return an error as the API words it; a 429 says when to come back."""
    headers = {}
    if status == 429:
        reset = int(time.time()) + wait
        headers = {"Retry-After": str(wait), "X-RateLimit-Reset": str(reset), "x-ratelimit-remaining": "0"}
    body = json.dumps({"success": False, "message": message}, separators=(",", ":"))
    return Response(body, status, headers, "application/json")


def replacement(kind: str) -> Response | None:
    """Return what a fault answers in place of the data, if it does."""
    if kind in MESSAGES:
        return refusal(*MESSAGES[kind])
    if kind in PAGES:
        status, page = PAGES[kind]
        return Response(page, status, media_type="text/html")
    if kind == "redirect":
        return Response("", 302, {"Location": "https://example.invalid/login"})
    return None


def altered(kind: str, body: str) -> str:
    """Return an answer's body as a fault leaves it."""
    if kind == "truncated":
        return body[: len(body) // 2]
    if kind == "has_next":
        return body.replace('"has_next":', '"hasNext":')
    if kind == "null_data":
        return '{"success":true,"data":null}'
    if kind == "key_order":
        return _reversed(body)
    return body


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _reversed(body: str) -> str:
    """Turn the order of every object's keys round; digits stay as they are."""
    from smart_trader.sandbox.replay import parse, render

    def turned(content: Any) -> Any:
        if isinstance(content, dict):
            return {key: turned(content[key]) for key in reversed(content)}
        return [turned(item) for item in content] if isinstance(content, list) else content

    return render(turned(parse(body)))
