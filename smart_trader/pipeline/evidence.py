"""Whether a build has anything to do, told by what has landed since the last one that ended well."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from loaders.retry import RETRY
from loaders.tables import FETCH_LOG
from smart_trader.paths import project_root
from smart_trader.pipeline.reading import Lake
from smart_trader.pipeline.steps import Step
from smart_trader.schemas import schema_name


@dataclass(frozen=True, slots=True)
class Evidence:
    """Compares what a step's build would read with what it read last.

    The marks are written after a build, so a kill in between only makes a build run again.
    """

    lake: Lake

    def now(self, step: Step) -> dict[str, Any]:
        """Return what has landed for a step: its table's version, and the number of its lines in the log."""
        # a request to retry changes the work lists, whichever load it is for
        where = (pc.field("kind") == step.kind) | (pc.field("outcome") == RETRY)
        return {
            "version": self.lake.delta("bronze", step.table.name).version(),
            "fetches": self.lake.read("bronze", FETCH_LOG.name, ["kind"], where).num_rows,
        }

    def is_first(self, step: Step) -> bool:
        """Whether what the step builds is not there yet, or no build of it has come to its end."""
        schema, table = ("silver", step.queue) if step.queue else ("gold", "leaderboard")
        return not self.lake.has(schema, table) or _key(step.name) not in self._marks()

    def has_work(self, step: Step) -> bool:
        """Whether anything landed that the step's last build has not seen."""
        return self.is_first(step) or self._marks().get(_key(step.name)) != self.now(step)

    def forget(self) -> None:
        """Take it that nothing was built yet."""
        self.lake.paths.built_file.unlink(missing_ok=True)

    def seeds(self) -> str:
        """Return the fingerprint of the project's seeds."""
        digest = hashlib.sha256()
        for path in sorted((project_root() / "seeds").iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    def has_seeds(self) -> bool:
        """Whether the seeds are in the lake as they are in the project."""
        return self.lake.has("silver", "quote_assets") and self._marks().get(_key("seeds")) == self.seeds()

    def mark(self, name: str, seen: Any) -> None:
        """Note what a build has seen; `seen` is from before it began."""
        marks = self._marks() | {_key(name): seen}
        part = self.lake.paths.built_file.with_suffix(".part")
        part.write_text(json.dumps(marks))
        part.replace(self.lake.paths.built_file)

    def _marks(self) -> dict[str, Any]:
        try:
            marks = json.loads(self.lake.paths.built_file.read_text())
        except (OSError, ValueError):
            return {}
        return marks if isinstance(marks, dict) else {}

    def has_due_calculations(self, as_of: datetime, refresh_hours: int) -> bool:
        """Whether time alone makes a wallet's profit and loss due."""
        if not self.lake.has("silver", "wallet_calculations"):
            return False
        oldest = pc.min(self.lake.read("silver", "wallet_calculations", ["calculation_date"])["calculation_date"])
        moment = oldest.as_py()
        return moment is not None and moment + timedelta(hours=refresh_hours) <= as_of


def _key(name: str) -> str:
    """Targets with schemas of their own share a lake's home."""
    return f"{schema_name('silver')}.{name}"
