"""Which wallets trade well: qualification, tier, score, ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from .settings import Settings, Thresholds
from .wallets import Row


@dataclass(frozen=True, slots=True)
class Candidate:
    """What gold looks at for one wallet: its ALL_TOKENS row and how well its history is known."""

    row: Row
    basis_coverage: Decimal | None
    history_complete: bool
    too_active: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Gold's verdict on one wallet; tier, score and ranks are None unless it qualified."""

    wallet_address: str
    is_qualified: bool
    reasons: tuple[str, ...]
    total_pnl: Decimal
    tier: str | None = None
    score: Decimal | None = None
    overall_rank: int | None = None
    tier_rank: int | None = None


def failed_rules(candidate: Candidate, thresholds: Thresholds) -> tuple[str, ...]:
    """Name every rule the wallet fails."""
    row, coverage = candidate.row, candidate.basis_coverage
    least_coverage = thresholds.min_basis_coverage
    passes = {
        "total_pnl": row["total_pnl"] >= thresholds.min_total_pnl,
        "roi": row["roi"] >= thresholds.min_roi,
        "win_rate": row["win_rate"] >= thresholds.min_win_rate,
        "trade_count": row["trade_count"] >= thresholds.min_trade_count,
        "history_complete": candidate.history_complete or not thresholds.require_history_complete,
        "basis_coverage": least_coverage == 0 or (coverage is not None and coverage >= least_coverage),
        "too_active": not candidate.too_active,
    }
    return tuple(name for name, passed in passes.items() if not passed)


def tier_of(row: Row, settings: Settings) -> str | None:
    """Return the first tier that fits, None if the thresholds let a wallet through that fits none."""
    for tier in settings.tiers:
        least = (tier.min_total_pnl, tier.min_roi, tier.min_win_rate)
        if all(row[field] >= value for field, value in zip(("total_pnl", "roi", "win_rate"), least, strict=True)):
            return tier.name
    return "QUALIFIED" if row["total_pnl"] > 0 or row["win_rate"] > 0 else None


def score_of(row: Row) -> Decimal:
    """Return the smart trader score."""
    tenths = (
        4 * min(row["total_pnl"] / 1000, Decimal(100))
        + 3 * min(row["roi"], Decimal(100))
        + 2 * row["win_rate"]
        + min(row["trade_count"], 10)
    )
    return Decimal(tenths) / 10


def evaluate(candidate: Candidate, settings: Settings) -> Evaluation:
    """Evaluate one wallet, without ranks."""
    row = candidate.row
    reasons = failed_rules(candidate, settings.thresholds)
    return Evaluation(
        wallet_address=row["wallet_address"],
        is_qualified=not reasons,
        reasons=reasons,
        total_pnl=row["total_pnl"],
        tier=None if reasons else tier_of(row, settings),
        score=None if reasons else score_of(row),
    )


def rank(evaluations: Iterable[Evaluation]) -> dict[str, Evaluation]:
    """Rank the qualified wallets, overall and within their tier."""
    ranked = {evaluation.wallet_address: evaluation for evaluation in evaluations}
    qualified = [evaluation for evaluation in ranked.values() if evaluation.score is not None]
    qualified.sort(key=lambda each: (-(each.score or 0), -each.total_pnl, each.wallet_address))
    in_tier: dict[str | None, int] = defaultdict(int)
    for overall_rank, evaluation in enumerate(qualified, start=1):
        in_tier[evaluation.tier] += 1
        ranked[evaluation.wallet_address] = replace(
            evaluation, overall_rank=overall_rank, tier_rank=in_tier[evaluation.tier]
        )
    return ranked
