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
        queue: The work list a build ends in: everything between the bronze table and it is built. None builds all
            that the table reaches, with snapshots and tests.
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

    def selection(self, is_first: bool) -> list[str]:
        """Return what dbt builds: what the load before can have changed, or all it stands on where that is missing."""
        source = f"source:bronze.{self.table.name}+"
        if is_first:
            return [f"+{self.queue}"] if self.queue else ["fqn:*"]
        if self.queue is None:
            return [source, "source:bronze.fetch_log+"]
        return [f"{source},+{self.queue}", f"source:bronze.fetch_log+,+{self.queue}"]


STEPS = (
    Step("load_tokens", "tokens", "tokens", TOKEN_METRICS),
    Step("build_tokens", None, "tokens", TOKEN_METRICS, "whale_fetch_queue"),
    Step("load_whales", "whales", "holders", WHALE_HOLDERS),
    Step("build_whales", None, "holders", WHALE_HOLDERS, "transaction_fetch_queue"),
    Step("load_transactions", "transactions", "swaps", TRANSACTION_HISTORY),
    Step("build_traders", None, "swaps", TRANSACTION_HISTORY),
)
STEP_NAMES = tuple(step.name for step in STEPS)
