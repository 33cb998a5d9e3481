"""The sentences for and against a wallet: each from its own figure, and none without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.fifo import TRADE_SCHEMA
from smart_trader.report_page.arguments import arguments_against, arguments_for
from smart_trader.report_page.figures import Figures
from smart_trader.report_page.reading import Reading
from smart_trader.report_page.sections import NEAR_MISSES, head_advice, near_misses, source_of
from smart_trader.report_page.wallets import shared_tokens

AT = datetime(2026, 9, 21, 9, tzinfo=UTC)
SURE = {"wallet_address": "w", "grade": "A", "skill": 0.2, "skill_low": 0.05, "position_count": 60}
GOOD: dict[str, Any] = {
    "wallet_address": "w",
    "calculation_date": AT,
    "last_transaction": AT,
    "former": False,
    "grade": "A",
    "total_pnl": Decimal(5000),
    "realized_pnl": Decimal(5000),
    "unrealized_pnl": Decimal(0),
    "roi": Decimal(40),
    "win_rate": Decimal(70),
    "data_source": "birdeye",
}
FIGURES = Figures(65.0, 40, 3.0, False, "t", 20.0, 300.0, 24.0, 0.0, 7500.0)


def reading(**parts: Any) -> Reading:
    empty = Reading(
        "birdeye",
        read_variables(ProjectVariables),
        [GOOD],
        1,
        0,
        [GOOD],
        {"w": SURE},
        [],
        {},
        TRADE_SCHEMA.empty_table(),
        {},
        {},
        {},
        [],
        [],
    )
    return replace(empty, **parts)


def against(row: dict[str, Any] | None = None, figures: Figures = FIGURES, flags: Any = (), **parts: Any) -> list[str]:
    return arguments_against(reading(**parts), {**GOOD, **(row or {})}, figures, flags)


def test_nothing_speaks_against_what_is_sure() -> None:
    assert against() == []
    assert arguments_for(reading(), GOOD, FIGURES) == [
        "Grade A: its skill exceeds 0, and its peers', with 95 %, over several periods.",
        "With 95 % its mean position returns more than +5.0\N{NO-BREAK SPACE}%.",
        "Its sells earned 5,000 USD, 40.0 % of what they had cost.",
        "70 % of the sells that won or lost more than 1 USD won.",
        "It made money on 65 % of the 40 tokens that decided.",
        "For each dollar that its losing sells lost, its winning ones made 3.00.",
    ]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        pytest.param({"row": {"former": True, "former_reason": "dormant"}}, "It is off the list: dormant.", id="former"),
        pytest.param({"row": {"grade": "D"}}, "Its profit may be luck.", id="grade"),
        pytest.param({"scores": {}}, "too few to bound its skill", id="no-score"),
        pytest.param({"scores": {"w": {**SURE, "skill_low": 0.0}}}, "a loss is not ruled out", id="skill"),
        pytest.param({"scores": {"w": {**SURE, "skill_low": 0.0, "position_count": 1}}}, "By 1 position its skill is", id="one-position"),
        pytest.param({"row": {"realized_pnl": Decimal(-2), "unrealized_pnl": Decimal(5002)}}, "All of its profit is in open", id="open"),
        pytest.param({"row": {"realized_pnl": Decimal(-2)}}, "Its sells lost 2.00 USD.", id="realized"),
        pytest.param({"row": {"realized_pnl": Decimal(3500), "unrealized_pnl": Decimal(1500)}}, "30 % of its profit is in open", id="part-open"),
        pytest.param({"row": {"unrealized_pnl": Decimal(-7)}}, "stand 7.00 USD below their cost", id="under-water"),
        pytest.param({"row": {"win_rate": Decimal(49)}}, "Only 49 % of the sells", id="win-rate"),
        pytest.param({"row": {"last_transaction": AT - timedelta(days=9)}}, "was 9 days before it was calculated", id="quiet"),
        pytest.param({"standings": [{**GOOD, "calculation_date": AT + timedelta(days=1)}]}, "are 1 day older", id="older"),
        pytest.param({"figures": replace(FIGURES, wins_by_token=30.0)}, "It lost on 70 % of the 40 tokens", id="wins"),
        pytest.param({"figures": replace(FIGURES, wins_by_token=0.0, decided_tokens=1)}, "It lost on the one token that", id="one-lost"),
        pytest.param({"figures": replace(FIGURES, profit_factor=None, never_lost=True)}, "as with insiders", id="never-lost"),
        pytest.param({"figures": replace(FIGURES, profit_factor=100.0)}, "lost hardly anything", id="factor"),
        pytest.param({"figures": replace(FIGURES, best_share=40.0)}, "One token made 40 %", id="one-token"),
        pytest.param({"figures": replace(FIGURES, drawdown=5001.0)}, "fell by 5,001 USD, more than all", id="drawdown"),
        pytest.param({"figures": replace(FIGURES, median_hours=0.25)}, "held 15 minutes at most", id="quick"),
        pytest.param({"figures": replace(FIGURES, median_hours=0.017)}, "held 1 minute at most", id="one-minute"),
        pytest.param({"figures": replace(FIGURES, median_hours=0.001)}, "held 1 minute at most", id="seconds"),
        pytest.param({"figures": replace(FIGURES, unmatched_usd=12.5)}, "12.50 USD of proceeds", id="unmatched"),
        pytest.param({"figures": replace(FIGURES, decided_tokens=1)}, "Only 1 token decided.", id="few"),
        pytest.param(
            {"flags": [{"flag": "followed", "severity": "cap", "tier_cap": "QUALIFIED", "sentence": "40% of buys"}]},
            "Flag followed (cap, QUALIFIED at most): 40% of buys.",
            id="flag",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    found = against(**changed)
    assert any(sentence in one for one in found), found


def test_a_single_token_has_no_percents() -> None:
    found = arguments_for(reading(), GOOD, replace(FIGURES, wins_by_token=100.0, decided_tokens=1))
    assert "It made money on the one token that decided." in found


@pytest.mark.parametrize(
    ("listed", "grades", "advice"),
    [
        pytest.param(0, {}, "Nobody is listed, so there is nobody to follow.", id="nobody"),
        pytest.param(
            1,
            {"C": 1},
            "The only listed wallet has not returned more than luck gives. Follow nobody yet.",
            id="one-unsure",
        ),
        pytest.param(
            3,
            {"D": 3},
            "None of the 3 listed wallets has returned more than luck gives. Follow nobody yet.",
            id="unsure",
        ),
        pytest.param(
            1,
            {"A": 1},
            "The only listed wallet, grade A or B, returned more than chance among its peers gives.",
            id="one",
        ),
        pytest.param(
            2,
            {"A": 2},
            "All 2 listed wallets, grade A or B, returned more than chance among their peers gives.",
            id="all",
        ),
        pytest.param(
            2,
            {"B": 1, "C": 1},
            "1 of the 2 listed wallets, grade A or B, returned more than chance among its peers gives. "
            "Of the other one that cannot be told from luck.",
            id="one-other",
        ),
        pytest.param(
            9,
            {"A": 1, "B": 1, "C": 7},
            "2 of the 9 listed wallets, grade A or B, returned more than chance among their peers gives. "
            "Of the other 7 that cannot be told from luck.",
            id="others",
        ),
    ],
)
def test_the_advice_counts_in_plain_words(listed: int, grades: dict[str, int], advice: str) -> None:
    assert head_advice(reading(board_count=listed), grades) == advice


@pytest.mark.parametrize(
    ("lake", "row", "source"),
    [
        ("birdeye", "birdeye", "birdeye"),
        ("birdeye", "sandbox", "sandbox"),
        ("sandbox", "birdeye", "sandbox"),
        (None, None, "unknown"),
    ],
)
def test_data_is_real_only_where_everything_says_so(lake: str | None, row: str | None, source: str) -> None:
    mine = {**GOOD, "data_source": row}
    assert source_of(reading(data_source=lake, board=[mine], standings=[mine])) == source


def test_a_near_miss_failed_one_thing() -> None:
    off = {"is_listed": False, "unlisted_reason": "does not qualify", "is_qualified": False}
    rows = [
        {**GOOD, **off, "wallet_address": "a", "failed_rules": "win_rate", "win_rate": Decimal("39.9")},
        {**GOOD, **off, "wallet_address": "b", "failed_rules": "win_rate, roi"},
        {**GOOD, **off, "wallet_address": "c", "failed_rules": "history_incomplete", "total_pnl": Decimal(9000)},
        {
            **GOOD,
            **off,
            "wallet_address": "d",
            "failed_rules": None,
            "is_qualified": True,
            "unlisted_reason": "dormant",
        },
        {**GOOD, "wallet_address": "e", "is_listed": True, "is_qualified": True, "failed_rules": None},
    ]
    missed = near_misses(reading(standings=rows, minimums={"win_rate": 40.0}))
    assert missed["count"] == 3
    assert [(row["wallet_address"], row["why"]) for row in missed["rows"]] == [
        ("c", "history_incomplete, wanted the whole history"),
        ("a", "win_rate is 39.9, wanted at least 40"),
        ("d", "dormant"),
    ]


def test_near_misses_that_are_left_out_are_counted() -> None:
    off = {"is_listed": False, "is_qualified": False, "failed_rules": "history_incomplete"}
    rows = [{**GOOD, **off, "wallet_address": f"w{number}"} for number in range(NEAR_MISSES + 6)]
    missed = near_misses(reading(standings=rows))
    assert (len(missed["rows"]), missed["count"]) == (NEAR_MISSES, NEAR_MISSES + 6)


def position(token: str, trades: int) -> dict[str, Any]:
    money = dict.fromkeys(("realized_pnl_usd", "open_value_usd", "open_cost_usd"), Decimal(0))
    return {"token_address": token, "trade_count": trades, **money}


def test_a_token_is_shared_where_both_wallets_traded_it() -> None:
    positions = {
        # neither has a trade in `neither`, and one alone in `alone`
        "a": [position("both", 2), position("alone", 1), position("neither", 0)],
        "b": [position("both", 1), position("alone", 0), position("neither", 0)],
    }
    tokens, shared = shared_tokens(reading(positions=positions))
    assert [token["token"] for token in tokens] == ["both"]
    assert shared == {"a": [(0, 0.0)], "b": [(0, 0.0)]}
