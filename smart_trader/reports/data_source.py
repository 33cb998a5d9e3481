"""Says where a lake's rows come from, so that nobody takes a made-up market for a real one."""

from __future__ import annotations

from collections.abc import Iterable

from smart_trader.data_sources import BIRDEYE, REPLAY, SANDBOX
from smart_trader.lake.identity import read_identity
from smart_trader.lake.reader import Lake

WARNINGS = {
    SANDBOX: "MADE-UP MARKET: these rows come from a sandbox; no such wallet, token or profit exists.",
    REPLAY: "RECORDED DATA: these rows come from recorded responses that were replayed, not from today's market.",
}


def source_of(lake: Lake, found: Iterable[str | None] = ()) -> str:
    """Return where rows come from: birdeye only where everything says so.

    Args:
        lake: The lake, which states a source of its own.
        found: The sources that rows name.
    """
    identity = read_identity(lake.paths)
    named = {source for source in (identity.source if identity else None, *found) if source}
    return next(iter(sorted(named - {BIRDEYE})), BIRDEYE if named else "unknown")


def source_warning(source: str) -> str | None:
    """Return the warning to put above what is not real; None for real rows."""
    if source == BIRDEYE:
        return None
    return WARNINGS.get(source, f"NOT KNOWN TO BE REAL: the source of these rows is {source}.")
