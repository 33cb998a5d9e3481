"""The page in a browser: what it shows is gold's, it can be sorted, filtered and taken away, and it asks for nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from smart_trader.report_page.columns import COLUMNS
from smart_trader.report_page.formats import NONE
from tests.python.support.market_lake import MarketLake

from .conftest import Visit, open_page

WIDTHS = (420, 900, 1400)
FEW = 3


@pytest.fixture(scope="session")
def board(page_lake: MarketLake) -> list[dict[str, Any]]:
    """Gold's list, best first."""
    rows = page_lake.rows("gold", "leaderboard")
    assert len(rows) > FEW
    return sorted(rows, key=lambda row: (row["overall_rank"] is None, row["overall_rank"], row["wallet_address"]))


def written(value: Any) -> str:
    """Money as the page writes it."""
    return f"{float(value):,.0f}" if abs(float(value)) >= 1000 else f"{float(value):,.2f}"


def saved(visit: Visit, button: str) -> str:
    with visit.page.expect_download() as waited:
        visit.page.click(button)
    return Path(waited.value.path()).read_text()


def test_the_list_shows_golds_figures_in_golds_order(visit: Visit, board: list[dict[str, Any]]) -> None:
    rows = visit.page.locator("#board tbody tr")
    assert [rows.nth(number).get_attribute("data-wallet") for number in range(rows.count())] == [
        row["wallet_address"] for row in board
    ]
    assert visit.column("total_pnl") == [written(row["total_pnl"]) for row in board]
    assert visit.column("roi") == [f"{float(row['roi']):,.1f} %" for row in board]
    assert visit.column("win_rate") == [f"{float(row['win_rate']):,.1f} %" for row in board]
    assert visit.column("grade") == [row["grade"] for row in board]
    assert visit.column("tier") == [row["tier"] for row in board]
    assert visit.column("skill_low") == [
        NONE if row["skill_low"] is None else f"{100 * row['skill_low']:+,.1f} %" for row in board
    ]
    assert visit.column("last_transaction") == [f"{row['last_transaction']:%Y-%m-%d}" for row in board]


def test_every_wallets_section_is_of_its_newest_calculation(
    visit: Visit, board: list[dict[str, Any]], page_lake: MarketLake
) -> None:
    positions = page_lake.rows("silver", "position_pnl")
    for row in board:
        visit.page.select_option("#chosen", row["wallet_address"])
        visit.ready()
        assert visit.text("#wallet-address") == row["wallet_address"]
        for key in ("total_pnl", "realized_pnl", "unrealized_pnl", "total_bought", "total_sold"):
            assert visit.text(f"#wallet-body dd[data-key={key}]") == written(row[key])
        mine = [one for one in positions if one["wallet_address"] == row["wallet_address"]]
        won = sum(one["gross_profit_usd"] for one in mine)
        lost = sum(one["gross_loss_usd"] for one in mine)
        factor = f"{won / lost:,.2f}" if lost else "no loss" if won else NONE
        assert visit.text("#wallet-body dd[data-key=profit_factor]") == factor
        assert visit.page.locator("#wallet-body [role=alert]").count() == 0


def test_a_curve_ends_at_golds_realized_profit(visit: Visit, board: list[dict[str, Any]]) -> None:
    wallets = visit.page.evaluate("JSON.parse(document.getElementById('data').textContent).wallets")
    for wallet, row in zip(wallets, board, strict=True):
        assert wallet["address"] == row["wallet_address"]
        assert wallet["curve"][-1][1] == pytest.approx(float(row["realized_pnl"]), abs=0.02)
        shown = sum(token["profit"] for token in wallet["tokens"]) + wallet["other_tokens"]["profit"]
        assert shown == pytest.approx(float(row["total_pnl"]), abs=0.001)


def test_a_click_on_a_head_sorts_and_another_turns_the_order(visit: Visit, board: list[dict[str, Any]]) -> None:
    by_profit = [written(row["total_pnl"]) for row in sorted(board, key=lambda row: -row["total_pnl"])]
    visit.page.click("#board th button[data-key=total_pnl]")
    assert visit.column("total_pnl") == by_profit
    assert visit.page.locator("#board th[aria-sort=descending]").inner_text().startswith("PnL")
    visit.page.click("#board th button[data-key=total_pnl]")
    assert visit.column("total_pnl") == by_profit[::-1]


def test_the_filter_takes_words_and_boxes(visit: Visit, board: list[dict[str, Any]]) -> None:
    address = board[2]["wallet_address"]
    visit.page.fill("#filter", address[:8].lower())
    assert visit.text("#count") == f"1 of {len(board)} shown"
    visit.page.fill("#filter", "nobody")
    assert visit.page.locator("#board tbody tr").count() == 0
    visit.page.fill("#filter", "")
    visit.page.check("#graded")
    assert set(visit.column("grade")) <= {"A", "B"}
    assert len(visit.column("grade")) == sum(row["grade"] in ("A", "B") for row in board)
    visit.page.uncheck("#graded")
    visit.page.check("#unflagged")
    assert len(visit.column("grade")) == sum(not row["flags"] for row in board)


def test_columns_are_chosen(visit: Visit, board: list[dict[str, Any]]) -> None:
    assert visit.column("smart_trader_score") == []
    visit.page.click("#chooser summary")
    visit.page.check("#columns input[value=smart_trader_score]")
    visit.page.uncheck("#columns input[value=roi]")
    assert visit.column("smart_trader_score") == [f"{float(row['smart_trader_score']):,.2f}" for row in board]
    assert visit.column("roi") == []
    visit.page.keyboard.press("Escape")
    assert not visit.page.locator("#columns").is_visible()


def test_the_wallet_stays_when_every_column_is_switched_off(visit: Visit, board: list[dict[str, Any]]) -> None:
    visit.page.click("#chooser summary")
    boxes = visit.page.locator("#columns input:checked:enabled")
    while boxes.count():
        boxes.first.uncheck()
    assert visit.page.locator("#columns input[value=address]").is_disabled()
    assert len(visit.column("address")) == len(board)
    assert visit.page.locator("#board thead th").count() == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_column_means_is_told_on_every_screen(browser: Any, page_file: Path, width: int) -> None:
    visit = open_page(browser, page_file, viewport={"width": width, "height": 900})
    visit.page.click("#meanings summary")
    meanings = visit.page.locator("#meanings dl div")
    assert [meanings.nth(number).inner_text().split("\n") for number in range(meanings.count())] == [
        [column.label, column.hint] for column in COLUMNS
    ]
    visit.page.click("#chooser summary")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.complaints == []
    visit.page.context.close()


def test_a_page_of_the_first_wallets_says_how_many_are_listed(
    browser: Any, page_lake: MarketLake, board: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    done = page_lake.smart_trader("report", "--top", str(FEW), "-o", str(path))
    assert done.returncode == 0, done.stderr
    listed = sum(not row["former"] for row in board)
    visit = open_page(browser, path)
    assert visit.text("#count") == f"{FEW} of {FEW} shown; {FEW} of {listed} listed are on this page"
    visit.page.fill("#filter", "nobody")
    assert visit.text("#count") == f"0 of {FEW} shown; {FEW} of {listed} listed are on this page"
    visit.page.context.close()


OPEN_COUNTS = """() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  return data.wallets.map(({ address, open }) => [address, open.count]);
}"""


def test_open_positions_are_counted_in_plain_words(visit: Visit) -> None:
    for wallet, number in visit.page.evaluate(OPEN_COUNTS):
        visit.page.select_option("#chosen", wallet)
        visit.ready()
        note = visit.text("#wallet-body .charts .note")
        wanted = {0: "It has no open position.", 1: "Dashed: with the 1 open position at its mark of"}
        assert note.startswith(wanted.get(number, f"Dashed: with the {number} open positions at their mark of"))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_date_is_broken_over_two_lines(browser: Any, page_file: Path, width: int) -> None:
    visit = open_page(browser, page_file, viewport={"width": width, "height": 900})
    assert visit.page.locator("header .date").count() > 0
    assert visit.page.evaluate(BROKEN_DATES) == []
    visit.page.context.close()


# Also a date that no element of its own holds.
BROKEN_DATES = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.offsetParent) continue;
    for (const found of node.data.matchAll(/\\d{4}-\\d{2}-\\d{2}/g)) {
      const range = document.createRange();
      range.setStart(node, found.index);
      range.setEnd(node, found.index + found[0].length);
      if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) broken.push(node.data);
    }
  }
  return broken;
}"""


def test_csv_and_json_hold_the_rows_shown_to_the_last_digit(visit: Visit, board: list[dict[str, Any]]) -> None:
    visit.page.fill("#filter", board[0]["tier"])
    wanted = [row for row in board if row["tier"] == board[0]["tier"]]
    from_csv = list(csv.DictReader(saved(visit, "#csv").splitlines()))
    assert [row["address"] for row in from_csv] == [row["wallet_address"] for row in wanted]
    assert [float(row["total_pnl"]) for row in from_csv] == [float(row["total_pnl"]) for row in wanted]
    assert {row["made_up"] for row in from_csv} == {"true"}
    from_json = json.loads(saved(visit, "#json"))
    assert [row["realized_pnl"] for row in from_json] == [float(row["realized_pnl"]) for row in wanted]


def test_a_row_opens_its_wallet(visit: Visit, board: list[dict[str, Any]]) -> None:
    wallet = board[FEW - 1]["wallet_address"]
    visit.page.click(f"#board tr[data-wallet='{wallet}'] .pick")
    visit.ready()
    assert visit.text("#wallet-address") == wallet
    assert visit.page.locator("#board tr.chosen").get_attribute("data-wallet") == wallet
    visit.page.click("#next")
    assert visit.text("#wallet-address") == board[FEW]["wallet_address"]
    visit.page.click("#previous")
    assert visit.text("#wallet-address") == wallet
    assert visit.page.locator("#wallet-body .chart svg").count() == 4


def test_two_wallets_are_compared(visit: Visit, board: list[dict[str, Any]], page_lake: MarketLake) -> None:
    one, other = board[0]["wallet_address"], board[FEW]["wallet_address"]
    visit.page.select_option("#first", one)
    visit.page.select_option("#second", other)
    visit.ready()
    tokens = [
        {
            row["token_address"]
            for row in page_lake.rows("silver", "position_pnl")
            if row["wallet_address"] == wallet and row["trade_count"] > 0
        }
        for wallet in (one, other)
    ]
    assert f"Tokens in common: {len(tokens[0] & tokens[1])}" in visit.text("#compare-body")
    assert written(board[FEW]["total_pnl"]) in visit.text("#compare-body")
    visit.page.select_option("#second", one)
    assert "Choose two wallets" in visit.text("#compare-body")


def test_the_keyboard_reaches_what_the_mouse_does(visit: Visit, board: list[dict[str, Any]]) -> None:
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "skip"
    visit.page.locator("#board th button[data-key=roi]").focus()
    visit.page.keyboard.press("Enter")
    assert visit.column("roi")[0] == f"{max(float(row['roi']) for row in board):,.1f} %"
    # the head is drawn anew; whoever sorts by keyboard stays where they are
    assert visit.page.evaluate("document.activeElement.dataset.key") == "roi"
    visit.page.locator("#board .pick").nth(1).focus()
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "chosen"
    visit.page.keyboard.press("ArrowDown")
    visit.ready()


def test_links_name_no_referrer(visit: Visit, board: list[dict[str, Any]]) -> None:
    links = visit.page.locator("a[href^='https:']")
    assert links.count() >= 3 * len(board)
    for number in range(links.count()):
        assert "noreferrer" in links.nth(number).get_attribute("rel")
    wallet = board[0]["wallet_address"]
    for address in ("https://solscan.io/account/", "https://birdeye.so/profile/", "https://gmgn.ai/sol/address/"):
        assert visit.page.locator(f"#board a[href='{address}{wallet}']").count() == 1


def test_symbols_of_strangers_are_text(visit: Visit, board: list[dict[str, Any]]) -> None:
    seen = set()
    for row in board:
        visit.page.select_option("#chosen", row["wallet_address"])
        visit.ready()
        seen |= set(visit.page.locator("bdi.symbol").all_text_contents())
    assert "<!--<script>" in seen
    assert "</script><script>window…" in seen
    assert "\\u202egnp.exe" in seen
    assert "line\\nbreak\\ttab" in seen
    assert all(len(symbol) <= 24 for symbol in seen)
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.locator("img, main script, main b, iframe").count() == 0


def test_a_tip_shows_a_symbol_as_text(visit: Visit) -> None:
    bars = visit.page.locator("#wallet-body .chart").nth(1).locator("svg path[aria-roledescription=bar]")
    bars.first.hover()
    tip = visit.page.locator("#tip")
    tip.wait_for(state="visible")
    assert "profit, USD" in tip.inner_text()
    assert tip.locator("img, script, b").count() == 0


def test_charts_follow_the_colour_scheme(visit: Visit) -> None:
    bars = visit.page.locator("#wallet-body .chart").nth(1).locator("path[aria-roledescription=bar]")
    before = bars.first.get_attribute("fill")
    visit.page.emulate_media(color_scheme="dark")
    visit.page.wait_for_function(
        "fill => [...document.querySelectorAll('#wallet-body path[aria-roledescription=bar]')]"
        ".every(bar => bar.getAttribute('fill') !== fill)",
        arg=before,
    )
    assert visit.page.locator("#wallet-body .chart svg").count() == 4


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    visit = open_page(browser, page_file, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.complaints == []
    visit.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(browser: Any, page_file: Path, scheme: str) -> None:
    """Every colour of a text reaches 4.5 to 1, what WCAG asks of text of this size."""
    visit = open_page(browser, page_file, color_scheme=scheme)
    weak = visit.page.evaluate(CONTRAST)
    assert weak == []
    visit.page.context.close()


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const weak = new Set();
  for (const node of document.querySelectorAll("body *")) {
    if (!node.offsetParent || node.closest("svg") || ![...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) weak.add(`${node.tagName}.${node.className}`);
  }
  return [...weak];
}"""
