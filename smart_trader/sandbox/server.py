"""HTTP around the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from smart_trader.sandbox.answers import RefusedError, token_holders, token_list, wallet_swaps
from smart_trader.sandbox.replay import Recordings, render

Answer = Callable[[Recordings, Mapping[str, str]], dict[str, Any]]

ROUTES: dict[str, Answer] = {
    "/defi/v3/token/list": token_list,
    "/defi/v3/token/holder": token_holders,
    "/trader/txs/seek_by_time": wallet_swaps,
}


def replay_app(recordings: Recordings) -> Starlette:
    """Return the API over some recordings. Any key is accepted, none is refused."""

    def endpoint(answer: Answer) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            if not request.headers.get("x-api-key"):
                return _body(401, {"success": False, "message": "Unauthorized"})
            try:
                return _body(200, {"success": True, "data": answer(recordings, request.query_params)})
            except RefusedError as refused:
                return _body(refused.status, {"success": False, "message": refused.message})

        return respond

    def not_found(_: Request, __: Exception) -> Response:
        return _body(404, {"success": False, "message": "Not found"})

    routes = [Route(path, endpoint(answer)) for path, answer in ROUTES.items()]
    return Starlette(routes=routes, exception_handlers={404: not_found})


def _body(status: int, content: dict[str, Any]) -> Response:
    return Response(render(content), status_code=status, media_type="application/json")
