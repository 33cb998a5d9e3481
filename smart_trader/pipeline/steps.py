"""The steps of a run, and what each one's load and build have to do with each other."""

from __future__ import annotations

from dataclasses import dataclass

from loaders.resources import DETAILS, TOKENS, TRANSACTIONS, WHALES, Resource


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: What `--step` takes.
        resources: What its load loads, in this order, or what its build waits for.
        is_build: Whether it calls dbt; a load does not.
        feeds: The resources whose work lists a build ends in: it builds nothing that the lists do not stand on. None
            builds all that can have changed, with snapshots and tests.
        is_optional: Whether a list is made without it: what fails it fails no run.
        calculates: Whether a build makes the calculations that are due.
        words: What a build does, for people.
    """

    name: str
    resources: tuple[Resource, ...]
    is_build: bool = False
    feeds: tuple[Resource, ...] = ()
    is_optional: bool = False
    calculates: bool = False
    words: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of fetch that its load makes, or that its build waits for."""
        return tuple(resource.kind for resource in self.resources)

    @property
    def queues(self) -> tuple[str, ...]:
        """The work lists that a build ends in."""
        return tuple(resource.queue for resource in self.feeds if resource.queue)

    @property
    def is_last(self) -> bool:
        """Whether a build ends in no work list, but in the leaderboard."""
        return not self.feeds


STEPS = (
    Step("load_tokens", (TOKENS,)),
    Step("build_tokens", (TOKENS,), is_build=True, feeds=(WHALES,), words="choosing the tokens to follow"),
    Step("load_whales", (WHALES,)),
    Step("build_whales", (WHALES,), is_build=True, feeds=(TRANSACTIONS,), words="choosing the wallets to follow"),
    Step("load_transactions", (TRANSACTIONS,)),
    # calculates what the details are looked up for: they come before anything is marked
    Step(
        "build_positions",
        (TRANSACTIONS,),
        is_build=True,
        feeds=DETAILS,
        calculates=True,
        words="matching sales with purchases, computing profit",
    ),
    Step("load_details", DETAILS, is_optional=True),
    Step("build_traders", DETAILS, is_build=True, calculates=True, words="marking what is held, judging and ranking"),
)
# What a load does, for people, by kind of fetch: before the number of its items, and one of them.
LOAD_WORDS = {
    "tokens": ("listing the tokens that pass the filters", ""),
    "holders": ("reading the largest holders of", "token"),
    "swaps": ("reading the trades of", "wallet"),
    "prices": ("looking up the prices of", "token"),
    "launches": ("looking up the launches of", "token"),
}
STEP_NAMES = tuple(step.name for step in STEPS)
LOADED = {resource.kind: resource for step in STEPS if not step.is_build for resource in step.resources}

# By kind of load, the tables that read its rows or what became of its fetches. Whatever stands on one of them can
# change with the load, and nothing else can. A request to retry counts as a fetch of each kind.
READERS = {
    "tokens": ("token_observations", "tracked_tokens", "token_launches"),
    "holders": ("holder_observations", "tracked_tokens", "whale_fetch_queue"),
    "swaps": ("swap_load_batches", "whale_wallets", "tracked_whales", "transaction_fetch_queue", "pnl_due_wallets"),
    "prices": ("token_prices", "price_fetch_queue"),
    "launches": ("token_launches", "launch_fetch_queue", "tokens"),
}
# Time, or another formula, makes a calculation due without a load.
CALCULATIONS = "calculations"
READERS[CALCULATIONS] = ("pnl_due_wallets",)
# What these hold of a wallet stays until the wallet is calculated again, which only swaps, time or a formula make due.
BY_CALCULATION = frozenset({"pnl_due_wallets", "position_pnl"})


def load_words(kind: str, items: int) -> str:
    """Say what a load does: reading the trades of 403 wallets."""
    words, item = LOAD_WORDS[kind]
    if not item:
        return words
    return f"{words} {items:,} {item}{'s' if items != 1 else ''}"


def stops(kind: str) -> frozenset[str]:
    """Return the tables beyond which a kind of load changes nothing."""
    return frozenset() if kind in ("swaps", CALCULATIONS) else BY_CALCULATION
