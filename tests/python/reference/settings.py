"""The settings of the rules, with the defaults of the design."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier and the least a wallet needs for it."""

    name: str
    min_total_pnl: Decimal
    min_roi: Decimal
    min_win_rate: Decimal


# the last tier, QUALIFIED, is a rule of its own: any positive PnL or win rate
TIERS = (
    Tier("ELITE", Decimal(10_000), Decimal(50), Decimal(30)),
    Tier("STRONG", Decimal(1_000), Decimal(20), Decimal(20)),
    Tier("PROMISING", Decimal(100), Decimal(10), Decimal(10)),
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What gold requires of an ALL_TOKENS row; False and 0 switch the last two off."""

    min_total_pnl: Decimal = Decimal(10)
    min_roi: Decimal = Decimal(1)
    min_win_rate: Decimal = Decimal(40)
    min_trade_count: int = 1
    require_history_complete: bool = True
    min_basis_coverage: Decimal = Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every number the rules take from outside."""

    win_threshold_usd: Decimal = Decimal(1)
    max_leg_disagreement: Decimal = Decimal("1.5")
    max_price_age_hours: Decimal = Decimal(48)
    max_trade_age_hours: Decimal = Decimal(168)
    max_swaps_per_wallet: int = 20_000
    thresholds: Thresholds = field(default_factory=Thresholds)
    tiers: tuple[Tier, ...] = TIERS
