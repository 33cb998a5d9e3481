"""What a lake knows of one wallet; tables that an older lake does not have are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from smart_trader.addresses import shown
from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import is_one_of
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.data_source import source_of
from smart_trader.reports.wallet_names import account_kind, ambiguous

Row = Mapping[str, Any]
SEVERITIES = ("hard", "cap", "soft")


@dataclass(frozen=True, slots=True)
class WalletFacts:
    """Everything that an explanation tells.

    Attributes:
        wallet: The address.
        total: Figures of its newest calculation.
        dates: When it was calculated, oldest first.
        evaluation: The verdict on the newest calculation; None until there is one.
        standing: Where it stands today; None in a lake of before there were grades.
        board: Its row of the leaderboard; None where it was never listed.
        listed_count: How many wallets the leaderboard ranks.
        score: Its grade and what that is made of.
        flags: Its flags, hard ones first.
        positions: Its positions with their profit, the largest first, each with the token's symbol where that is known.
        minimums: What qualification takes, by rule; text where it is no number.
        grade_tiers: Best tier that each grade leaves.
        settings: The project's settings.
        source: Where its rows come from.
        account: What it is beside a wallet, such as a pool; None where nothing is known.
        calculation: What the newest calculation covers; None in a lake of an earlier version.
        conversion_count: Its swaps of money for money, which are no trades; None where swaps are not there.
        verdicts: Every evaluation, the newest first.
    """

    wallet: str
    total: Row
    dates: Sequence[datetime]
    evaluation: Row | None
    standing: Row | None
    board: Row | None
    listed_count: int
    score: Row | None
    flags: Sequence[Row]
    positions: Sequence[Row]
    minimums: Mapping[str, str]
    grade_tiers: Mapping[str, str]
    settings: ProjectVariables
    source: str
    account: str | None
    calculation: Row | None
    conversion_count: int | None
    verdicts: Sequence[Row]

    @property
    def has_swaps(self) -> bool:
        """Whether any swap of the wallet is known."""
        if self.calculation is not None:
            return bool(self.calculation["swap_count"])
        return bool(self.positions) or bool(self.total.get("trade_count"))


def read_wallet(lake: Lake, wallet: str) -> WalletFacts:
    """Read everything of one wallet.

    Raises:
        SmartTraderError: The wallet was never calculated.
    """
    mine = pc.field("wallet_address") == wallet
    calculations = rows_of(lake.read("silver", "wallet_pnl", where=mine))
    if not calculations:
        raise SmartTraderError(
            f"{wallet} was never calculated in this lake",
            "track it: smart-trader run --wallets with its address; `smart-trader leaderboard` lists who is there",
        )
    dates = sorted({row["calculation_date"] for row in calculations})
    newest = pc.field("calculation_date") == dates[-1]
    by_token = {row["token_address"]: row for row in calculations if row["calculation_date"] == dates[-1]}
    settings = read_variables(ProjectVariables)
    evaluations = _rows(lake, "gold", "trader_evaluations", mine)
    return WalletFacts(
        wallet,
        by_token["ALL_TOKENS"],
        dates,
        _one([row for row in evaluations if row["calculation_date"] == dates[-1]]),
        _one(_rows(lake, "gold", "wallet_standings", mine)),
        _one(_rows(lake, "gold", "leaderboard", mine)),
        len(_rows(lake, "gold", "leaderboard", ~pc.field("former"))),
        _one(_rows(lake, "gold", "skill_scores", mine)),
        sorted(
            _rows(lake, "gold", "wallet_flags", mine),
            key=lambda row: (SEVERITIES.index(row["severity"]), row["flag"]),
        ),
        _positions(lake, mine, newest),
        _minimums(lake, settings),
        {row["grade"]: row["best_tier"] for row in _rows(lake, "silver", "grade_tiers")},
        settings,
        source_of(lake, [by_token["ALL_TOKENS"].get("data_source")]),
        account_kind(lake, wallet),
        _one(_rows(lake, "silver", "pnl_due_wallets", mine & newest)),
        _count_conversions(lake, mine),
        sorted(evaluations, key=lambda row: row["calculation_date"], reverse=True),
    )


def _count_conversions(lake: Lake, mine: pc.Expression) -> int | None:
    """Count swaps whose both legs are quote assets."""
    if not (lake.has("silver", "wallet_swaps") and lake.has("silver", "quote_assets")):
        return None
    mints = lake.read("silver", "quote_assets", ["mint"])["mint"].to_pylist()
    money = is_one_of("sold_token_address", mints) & is_one_of("bought_token_address", mints)
    return int(lake.read("silver", "wallet_swaps", ["wallet_address"], mine & money).num_rows)


def find_position(facts: WalletFacts, text: str) -> Row:
    """Return the position in the token that a text names: its address, the beginning of that, or its symbol.

    Raises:
        SmartTraderError: None or several are named so.
    """
    wanted = text.strip()
    if wanted:
        whole = [row for row in facts.positions if row["token_address"] == wanted]
        named = [row for row in facts.positions if (row.get("symbol") or "").strip().lower() == wanted.lower()]
        begun = [row for row in facts.positions if row["token_address"].startswith(wanted)]
        found = whole or named or begun
        if len(found) == 1:
            return found[0]
        if found:
            raise ambiguous(
                "tokens of the wallet are called, or begin with,", wanted, sorted(row["token_address"] for row in found)
            )
    raise SmartTraderError(
        f"{facts.wallet} has no position in a token {shown(wanted)}",
        f"smart-trader explain {facts.wallet} --all lists its tokens",
    )


def read_symbols(lake: Lake, tokens: Sequence[str]) -> dict[str, str]:
    """Return tokens' symbols, as far as the lake knows them; they are strangers' text."""
    if not lake.has("silver", "tokens"):
        return {}
    rows = _rows(lake, "silver", "tokens", is_one_of("token_address", tokens))
    return {row["token_address"]: row["symbol"] for row in rows if row["symbol"]}


def _rows(lake: Lake, schema: str, table: str, where: pc.Expression | None = None) -> list[dict[str, Any]]:
    return rows_of(lake.read(schema, table, where=where)) if lake.has(schema, table) else []


def _one(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None


def _positions(lake: Lake, mine: pc.Expression, newest: pc.Expression) -> list[dict[str, Any]]:
    """Return positions with profit and cost, and what position_returns knows of them beside."""
    returns = {row["token_address"]: row for row in _rows(lake, "silver", "position_returns", mine & newest)}
    found = []
    for row in _rows(lake, "silver", "position_pnl", mine & newest):
        known = returns.get(row["token_address"], {})
        found.append(
            {
                **row,
                "profit": row["realized_pnl_usd"] + row["open_value_usd"] - row["open_cost_usd"],
                "cost": row["cost_of_sold_usd"] + row["open_cost_usd"],
                "seconds_after_launch": known.get("seconds_after_launch"),
                "is_trigger": bool(known.get("is_trigger")),
            }
        )
    symbols = read_symbols(lake, [row["token_address"] for row in found])
    for row in found:
        row["symbol"] = symbols.get(row["token_address"])
    return sorted(found, key=lambda row: (-row["profit"], row["token_address"]))


def _minimums(lake: Lake, settings: ProjectVariables) -> dict[str, str]:
    minimums = {row["metric"]: f"{float(row['minimum']):,g}" for row in _rows(lake, "silver", "qualification_minimums")}
    return minimums | {
        "basis_coverage": f"{settings.min_basis_coverage:,}",
        "history_incomplete": "the whole history",
        "too_active": f"{settings.max_swaps_per_wallet:,} swaps at most",
        "no_tier": "any profit or win",
    }
