"""A small object store: objects in memory, with S3's answers to what a lake's identity and lock ask."""

from __future__ import annotations

import hashlib
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METHODS = ["GET", "HEAD", "PUT", "DELETE"]


def object_store(objects: dict[str, bytes]) -> Starlette:
    """Return a store that keeps its objects in a dict by `bucket/key`."""

    async def answer(request: Request) -> Response:
        key = request.path_params["path"].rstrip("/")
        if request.method == "PUT":
            return put(request, key, await request.body())
        if request.method == "DELETE":
            objects.pop(key, None)
            return Response(status_code=204)
        if "list-type" in request.query_params:
            return listing(key, request.query_params.get("prefix", ""))
        if key not in objects:
            missing = "<Error><Code>NoSuchKey</Code></Error>"
            return Response(missing, status_code=404, media_type="application/xml")
        headers = {"ETag": tag(objects[key]), "Last-Modified": formatdate(usegmt=True), "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return Response(headers=headers | {"Content-Length": str(len(objects[key]))})
        return Response(objects[key], headers=headers, media_type="application/octet-stream")

    def put(request: Request, key: str, body: bytes) -> Response:
        is_there, match = key in objects, request.headers.get("if-match")
        refused = request.headers.get("if-none-match") == "*" and is_there
        if refused or (match is not None and (not is_there or match != tag(objects[key]))):
            code = "<Error><Code>PreconditionFailed</Code></Error>"
            return Response(code, status_code=412, media_type="application/xml")
        objects[key] = body
        return Response(headers={"ETag": tag(body)})

    def listing(bucket: str, prefix: str) -> Response:
        found = [key.partition("/")[2] for key in sorted(objects) if key.startswith(f"{bucket}/{prefix}")]
        rows = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in found)
        text = f"<ListBucketResult><KeyCount>{len(found)}</KeyCount>{rows}</ListBucketResult>"
        return Response(text, media_type="application/xml")

    return Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)])


def tag(body: bytes) -> str:
    """Return an object's ETag."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
