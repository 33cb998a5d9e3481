"""How many wallets qualify, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.text_table import listed

# What it means to fail a minimum of seeds/qualification_minimums.csv.
MINIMUM_WORDS = {
    "total_pnl": "profit below {} USD, or unknown",
    "roi": "return on cost below {} %, or unknown",
    "win_rate": "win rate below {} %, or unknown",
    "trade_count": "trades: fewer than {}",
}


def verdicts_text(lake: Lake, wallets: Iterable[str] = ()) -> str:
    """Return how many wallets qualify and why the others do not; named wallets one by one.

    Raises:
        SmartTraderError: Nothing is evaluated yet.
    """
    newest: dict[str, dict[str, Any]] = {}
    for row in rows_of(lake.read("gold", "trader_evaluations").sort_by([("calculation_date", "ascending")])):
        newest[row["wallet_address"]] = row
    qualified = sum(row["is_qualified"] for row in newest.values())
    reasons = Counter(rule for row in newest.values() for rule in (row["failed_rules"] or "").split(", ") if rule)
    lines = [f"{len(newest):,} wallets evaluated, {qualified:,} qualify"]
    if reasons:
        lines[0] += "; rules failed, a wallet may fail several:"
        known = _rules(lake)
        lines += [f"  {count:>7,}  {rule:19} {known.get(rule, '')}".rstrip() for rule, count in reasons.most_common()]
    apart = quarantined_wallets(lake)
    if apart:
        lines.append(f"quarantined, so not ranked, for what their numbers broke: {listed(apart)}")
    for wallet in wallets:
        verdict = newest.get(wallet)
        if verdict is None:
            lines.append(f"  {wallet}: not evaluated")
        else:
            lines.append(f"  {wallet}: {_verdict(verdict)}")
    return "\n".join(lines)


def _rules(lake: Lake) -> dict[str, str]:
    """Return what it means to fail each rule, with the bound that this lake was built with."""
    settings = read_variables(ProjectVariables)
    seed = lake.read("silver", "qualification_minimums") if lake.has("silver", "qualification_minimums") else None
    minimums = {row["metric"]: f"{float(row['minimum']):,g}" for row in rows_of(seed)} if seed is not None else {}
    known = {rule: words.format(minimums[rule]) for rule, words in MINIMUM_WORDS.items() if rule in minimums}
    return known | {
        "basis_coverage": f"cost known for less than {100 * settings.min_basis_coverage:g} % of proceeds",
        "history_incomplete": "its first trade is not fetched yet",
        "too_active": f"more than {settings.max_swaps_per_wallet:,} swaps",
        "no_tier": "below every tier's minimums",
    }


def _verdict(row: dict[str, Any]) -> str:
    if row["tier"]:
        return str(row["tier"])
    if not row["is_qualified"]:
        return f"does not qualify: {row['failed_rules']}"
    # only an evaluation with a grade takes a wallet that qualifies off the list
    flags = f", flags: {row['flags']}" if row["flags"] else ""
    return f"qualifies as {row['uncapped_tier']}, and is not listed: grade {row['grade']}{flags}"


def quarantined_wallets(lake: Lake) -> list[str]:
    """Return the wallets whose newest calculation broke a check, each with the checks."""
    if not lake.has("silver", "calculation_checks"):
        return []
    checks = lake.read("silver", "calculation_checks", ["wallet_address", "calculation_date", "failed_checks"])
    newest: dict[str, str | None] = {}
    for row in rows_of(checks.sort_by([("calculation_date", "ascending")])):
        newest[row["wallet_address"]] = row["failed_checks"]
    return [f"{wallet}: {failed}" for wallet, failed in sorted(newest.items()) if failed]
