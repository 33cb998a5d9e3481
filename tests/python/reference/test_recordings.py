"""Recorded wallets: one pinned to its digits, all held to the identities; skipped where the recordings are not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import simplejson

from . import Verdict, compute_reference, compute_trust
from .wallets import ALL_TOKENS, PositionFigures, Row

SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "birdeye" / "samples"
SEEKS = SAMPLES / "trader_seek_by_time"
WALLETS = sorted((SAMPLES / "wallets").glob("*.json"))
QUOTES = {
    "So11111111111111111111111111111111111111112": "sol",
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": "usd_stable",
    "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB": "usd_stable",
}
# a figure is rounded once, so an identity of a few of them holds within a few units of the last digit
UNITS = Decimal("0.000003")

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recordings are not beside the project")


def read(path: Path) -> list[dict[str, Any]]:
    """Read a recorded response or a bare list of rows, numbers digit for digit."""
    found = simplejson.loads(path.read_text(), use_decimal=True)
    return found if isinstance(found, list) else found["data"]["items"]


def compute_rows(rows: list[dict[str, Any]]) -> Verdict:
    """Compute one recorded wallet as of its last trade."""
    wallet = rows[0]["owner"]
    as_of = datetime.fromtimestamp(max(row["block_unix_time"] for row in rows), UTC)
    return compute_reference({wallet: [rows]}, as_of=as_of, quote_assets=QUOTES, history_complete={wallet: True})


def test_the_worked_case_to_every_digit() -> None:
    verdict = compute_rows(read(SEEKS / "D_pump_amm_roundtrips_5_rows.json"))
    total, row = verdict.wallet_pnl
    (figures,) = next(iter(verdict.wallets.values())).positions.values()
    six = Decimal("0.000001")
    assert [sell.pnl for sell in figures.sells] == [Decimal("-2.597825"), Decimal("2.276373")]
    assert figures.unmatched_proceeds == Decimal("1.743985")
    assert figures.matched_cost == Decimal("68.379987")
    assert figures.mark_source == "trade"
    wanted = {
        "trade_count": "5",
        "total_bought": "107.491710",
        "total_sold": "69.802521",
        "realized_pnl": "-0.321452",
        "unrealized_pnl": "0",
        "total_pnl": "-0.321452",
        "win_rate": "50",
        "roi": "-0.470097",
        "avg_holding_time_hours": "0.675570",
        "avg_transaction_amount_usd": "35.458846",
        "trade_frequency_daily": "5",
        "current_position_cost_basis": "39.111723",
        "current_position_value": "39.111723",
    }
    for each in (row, total):
        assert {name: Decimal(each[name]).quantize(six) for name in wanted} == {
            name: Decimal(value).quantize(six) for name, value in wanted.items()
        }
    assert (row["current_position_tokens"], total["current_position_tokens"]) == (Decimal("45191.275583"), None)


def check_position(figures: PositionFigures) -> None:
    """Hold one position to the identities of quantity and money."""
    units = figures.quantities
    assert units is not None
    assert units.bought == units.closed + units.open_known + units.open_unknown
    assert figures.sold == pytest.approx(figures.matched_proceeds + figures.unmatched_proceeds, abs=UNITS)
    assert figures.realized == pytest.approx(figures.matched_proceeds - figures.matched_cost, abs=UNITS)
    spent = figures.matched_cost + figures.open_cost + figures.unpriced_disposal_cost + figures.unknown_basis_bought
    assert figures.bought == pytest.approx(spent, abs=UNITS)
    # what dust leaves over is at most a billionth of each side
    assert units.sold - units.unmatched == pytest.approx(units.closed, rel=1e-9)
    assert figures.wins + figures.losses <= len(figures.sells) <= figures.trade_count


def check_rows(rows: list[Row]) -> None:
    """Hold a wallet's rows to the sums."""
    total, tokens = rows[0], rows[1:]
    assert total["token_address"] == ALL_TOKENS
    assert all(row["trade_count"] >= 1 for row in tokens)
    for row in rows:
        assert row["total_pnl"] == row["realized_pnl"] + row["unrealized_pnl"]
        assert row["unrealized_pnl"] == row["current_position_value"] - row["current_position_cost_basis"]
    summed = "realized_pnl unrealized_pnl total_pnl trade_count total_bought total_sold current_position_cost_basis"
    for name in (*summed.split(), "current_position_value"):
        assert total[name] == sum(row[name] for row in tokens), name


@pytest.mark.parametrize("path", [*WALLETS, *sorted(SEEKS.glob("*.json"))], ids=lambda path: path.stem[:12])
def test_recorded_wallets_conserve_quantity_and_money(path: Path) -> None:
    rows = read(path)
    verdict = compute_rows(rows)
    (found,) = verdict.wallets.values()
    assert found.foreign_rows == 0
    for figures in found.positions.values():
        check_position(figures)
    check_rows(verdict.wallet_pnl)


@pytest.mark.parametrize("path", WALLETS, ids=lambda path: path.stem[:4])
def test_overlapping_pages_change_nothing(path: Path) -> None:
    rows = read(path)
    wallet, size = rows[0]["owner"], 40
    as_of = datetime.fromtimestamp(rows[0]["block_unix_time"], UTC)
    pages = [rows[start : start + size] for start in range(0, len(rows), size - 7)]
    paged = compute_reference({wallet: pages}, as_of=as_of, quote_assets=QUOTES, history_complete={wallet: True})
    assert paged.wallet_pnl == compute_rows(rows).wallet_pnl


# what the recordings are of: two machines, and five people
MACHINES = {"4GQe": {"machine_pace"}, "H3Ss": {"arbitrage", "machine_pace"}}


@pytest.mark.parametrize("path", WALLETS, ids=lambda path: path.stem[:4])
def test_machines_are_told_from_people(path: Path) -> None:
    rows = read(path)
    as_of = datetime.fromtimestamp(max(row["block_unix_time"] for row in rows), UTC)
    (flags,) = compute_trust(compute_rows(rows), as_of=as_of, launches={}).flags.values()
    found = {flag.flag for flag in flags} & {"arbitrage", "machine_pace"}
    assert found == MACHINES.get(path.stem[:4], set())
