"""The steps of a run, and what each one's load and build have to do with each other."""

from __future__ import annotations

from dataclasses import dataclass

from loaders.tables import TOKEN_METRICS, TRANSACTION_HISTORY, WHALE_HOLDERS, Table


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: What `--step` takes.
        loader: The loader it runs, or None for a build.
        kind: Kind of fetch that its load makes, or that its build waits for.
        table: Bronze table of that load.
        queue: The work list a build ends in: it builds nothing that the list does not stand on. None builds all that
            can have changed, with snapshots and tests.
    """

    name: str
    loader: str | None
    kind: str
    table: Table
    queue: str | None = None

    @property
    def is_build(self) -> bool:
        """Whether it calls dbt."""
        return self.loader is None


STEPS = (
    Step("load_tokens", "tokens", "tokens", TOKEN_METRICS),
    Step("build_tokens", None, "tokens", TOKEN_METRICS, "whale_fetch_queue"),
    Step("load_whales", "whales", "holders", WHALE_HOLDERS),
    Step("build_whales", None, "holders", WHALE_HOLDERS, "transaction_fetch_queue"),
    Step("load_transactions", "transactions", "swaps", TRANSACTION_HISTORY),
    Step("build_traders", None, "swaps", TRANSACTION_HISTORY),
)
STEP_NAMES = tuple(step.name for step in STEPS)
LOADS = {step.kind: step for step in STEPS if not step.is_build}

# By kind of load, the tables that read its rows or what became of its fetches. Whatever stands on one of them can
# change with the load, and nothing else can. A request to retry counts as a fetch of each kind.
READERS = {
    "tokens": ("token_observations", "tracked_tokens"),
    "holders": ("holder_observations", "tracked_tokens", "whale_fetch_queue"),
    "swaps": ("swap_load_batches", "whale_wallets", "tracked_whales", "transaction_fetch_queue", "pnl_due_wallets"),
}
# Time, or another formula, makes a calculation due without a load.
CALCULATIONS = "calculations"
READERS[CALCULATIONS] = ("pnl_due_wallets",)
# What these hold of a wallet stays until the wallet is calculated again, which only swaps, time or a formula make due.
BY_CALCULATION = frozenset({"pnl_due_wallets", "position_pnl"})


def stops(kind: str) -> frozenset[str]:
    """Return the tables beyond which a kind of load changes nothing."""
    return frozenset() if kind in ("swaps", CALCULATIONS) else BY_CALCULATION
