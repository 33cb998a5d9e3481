"""`smart-trader docs`: one page that shows every table, loads nothing from elsewhere and is served on loopback alone."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smart_trader.errors import SmartTraderError
from smart_trader.pipeline.docs import make_app, serve_docs
from smart_trader.sandbox.running import listening, serving
from tests.python.support.engine import SECRETS, EmbeddedLake
from tests.python.support.market_lake import MarketLake

PAGE = "<!doctype html><title>tables</title>"
READ_BY_OTHERS = ("silver", "gold", "snapshots")


@dataclass(frozen=True)
class Docs:
    """What `smart-trader docs` wrote: the page, and what dbt knows of the project and of the lake's tables."""

    page: Path
    manifest: dict[str, Any]
    catalog: dict[str, Any]


def write(lake: MarketLake, **environment: str) -> Docs:
    done = lake.smart_trader("docs", "--no-serve", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    page = Path(done.stdout.strip())
    return Docs(page, *(json.loads((page.parent / f"{name}.json").read_text()) for name in ("manifest", "catalog")))


@pytest.fixture(scope="module")
def docs(calm: MarketLake, tmp_path_factory: pytest.TempPathFactory) -> Docs:
    """The page of the market's lake, written into another folder."""
    home = tmp_path_factory.mktemp("docs")
    return write(calm, LAKEHOUSE_HOME=str(home), LAKEHOUSE_URI=str(calm.engine.paths.local_root), **SECRETS)


def test_every_column_that_is_shown_is_described_and_every_description_is_of_a_column(docs: Docs) -> None:
    undescribed, unknown, unseen = [], [], []
    for key, node in docs.manifest["nodes"].items():
        if node["resource_type"] not in ("model", "seed", "snapshot"):
            continue
        if key not in docs.catalog["nodes"]:
            unseen.append(node["name"])
            continue
        described = {name for name, column in node["columns"].items() if column["description"].strip()}
        there = set(docs.catalog["nodes"][key]["columns"])
        undescribed += [f"{node['name']}.{name}" for name in sorted(there - described)]
        unknown += [f"{node['name']}.{name}" for name in sorted(described - there)]
    assert (undescribed, unknown, unseen) == ([], [], [])


def test_a_column_has_its_type(docs: Docs) -> None:
    columns = docs.catalog["nodes"]["model.smart_trader.leaderboard"]["columns"]
    assert columns["wallet_address"]["type"] == "string"
    assert columns["total_pnl"]["type"] == "decimal(38,6)"


def test_it_begins_with_the_projects_own_words_whose_links_lead_somewhere(docs: Docs) -> None:
    overview = docs.manifest["docs"]["doc.smart_trader.__overview__"]["block_contents"]
    assert overview.startswith("# Smart Trader")
    linked = set(re.findall(r"\(#!/model/([\w.]+)\)", overview))
    assert len(linked) > 10
    assert linked <= set(docs.manifest["nodes"])


def test_each_layer_has_a_colour_of_its_own(docs: Docs) -> None:
    colours: dict[str, set[str]] = {}
    for node in docs.manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed", "snapshot"):
            layer = node["fqn"][1] if node["resource_type"] == "model" else node["resource_type"]
            layer = "loads" if "loads" in node["fqn"] else layer
            colours.setdefault(layer, set()).add(node["config"]["docs"]["node_color"])
    assert set(colours) == {"silver", "loads", "gold", "seed", "snapshot"}
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == len(colours)


def test_the_graph_ends_in_what_reads_the_tables(docs: Docs) -> None:
    """A table that nothing else is made of is what somebody reads."""
    nodes = docs.manifest["nodes"]
    made_of = {
        parent
        for node in nodes.values()
        if node["resource_type"] in ("model", "snapshot")
        for parent in node["depends_on"]["nodes"]
    }
    exposed = {key for node in docs.manifest["exposures"].values() for key in node["depends_on"]["nodes"]}
    models = {key for key, node in nodes.items() if node["resource_type"] == "model"}
    assert models - made_of - exposed == set()
    assert {f"model.smart_trader.{name}_fetch_queue" for name in ("whale", "transaction", "price", "launch")} <= exposed
    assert "model.smart_trader.leaderboard" in exposed


def test_the_page_holds_all_it_shows_and_loads_nothing_from_elsewhere(docs: Docs) -> None:
    page = docs.page.read_text()
    assert '"model.smart_trader.leaderboard"' in page
    assert "MANIFEST.JSON INLINE DATA" not in page
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//[^>]*>", page) == []
    # else it would count its readers
    assert docs.manifest["metadata"]["send_anonymous_usage_stats"] is False


def test_the_page_holds_no_secret(docs: Docs) -> None:
    written = [path for path in docs.page.parent.rglob("*") if path.is_file()]
    assert [path.name for path in written for secret in SECRETS.values() if secret.encode() in path.read_bytes()] == []


@pytest.mark.full
def test_no_lake_is_needed(tmp_path: Path) -> None:
    docs = write(MarketLake(EmbeddedLake(tmp_path / "nothing")), DBT_TARGET="spark")
    assert docs.catalog["nodes"] == {}
    assert "model.smart_trader.leaderboard" in docs.manifest["nodes"]


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_the_page_alone_is_served_and_to_this_machine_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    (tmp_path / "manifest.json").write_text("{}")
    with serving(make_app(page)) as url:
        assert url.startswith("http://127.0.0.1:")
        assert get(url) == (200, PAGE)
        assert get(f"{url}/manifest.json")[0] == 404
        assert get(url, Host="elsewhere.example")[0] == 400


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with listening(0) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(SmartTraderError, match=f"port {port} cannot be used"):
            serve_docs(tmp_path / "page.html", port, print)
