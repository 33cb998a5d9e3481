"""The steps of a run, and what each one's load and build have to do with each other."""

from __future__ import annotations

from dataclasses import dataclass

from loaders.resources import TOKENS, TRANSACTIONS, WHALES, Resource


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: What `--step` takes.
        resource: What its load loads, or what its build waits for.
        is_build: Whether it calls dbt; a load does not.
        feeds: The resource whose work list a build ends in: it builds nothing that the list does not stand on. None
            builds all that can have changed, with snapshots and tests.
    """

    name: str
    resource: Resource
    is_build: bool = False
    feeds: Resource | None = None

    @property
    def kind(self) -> str:
        """Kind of fetch that its load makes, or that its build waits for."""
        return self.resource.kind

    @property
    def queue(self) -> str | None:
        """The work list that a build ends in."""
        return self.feeds.queue if self.feeds else None

    @property
    def is_last(self) -> bool:
        """Whether a build ends in no work list, but in the leaderboard."""
        return self.feeds is None

    @property
    def goal(self) -> str:
        """The table that a build ends in."""
        return self.queue or "leaderboard"


STEPS = (
    Step("load_tokens", TOKENS),
    Step("build_tokens", TOKENS, is_build=True, feeds=WHALES),
    Step("load_whales", WHALES),
    Step("build_whales", WHALES, is_build=True, feeds=TRANSACTIONS),
    Step("load_transactions", TRANSACTIONS),
    Step("build_traders", TRANSACTIONS, is_build=True),
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
