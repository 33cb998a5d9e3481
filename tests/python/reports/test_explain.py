"""`explain` on lakes of a few rows: one of before there were grades, who was listed once, and what caps a tier."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake
from smart_trader.reports.explain import explanation
from smart_trader.reports.explain_json import explanation_content
from smart_trader.reports.exports import json_text
from smart_trader.reports.tables import PLAIN, Screen, prose
from smart_trader.reports.verdict import verdict_sentence
from smart_trader.reports.wallet_facts import find_position, read_wallet
from smart_trader.sandbox.market.names import address

AT = datetime(2026, 9, 21, 9, tzinfo=UTC)
WALLET = address(1, "wallet", 0)
TOKENS = [address(1, "token", number) for number in range(14)]
MINE: dict[str, Any] = {"wallet_address": WALLET, "calculation_date": AT}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of before there were grades: one wallet, which made a profit in twelve tokens and lost in two."""
    monkeypatch.delenv("DBT_TARGET", raising=False)
    made = Lake(LakePaths(tmp_path, str(tmp_path)))
    total = {**MINE, "token_address": "ALL_TOKENS", "data_source": "sandbox", "total_pnl": Decimal("5.5")}
    write(made, "silver", "wallet_pnl", total)
    write(made, "silver", "position_pnl", *(position(number) for number in range(14)))
    write(made, "silver", "qualification_minimums", {"metric": "total_pnl", "minimum": 10.0})
    verdict = {"is_qualified": False, "failed_rules": "total_pnl, basis_coverage, too_active, quarantined:some_check"}
    figures = {"total_pnl": Decimal("5.5"), "basis_coverage": None, "tier": None}
    write(made, "gold", "trader_evaluations", {**MINE, **verdict, **figures})
    return made


def write(lake: Lake, schema: str, table: str, *rows: dict[str, Any]) -> None:
    write_deltalake(
        lake.location(schema, table), pa.Table.from_pylist(list(rows)), mode="overwrite", schema_mode="overwrite"
    )


def position(number: int) -> dict[str, Any]:
    """Token n made n USD on 10; the last two lost 5 and 50."""
    profit = {12: -5, 13: -50}.get(number, number + 1)
    return {
        **MINE,
        "token_address": TOKENS[number],
        "realized_pnl_usd": Decimal(profit),
        "open_value_usd": Decimal(0),
        "open_cost_usd": Decimal(0),
        "cost_of_sold_usd": Decimal(10),
        "trade_count": 2,
        "unmatched_proceeds_usd": Decimal(3 if number == 0 else 0),
    }


def told(lake: Lake, screen: Screen = PLAIN, *, show_all: bool = False) -> list[str]:
    lines = explanation(read_wallet(lake, WALLET), screen, show_all=show_all).splitlines()
    assert max(map(len, lines)) <= (screen.width or 120)
    assert lines[0].startswith("MADE-UP MARKET")
    return lines[1:]


def listed(lake: Lake, tier: str | None, grade: str, **more: Any) -> None:
    """Put the wallet where a grade leaves it."""
    standing = {"is_listed": tier is not None, "unlisted_reason": None, "tier": tier, "uncapped_tier": "ELITE"}
    more = {"smart_trader_score": Decimal(50), "is_qualified": True, "failed_rules": None, **more}
    write(lake, "gold", "wallet_standings", {**MINE, **standing, "grade": grade, **more})
    verdict = {"is_qualified": True, "failed_rules": "", "tier": tier, "smart_trader_score": Decimal(50)}
    write(lake, "gold", "trader_evaluations", {**MINE, **verdict})
    grades = zip("ABCD", ("ELITE", "STRONG", "PROMISING", "QUALIFIED"), strict=True)
    write(lake, "silver", "grade_tiers", *({"grade": name, "best_tier": best} for name, best in grades))


def flag(name: str, severity: str, cap: str | None, sentence: str = "A sentence.") -> dict[str, Any]:
    return {
        **MINE,
        "flag": name,
        "severity": severity,
        "tier_cap": cap,
        "value": 0.5,
        "bound": 0.4,
        "sentence": sentence,
    }


def board(lake: Lake, **row: Any) -> None:
    # a second wallet is listed
    other = {"wallet_address": "other", "overall_rank": 1, "former": False, "tier": "ELITE"}
    rest = {"former_since": None, "former_reason": None}
    write(lake, "gold", "leaderboard", {**other, **rest}, {"wallet_address": WALLET, **rest, **row})


def test_a_lake_without_grades_tells_verdict_minimums_and_profit(lake: Lake) -> None:
    lines = told(lake)
    verdict = " ".join(lines[: lines.index("")])
    assert verdict.startswith(f"{WALLET} does not qualify (total_pnl, basis_coverage, too_active, quarantined:")
    assert verdict.endswith("Calculated 2026-09-21 09:00 UTC from sandbox data.")
    # a figure below its minimum, one that is not known, a rule without a figure, a broken check
    failed = lines[lines.index("Rules it failed") + 1 :][:5]
    assert [" ".join(line.split()) for line in failed] == [
        "total_pnl 5.50 at least 10",
        "basis_coverage - at least 0.9",
        "too_active wanted: 20,000 swaps at most",
        "quarantined:some_check",
        "broke a check, see silver.calculation_checks",
    ]
    assert not [line for line in lines if line.startswith(("Grade", "Flags"))]


def tokens_told(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines if line.startswith(tuple(TOKENS))]


def test_the_ten_tokens_that_matter_most_are_told_and_what_all_came_to(lake: Lake) -> None:
    lines = told(lake)
    rows = tokens_told(lines)
    # the loss of 50 is the largest, then profits of 12 down to 6, then the loss of 5, which is before the profit of 5
    assert [row[0] for row in rows] == [TOKENS[number] for number in (13, 11, 10, 9, 8, 7, 6, 5, *best_of_fives())]
    assert rows[0][1:] == ["-50.00", "-", "-500.0", "%", "2", "-"]
    # 12 of 78 USD, and 120 % of what was put in; no launch is known
    assert rows[1][1:] == ["12.00", "15.4", "%", "+120.0", "%", "2", "-"]
    told_after = " ".join(lines)
    assert "12 tokens made 78.00 USD, 2 tokens lost 55.00 USD. 4 more: --all." in told_after
    assert "share: of what tokens with a profit made; age: the token's at the first trade" in told_after
    assert "3.00 from tokens whose purchase is not known; they earn nothing here" in " ".join(told_after.split())


def best_of_fives() -> list[int]:
    """The two of 5 USD, in the order of their addresses."""
    return sorted((4, 12), key=lambda number: TOKENS[number])


def test_all_tokens_are_told_when_asked_for(lake: Lake) -> None:
    assert len(tokens_told(told(lake, show_all=True))) == 14


@pytest.mark.parametrize("width", [60, 80, 120])
def test_symbols_stand_beside_tokens_and_strangers_text_stays_in_its_cell(lake: Lake, width: int) -> None:
    symbols = {13: "\x1b[31mRED", 11: "A" * 40, 10: "B\nC", 9: "[bold]X[/bold]"}
    rows = [{"token_address": TOKENS[number], "symbol": text} for number, text in symbols.items()]
    write(lake, "silver", "tokens", *rows)
    lines = told(lake, Screen(width))
    assert not [line for line in lines if "\x1b" in line]
    text = "\n".join(told(lake))
    assert all(shown in text for shown in ("\\x1b[31mRED", "AAAAAAAAAAAAAAA…", "B\\nC", "[bold]X[/bold]"))
    content = explanation_content(read_wallet(lake, WALLET))
    assert [row["symbol"] for row in content["tokens"]][:2] == ["A" * 40, "B\nC"]


@pytest.mark.parametrize(
    ("text", "number"),
    [(TOKENS[3], 3), (TOKENS[3][:12], 3), ("pepe", 5), ("PEPE ", 5), ("doge", 6)],
    ids=["whole", "start", "small-letters", "capitals", "symbol-that-ends-in-a-space"],
)
def test_a_position_is_found_by_address_beginning_and_symbol(lake: Lake, text: str, number: int) -> None:
    symbols = {5: "Pepe", 6: "Doge "}
    rows = [{"token_address": TOKENS[token], "symbol": symbol} for token, symbol in symbols.items()]
    write(lake, "silver", "tokens", *rows)
    assert find_position(read_wallet(lake, WALLET), text)["token_address"] == TOKENS[number]


def test_a_symbol_of_two_tokens_and_one_of_none_are_refused(lake: Lake) -> None:
    write(lake, "silver", "tokens", *({"token_address": TOKENS[number], "symbol": "PEPE"} for number in (5, 6)))
    facts = read_wallet(lake, WALLET)
    with pytest.raises(SmartTraderError) as raised:
        find_position(facts, "pepe")
    assert all(TOKENS[number] in str(raised.value) for number in (5, 6))
    for nothing in ("", "nope"):
        with pytest.raises(SmartTraderError, match="has no position in a token"):
            find_position(facts, nothing)


def test_json_holds_everything_exactly(lake: Lake) -> None:
    content = json.loads(json_text(explanation_content(read_wallet(lake, WALLET))))
    assert list(content) == [
        "wallet_address", "data_source", "is_real", "calculated_at", "calculations", "account", "verdict",
        "failed_rules", "grade", "flags", "figures", "tokens", "certainty", "verdicts",
    ]  # fmt: skip
    assert (content["data_source"], content["is_real"]) == ("sandbox", False)
    assert len(content["tokens"]) == 14
    assert content["failed_rules"][:2] == [
        {"rule": "total_pnl", "value": 5.5, "wanted": "10"},
        {"rule": "basis_coverage", "value": None, "wanted": "0.9"},
    ]
    assert content["certainty"]["unmatched_proceeds_usd"] == 3


def covered(lake: Lake, swaps: int) -> None:
    more = {"swap_count": swaps, "is_history_complete": True, "is_too_active": False, "covered_batch": 1}
    write(lake, "silver", "pnl_due_wallets", {**MINE, **more})


def test_a_wallet_without_swaps_is_said_to_have_none(lake: Lake) -> None:
    covered(lake, 0)
    text = " ".join(told(lake))
    assert f"{WALLET} has no swaps: it was fetched, and its history is known to its beginning" in text
    assert "total_pnl" not in text


def test_a_wallet_without_positions_is_explained_where_symbols_are_known(lake: Lake) -> None:
    write(lake, "silver", "tokens", {"token_address": TOKENS[5], "symbol": "Pepe"})
    write(lake, "silver", "position_pnl", {**position(5), "wallet_address": "other"})
    assert f"{WALLET} has no swaps" in " ".join(told(lake))
    assert explanation_content(read_wallet(lake, WALLET))["tokens"] == []


def test_what_the_figures_rest_on_is_told(lake: Lake) -> None:
    covered(lake, 1200)
    more = {"round_trip_count": 2, "round_trip_usd": Decimal("7.5"), "mark_source": "none", "open_quantity": 5.0}
    rows = [{**position(number), **more, "balance_quantity": 4.0, "unknown_basis_lot_count": 1} for number in (1, 2)]
    rows[0] |= {"open_cost_usd": Decimal(3), "unpriced_disposal_cost_usd": Decimal(9)}
    rows[1] |= {"unpriced_disposal_cost_usd": Decimal(0)}
    write(lake, "silver", "position_pnl", *rows)
    write(lake, "silver", "quote_assets", {"mint": "SOL"}, {"mint": "USDC"})
    legs = [("SOL", "USDC"), ("SOL", "A"), ("A", "SOL")]
    write(lake, "silver", "wallet_swaps", *(
        {**MINE, "pool_address": "pool", "sold_token_address": sold, "bought_token_address": bought}
        for sold, bought in legs
    ))  # fmt: skip
    lines = told(lake)
    found = [" ".join(line.split()) for line in lines[lines.index("How sure that is") + 1 :]]
    assert [line for line in found if line][:8] == [
        "history whole the whole one is asked for",
        "swaps 1,200 at most 20,000",
        "swaps of money for money 1 no trades",
        "bought and sold in one transaction 4 brought 15.00 USD, in no profit",
        "buys whose cost is not known 2",
        "cost of sales without a price, USD 9.00",
        "what was sold without a price had cost; in no profit or loss",
        "positions capped by the balance 2",
    ]
    assert "open positions without a price 1 worth nothing here" in found


def test_past_verdicts_are_told_the_newest_first(lake: Lake) -> None:
    figures = {"total_pnl": Decimal("5.5"), "basis_coverage": None, "tier": None}
    verdict = {"is_qualified": False, "failed_rules": "total_pnl"}
    days = [{**MINE, **verdict, **figures, "calculation_date": AT - timedelta(days=day)} for day in range(8)]
    write(lake, "gold", "trader_evaluations", *days)
    lines = told(lake)
    rows = lines[lines.index("Past verdicts") + 2 :]
    assert [row[:16] for row in rows[:5]] == [f"2026-09-{day} 09:00" for day in (20, 19, 18, 17, 16)]
    assert rows[0].split()[2:] == ["not", "qualified", "-", "-", "5.50", "total_pnl"]
    assert rows[5:] == ["2 more: --all"]
    assert len(told(lake, show_all=True)) > len(lines)


def test_ages_and_the_token_that_led_to_the_wallet_are_told(lake: Lake) -> None:
    seconds = {11: 90, 10: 7200, 9: 200_000, 8: -30}
    rows = [
        {**MINE, "token_address": TOKENS[number], "seconds_after_launch": age, "is_trigger": number == 10}
        for number, age in seconds.items()
    ]
    write(lake, "silver", "position_returns", *rows)
    lines = told(lake)
    ages = {row[0]: row[-2:] for row in tokens_told(lines)}
    assert [ages[TOKENS[number]] for number in seconds] == [["90", "s"], ["2", "h"], ["2", "d"], ["-30", "s"]]
    marks = {row[0]: row[1] for row in tokens_told(lines) if row[1] in "*^"}
    assert marks == {TOKENS[10]: "*", TOKENS[11]: "^"}
    assert "* the wallet was found by this token, which is in no grade" in lines
    assert "^ bought within 30 minutes of launch, which is in no grade" in lines


@pytest.mark.parametrize(
    ("tier", "grade", "flags", "said"),
    [
        pytest.param("ELITE", "A", [], None, id="nothing-caps"),
        pytest.param("STRONG", "B", [], "grade B allows STRONG at most", id="grade"),
        pytest.param(
            "PROMISING", "A", [("launch_unknown", "PROMISING")], "the flag launch_unknown allows PROMISING", id="flag"
        ),
        pytest.param("QUALIFIED", "D", [("followed", "QUALIFIED")], "grade D and the flag followed allow", id="both"),
    ],
)
def test_a_listed_wallet_learns_what_caps_its_tier(
    lake: Lake, tier: str, grade: str, flags: list[tuple[str, str]], said: str | None
) -> None:
    listed(lake, tier, grade)
    board(lake, overall_rank=2, former=False, tier=tier)
    if flags:
        write(lake, "gold", "wallet_flags", *(flag(name, "cap", cap) for name, cap in flags))
    lines = told(lake)
    assert " ".join(lines[:2]).startswith(f"{WALLET} is listed: rank 2 of 2, tier {tier}, grade {grade}.")
    text = " ".join(lines)
    assert ("By its size it would be ELITE" in text) == (said is not None)
    assert said is None or said in text


def test_a_former_trader_learns_since_when_and_why(lake: Lake) -> None:
    listed(lake, None, "X", unlisted_reason="flagged: launch")
    since = datetime(2026, 9, 20, 21, tzinfo=UTC)
    board(lake, overall_rank=None, former=True, tier="STRONG", former_since=since, former_reason="flagged: launch")
    write(
        lake, "gold", "wallet_flags", flag("one_hit", "soft", None), flag("launch", "hard", None, "Some words. " * 20)
    )
    lines = told(lake)
    verdict = " ".join(lines[: lines.index("")])
    assert verdict.startswith(
        f"{WALLET} is not listed: flagged: launch, grade X. It was STRONG once and is off the list since "
        "2026-09-20 21:00 UTC: flagged: launch."
    )
    flags = [line for line in lines[lines.index("Flags") :] if line.startswith("  ")]
    # hard ones first, and a long sentence on several lines
    assert flags[0] == "  launch (hard): 0.5, bound 0.4"
    assert flags[1].startswith("    Some words.")
    assert flags[2].startswith(("    Some words.", "    words."))
    assert "  one_hit (soft): 0.5, bound 0.4" in flags


def test_a_verdict_that_scrolls_out_of_sight_stands_at_the_end_too(lake: Lake) -> None:
    facts = read_wallet(lake, WALLET)
    whole, verdict = explanation(facts), prose(verdict_sentence(facts), PLAIN)
    lines = len(whole.splitlines())
    assert whole.count(verdict) == 1
    # and a line for the prompt
    assert explanation(facts, Screen(height=lines + 1)) == whole
    assert explanation(facts, Screen(height=lines)) == f"{whole}\n\n{verdict}"


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("has_colors", [False, True])
def test_every_line_fits_the_terminal(lake: Lake, width: int, has_colors: bool) -> None:
    listed(lake, "PROMISING", "C", unlisted_reason=None)
    board(lake, overall_rank=2, former=False, tier="PROMISING")
    write(lake, "gold", "wallet_flags", flag("launch_unknown", "cap", "PROMISING", "Some words. " * 20))
    text = explanation(read_wallet(lake, WALLET), Screen(width, has_colors))
    assert ("\x1b[" in text) == has_colors
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= width
