"""Views that a build stands on: each engine keeps its own, so that one made on the other may be missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def views_below(nodes: Mapping[str, Mapping[str, Any]], selected: Collection[str]) -> list[str]:
    """Return the views that selected nodes stand on and that are not built themselves; dbt calls this before a build.

    Args:
        nodes: dbt's nodes by id, as its macros see them.
        selected: Ids of what the command builds or tests.

    Returns:
        Their ids, each after those that it stands on itself.
    """
    ordered: list[str] = []
    seen: set[str] = set()

    def visit(key: str) -> None:
        if key in seen or key not in nodes:
            return
        seen.add(key)
        for parent in nodes[key].get("depends_on", {}).get("nodes", []):
            visit(parent)
        ordered.append(key)

    for key in selected:
        visit(key)
    chosen = set(selected)
    return [key for key in ordered if key not in chosen and nodes[key]["config"].get("materialized") == "view"]
