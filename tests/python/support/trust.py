"""Flags, skill and places of a lake against the independent reference, which reads what the lake has fetched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from smart_trader.sandbox.replay import parse
from tests.python.reference import Trust, Verdict, compute_reference, compute_trust

from .market_lake import MarketLake, quote_assets

TOLERANCE = 1e-9
SKILL_COLUMNS = (
    *("position_count", "mean_return", "skill", "skill_low", "skill_low_90", "edge_low", "edge_low_90"),
    *("money_return", "money_return_low", "period_count", "good_period_share", "grade"),
)
SCALE_COLUMNS = ("peer_mean", "within_variance", "between_variance", "peer_count")


def fetched_verdict(lake: MarketLake, at: int, data_source: str = "sandbox") -> Verdict:
    """Let the reference compute every fetched wallet from the rows in bronze: histories that are cut stay cut."""
    log = [row for row in lake.rows("bronze", "fetch_log") if row["kind"] == "swaps"]
    complete = {row["item"] for row in log if row["reached_oldest"]}
    pages: dict[str, dict[str, dict[object, Any]]] = {row["item"]: {} for row in log}
    for row in lake.rows("bronze", "transaction_history"):
        # a row that two pages of a fetch show is one
        page = pages[row["wallet_address"]].setdefault(row["fetch_id"], {})
        page.setdefault((row["item"], row["occurrence"]), parse(row["item"]))
    return compute_reference(
        {wallet: [list(page.values()) for page in fetches.values()] for wallet, fetches in pages.items()},
        as_of=datetime.fromtimestamp(at, UTC),
        quote_assets=quote_assets(),
        history_complete={wallet: wallet in complete for wallet in pages},
        token_observations=lake.observed_prices(),
        holder_observations=lake.observed("whale_holders"),
        data_source=data_source,
    )


def judge_trust(lake: MarketLake, at: int, verdict: Verdict) -> Trust:
    """Let the reference judge every wallet of a lake whose wallets were all calculated at one time."""
    return compute_trust(
        verdict,
        as_of=datetime.fromtimestamp(at, UTC),
        launches=known_launches(lake),
        holder_observations=lake.observed("whale_holders"),
    )


def known_launches(lake: MarketLake) -> dict[str, int]:
    """Return unix times of launches: what a creation says, else the earliest listing that a token list named."""
    launches: dict[str, int] = {}
    for item, observed_at in lake.observed("token_metrics"):
        listed = item.get("recent_listing_time")
        if listed is not None and 0 < int(listed) <= observed_at.timestamp():
            launches[item["address"]] = min(int(listed), launches.get(item["address"], int(listed)))
    made = {
        item["tokenAddress"]: int(item["blockUnixTime"])
        for item, observed_at in lake.observed("token_creations")
        if item.get("blockUnixTime") is not None and 0 < int(item["blockUnixTime"]) <= observed_at.timestamp()
    }
    return launches | made


def flag_differences(lake: MarketLake, trust: Trust) -> list[str]:
    """List where gold.wallet_flags is not what the reference says."""
    wanted = {(wallet, flag.flag): flag._asdict() for wallet, flags in trust.flags.items() for flag in flags}
    found = {(row["wallet_address"], row["flag"]): row for row in lake.rows("gold", "wallet_flags")}
    return compare(wanted, found, ("severity", "tier_cap", "value", "bound"))


def skill_differences(lake: MarketLake, trust: Trust) -> list[str]:
    """List where gold.skill_scores is not what the reference says."""
    scale = {} if trust.scale is None else dict(zip(SCALE_COLUMNS, trust.scale, strict=True))
    wanted = {wallet: {**skill._asdict(), **scale} for wallet, skill in trust.skills.items()}
    found = {row["wallet_address"]: row for row in lake.rows("gold", "skill_scores")}
    return compare(wanted, found, (*SKILL_COLUMNS, *scale))


def standing_differences(lake: MarketLake, trust: Trust) -> list[str]:
    """List where places, tiers and who is listed are not what the reference says."""
    wanted = {wallet: standing._asdict() for wallet, standing in trust.standings.items()}
    found = {row["wallet_address"]: row for row in lake.rows("gold", "wallet_standings")}
    lines = compare(wanted, found, ("grade", "is_listed", "tier"))
    board = [row for row in lake.rows("gold", "leaderboard") if not row["former"]]
    ranked = [row["wallet_address"] for row in sorted(board, key=lambda row: row["overall_rank"])]
    if ranked != trust.ranking:
        lines.append(f"ranked are {ranked}, expected {trust.ranking}")
    return lines


Rows = Mapping[Any, Mapping[str, Any]]


def compare(wanted: Rows, found: Rows, columns: Iterable[str]) -> list[str]:
    """List rows that only one side has, and values that differ by more than a billionth."""
    lines = [f"{key}: missing, expected {wanted[key]}" for key in sorted(wanted.keys() - found.keys())]
    lines += [f"{key}: not expected: {found[key]}" for key in sorted(found.keys() - wanted.keys())]
    for key in sorted(wanted.keys() & found.keys()):
        for column in columns:
            want, got = wanted[key][column], found[key][column]
            if not same(want, got):
                lines.append(f"{key}: {column} is {got}, expected {want}")
    return lines


def same(want: Any, got: Any) -> bool:
    """Compare numbers within the tolerance, everything else exactly."""
    if isinstance(want, float) and isinstance(got, float | int):
        return math.isclose(want, got, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(want == got)
