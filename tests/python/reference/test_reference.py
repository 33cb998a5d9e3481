"""Every rule against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from . import differences
from .gold import Evidence, evaluate, rank
from .market import AS_OF, START, WALLET, buy, extra, leg, pnl, run, run_pages, sell, swap
from .rows import distinct_swaps, read_swap
from .settings import Settings, Thresholds
from .trades import Trade
from .values import value_swaps
from .wallets import ALL_TOKENS

D = Decimal


# --- rows


def fill(**more: Any) -> dict[str, Any]:
    """A fill of an order book: nothing distinguishes two equal ones."""
    row = buy("T", 10, 5, **more)
    del row["ins_index"]
    return row


INDEXED = buy("T", 10, 5, ins_index=3)

PAGES = [
    pytest.param([[INDEXED, INDEXED], [INDEXED]], 1, id="an indexed row counts once"),
    pytest.param([[INDEXED, {**INDEXED, "inner_ins_index": 1}]], 2, id="an inner index is another row"),
    pytest.param([[INDEXED, {**INDEXED, "address": "Other"}]], 2, id="a pool is another row"),
    pytest.param([[fill(), fill(), fill()]], 3, id="equal fills of one page all count"),
    pytest.param([[fill(), fill()], [fill()], [fill(), fill(), fill()]], 3, id="the fullest page counts"),
    pytest.param([[fill()], [fill()]], 1, id="equal fills of two pages are one"),
    pytest.param([[fill(), fill(ins_index=None)]], 2, id="a null index is none"),
    pytest.param(
        [[fill()], [fill() | {"base": leg("A", "10.0") | {"type_swap": "to"}}]], 1, id="an amount may be text"
    ),
    pytest.param([[fill()], [fill() | {"base": leg("A", "1E+1") | {"type_swap": "to"}}]], 1, id="with an exponent"),
    pytest.param([[INDEXED, {**INDEXED, "owner": "Other"}]], 1, id="another owner is left out"),
]


@pytest.mark.parametrize(("pages", "swaps"), PAGES)
def test_each_swap_counts_as_often_as_it_happened(pages: list[list[dict[str, Any]]], swaps: int) -> None:
    assert len(distinct_swaps(WALLET, pages).rows) == swaps


def test_the_first_page_gives_the_attributes_and_other_owners_are_counted() -> None:
    later = {**INDEXED, "quote": {**INDEXED["quote"], "price": D(9)}}
    found = distinct_swaps(WALLET, [[INDEXED, {**INDEXED, "owner": "Other"}], [later]])
    assert (found.rows[0].sold.price, found.foreign_rows) == (D(1), 1)


def test_the_sign_of_the_change_gives_the_direction_where_its_word_is_missing() -> None:
    given, got = leg("A", 1, ui_change_amount=D(-1)), leg("USD", 1, ui_change_amount=D(1))
    read = read_swap({**buy("T", 1, 1), "quote": got, "base": given})
    assert (read.sold.mint, read.bought.mint) == ("A", "USD")
    with pytest.raises(ValueError, match="directions"):
        read_swap({**buy("T", 1, 1), "quote": got, "base": got})


def test_quantities_are_whole_base_units_and_the_amount_stays_as_served() -> None:
    read = read_swap(buy("T", D("499899173.99999994"), 1))
    assert (read.bought.quantity, read.bought.amount_text) == (499899174, "499899173.99999994")


# --- values


def values(*rows: dict[str, Any]) -> list[tuple[str, Decimal | None, bool]]:
    """Value rows; returns sold>bought, USD and whether the basis is known, in the order of names."""
    swaps = distinct_swaps(WALLET, [list(rows)]).rows
    valued = value_swaps(swaps, {"SOL": "sol", "USD": "usd_stable"}, D("1.5"))
    return sorted((f"{row.swap.sold.mint}>{row.swap.bought.mint}", row.usd, row.basis_known) for row in valued)


A10 = leg("A", 10)
VALUES = [
    pytest.param([(leg("SOL", 2, 100, 50), A10)], [("SOL>A", D(200), True)], id="money leg at its price"),
    pytest.param([(leg("SOL", 2, None, 50), A10)], [("SOL>A", D(100), True)], id="else at its nearest price"),
    pytest.param([(leg("SOL", 2, 0, 50), A10)], [("SOL>A", None, False)], id="a price of 0 is price missing"),
    pytest.param([(leg("USD", 0), A10)], [("USD>A", None, False)], id="tokens for no money are price missing"),
    pytest.param([(leg("USD", 7, D("0.99")), A10)], [("USD>A", D("6.93"), True)], id="a stable is not 1"),
    pytest.param([(leg("SOL", 2), leg("USD", 200))], [], id="money for money is no trade"),
    pytest.param([(leg("SOL", 2), leg("A", D("0.4")))], [], id="less than a base unit is no trade"),
    pytest.param(
        [(leg("USD", 60), leg("A", 20)), (A10, leg("B", 5))],
        [("A>B", D(30), True), ("USD>A", D(60), True)],
        id="token-to-token swap valued by what the sold token cost",
    ),
    pytest.param(
        [(A10, leg("B", 5)), (leg("B", 5), leg("USD", 35))],
        [("A>B", D(35), True), ("B>USD", D(35), True)],
        id="token-to-token swap valued by what the bought token fetched",
    ),
    pytest.param(
        [(leg("USD", 60), leg("A", 20)), (A10, leg("B", 5)), (leg("B", 5), leg("USD", 35))],
        [("A>B", D(30), True), ("B>USD", D(35), True), ("USD>A", D(60), True)],
        id="the sold token comes first",
    ),
    pytest.param(
        [(leg("USD", 60), leg("A", 9)), (leg("A", 10, None, 2), leg("B", 5, None, 4))],
        [("A>B", D(20), True), ("USD>A", D(60), True)],
        id="too little bought values no token-to-token swap",
    ),
    pytest.param(
        [(leg("USD", 60), leg("A", 10)), (A10, leg("B", 5)), (leg("B", 5), leg("C", 1))],
        [("A>B", D(60), True), ("B>C", D(60), True), ("USD>A", D(60), True)],
        id="the second pass goes on from the first",
    ),
    pytest.param(
        [(leg("USD", 60), A10), (A10, leg("B", 5)), (leg("B", 5), leg("C", 1)), (leg("C", 1), leg("D", 2))],
        [("A>B", D(60), True), ("B>C", D(60), True), ("C>D", None, False), ("USD>A", D(60), True)],
        id="a third link falls through",
    ),
    pytest.param(
        [(leg("A", 10, 999, 3), leg("B", 5, 999, 4))], [("A>B", D(20), True)], id="the lower leg, 1.5 apart, agrees"
    ),
    pytest.param(
        [(leg("A", 10, None, 2), leg("B", 5, None, D("6.1")))], [("A>B", D(20), False)], id="more than 1.5 disagrees"
    ),
    pytest.param([(leg("A", 10, None, 2), leg("B", 5))], [("A>B", D(20), False)], id="one price is not enough"),
    pytest.param([(leg("A", 10), leg("B", 5, 7, 4))], [("A>B", D(20), False)], id="nor is the bought one"),
    pytest.param([(leg("A", 10, 5), leg("B", 5, 5))], [("A>B", None, False)], id="no nearest price at all"),
]


@pytest.mark.parametrize(("legs", "expected"), VALUES)
def test_each_row_has_its_value(legs: list[tuple[Any, Any]], expected: list[tuple[str, Decimal, bool]]) -> None:
    assert values(*(swap("T", sold, bought) for sold, bought in legs)) == expected


def test_a_token_to_token_swap_is_valued_within_its_own_transaction_only() -> None:
    assert values(swap("T", leg("USD", 60), A10), swap("U", A10, leg("B", 5)))[0] == ("A>B", None, False)


# --- netting

NETS = [
    pytest.param([buy("T", 30, 60), sell("T", 10, 25)], (1, 40, 0, 20, 5), id="more bought: a buy of the rest"),
    pytest.param([buy("T", 10, 20), sell("T", 40, 100)], (1, 0, 75, 0, 5), id="more sold: a sell of the rest"),
    pytest.param([buy("T", 10, 20), buy("T", 20, 70)], (1, 90, 0, 30, 0), id="split routes are one trade"),
    pytest.param([buy("T", 10, 20), sell("U", 10, 30)], (2, 20, 30, 0, 0), id="transactions are not netted"),
    pytest.param([buy("T", 30, 60), sell("T", 10, None)], (1, 40, 0, 20, 0), id="an unpriced side has no round trip"),
    pytest.param([buy("T", 30, None), buy("T", 10, 9)], (1, 0, 0, 0, 0), id="one unpriced row makes the buy unpriced"),
]


@pytest.mark.parametrize(("rows", "expected"), NETS)
def test_a_transaction_nets_to_one_trade(rows: list[dict[str, Any]], expected: tuple[int, ...]) -> None:
    verdict = run(*rows)
    row, more = pnl(verdict), extra(verdict)
    got = (row["trade_count"], row["total_bought"], row["total_sold"], row["current_position_tokens"])
    assert (*got, more["round_trip_usd"]) == expected


ROUND_TRIPS = [
    pytest.param([buy("T", 30, 60), sell("T", 10, 25)], 1, id="a part of it"),
    pytest.param([buy("T", 10, 20), sell("T", 10, 20)], 1, id="at no difference"),
    pytest.param(
        [swap("T", leg("SOL", 1), leg("A", 1000)), swap("T", leg("A", 1000), leg("B", 500))],
        1,
        id="a token-to-token swap",
    ),
    pytest.param([buy("T", 30, 60), sell("T", 10, None)], 1, id="without a price"),
    pytest.param([buy("T", 10, 20), sell("U", 10, 30)], 0, id="not over two transactions"),
    pytest.param([buy("T", 10, 20), sell("T", D("0.4"), 1)], 0, id="less than a base unit is nothing"),
]


@pytest.mark.parametrize(("rows", "count"), ROUND_TRIPS)
def test_a_transaction_that_buys_and_sells_is_a_round_trip(rows: list[dict[str, Any]], count: int) -> None:
    verdict = run(*rows)
    assert (extra(verdict)["round_trip_count"], extra(verdict, ALL_TOKENS)["round_trip_count"]) == (count, count)


@pytest.mark.parametrize(
    ("bought", "sold", "trades"),
    [(10**9 + 1, 10**9 - 1, 0), (10**9, 10**9 - 2, 1)],
    ids=["a billionth of both is nothing", "beyond it is a trade"],
)
def test_a_net_of_almost_nothing_is_no_trade(bought: int, sold: int, trades: int) -> None:
    verdict = run(buy("T", bought, 100), sell("T", sold, 110))
    assert extra(verdict)["trade_count"] == trades
    assert sum(row["token_address"] == "A" for row in verdict.wallet_pnl) == trades


def test_round_trips_only_leave_a_position_and_no_token_row() -> None:
    verdict = run(buy("T", 10, 20), sell("T", 10, 27))
    assert extra(verdict)["round_trip_usd"] == 7
    assert [row["token_address"] for row in verdict.wallet_pnl] == [ALL_TOKENS]
    assert (pnl(verdict, ALL_TOKENS)["total_pnl"], pnl(verdict, ALL_TOKENS)["trade_count"]) == (0, 0)


def test_trades_stand_in_a_total_order() -> None:
    def trade(tx: str, block: int | None, is_buy: bool, time: int = START) -> Trade:
        return Trade(tx, time, block, is_buy, 1, D(1), True)

    wanted = [
        trade("z", 9, True, START - 1),
        trade("b", 1, True),
        trade("c", 1, True),
        trade("a", 1, False),
        trade("a", 2, True),
        trade("a", None, True),
    ]
    assert sorted(wanted[3:] + wanted[2::-1], key=Trade.order) == wanted


# --- FIFO: open tokens, open cost, realized, wins, losses, unmatched proceeds, unpriced disposal cost, coverage

FIFO = [
    pytest.param([], (10, 100, 0, 0, 0, 0, 0, None), id="a buy alone"),
    pytest.param([("s", 10, 150)], (0, 0, 50, 1, 0, 0, 0, 1), id="all of it sold"),
    pytest.param([("s", 4, 30)], (6, 60, -10, 0, 1, 0, 0, 1), id="part of it sold at a loss"),
    pytest.param([("b", 10, 300), ("s", 15, 600)], (5, 150, 350, 1, 0, 0, 0, 1), id="the oldest lot goes first"),
    pytest.param([("s", 5, 51)], (5, 50, 1, 0, 0, 0, 0, 1), id="a gain of 1 is no win"),
    pytest.param([("s", 5, "51.000002")], (5, 50, D("1.000002"), 1, 0, 0, 0, 1), id="more than 1 is a win"),
    pytest.param([("s", 5, "51.0000004")], (5, 50, 1, 0, 0, 0, 0, 1), id="the test sees the rounded gain"),
    pytest.param([("s", 5, 49)], (5, 50, -1, 0, 0, 0, 0, 1), id="a loss of 1 is none"),
    pytest.param([("s", 40, 800)], (0, 0, 100, 1, 0, 600, 0, D("0.25")), id="beyond the lots is unmatched"),
    pytest.param(
        [("s", 20, 400), ("b", 10, 70)], (10, 70, 100, 1, 0, 200, 0, D("0.5")), id="a later buy does not fill it"
    ),
    pytest.param([("s", 4, None), ("s", 6, 90)], (0, 0, 30, 1, 0, 0, 40, 1), id="an unpriced sell takes lots"),
    pytest.param(
        [("b", 10, None), ("s", 15, 300)],
        (0, 0, 100, 1, 0, 100, 0, D(2) / 3),
        id="a lot of unknown basis is used in its turn",
    ),
    pytest.param(
        [("s", 10, 150), ("b", 10, None), ("s", 10, 90)],
        (0, 0, 50, 1, 0, 90, 0, D(5) / 8),
        id="a sell of unknown basis only is neither win nor loss",
    ),
]


def ladder(steps: list[tuple[str, object, object]]) -> list[dict[str, Any]]:
    """Make rows an hour apart, after a first buy of 10 for 100."""
    make = {"b": buy, "s": sell}
    first = buy("T0", 10, 100)
    return [first, *(make[kind](f"T{at}", q, usd, hours=at) for at, (kind, q, usd) in enumerate(steps, start=1))]


@pytest.mark.parametrize(("steps", "expected"), FIFO)
def test_sells_close_the_oldest_lots(steps: list[tuple[str, object, object]], expected: tuple[Any, ...]) -> None:
    verdict = run(*ladder(steps))
    row, more = pnl(verdict), extra(verdict)
    got = (
        row["current_position_tokens"],
        row["current_position_cost_basis"],
        row["realized_pnl"],
        more["win_count"],
        more["loss_count"],
        more["unmatched_proceeds_usd"],
        more["unpriced_disposal_cost_usd"],
        more["basis_coverage"],
    )
    assert got[:-1] == expected[:-1]
    assert got[-1] == (None if expected[-1] is None else pytest.approx(expected[-1], abs=D("1e-6")))


BIG = 10**12
DUST = [
    pytest.param([buy("T", BIG, 100), sell("U", BIG - 1000, 150, 1)], (0, 0, D(50), 0), id="a lot's rest is closed"),
    pytest.param(
        [buy("T", BIG, 100), sell("U", BIG - 1001, 150, 1)],
        (1001, 0, D("50.0000001001"), 0),
        id="a larger rest stays open",
    ),
    pytest.param([buy("T", BIG, 100), sell("U", BIG + 1000, 150, 1)], (0, 0, D(50), 0), id="a sell's rest is matched"),
    pytest.param(
        [buy("T", BIG, 100), sell("U", BIG + 1001, 150, 1)],
        (0, 1001, D("49.99999985"), D("0.00000015")),
        id="a larger rest is unmatched",
    ),
    pytest.param(
        [buy("T", BIG, 100), sell("U", BIG, 150, 1), buy("V", 5000, 2, 2), sell("W", 4500, 3, 3)],
        (500, 0, D("51.2"), 0),
        id="a flat position forgets its peak",
    ),
]


@pytest.mark.parametrize(("rows", "expected"), DUST)
def test_dust_is_a_billionth_of_the_largest_open_quantity(
    rows: list[dict[str, Any]], expected: tuple[Any, ...]
) -> None:
    verdict = run(*rows)
    more = extra(verdict)
    assert (more["open_quantity"], more["unmatched_quantity"]) == expected[:2]
    assert pnl(verdict)["realized_pnl"] == pytest.approx(expected[2], abs=D("5e-7"))
    assert more["unmatched_proceeds_usd"] == pytest.approx(expected[3], abs=D("5e-7"))


def test_unknown_lots_stay_out_of_cost_value_and_tokens_but_not_out_of_bought() -> None:
    token_swap = swap("U", leg("B", 5, None, 2), leg("A", 10, None, 9), hours=1)
    verdict = run(buy("T", 10, 100), token_swap)
    row, more = pnl(verdict), extra(verdict)
    assert (row["current_position_tokens"], row["current_position_cost_basis"]) == (10, 100)
    assert (more["open_unknown_tokens"], more["unknown_basis_bought_usd"], row["total_bought"]) == (10, 10, 110)
    assert extra(verdict, "B")["unmatched_proceeds_usd"] == 10


# --- marks


def seen(hours_ago: float, price: object, liquidity: object, **more: Any) -> tuple[dict[str, Any], datetime]:
    """A token list item."""
    item = {"address": "A", "price": price, "liquidity": liquidity, **more}
    return item, AS_OF - timedelta(hours=hours_ago)


def held(hours_ago: float, amount: str, account: str = "one") -> tuple[dict[str, Any], datetime]:
    """A holder row."""
    item = {"mint": "A", "owner": WALLET, "token_account": account, "amount": amount}
    return item, AS_OF - timedelta(hours=hours_ago)


# a buy of 10 for 100, 24 hours before as_of
MARKS = [
    pytest.param([seen(1, 12, 9999)], [], 120, "observation", id="a: quantity at the price"),
    pytest.param([seen(1, 12, 100)], [], 50, "observation", id="a: at most half the liquidity"),
    pytest.param([seen(1, 12, 9999, multiplier=D("1.5"))], [], 180, "observation", id="a: scaled by the multiplier"),
    pytest.param([seen(1, 12, 9999, multiplier=None)], [], 120, "observation", id="a: no multiplier"),
    pytest.param([seen(2, 12, 9999), seen(1, 7, 9999), seen(3, 9, 9999)], [], 70, "observation", id="a: the newest"),
    pytest.param([seen(48, 12, 9999)], [], 120, "observation", id="a: 48 hours old"),
    pytest.param([seen(48.1, 12, 9999)], [], 100, "trade", id="b: an older one does not count"),
    pytest.param([seen(-1, 12, 9999)], [], 100, "trade", id="b: nor one from after as_of"),
    pytest.param([seen(1, None, 9999)], [], 100, "trade", id="b: nor one without price"),
    pytest.param([], [], 100, "trade", id="b: newest trade, at most the cost"),
    pytest.param([seen(1, 12, 9999)], [held(1, "4")], 48, "observation", id="a: at most the balance"),
    pytest.param([], [held(1, "4")], 40, "trade", id="b: at most the balance"),
    pytest.param([], [held(1, "2"), held(1, "3", "two")], 50, "trade", id="token accounts add up"),
    pytest.param([], [held(1, "2"), held(1, "2")], 20, "trade", id="one served twice does not"),
    pytest.param([], [held(5, "2"), held(1, "3"), held(3, "1")], 30, "trade", id="the newest balance"),
    pytest.param([], [held(168, "4")], 40, "trade", id="a balance counts for a week"),
    pytest.param([], [held(168.1, "4")], 100, "trade", id="an old balance does not count"),
    pytest.param([], [held(1, "0")], 0, "trade", id="nothing held is worth nothing"),
]


@pytest.mark.parametrize(("tokens", "holders", "usd", "source"), MARKS)
def test_an_open_position_has_its_mark(tokens: list[Any], holders: list[Any], usd: int, source: str) -> None:
    verdict = run(buy("T", 10, 100), token_observations=tokens, holder_observations=holders)
    row = pnl(verdict)
    assert (row["current_position_value"], extra(verdict)["mark_source"]) == (usd, source)
    assert (row["unrealized_pnl"], row["total_pnl"]) == (usd - 100, usd - 100)


TRADE_MARKS = [
    pytest.param([sell("U", 5, 30, 1)], 30, "trade", id="a lower last price lowers the mark"),
    pytest.param([sell("U", 5, 90, 1)], 50, "trade", id="a higher one does not raise it"),
    pytest.param([sell("U", 5, 30, 1), sell("V", 1, None, 2)], 24, "trade", id="an unpriced trade is passed over"),
    pytest.param([sell("U", 10, 30, 1)], 0, "none", id="nothing is open"),
    pytest.param([buy("U", 0, 5, -145), buy("V", 1, 5, 1, "B")], 100, "trade", id="other tokens do not matter"),
]


@pytest.mark.parametrize(("rows", "usd", "source"), TRADE_MARKS)
def test_the_newest_priced_trade_marks(rows: list[dict[str, Any]], usd: int, source: str) -> None:
    verdict = run(buy("T", 10, 100), *rows)
    assert (pnl(verdict)["current_position_value"], extra(verdict)["mark_source"]) == (usd, source)


@pytest.mark.parametrize(("hours", "usd", "source"), [(168, 100, "trade"), (169, 0, "none")])
def test_a_trade_marks_for_a_week(hours: int, usd: int, source: str) -> None:
    verdict = run(buy("T", 10, 100, 24 - hours))
    assert (pnl(verdict)["current_position_value"], extra(verdict)["mark_source"]) == (usd, source)


# --- the 22 fields


def test_a_wallet_without_trades_has_its_all_tokens_row() -> None:
    row = pnl(run(), ALL_TOKENS)
    empty = {"avg_holding_time_hours", "avg_transaction_amount_usd", "first_transaction", "last_transaction"}
    empty |= {"current_position_tokens", "processed_at", "batch_id"}
    assert {name for name, value in row.items() if value is None} == empty
    assert len(row) == 22
    assert all(value == 0 for name, value in row.items() if isinstance(value, Decimal | int)), row


def test_a_wallet_of_two_tokens_in_every_field() -> None:
    verdict = run(
        buy("T1", 10, 100, -72),
        sell("T2", 5, 80, -48),
        buy("T3", 8, 40, -24, "B"),
        sell("T4", 8, 20, -18, "B"),
        sell("T5", 2, 6, 0, "B"),
        data_source="replay",
    )
    a, b, total = (pnl(verdict, token) for token in ("A", "B", ALL_TOKENS))
    wanted = {
        # realized, unrealized, total, trades, win rate, bought, sold, roi, hours, average, a day
        "A": (30, 0, 30, 2, 100, 100, 80, 60, 24, 90, 2),
        "B": (-20, 0, -20, 3, 0, 40, 26, -50, 6, 22, 3),
        ALL_TOKENS: (10, 0, 10, 5, 50, 140, 106, D(1000) / 90, 16, D("49.2"), D(5) / 3),
    }
    for row in (a, b, total):
        assert tuple(row.values())[3:14] == pytest.approx(wanted[row["token_address"]], abs=D("1e-12"))
        assert (row["calculation_date"], row["data_source"]) == (AS_OF, "replay")
    assert (a["current_position_tokens"], b["current_position_tokens"], total["current_position_tokens"]) == (
        5,
        0,
        None,
    )
    assert total["first_transaction"] == a["first_transaction"] == AS_OF - timedelta(hours=96)
    assert total["last_transaction"] == b["last_transaction"] == AS_OF - timedelta(hours=24)
    assert extra(verdict, ALL_TOKENS)["basis_coverage"] == pytest.approx(D(100) / 106, abs=D("1e-12"))


def test_roi_is_0_below_a_dollar_of_cost_and_money_has_six_digits() -> None:
    verdict = run(buy("T", 3, "0.9999994"), sell("U", 3, 2, 1), buy("V", 3, 10, 2, "B"), sell("W", 1, 10, 3, "B"))
    assert (pnl(verdict)["roi"], pnl(verdict)["total_bought"]) == (0, D("0.999999"))
    assert pnl(verdict, "B")["realized_pnl"] == D("6.666667")
    assert pnl(verdict, "B")["current_position_cost_basis"] == D("6.666667")


def test_decimals_scale_the_open_quantity_only() -> None:
    row = buy("T", 1_500_000, 3)
    row["base"] = row["base"] | {"decimals": 6}
    assert pnl(run(row))["current_position_tokens"] == D("1.5")


# --- gold


def evidence(pnl_usd: object = 10, roi: object = 1, win_rate: object = 40, trades: int = 1, **more: Any) -> Evidence:
    """What just qualifies."""
    row = {
        "wallet_address": more.pop("wallet", WALLET),
        "total_pnl": D(str(pnl_usd)),
        "roi": D(str(roi)),
        "win_rate": D(str(win_rate)),
        "trade_count": trades,
    }
    return Evidence(**{"row": row, "basis_coverage": D("0.9"), "history_complete": True, **more})


OFF = Settings(thresholds=replace(Thresholds(), require_history_complete=False, min_basis_coverage=D(0)))
GOLD = [
    pytest.param(evidence(), Settings(), (), id="all at the least"),
    pytest.param(evidence("9.999999"), Settings(), ("total_pnl",), id="too little"),
    pytest.param(evidence(10, "0.99", 39), Settings(), ("roi", "win_rate"), id="two reasons"),
    pytest.param(evidence(trades=0), Settings(), ("trade_count",), id="no trades"),
    pytest.param(evidence(history_complete=False), Settings(), ("history_complete",), id="a cut history"),
    pytest.param(evidence(basis_coverage=D("0.89")), Settings(), ("basis_coverage",), id="a half-known one"),
    pytest.param(evidence(basis_coverage=None), Settings(), ("basis_coverage",), id="nothing sold"),
    pytest.param(evidence(basis_coverage=None, history_complete=False), OFF, (), id="both rules off"),
    pytest.param(evidence(too_active=True), OFF, ("too_active",), id="never ranked"),
]


@pytest.mark.parametrize(("given", "settings", "reasons"), GOLD)
def test_a_wallet_qualifies_or_the_reasons_are_kept(
    given: Evidence, settings: Settings, reasons: tuple[str, ...]
) -> None:
    found = evaluate(given, settings)
    assert (found.is_qualified, found.reasons) == (not reasons, reasons)
    assert (found.tier is None) == (found.score is None) == bool(reasons)


TIERS = [
    (10_000, 50, 40, "ELITE", D("0.4") * 10 + 15 + 8 + D("0.1")),
    (10_000, 49, 40, "STRONG", D(4) + D("14.7") + 8 + D("0.1")),
    (1_000, 20, 40, "STRONG", D("0.4") + 6 + 8 + D("0.1")),
    (999, 50, 40, "PROMISING", D("0.3996") + 15 + 8 + D("0.1")),
    (100, 9, 40, "QUALIFIED", D("0.04") + D("2.7") + 8 + D("0.1")),
    (1_000_000, 1_000, 100, "ELITE", D(40) + 30 + 20 + D("0.1")),
]


@pytest.mark.parametrize(("usd", "roi", "win_rate", "tier", "score"), TIERS)
def test_tier_is_the_first_that_fits(usd: int, roi: int, win_rate: int, tier: str, score: Decimal) -> None:
    found = evaluate(evidence(usd, roi, win_rate), Settings())
    assert (found.tier, found.score) == (tier, score)


def test_ranks_follow_score_then_pnl_then_address() -> None:
    # all four scores are capped or equal: 200,000 and 100,000 USD score the same
    given = [
        evidence(100_000, 100, 40, wallet="d"),
        evidence(100_000, 100, 40, wallet="c"),
        evidence(200_000, 100, 40, wallet="e"),
        evidence(20, 100, 100, wallet="q"),
        evidence(1, 100, 100, wallet="n"),
    ]
    found = rank(evaluate(each, Settings()) for each in given)
    ranks = {name: (each.overall_rank, each.tier_rank) for name, each in found.items()}
    assert ranks == {"e": (1, 1), "c": (2, 2), "d": (3, 3), "q": (4, 1), "n": (None, None)}


# --- comparison


def test_differences_name_what_differs_and_nothing_else() -> None:
    expected = run(buy("T", 10, 100), sell("U", 5, 80, 1)).wallet_pnl
    lake = [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        | {"batch_id": "run", "calculation_date": AS_OF.replace(tzinfo=None), "is_extra": 1}
        for row in expected
    ]
    assert differences(expected, reversed(lake)) == []
    changes: list[tuple[dict[str, Any], str]] = [
        ({"realized_pnl": 30.0000011}, "Wallet A: realized_pnl is 30.0000011, expected 30.000000"),
        ({"trade_count": 3}, "Wallet A: trade_count is 3, expected 2"),
        ({"roi": None}, "Wallet A: roi is None, expected 60"),
        ({"roi": float("nan")}, "Wallet A: roi is nan, expected 60"),
        ({"data_source": "birdeye"}, "Wallet A: data_source is birdeye, expected sandbox"),
        ({"token_address": "B"}, "Wallet A: missing"),
        ({"token_address": "ALL_TOKENS"}, "Wallet ALL_TOKENS: there twice"),
    ]
    for change, line in changes:
        assert line in differences(expected, [lake[0], lake[1] | change])
    assert differences(expected, [lake[0], lake[1] | {"realized_pnl": 30.0000009}]) == []
    assert differences(expected, [lake[0]]) == ["Wallet A: missing"]
    assert differences(expected[:1], lake) == ["Wallet A: not expected"]


def test_money_is_compared_relative_to_its_size() -> None:
    row = {"wallet_address": "W", "token_address": "T", "total_pnl": D(1_000_000)}
    assert differences([row], [row | {"total_pnl": 1_000_000.0009}]) == []
    assert len(differences([row], [row | {"total_pnl": 1_000_000.0011}])) == 1


def test_pages_in_any_order_give_the_same_figures() -> None:
    rows = ladder([("b", 10, 300), ("s", 15, 600), ("s", 9, 100)])
    forwards, backwards = run(*rows), run_pages([[row] for row in reversed(rows)])
    assert differences(forwards.wallet_pnl, backwards.wallet_pnl, rel=0) == []
