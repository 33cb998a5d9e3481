"""The page of a lake whose tokens have hostile symbols, in a real browser that is offline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import MarketLake

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
READ_BY_WALLET = (("silver", "wallet_trades"), ("silver", "position_pnl"), ("gold", "skill_scores"))
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>window.hacked = 1</script>",
    "<!--<script>",
    '"><b onmouseover=alert(1)>bold</b>',
    "\u202egnp.exe",
    "A" * 300,
    "=HYPERLINK(1)",
    "javascript:alert(1)",
    "line\nbreak\ttab",
    "{{ 7 * 7 }}",
)


@pytest.fixture(scope="session")
def page_lake(calm: MarketLake, tmp_path_factory: pytest.TempPathFactory) -> MarketLake:
    """A copy of the market's lake, whose tokens have symbols by strangers."""
    home = tmp_path_factory.mktemp("page lake") / "lake"
    shutil.copytree(calm.engine.paths.home, home)
    lake = MarketLake(EmbeddedLake(home), calm.prefix)
    for schema, table in READ_BY_WALLET:
        # with the least and largest value of each column in the log, as `maintain` leaves a table
        location = lake.engine.paths.table(f"{lake.prefix}{schema}", table)
        write_deltalake(location, DeltaTable(location).to_pyarrow_table(), mode="overwrite")
    tokens = sorted({row["token_address"] for row in lake.rows("silver", "position_pnl")})
    symbols = [HOSTILE[number % len(HOSTILE)] for number in range(len(tokens))]
    # some tokens have none
    table = pa.table({"token_address": tokens[:-3], "symbol": symbols[:-3]})
    write_deltalake(
        lake.engine.paths.table(f"{lake.prefix}silver", "tokens"), table, mode="overwrite", schema_mode="overwrite"
    )
    return lake


@pytest.fixture(scope="session")
def page_file(page_lake: MarketLake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as the command writes it."""
    path = tmp_path_factory.mktemp("page") / "page of a lake.html"
    done = page_lake.smart_trader("report", "-o", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with playwright.sync_playwright() as driver:
        if program is None and not Path(driver.chromium.executable_path).exists():
            pytest.skip("this machine has no Chromium")
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Visit:
    """A page that is open, and what it asked for and complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """Return the text of the first element."""
        return str(self.page.locator(selector).first.inner_text())

    def column(self, key: str) -> list[str]:
        """Return the texts of a column of the list, top down."""
        return [str(text) for text in self.page.locator(f"#board td[data-key={key}]").all_inner_texts()]

    def ready(self) -> None:
        """Wait until every chart of the page is drawn."""
        self.page.wait_for_function("document.querySelectorAll('.chart[data-plotted=\"\"]').length === 0")


def open_page(browser: Any, path: Path, **options: Any) -> Visit:
    """Open a page in a browser without a network."""
    context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, "offline": True, **options})
    visit = Visit(context.new_page())
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on(
        "console", lambda line: visit.complaints.append(line.text) if line.type in ("error", "warning") else None
    )
    visit.page.on("dialog", lambda dialog: (visit.complaints.append(dialog.message), dialog.dismiss()))
    visit.page.goto(path.as_uri())
    visit.page.wait_for_selector("html[data-ready=yes]", state="attached")
    return visit


@pytest.fixture
def visit(browser: Any, page_file: Path) -> Iterator[Visit]:
    """The page, opened; whatever a test does with it, it asks for nothing and complains of nothing."""
    opened = open_page(browser, page_file)
    yield opened
    opened.ready()
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("blob:")] == [page_file.as_uri()]
    opened.page.context.close()
