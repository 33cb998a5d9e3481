"""HTTP around the answers, and an endpoint of its own for tests and the pipeline."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from smart_trader import birdeye
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.sandbox.answers import Answer, RefusedError, token_holders, token_list, wallet_swaps
from smart_trader.sandbox.faults import Fault, altered, fault_of, refusal, replacement
from smart_trader.sandbox.limits import NO_LIMIT, Rate, RateLimiter
from smart_trader.sandbox.lookup_answers import credits_used, multi_price, price_cu, token_creation, wallet_transfers
from smart_trader.sandbox.replay import render
from smart_trader.sandbox.source import Source

Answering = Callable[[Source, Mapping[str, str], int], Answer]

ROUTES: dict[str, Answering] = {
    birdeye.TOKEN_LIST: token_list,
    birdeye.TOKEN_HOLDERS: token_holders,
    birdeye.WALLET_SWAPS: wallet_swaps,
}
LOOKUPS: dict[str, Callable[[Source, Mapping[str, Any], int], dict[str, Any]]] = {
    birdeye.TOKEN_CREATION: token_creation,
    birdeye.MULTI_PRICE: multi_price,
    birdeye.WALLET_TRANSFERS: wallet_transfers,
}
METHODS = {birdeye.MULTI_PRICE: ["GET", "POST"], birdeye.WALLET_TRANSFERS: ["POST"]}
LOGGED_REQUESTS = 100_000


class Sandbox:
    """The state of a running server.

    Args:
        source: A market or recordings.
        clock: Unix time it begins at; it moves only on request.
        rate: What the plan allows.
        faults: What goes wrong.
    """

    def __init__(self, source: Source, clock: int, rate: Rate, faults: list[Fault]) -> None:
        self.source, self.clock, self.faults = source, clock, faults
        self.limiter = RateLimiter(rate)
        self.log: deque[dict[str, Any]] = deque(maxlen=LOGGED_REQUESTS)
        self.statuses: Counter[int] = Counter()
        # compute units by the clock's second in which they were spent
        self.spent: Counter[int] = Counter()

    async def answer(self, request: Request) -> Response:
        """Answer a request to one of the endpoints and note it."""
        query: dict[str, Any] = dict(request.query_params)
        response = await self._answer(request, query)
        self.statuses[response.status_code] += 1
        self.log.append(
            {"endpoint": request.url.path, "query": query, "status": response.status_code, "time": time.time()}
        )
        return response

    async def _answer(self, request: Request, query: dict[str, Any]) -> Response:
        path = request.url.path
        if not request.headers.get("x-api-key"):
            return refusal(401, "Unauthorized")
        wait = self.limiter.wait()
        if wait:
            return refusal(429, "Too many requests", wait)
        try:
            query |= await _posted(request)
        except RefusedError as refused:
            return refusal(refused.status, refused.message)
        fault = next((fault for fault in self.faults if fault.strikes(path, _about(query))), None)
        if fault is not None:
            await asyncio.sleep(fault.seconds)
            replaced = replacement(fault.kind)
            if replaced is not None:
                return replaced
        try:
            body = self._body(path, query)
        except RefusedError as refused:
            return refusal(refused.status, refused.message)
        self.spent[self.clock] += price_cu(path, query)
        return Response(altered(fault.kind, body) if fault else body, media_type="application/json")

    def _body(self, path: str, query: Mapping[str, Any]) -> str:
        if path in ROUTES:
            return envelope(path, ROUTES[path](self.source, query, self.clock))
        if path == birdeye.CREDITS:
            return render(credits_used(self.spent, query, self.clock))
        return render(LOOKUPS[path](self.source, query, self.clock))

    def info(self) -> dict[str, Any]:
        """Return what is served, at which clock, and how many requests came."""
        return {
            "data_source": self.source.name,
            **self.source.facts(),
            "clock": self.clock,
            "requests": self.statuses.total(),
            "refused_for_rate": self.statuses[429],
        }

    def move_clock(self, now: object) -> None:
        """Move the clock on.

        Raises:
            SmartTraderError: It is no whole number, lies before the clock, or further away than a market lasts.
        """
        if not isinstance(now, int) or isinstance(now, bool) or now > 10**10:
            raise SettingsError('no clock in {"now": ...}', "give unix seconds as a whole number")
        if now < self.clock:
            raise SettingsError(f"{now} lies before the clock {self.clock}", "a market goes on, never back")
        # now, so that the next request does not wait for it
        self.source.tokens_at(now)
        self.clock = now


async def _posted(request: Request) -> dict[str, Any]:
    """Return what the body of a POST asks for.

    Raises:
        RefusedError: It is no JSON object.
    """
    if request.method != "POST":
        return {}
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, "Bad request")
    return body


def _about(query: Mapping[str, Any]) -> str | None:
    """Return the token or wallet that a request is about."""
    about = query.get("address", query.get("wallet"))
    return about if isinstance(about, str) else None


def envelope(path: str, answer: Answer) -> str:
    """Write a page as the endpoint does; they put their keys in different orders."""
    has_next = "" if answer.has_next is None else f',"has_next":{"true" if answer.has_next else "false"}'
    data = f'"data":{{"items":[{",".join(answer.items)}]{has_next}}}'
    return f'{{"success":true,{data}}}' if path.endswith("/list") else f'{{{data},"success":true}}'


def sandbox_app(
    source: Source, *, clock: int | None = None, rate: Rate = NO_LIMIT, faults: list[Fault] | None = None
) -> Starlette:
    """Return the API over a source. Any key is accepted, none is refused.

    Args:
        source: A market or recordings.
        clock: Unix time; now, if not given.
        rate: What the plan allows, see `limits.plan_rate`.
        faults: What goes wrong; more can be asked for at `/sandbox/faults`.
    """
    state = Sandbox(source, int(time.time()) if clock is None else clock, rate, list(faults or []))
    paths = (*ROUTES, *LOOKUPS, birdeye.CREDITS)
    routes = [Route(path, state.answer, methods=METHODS.get(path, ["GET"])) for path in paths]
    # for the API a path with another method is another path
    missing = {404: _not_found, 405: _not_found}
    app = Starlette(routes=[*routes, *control_routes(state)], exception_handlers=missing)
    app.state.sandbox = state
    return app


def control_routes(state: Sandbox) -> list[Route]:
    """Return the endpoints for tests and the pipeline, which the real API does not have."""

    async def info(_: Request) -> Response:
        return JSONResponse(state.info())

    async def requests(_: Request) -> Response:
        return JSONResponse(list(state.log))

    async def clock(request: Request) -> Response:
        body = await _json(request)
        state.move_clock(body.get("now") if isinstance(body, dict) else None)
        return JSONResponse(state.info())

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            state.faults = []
        else:
            specs = await _json(request)
            if not isinstance(specs, list) or not all(isinstance(spec, dict) for spec in specs):
                raise SettingsError("faults are a list of objects", 'send for example [{"fault": "slow", "times": 3}]')
            state.faults = [fault_of(spec) for spec in specs]
        return JSONResponse({"faults": len(state.faults)})

    return [
        Route("/sandbox/info", info),
        Route("/sandbox/requests", requests),
        Route("/sandbox/clock", _told(clock), methods=["POST"]),
        Route("/sandbox/faults", _told(faults), methods=["POST", "DELETE"]),
    ]


def _told(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer 400 with the reason where a setting cannot be used."""

    async def respond(request: Request) -> Response:
        try:
            return await handler(request)
        except SmartTraderError as error:
            return JSONResponse({"error": str(error)}, 400)

    return respond


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise SettingsError("the body is not JSON") from None


def _not_found(_: Request, __: Exception) -> Response:
    return refusal(404, "Not found")
