"""What each node of the project is made by, and which nodes differ from what was built before."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from smart_trader.config.paths import LakePaths, project_root
from smart_trader.lake.delta import is_table
from smart_trader.pipeline.fingerprints import Fingerprint, ProjectCode, Source, digest

KINDS = ("model", "seed", "snapshot", "test")
# meta of a node: what makes rows built before wrong, so that it and all below are built from all rows.
FULL_REFRESH_ON = "full_refresh_on"
CHANGE, CODE, NEVER = "change", "code", "never"
# What is configured of a node and changes no row.
WORDS = frozenset({"docs", "group", "access", "tags", "description"})


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a node was built by.

    Attributes:
        own: Its own code, configuration and vars.
        build: The same, with all that it stands on: another value requires a build.
        rows: What rows of earlier builds depend on: another value requires a full refresh.
    """

    own: str
    build: str
    rows: str


class Nodes:
    """The nodes of a parsed project, with what each is made by.

    Args:
        nodes: dbt's nodes by id.
        code: The project's files.
    """

    def __init__(self, nodes: Mapping[str, Any], code: ProjectCode) -> None:
        self._nodes = {key: node for key, node in nodes.items() if node.resource_type in KINDS}
        self._code = code
        self.stamps: dict[str, Stamp] = {}
        for key in self._nodes:
            self._stamp(key)

    def _stamp(self, key: str) -> Stamp | None:
        """Stamp a node after those it stands on; a source has no stamp."""
        if key not in self._nodes:
            return None
        if key not in self.stamps:
            node = self._nodes[key]
            parents = [stamp for parent in sorted(node.depends_on_nodes) if (stamp := self._stamp(parent))]
            own = self._code.fingerprint(_source(node))
            self.stamps[key] = Stamp(
                own.full,
                digest([own.full, *(parent.build for parent in parents)]),
                _rows(node, own, [parent.rows for parent in parents]),
            )
        return self.stamps[key]

    def stale(self, built: Mapping[str, Stamp]) -> set[str]:
        """Return the nodes that differ from what was built, or that stand on one that does."""
        return {key for key, stamp in self.stamps.items() if key not in built or built[key].build != stamp.build}

    def remade(self, built: Mapping[str, Stamp]) -> set[str]:
        """Return the tables that have to be built from all rows, since their old rows are of another code."""
        return {
            key
            for key, stamp in self.stamps.items()
            if self._nodes[key].config.get("materialized") == "incremental"
            and self._nodes[key].config.get("full_refresh") is not False
            and (key not in built or built[key].rows != stamp.rows)
        }

    def edited(self, built: Mapping[str, Stamp]) -> list[str]:
        """Return the names of the nodes that differ themselves, tests left out."""
        return sorted(
            self.name(key)
            for key, stamp in self.stamps.items()
            if not self.is_kind(key, "test") and (key not in built or built[key].own != stamp.own)
        )

    def above(self, *names: str) -> set[str]:
        """Return some models and all that they stand on."""
        waiting = [key for key in self._nodes if self.name(key) in names and self.is_kind(key, "model")]
        found: set[str] = set()
        while waiting:
            key = waiting.pop()
            if key in self._nodes and key not in found:
                found.add(key)
                waiting += self._nodes[key].depends_on_nodes
        return found

    def below(self, names: Iterable[str], stops: Collection[str] = ()) -> set[str]:
        """Return some models, and the models and snapshots that stand on them, as far as some names; no view."""
        children: dict[str, list[str]] = {}
        for key in self.keys("model", "snapshot"):
            for parent in self._nodes[key].depends_on_nodes:
                children.setdefault(parent, []).append(key)
        wanted = set(names)
        waiting = [key for key in self.keys("model") if self.name(key) in wanted]
        found: set[str] = set()
        while waiting:
            key = waiting.pop()
            if key not in found and self.name(key) not in stops:
                found.add(key)
                waiting += children.get(key, [])
        return found - self.views()

    def views(self) -> set[str]:
        """Return the ids of the views, whose rows change without a build."""
        return {key for key in self.keys("model") if self._nodes[key].config.get("materialized") == "view"}

    def standing_views(self, paths: LakePaths) -> set[str]:
        """Return the ids of the views that can be made: all tables that they stand on are in the lake.

        A lake of an earlier version lacks the tables that this one adds, and they come with its next build.
        """
        views = self.views()
        return {
            view for view in views if all(self._is_there(key, paths) for key in self.above(self.name(view)) - views)
        }

    def _is_there(self, key: str, paths: LakePaths) -> bool:
        node = self._nodes[key]
        return is_table(paths.table(node.schema, node.alias))

    def keys(self, *kinds: str) -> set[str]:
        """Return the ids of the nodes of these resource types."""
        return {key for key in self._nodes if self.is_kind(key, *kinds)}

    def tests_of(self, keys: Collection[str]) -> set[str]:
        """Return the data tests that look at one of some nodes."""
        return {key for key in self.keys("test") if not set(keys).isdisjoint(self._nodes[key].depends_on_nodes)}

    def is_kind(self, key: str, *kinds: str) -> bool:
        """Whether a node is of one of these resource types."""
        return self._nodes[key].resource_type in kinds

    def name(self, key: str) -> str:
        """Return the name that dbt selects a node by."""
        return str(self._nodes[key].name)

    def names(self, keys: Iterable[str]) -> list[str]:
        """Return the names of nodes, sorted."""
        return sorted(map(self.name, keys))


def _rows(node: Any, own: Fingerprint, parents: list[str]) -> str:
    if node.resource_type in ("snapshot", "test") or node.config.get("full_refresh") is False:
        # earlier verdicts stay
        return NEVER
    when = (node.config.get("meta") or {}).get(FULL_REFRESH_ON, NEVER if node.resource_type == "seed" else CHANGE)
    if when == CHANGE:
        return digest([own.full, *parents])
    return own.code if when == CODE else NEVER


def _source(node: Any) -> Source:
    """Return what decides a node's rows: its code, and its configuration as the project writes it."""
    configured = {name: value for name, value in node.unrendered_config.items() if name not in WORDS}
    config = json.dumps(configured, sort_keys=True, default=str)
    if node.resource_type == "seed":
        return Source((project_root() / node.original_file_path).read_text(), "csv", config)
    if (metadata := getattr(node, "test_metadata", None)) is not None:
        config += json.dumps(metadata.to_dict(), sort_keys=True, default=str)
    return Source(node.raw_code, str(node.language), config)
