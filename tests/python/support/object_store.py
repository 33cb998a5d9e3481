"""A small object store: objects in memory, with S3's answers to what a lake's identity, lock and tables request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import unquote
from xml.sax.saxutils import escape, unescape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METHODS = ["GET", "HEAD", "PUT", "DELETE", "POST"]


def object_store(objects: dict[str, bytes]) -> Starlette:
    """Return a store that keeps its objects in a dict by `bucket/key`."""

    async def answer(request: Request) -> Response:
        key = request.path_params["path"].rstrip("/")
        if request.method == "PUT":
            source = request.headers.get("x-amz-copy-source")
            return copied(unquote(source).lstrip("/"), key) if source else put(request, key, await request.body())
        if request.method == "DELETE":
            objects.pop(key, None)
            return Response(status_code=204)
        if request.method == "POST":
            for deleted in re.findall(r"<Key>([^<]*)</Key>", (await request.body()).decode()):
                objects.pop(f"{key}/{unescape(deleted)}", None)
            return Response("<DeleteResult/>", media_type="application/xml")
        if "list-type" in request.query_params:
            return listing(key, request.query_params)
        if request.method == "HEAD" and "/" not in key:
            # every bucket is there
            return Response()
        if key not in objects:
            missing = "<Error><Code>NoSuchKey</Code></Error>"
            return Response(missing, status_code=404, media_type="application/xml")
        headers = {"ETag": tag(objects[key]), "Last-Modified": formatdate(usegmt=True), "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return Response(headers=headers | {"Content-Length": str(len(objects[key]))})
        return got(objects[key], request.headers.get("range"), headers)

    def got(body: bytes, wanted: str | None, headers: dict[str, str]) -> Response:
        if not wanted:
            return Response(body, headers=headers, media_type="application/octet-stream")
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(len(body) - int(last), 0)
        end = min(int(last), len(body) - 1) if first and last else len(body) - 1
        shown = headers | {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
        return Response(body[start : end + 1], status_code=206, headers=shown, media_type="application/octet-stream")

    def put(request: Request, key: str, body: bytes) -> Response:
        is_there, match = key in objects, request.headers.get("if-match")
        refused = request.headers.get("if-none-match") == "*" and is_there
        if refused or (match is not None and (not is_there or match != tag(objects[key]))):
            code = "<Error><Code>PreconditionFailed</Code></Error>"
            return Response(code, status_code=412, media_type="application/xml")
        objects[key] = body
        return Response(headers={"ETag": tag(body)})

    def copied(source: str, key: str) -> Response:
        objects[key] = objects[source]
        text = f"<CopyObjectResult><ETag>{escape(tag(objects[key]))}</ETag></CopyObjectResult>"
        return Response(text, media_type="application/xml")

    def listing(bucket: str, query: Mapping[str, str]) -> Response:
        prefix, after, delimiter = (query.get(name, "") for name in ("prefix", "start-after", "delimiter"))
        found = [key.partition("/")[2] for key in sorted(objects) if key.startswith(f"{bucket}/{prefix}")]
        found = [key for key in found if key > after]
        folders = {prefix + key[len(prefix) :].partition("/")[0] + "/" for key in found if "/" in key[len(prefix) :]}
        if delimiter:
            found = [key for key in found if "/" not in key[len(prefix) :]]
        found = found[: int(query.get("max-keys", 1000))]
        rows = "".join(content(bucket, key) for key in found)
        if delimiter:
            rows += "".join(
                f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in sorted(folders)
            )
        text = (
            f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>"
            f"<KeyCount>{len(found)}</KeyCount>{rows}</ListBucketResult>"
        )
        return Response(text, media_type="application/xml")

    def content(bucket: str, key: str) -> str:
        body = objects[f"{bucket}/{key}"]
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{len(body)}</Size><ETag>{escape(tag(body))}</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        )

    return Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)])


def tag(body: bytes) -> str:
    """Return an object's ETag."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
