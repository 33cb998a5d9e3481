"""What a run builds because of the project's own edits, whatever landed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from smart_trader.pipeline.build_state import PROJECT, BuildState
from smart_trader.pipeline.dbt import Builds
from smart_trader.pipeline.fingerprints import ProjectCode
from smart_trader.pipeline.stamps import Nodes
from smart_trader.pipeline.steps import Step

SHOWN_NAMES = 6
# Behind the project's fingerprint where its data tests did not run.
UNTESTED = "-untested"


class Changes:
    """What a run has to build because the project was edited, or has other vars, since the lake was built.

    Args:
        builds: dbt, for the project's nodes; it is called only where a file or a var differs.
        state: What the lake was built by.
        overrides: Values of vars of this run alone.
        with_tests: Whether data tests are run.
    """

    def __init__(self, builds: Builds, state: BuildState, overrides: Mapping[str, Any], with_tests: bool) -> None:
        self._builds = builds
        self._state = state
        self._with_tests = with_tests
        self._kinds = ("model", "snapshot", "test") if with_tests else ("model", "snapshot")
        self._code = ProjectCode.read(overrides)

    @property
    def formula_version(self) -> str:
        """Version of the code that makes a wallet's figures and its verdict."""
        return self._code.formula_version

    @cached_property
    def nodes(self) -> Nodes:
        """The project's nodes; dbt parses the project for them."""
        return Nodes(self._builds.nodes(), self._code)

    @cached_property
    def _whole(self) -> str:
        return self._code.whole()

    @property
    def _is_current(self) -> bool:
        """Whether all of the lake is known to be built by the project as it is; saves a call of dbt."""
        known = (self._whole,) if self._with_tests else (self._whole, self._whole + UNTESTED)
        return self._state.project() in known

    def stale(self, step: Step) -> set[str]:
        """Return the ids of what an edit made old and the step builds or tests."""
        if self._is_current:
            return set()
        stale = {key for key in self.nodes.stale(self._state.stamps()) if self.nodes.is_kind(key, *self._kinds)}
        return stale if step.is_last else stale & self.nodes.above(*step.queues)

    def stale_seeds(self) -> set[str]:
        """Return the ids of the seeds whose lines the lake does not have."""
        if not self._state.has_seeds():
            return self.nodes.keys("seed")
        if self._is_current:
            return set()
        return self.nodes.keys("seed") & self.nodes.stale(self._state.stamps())

    def remade(self) -> set[str]:
        """Return the ids of the tables that have to be built from all rows."""
        return set() if self._is_current else self.nodes.remade(self._state.stamps())

    @staticmethod
    def is_built(name: str, built: Collection[str]) -> bool:
        """Whether a node of a name is among ids, which end in it."""
        return any(key.endswith(f".{name}") for key in built)

    def describe(self) -> str:
        """Put into words what was edited, and what is built from all rows for it."""
        built = self._state.stamps()
        if not built:
            return "the lake does not say by which code it was built: the whole project is built once"
        edited = _join_names(self.nodes.edited(built)) or "data tests"
        # what was never built is not built again
        remade = self.nodes.names(self.nodes.remade(built) & built.keys())
        again = f"; built again from all rows: {_join_names(remade)}" if remade else ""
        return f"changed since the last build: {edited}{again}"

    def note_built(self) -> None:
        """Note by what the nodes were built that dbt's last command built or tested well."""
        made = self._builds.made
        if made and not self._is_current:
            self._state.mark_stamps({key: stamp for key, stamp in self.nodes.stamps.items() if key in made})

    def note_end(self) -> None:
        """Note that nothing is old any more, if that is so."""
        if self._is_current:
            return
        stale = self.nodes.stale(self._state.stamps())
        if not self._with_tests:
            stale = {key for key in stale if not self.nodes.is_kind(key, "test")}
        if not stale:
            self._state.mark(PROJECT, self._whole if self._with_tests else self._whole + UNTESTED)


def _join_names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return f"{shown} and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else shown
