"""What the page makes of trades itself: curves, drawdown, holding times, and when it refuses to draw."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from smart_trader.fifo import TRADE_SCHEMA
from smart_trader.report_page.curves import (
    NO_SELLS,
    Sells,
    disagreement,
    holding_shares,
    largest_drawdown,
    match_sells,
    median_holding,
    realized_curve,
    return_counts,
    thin_out,
)
from smart_trader.report_page.figures import wallet_figures

HOUR = 3600


def matched(*trades: tuple[str, int, str, float, float | None], wallet: str = "w") -> Sells:
    """Match trades of (token, hour, side, quantity, value)."""
    rows = [
        {
            "wallet_address": wallet,
            "token_address": token,
            "block_unix_time": hour * HOUR,
            "side": side,
            "quantity": quantity,
            "value_usd": value,
        }
        for token, hour, side, quantity, value in trades
    ]
    return match_sells(pa.Table.from_pylist(rows, TRADE_SCHEMA)).get(wallet, NO_SELLS)


# a: 10 for 10, sold for 8, 9 and 3 in turn; b: won 20 in between
SELLS = matched(
    ("a", 0, "buy", 10, 10.0),
    ("a", 2, "sell", 4, 8.0),
    ("a", 6, "sell", 3, 1.0),
    ("a", 8, "sell", 3, 1.0),
    ("b", 1, "buy", 5, 5.0),
    ("b", 4, "sell", 5, 25.0),
)


def test_a_curve_adds_up_the_sells_of_all_tokens_in_time() -> None:
    curve = realized_curve(SELLS)
    assert [(time / HOUR, round(value, 9)) for time, value in curve] == [(2, 4), (4, 24), (6, 22), (8, 20)]
    assert largest_drawdown(curve) == pytest.approx(4)
    assert SELLS.by_token == pytest.approx({"a": 0, "b": 20})
    assert SELLS.profit_of(2) == pytest.approx(-2)
    assert SELLS.profit_of(0) is None
    assert SELLS.profit_of(99) is None


def test_a_fall_below_the_beginning_is_a_drawdown() -> None:
    assert largest_drawdown([(1, -5.0), (2, 1.0), (3, 0.0)]) == 5
    assert largest_drawdown([]) == 0


def test_holding_goes_by_the_money_that_was_held() -> None:
    # 4 USD for 2 h, 5 for 3 h, 3 for 6 h, 3 for 8 h
    assert median_holding(SELLS) == 3
    shares = {row["held"]: row["share"] for row in holding_shares(SELLS) if row["share"]}
    assert shares == pytest.approx({"1-6 h": 9 / 15, "6-24 h": 6 / 15})
    assert median_holding(NO_SELLS) is None
    assert holding_shares(NO_SELLS) == []


def test_what_is_not_known_earns_nothing() -> None:
    # sold without a purchase, bought without a price, sold without one
    sells = matched(
        ("a", 1, "sell", 1, 100.0),
        ("b", 1, "buy", 1, None),
        ("b", 2, "sell", 1, 50.0),
        ("c", 1, "buy", 1, 1.0),
        ("c", 2, "sell", 1, None),
    )
    assert realized_curve(sells) == []


def position(token: str, realized: str, **more: Any) -> dict[str, Any]:
    zeros = ("open_value_usd", "open_cost_usd", "gross_profit_usd", "gross_loss_usd", "unmatched_proceeds_usd")
    return {
        "token_address": token,
        "realized_pnl_usd": Decimal(realized),
        "cost_of_sold_usd": Decimal(10),
        "matched_sell_count": 1,
        **dict.fromkeys(zeros, Decimal(0)),
        **more,
    }


def test_sells_that_do_not_add_up_to_gold_are_not_drawn() -> None:
    assert disagreement(SELLS, [position("a", "0"), position("b", "20.000001")]) is None
    fault = disagreement(SELLS, [position("a", "0"), position("b", "20.02")])
    assert fault is not None
    assert "20.00 USD and its realized profit is 20.02 USD" in fault
    # a token whose sells are missing
    assert disagreement(NO_SELLS, [position("a", "-1")]) is not None
    hidden = wallet_figures([position("a", "-1")], None, 1.0)
    assert (hidden.drawdown, hidden.median_hours) == (None, None)


def test_figures_are_of_positions() -> None:
    figures = wallet_figures(
        [
            position("a", "30", gross_profit_usd=Decimal(40), gross_loss_usd=Decimal(10)),
            position("b", "-5", gross_loss_usd=Decimal(5)),
            # within the threshold: neither won nor lost
            position("c", "0.5", gross_profit_usd=Decimal("0.5")),
            # open alone: no win, but a profit
            position("d", "0", matched_sell_count=0, open_value_usd=Decimal(12), open_cost_usd=Decimal(2)),
        ],
        SELLS,
        1.0,
    )
    assert figures.wins_by_token == 50
    assert figures.decided_tokens == 2
    assert figures.profit_factor == pytest.approx(40.5 / 15)
    assert (figures.best_token, figures.best_share) == ("a", pytest.approx(100 * 30 / 40.5))
    assert not figures.never_lost
    empty = wallet_figures([], SELLS, 1.0)
    assert (empty.wins_by_token, empty.profit_factor, empty.best_share, empty.never_lost) == (None, None, None, False)


def test_losses_and_gains_are_told_apart_at_zero() -> None:
    counts = {
        row["return"]: (row["count"], row["sign"]) for row in return_counts([position("a", "-0.1"), position("b", "0")])
    }
    assert counts["-25 to 0"] == (1, "loss")
    assert counts["0 to 25"] == (1, "gain")
    assert return_counts([]) == []


def test_a_long_curve_keeps_its_ends_and_where_each_stretch_ended() -> None:
    curve = [(time, float(time % 7)) for time in range(10_000)]
    thin = thin_out(curve, 100)
    assert len(thin) <= 100
    assert (thin[0], thin[-1]) == (curve[0], curve[-1])
    assert set(thin) <= set(curve)
    assert [time for time, _ in thin] == sorted(time for time, _ in thin)
    assert thin_out(curve[:5], 100) == curve[:5]
    # all at one time
    assert thin_out([(1, float(number)) for number in range(10)], 5)[-1] == (1, 9.0)
