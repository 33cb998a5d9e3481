"""Transpiled queries by the hash of their text, in the lake: reading a long one costs more than running it."""

import hashlib
import json
import os
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path

from dbt.adapters.sparkconnect.embedded.outline import as_json, from_json
from dbt.adapters.sparkconnect.embedded.transpile import Query, Relation, transpiled

#: Length from which a query is worth a file.
LONG = 2_000
KEPT_DAYS = 30


class QueryCache:
    """Queries of one lake; whatever is wrong with a file, its query is transpiled again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        oldest = time.time() - KEPT_DAYS * 86400
        for entry in os.scandir(folder):
            if entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)

    def query(self, statement: str) -> Query:
        """Return a Spark query as DuckDB's.

        Raises:
            EmbeddedError: It is refused, or cannot be read; that is not kept.
        """
        if len(statement) < LONG:
            return transpiled(statement)
        path = self._folder / f"{hashlib.sha256(f'{_version()}{statement}'.encode()).hexdigest()}.json"
        known = _read(path)
        if known is not None:
            return known
        query = transpiled(statement)
        content = {
            "text": query.text,
            "relations": [[one.schema, one.name] for one in query.relations],
            "outline": as_json(query.outline),
        }
        new = path.with_suffix(f".{os.getpid()}.new")
        new.write_text(json.dumps(content), encoding="utf-8")
        os.replace(new, path)
        return query


def _read(path: Path) -> Query | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        relations = tuple(Relation(schema, name) for schema, name in content["relations"])
        return Query(str(content["text"]), relations, from_json(content["outline"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@cache
def _version() -> str:
    """Return what a transpiled text depends on besides its query: sqlglot's version and this package's own code."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return f"{version('sqlglot')} {hashlib.sha256(code).hexdigest()}"
