"""The lake's views, as Spark's text in one file beside its schemas: whichever engine makes one, the other finds it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from dbt.adapters.sparkconnect.embedded.storage import Storage

VIEWS_FILE = "_views.json"


@dataclass(frozen=True, slots=True)
class View:
    """A view as its model wrote it.

    Attributes:
        sql: Spark's text of the query.
        comment: Its description, where persisted.
        columns: Descriptions of its columns, where persisted.
    """

    sql: str
    comment: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def views_in(storage: Storage) -> dict[str, View]:
    """Return a lake's views by `schema.name`.

    Raises:
        EmbeddedError: The file is no list of views.
    """
    text = storage.read(VIEWS_FILE)
    if text is None:
        return {}
    try:
        return {name: View(**view) for name, view in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise EmbeddedError(
            f"{storage.address}/{VIEWS_FILE} is no list of views ({exc}); delete it and build the views again: "
            "dbt run --select config.materialized:view"
        ) from exc


def save_views(storage: Storage, views: Mapping[str, View]) -> None:
    """Replace a lake's views."""
    storage.write(VIEWS_FILE, json.dumps({name: asdict(view) for name, view in sorted(views.items())}, indent=1))
