"""Every data test says what it is about, and fails the build or warns accordingly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.python.support.engine import PROJECT

KINDS = {"code": "error", "wallet": "error", "settings": "error", "data": "warn"}


def configs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each data test's name and config, generic ones and singular ones."""
    for folder in ("models", "seeds", "snapshots"):
        for path in sorted((PROJECT / folder).rglob("*.yml")):
            for nodes in yaml.safe_load(path.read_text()).values():
                for node in nodes if isinstance(nodes, list) else []:
                    for test in node.get("data_tests", []):
                        (arguments,) = test.values()
                        yield arguments["name"], arguments.get("config", {})
    for path in sorted((PROJECT / "tests").glob("*.sql")):
        found = re.search(
            r"config\((severity='(?P<severity>\w+)', )?meta=\{'kind': '(?P<kind>\w+)'\}\)", path.read_text()
        )
        config = found.groupdict() if found else {}
        severity = {"severity": config["severity"]} if config.get("severity") else {}
        yield path.stem, {"meta": {"kind": config.get("kind")}, **severity}


@pytest.mark.parametrize(("name", "config"), configs(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_data_test_names_its_kind(name: str, config: dict[str, Any]) -> None:
    kind = config.get("meta", {}).get("kind")
    assert config.get("severity", "error") == KINDS.get(str(kind)), f"{name} is about {kind!r}"
