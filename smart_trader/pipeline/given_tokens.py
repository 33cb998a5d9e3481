"""What became of tokens that a person gave: holders of one that is not tracked are kept, and nobody follows them."""

from __future__ import annotations

import pyarrow.compute as pc

from smart_trader.lake.reader import Lake, rows_of

SHOWN_TOKENS = 10


def untracked_text(lake: Lake, run_id: str) -> str | None:
    """Return which tokens given to a run are not tracked, and why.

    Args:
        lake: The lake, after the holders of the tokens have landed.
        run_id: The run they were given to.

    Returns:
        One line, or None where all are tracked.
    """
    was_given = (pc.field("run_id") == run_id) & (pc.field("kind") == "holders") & (pc.field("origin") == "given")
    given = sorted(set(lake.read("bronze", "fetch_log", ["item"], was_given)["item"].to_pylist()))
    tracked = _read_column(lake, "tracked_tokens", "token_address")
    untracked = [token for token in given if token not in tracked]
    if not untracked:
        return None
    reasons = _find_reasons(lake)
    named = ", ".join(f"{token} ({reasons.get(token, 'in no token list yet')})" for token in untracked[:SHOWN_TOKENS])
    more = f" and {len(untracked) - SHOWN_TOKENS} more" if len(untracked) > SHOWN_TOKENS else ""
    return (
        f"{len(untracked)} of the {len(given)} tokens given are not tracked: their holders are kept, but none of them "
        f"is followed: {named}{more}"
    )


def _find_reasons(lake: Lake) -> dict[str, str]:
    """Return why tokens are not tracked; the newest token list that names one counts."""
    reasons: dict[str, str] = {}
    if lake.has("silver", "token_observations"):
        observed = lake.read("silver", "token_observations", ["token_address", "observed_at", "failed_rule"])
        for row in rows_of(observed.sort_by([("observed_at", "ascending")])):
            reasons[row["token_address"]] = f"fails {row['failed_rule']}" if row["failed_rule"] else "not built yet"
    reasons |= dict.fromkeys(_read_column(lake, "untracked_tokens", "token_address"), "in seeds/untracked_tokens.csv")
    return reasons | dict.fromkeys(_read_column(lake, "quote_assets", "mint"), "a quote asset")


def _read_column(lake: Lake, table: str, column: str) -> set[str]:
    return set(lake.read("silver", table, [column])[column].to_pylist()) if lake.has("silver", table) else set()
