"""All that is known of one wallet, for other programs; a key that is there today stays."""

from __future__ import annotations

from typing import Any

from smart_trader.data_sources import BIRDEYE
from smart_trader.reports.explain import is_capped
from smart_trader.reports.lots import Lots
from smart_trader.reports.lots_text import lots_content
from smart_trader.reports.verdict import caps_sentence, verdict_sentence
from smart_trader.reports.wallet_facts import Row, WalletFacts

_OWN = ("wallet_address", "calculation_date")


def explanation_content(facts: WalletFacts) -> dict[str, Any]:
    """Return the whole explanation."""
    return {
        **_head(facts),
        "verdict": _verdict(facts),
        "failed_rules": _failed_rules(facts),
        "grade": _without(facts.score, *_OWN),
        "flags": [_without(row, *_OWN) for row in facts.flags],
        "figures": _without(facts.total, *_OWN, "token_address", "data_source"),
        "tokens": [position_content(row) for row in facts.positions],
        "certainty": _certainty(facts),
        "verdicts": [_without(row, "wallet_address") for row in facts.verdicts],
    }


def lots_explanation(facts: WalletFacts, position: Row, lots: Lots | None) -> dict[str, Any]:
    """Return one position and, where they are given, its lots."""
    content = {**_head(facts), "position": position_content(position)}
    return content | ({"lots": lots_content(lots, position)} if lots is not None else {})


def position_content(position: Row) -> dict[str, Any]:
    """Return a position with its profit, open value included."""
    first = {"token_address": position["token_address"], "symbol": position.get("symbol")}
    first |= {"profit_usd": position["profit"], "cost_usd": position["cost"]}
    return first | _without(position, *_OWN, *first, "profit", "cost") | {"is_capped": is_capped(position)}


def _head(facts: WalletFacts) -> dict[str, Any]:
    return {
        "wallet_address": facts.wallet,
        "data_source": facts.source,
        "is_real": facts.source == BIRDEYE,
        "calculated_at": facts.dates[-1],
        "calculations": list(facts.dates),
        "account": facts.account,
    }


def _verdict(facts: WalletFacts) -> dict[str, Any]:
    standing, board = facts.standing or {}, facts.board or {}
    names = ("is_listed", "unlisted_reason", "tier", "uncapped_tier", "grade", "smart_trader_score", "is_qualified")
    return {
        "sentence": verdict_sentence(facts),
        "cap": caps_sentence(facts),
        "rank": board.get("overall_rank"),
        "listed_count": facts.listed_count,
        **{name: standing.get(name) for name in names},
        "is_former": bool(board.get("former")),
        "former_since": board.get("former_since"),
        "former_reason": board.get("former_reason"),
    }


def _failed_rules(facts: WalletFacts) -> list[dict[str, Any]]:
    row = facts.evaluation or {}
    rules = (row.get("failed_rules") or "").split(", ")
    return [{"rule": rule, "value": row.get(rule), "wanted": facts.minimums.get(rule)} for rule in rules if rule]


def _certainty(facts: WalletFacts) -> dict[str, Any]:
    known = {**(facts.evaluation or {}), **(facts.calculation or {})}
    names = ("basis_coverage", "is_history_complete", "is_too_active", "swap_count", "code_version")
    return {
        **{name: known.get(name) for name in names},
        "min_basis_coverage": facts.settings.min_basis_coverage,
        "max_swaps_per_wallet": facts.settings.max_swaps_per_wallet,
        "conversion_count": facts.conversion_count,
        "round_trip_count": sum(row.get("round_trip_count") or 0 for row in facts.positions),
        "round_trip_usd": sum(row.get("round_trip_usd") or 0 for row in facts.positions),
        "capped_position_count": sum(is_capped(row) for row in facts.positions),
        "unmatched_proceeds_usd": sum(row["unmatched_proceeds_usd"] for row in facts.positions),
        "unknown_basis_lot_count": sum(row.get("unknown_basis_lot_count") or 0 for row in facts.positions),
    }


def _without(row: Row | None, *names: str) -> dict[str, Any]:
    return {name: value for name, value in (row or {}).items() if name not in names}
