"""The reading commands in real terminals, on a lake that the pipeline filled: no broken row, colours where wanted."""

from __future__ import annotations

import pytest

from tests.python.support.market_lake import MarketLake
from tests.python.support.pty import run_in_terminal

SIZES = [(80, 24), (120, 40)]


def arguments(lake: MarketLake, command: str) -> list[str]:
    row = max(lake.rows("silver", "position_pnl"), key=lambda row: (row["matched_sell_count"], row["realized_pnl_usd"]))
    wallet, token = row["wallet_address"], row["token_address"]
    return {
        "leaderboard": ["leaderboard"],
        "calibration": ["calibration"],
        "explain": ["explain", wallet],
        "all": ["explain", wallet, "--all"],
        "lots": ["explain", wallet, "--token", token, "--lots"],
    }[command]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("command", ["leaderboard", "calibration", "explain", "all", "lots"])
def test_no_row_breaks_and_the_market_is_called_made_up(calm: MarketLake, command: str, size: tuple[int, int]) -> None:
    text = run_in_terminal(calm, arguments(calm, command), size, {})
    assert "\x1b[" in text.raw
    assert max(map(len, text.lines)) <= size[0]
    assert text.lines[0].startswith("MADE-UP MARKET")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_that_wants_no_colours_gets_none(calm: MarketLake, environment: dict[str, str]) -> None:
    for command in ("leaderboard", "explain"):
        text = run_in_terminal(calm, arguments(calm, command), SIZES[0], environment)
        assert "\x1b" not in text.raw
        assert max(map(len, text.lines)) <= SIZES[0][0]
