"""Secrets that can be recognised, and where they are looked for."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq


def forms(secret: str) -> set[bytes]:
    """Return a secret as it may be written: plain, quoted for JSON or an address, in two bytes a character, in base64."""
    plain = secret.encode()
    found = {plain, secret.encode("utf-16-le"), plain.hex().encode()}
    found |= {quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), secret.replace("/", r"\/").encode()}
    for before in range(3):
        # where a text in base64 begins within the whole decides its letters; those at its ends depend on neighbours
        encoded = base64.b64encode(b"\0" * before + plain)[4 if before else 0 : -4]
        found |= {encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def found_in(content: bytes, secrets: dict[str, str]) -> set[str]:
    """Return the names of the secrets that stand in some bytes."""
    return {name for name, secret in secrets.items() if any(form in content for form in forms(secret))}


def contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, and what they say where they are compressed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        # the server clears its scratch space while we look
        return
    yield content
    if path.suffix == ".gz":
        yield gzip.decompress(content)
    if path.suffix == ".parquet" and content:
        yield str(pq.ParquetFile(path).read().to_pydict()).encode()


def files_with(folders: Iterable[Path], secrets: dict[str, str], allowed: set[Path]) -> dict[str, set[str]]:
    """Return each file below some folders in which a secret stands, with the secrets' names."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path not in allowed:
                names = {name for content in contents(path) for name in found_in(content, secrets)}
                if names:
                    found[str(path)] = names
    return found
