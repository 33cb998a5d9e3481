"""Views of a lake that a Spark server and the embedded engine work on in turn.

A view is in no folder: Spark has it in its catalog, the embedded engine in a file of the lake. Spark's sessions keep
that file as well, and create from it what their catalog lacks.
"""

import re
import threading
from collections.abc import Mapping
from urllib.parse import unquote

from dbt.adapters.sparkconnect.embedded.storage import Storage
from dbt.adapters.sparkconnect.embedded.views import View, save_views, views_in

WAREHOUSE = "${spark.sql.warehouse.dir}"
_BLANKS = re.compile(r"\s+")
#: Whole lines and blocks of comments before and after a query.
_COMMENTS_AROUND = re.compile(r"\A(?:\s|--[^\n]*\n|/\*.*?\*/)+|(?:\n\s*--[^\n]*|\s)+\Z", re.DOTALL)
# dbt's threads make views at once, and the file is replaced as a whole
_writing = threading.Lock()


class SharedViews:
    """The file of views, for commands on Spark.

    Args:
        storage: Where the lake lies.
        root: The same place as the server names it.
    """

    def __init__(self, storage: Storage, root: str) -> None:
        self._storage = storage
        self._root = root

    def all(self) -> dict[str, View]:
        """Return the views by `schema.name`."""
        return views_in(self._storage)

    def record(self, name: str, view: View) -> None:
        """Add a view that Spark has made, or replace it."""
        with _writing:
            known = self.all()
            if known.get(name) != view:
                save_views(self._storage, {**known, name: view})

    def forget(self, name: str) -> None:
        """Take out a view, or with `schema.*` those of a schema."""
        with _writing:
            known = self.all()
            kept = {key: view for key, view in known.items() if not _is_named(key, name)}
            if kept != known:
                save_views(self._storage, kept)

    def to_create(self, known: Mapping[str, str]) -> dict[str, View]:
        """Return the views that Spark's catalog lacks, or has with another text.

        Args:
            known: What `show table extended` shows of each relation, by `schema.name`.
        """
        found = {}
        for name, view in self.all().items():
            facts = known.get(name)
            # where Spark has a table of that name by now, it stays
            if facts is None or ("Type: VIEW" in facts and not self._has_text(facts, view)):
                found[name] = view
        return found

    def _has_text(self, facts: str, view: View) -> bool:
        # Spark keeps the text with its variables filled in, from the query's first word to its last
        text = _COMMENTS_AROUND.sub("", view.sql.replace(WAREHOUSE, self._root))
        return _condense(text) in _condense(facts)


def statement(name: str, view: View) -> str:
    """Return Spark's statement that makes a view."""
    schema, _, own = name.partition(".")
    comment = ""
    if view.comment:
        text = view.comment.replace("\\", "\\\\").replace("'", "\\'")
        comment = f" comment '{text}'"
    return f"create or replace view `{schema}`.`{own}`{comment} as {view.sql}"


def is_same_place(address: str, root: str) -> bool:
    """Return whether a lake's address and a server's warehouse are one place."""
    places = [
        re.sub(r"^(?:file:/*(?=/)|s3a?://)", "", unquote(text) if text.startswith("file:") else text).rstrip("/")
        for text in (address, root)
    ]
    return places[0] == places[1]


def _is_named(key: str, name: str) -> bool:
    return key.startswith(name[:-1]) if name.endswith(".*") else key == name


def _condense(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
