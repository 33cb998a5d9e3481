"""What came of one wallet, in a sentence."""

from __future__ import annotations

from smart_trader.reports.text_table import cell_text
from smart_trader.reports.wallet_facts import Row, WalletFacts


def verdict_sentence(facts: WalletFacts) -> str:
    """Say whether the wallet is listed, at which rank, tier and grade, or why it is not."""
    wallet, standing, board = facts.wallet, facts.standing, facts.board
    if not facts.has_swaps:
        covered = facts.calculation
        whole = ", and its history is known to its beginning" if covered and covered["is_history_complete"] else ""
        return f"{wallet} has no swaps: it was fetched{whole}, so there is nothing to judge."
    if standing is None:
        return _old_verdict(wallet, facts.evaluation)
    if standing["is_listed"]:
        rank = f"rank {board['overall_rank']} of {facts.listed_count}, " if board and board["overall_rank"] else ""
        return f"{wallet} is listed: {rank}tier {standing['tier']}, grade {standing['grade']}."
    sentence = f"{wallet} is not listed: {_reason(facts, standing)}."
    if board is not None and board["former"]:
        since = f" since {cell_text(board['former_since'])} UTC" if board.get("former_since") else ""
        reason = board.get("former_reason") or "it no longer qualifies"
        sentence += f" It was {board['tier']} once and is off the list{since}: {reason}."
    return sentence


def caps_sentence(facts: WalletFacts) -> str | None:
    """Say what keeps a listed wallet below the tier of its size; None where nothing does."""
    standing = facts.standing
    if standing is None or not standing["is_listed"] or standing["uncapped_tier"] == standing["tier"]:
        return None
    tier = standing["tier"]
    caps = [(f"grade {standing['grade']}", facts.grade_tiers.get(standing["grade"]))]
    caps += [(f"the flag {row['flag']}", row["tier_cap"]) for row in facts.flags]
    by = [name for name, best in caps if best == tier]
    return (
        f"By its size it would be {standing['uncapped_tier']}; {' and '.join(by) or 'its grade'} "
        f"{'allow' if len(by) > 1 else 'allows'} {tier} at most."
    )


def _reason(facts: WalletFacts, standing: Row) -> str:
    reason = str(standing["unlisted_reason"])
    if reason == "does not qualify" and facts.evaluation is not None and facts.evaluation["failed_rules"]:
        return f"it does not qualify ({facts.evaluation['failed_rules']}), grade {standing['grade']}"
    if reason == "grade fell":
        return f"its grade fell to {standing['grade']}, which is not listed"
    return f"{reason}, grade {standing['grade']}"


def _old_verdict(wallet: str, evaluation: Row | None) -> str:
    if evaluation is None:
        return f"{wallet} is not evaluated yet."
    if evaluation["is_qualified"]:
        return f"{wallet} qualifies: tier {evaluation['tier']}."
    return f"{wallet} does not qualify ({evaluation['failed_rules']})."
