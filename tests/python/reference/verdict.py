"""The whole way for all wallets: from response pages to rows and ranks."""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .gold import Candidate, Evaluation, evaluate, rank
from .marks import Market, Observation, read_market
from .rows import Page, distinct_swaps
from .settings import Settings
from .trades import TokenTrades, net_trades
from .values import value_swaps
from .wallets import ALL_TOKENS, PositionFigures, Row, extras_row, pnl_row, position_figures, wallet_figures

# far more digits than any sum of recorded numbers has; only divisions are inexact
EXACT = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class WalletVerdict:
    """All figures of one wallet; positions without trades (round trips only) are among them.

    Attributes:
        positions: Figures by token.
        total: Their sums.
        swap_count: Distinct swaps.
        foreign_rows: Served rows of other owners.
        histories: What FIFO took in, by token.
        transactions: Block time of each transaction that touches a token, also of one that nets to nothing.
    """

    positions: dict[str, PositionFigures]
    total: PositionFigures
    swap_count: int
    foreign_rows: int
    histories: dict[str, TokenTrades]
    transactions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the lake should hold; `extras` has a row for each position, also one without trades, and ALL_TOKENS."""

    wallet_pnl: list[Row]
    extras: list[Row]
    wallets: dict[str, WalletVerdict]
    evaluations: dict[str, Evaluation]


def compute_reference(
    swaps_by_wallet: Mapping[str, Sequence[Page]],
    *,
    as_of: datetime,
    quote_assets: Mapping[str, str],
    history_complete: Mapping[str, bool],
    token_observations: Iterable[Observation] = (),
    holder_observations: Iterable[Observation] = (),
    settings: Settings | None = None,
    data_source: str = "sandbox",
) -> Verdict:
    """Compute PnL rows and gold evaluations of all wallets.

    Args:
        swaps_by_wallet: For each wallet the response pages of complete loads, in the order fetched: lists of raw rows
            with numbers parsed as Decimal. A second paged by offset is one page.
        as_of: The run's time, with a zone.
        quote_assets: Mint to kind of what counts as money.
        history_complete: For each wallet, whether the backfill reached its oldest swap.
        token_observations: Raw token list items, each with the time it was observed.
        holder_observations: Raw holder rows, each with the time it was observed.
        settings: The rules' numbers; the design's defaults if None.
        data_source: The lake's source.
    """
    chosen = settings or Settings()
    with decimal.localcontext(EXACT):
        market = read_market(as_of, token_observations, holder_observations)
        wallets = {
            wallet: compute_wallet(wallet, pages, quote_assets, market, chosen)
            for wallet, pages in swaps_by_wallet.items()
        }
        rows = [row for wallet, found in wallets.items() for row in wallet_rows(wallet, found, as_of, data_source)]
        extras = [row for wallet, found in wallets.items() for row in wallet_extras(wallet, found)]
        totals = {row["wallet_address"]: row for row in rows if row["token_address"] == ALL_TOKENS}
        evaluations = [
            evaluate(
                Candidate(
                    row=totals[wallet],
                    basis_coverage=found.total.basis_coverage,
                    history_complete=history_complete[wallet],
                    too_active=found.swap_count > chosen.max_swaps_per_wallet,
                ),
                chosen,
            )
            for wallet, found in wallets.items()
        ]
    return Verdict(rows, extras, wallets, rank(evaluations))


def compute_wallet(
    wallet: str, pages: Sequence[Page], quote_assets: Mapping[str, str], market: Market, settings: Settings
) -> WalletVerdict:
    """Compute all positions of one wallet."""
    swaps = distinct_swaps(wallet, pages)
    valued = value_swaps(swaps.rows, quote_assets, settings.max_leg_disagreement)
    histories = net_trades(valued)
    positions = {
        token: position_figures(wallet, token, history, market, settings) for token, history in histories.items()
    }
    total = wallet_figures(list(positions.values()))
    transactions: dict[str, int] = {}
    for row in valued:
        known = transactions.setdefault(row.swap.tx_hash, row.swap.block_unix_time)
        transactions[row.swap.tx_hash] = min(known, row.swap.block_unix_time)
    return WalletVerdict(positions, total, len(swaps.rows), swaps.foreign_rows, histories, transactions)


def wallet_rows(wallet: str, found: WalletVerdict, as_of: datetime, data_source: str) -> list[Row]:
    """Write a wallet's rows: one for all tokens always, one for each token that was traded."""
    rows = [pnl_row(wallet, ALL_TOKENS, found.total, as_of, data_source)]
    for token, figures in sorted(found.positions.items()):
        if figures.trade_count >= 1:
            rows.append(pnl_row(wallet, token, figures, as_of, data_source))
    return rows


def wallet_extras(wallet: str, found: WalletVerdict) -> list[Row]:
    """Write the extras of a wallet and of all its positions."""
    rows = [extras_row(wallet, ALL_TOKENS, found.total)]
    return rows + [extras_row(wallet, token, figures) for token, figures in sorted(found.positions.items())]
