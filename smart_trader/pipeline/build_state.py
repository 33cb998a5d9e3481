"""What a lake was built from and by: the marks that show whether a build has anything to do."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loaders.bronze import LOAD_ID
from loaders.retry import RETRY
from loaders.tables import FETCH_LOG
from smart_trader.config.schemas import schema_name
from smart_trader.lake.atomic import write_file
from smart_trader.lake.loads import load_files
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.stamps import Stamp
from smart_trader.pipeline.steps import LOADED, Step

# names of marks beside those of the steps
ENGINE = "engine"
LANDED = "landed"
PENDING = "pending"
PROJECT = "project"
STAMPS = "stamps"


@dataclass(frozen=True, slots=True)
class BuildState:
    """Compares what a step's build would read with what it read last.

    The marks are written after a build, so a kill in between only makes a build run again.
    """

    lake: Lake

    def now(self) -> dict[str, dict[str, Any]]:
        """Return what has landed by kind: the version of its table, and the number of its lines in the log.

        Only lines of listed loads count, as in a build: one that lands meanwhile has its lines before it is listed.
        """
        log = self.lake.read("bronze", FETCH_LOG.name, ["kind", "outcome", LOAD_ID])
        _, listed = load_files(self.lake)
        log = log.filter(pc.is_in(log[LOAD_ID], value_set=pa.array(list(listed), pa.string())))
        # a request to retry changes the work lists, whichever load it is for
        is_retry = pc.equal(log["outcome"], RETRY)
        retries = pc.sum(is_retry).as_py() or 0
        counts = pc.value_counts(log.filter(pc.invert(is_retry))["kind"]).to_pylist()
        fetches = {count["values"]: count["counts"] for count in counts}
        return {
            kind: {
                "version": self.lake.delta("bronze", resource.table.name).version(),
                "fetches": fetches.get(kind, 0) + retries,
            }
            for kind, resource in LOADED.items()
        }

    def log_version(self) -> tuple[int, int]:
        """Return the version of the log that every load writes its fetches into, and how many loads are listed."""
        return self.lake.delta("bronze", FETCH_LOG.name).version(), len(load_files(self.lake)[1])

    def is_first(self, step: Step) -> bool:
        """Whether what the step builds is not there yet, or no build of it has come to its end."""
        schema, goals = ("gold", ("leaderboard",)) if step.is_last else ("silver", step.queues)
        return not all(self.lake.has(schema, goal) for goal in goals) or _key(step.name) not in self._marks()

    def pending(self) -> dict[str, set[str]]:
        """Return the kinds of what landed since all that it can change was built, and what of it is built."""
        seen = self._marks().get(_key(PENDING))
        return {kind: set(built) for kind, built in seen.items()} if isinstance(seen, dict) else {}

    def mark_pending(self, pending: Mapping[str, Collection[str]]) -> None:
        """Note what is pending."""
        self.mark(PENDING, {kind: sorted(built) for kind, built in pending.items()})

    def note_landed(self) -> list[str]:
        """Look what has landed since the last call, and note it as pending; returns the kinds."""
        landed, marks = [], {}
        for kind, now in self.now().items():
            if self._marks().get(_key(f"{LANDED}.{kind}")) != now:
                landed.append(kind)
                marks[_key(f"{LANDED}.{kind}")] = now
        if landed:
            pending = {kind: sorted(built) for kind, built in self.pending().items()} | {kind: [] for kind in landed}
            # at once, so that no kill comes between
            self._write({**self._marks(), **marks, _key(PENDING): pending})
        return landed

    def is_due(self, step: Step, as_of: datetime) -> bool:
        """Whether anything is due by the work lists that a step's build has made last."""
        due = (self.lake.read("silver", queue, ["due_at"])["due_at"] for queue in step.queues)
        return any(pc.any(pc.less_equal(due_at, pa.scalar(as_of))).as_py() for due_at in due)

    def brings_no_work(self, step: Step, as_of: datetime) -> bool:
        """Whether the newest token list makes no token's holders due: the next build is soon enough for it.

        That is so where it names exactly the tokens that are tracked, whatever their prices are now, and no token's
        holders are due by the work list as it was built last.
        """
        if self.is_due(step, as_of):
            return False
        (resource,) = step.resources
        of_lists = pc.field("kind") == resource.kind
        log = self.lake.read("bronze", FETCH_LOG.name, ["outcome", "as_of", "fetch_id"], of_lists)
        newest = log.filter(pc.equal(log["as_of"], pc.max(log["as_of"]))).to_pylist()
        if [fetch["outcome"] for fetch in newest] != ["complete"]:
            return False
        was_listed = pc.field("fetch_id") == newest[0]["fetch_id"]
        listed = set(self.lake.read("bronze", resource.table.name, ["address"], was_listed)["address"].to_pylist())
        for seed, column in (("quote_assets", "mint"), ("untracked_tokens", "token_address")):
            listed -= set(self.lake.read("silver", seed, [column])[column].to_pylist())
        active = self.lake.read("silver", "tracked_tokens", ["token_address"], pc.field("is_active"))
        return listed == set(active["token_address"].to_pylist())

    def forget(self) -> None:
        """Take it that nothing that landed was built yet; by which code the tables were built stays known."""
        self._write({key: seen for key, seen in self._marks().items() if key.endswith(f".{STAMPS}")})

    def has_seeds(self) -> bool:
        """Whether the lake has the project's seeds, of whatever version."""
        return self.lake.has("silver", "quote_assets")

    def has_leaderboard(self) -> bool:
        """Whether the lake was built to its end once."""
        return self.lake.has("gold", "leaderboard")

    def mark(self, name: str, seen: Any) -> None:
        """Note what a build has seen; `seen` is from before it began."""
        self._write(self._marks() | {_key(name): seen})

    def project(self) -> str | None:
        """Return the fingerprint of the whole project that all of this lake was last found built by."""
        seen = self._marks().get(_key(PROJECT))
        return seen if isinstance(seen, str) else None

    def engine(self) -> str | None:
        """Return the engine that this lake was built with last."""
        seen = self._marks().get(_key(ENGINE))
        return seen if isinstance(seen, str) else None

    def stamps(self) -> dict[str, Stamp]:
        """Return what each node was built by; none of a lake that an earlier version built."""
        seen = self._marks().get(_key(STAMPS))
        if not isinstance(seen, dict):
            return {}
        try:
            return {key: Stamp(**stamp) for key, stamp in seen.items()}
        except TypeError:
            return {}

    def mark_stamps(self, stamps: Mapping[str, Stamp]) -> None:
        """Note by what nodes were built, beside what is known of the others."""
        self.mark(STAMPS, {key: asdict(stamp) for key, stamp in {**self.stamps(), **stamps}.items()})

    def _write(self, marks: Mapping[str, Any]) -> None:
        write_file(self.lake.paths.built_file, json.dumps(marks))

    def _marks(self) -> dict[str, Any]:
        try:
            marks = json.loads(self.lake.paths.built_file.read_text())
        except (OSError, ValueError):
            return {}
        return marks if isinstance(marks, dict) else {}

    def has_due_calculations(self, as_of: datetime, refresh_hours: int) -> bool:
        """Whether time alone makes a wallet's profit and loss due."""
        if not self.lake.has("silver", "pnl_due_wallets"):
            return False
        oldest = pc.min(self.lake.read("silver", "pnl_due_wallets", ["calculation_date"])["calculation_date"])
        timestamp = oldest.as_py()
        return timestamp is not None and timestamp + timedelta(hours=refresh_hours) <= as_of

    def has_outdated_calculations(self, as_of: datetime, version: str) -> bool:
        """Whether a wallet's profit and loss was computed by another code, at an earlier time than this run's."""
        if not self.lake.has("silver", "pnl_due_wallets"):
            return False
        names = [field.name for field in self.lake.delta("silver", "pnl_due_wallets").schema().fields]
        # a lake of before there were versions has no such column
        column = "code_version" if "code_version" in names else "calculation_date"
        earlier = pc.field("calculation_date") < as_of
        made = self.lake.read("silver", "pnl_due_wallets", [column], earlier)[column].unique().to_pylist()
        return any(value != version for value in made)


def _key(name: str) -> str:
    """Targets with schemas of their own share a lake's home."""
    return f"{schema_name('silver')}.{name}"
