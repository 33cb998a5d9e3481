"""Decides what a step has to build, and builds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from loaders.resources import TOKENS
from smart_trader.console import ProgressFn
from smart_trader.lake.reader import Lake
from smart_trader.lakehouse.session import Engine
from smart_trader.pipeline.build_state import ENGINE, BuildState
from smart_trader.pipeline.changes import Changes
from smart_trader.pipeline.dbt import Builds, Built
from smart_trader.pipeline.request import RunRequest
from smart_trader.pipeline.steps import CALCULATIONS, READERS, Step, stops


class Builder:
    """Builds the steps of one run.

    Args:
        request: What the run has to do.
        refresh_hours: Age from which on a wallet's profit and loss is calculated again.
        lake: What has landed, and what was built of it.
        engine: What builds.
        progress: Takes progress lines.
    """

    def __init__(
        self, request: RunRequest, refresh_hours: int, lake: Lake, engine: Engine, progress: ProgressFn
    ) -> None:
        self._request = request
        self._refresh_hours = refresh_hours
        self._engine = engine
        self._progress = progress
        self._paths = lake.paths
        self._state = BuildState(lake)
        self._builds = Builds(
            lake.paths, engine, request.as_of.isoformat(), request.run_id, request.variables, progress
        )
        self._changes = Changes(self._builds, self._state, request.variables, request.with_tests)
        # what this run has built, and what of it nothing has changed since
        self._built: set[str] = set()
        self._fresh: set[str] = set()
        self._is_deferred = False
        # every load writes lines into the log and is listed then, so where neither changed nothing landed
        self._noted_version: tuple[int, int] | None = None

    def is_sure_to_build(self, steps: Sequence[Step]) -> bool:
        """Whether one of some steps has something to build, whatever is loaded before it."""
        if not steps:
            return False
        is_due = any(self._state.is_first(step) or self._state.is_due(step, self._request.as_of) for step in steps)
        return is_due or self._is_calculation_due()

    @contextmanager
    def reading_the_project(self) -> Iterator[None]:
        """Read the project beside other work while the block runs."""
        with self._builds.beginning():
            yield

    def build(self, step: Step) -> bool:
        """Build what landed can have changed and is not built yet, and what an edit of the project made old.

        Returns:
            Whether there was anything to build.

        Raises:
            SmartTraderError: A model failed or a test found something.
        """
        self._note_landed()
        is_first = self._state.is_first(step)
        stale = self._changes.stale(step)
        pending = self._pending_kinds(step)
        if CALCULATIONS in pending:
            # until the last step: a run that ends before it leaves them half made
            self._state.mark_pending({CALCULATIONS: set(), **self._state.pending()})
        if not is_first and not pending and not stale:
            if step.is_last:
                self._changes.note_end()
            return False
        if stale and not is_first:
            self._progress(f"      {self._changes.describe()}")
        self._engine.begin()
        self._restore_views(step)
        wanted = self._scope(step) if is_first else self._changed(step, pending)
        seeds = self._changes.stale_seeds()
        tests = self._changes.nodes.tests_of(self._built) if step.is_last and self._request.with_tests else set()
        chosen = (wanted - self._fresh) | stale | seeds
        if chosen or tests:
            self._progress(f"      {self._do(step, chosen | tests)}")
        self._state.mark(step.name, True)
        if step.is_last:
            self._state.mark_pending({})
            self._changes.note_end()
        return True

    def _note_landed(self) -> None:
        """Note what has landed since the last look; what that can change is fresh no longer."""
        version = self._state.log_version()
        if version == self._noted_version:
            return
        for kind in self._state.note_landed():
            if self._fresh:
                self._fresh -= self._reach(kind)
        self._noted_version = version

    def _do(self, step: Step, keys: set[str]) -> Built:
        """Build nodes, and test them at the end of the run or of a step alone."""
        command = ["build", "--exclude-resource-type", "unit_test"]
        if not self._request.with_tests or (not step.is_last and self._request.step is None):
            command.append("test")
        elif not step.is_last:
            # a step alone has no end to wait for; what later steps build may not be there yet
            command += ["--indirect-selection", "cautious"]
        built = self._invoke(step.name, *command, "--select", *self._changes.nodes.names(keys))
        self._built |= self._builds.made
        self._fresh |= self._builds.made
        self._state.mark_pending({kind: known | self._builds.made for kind, known in self._state.pending().items()})
        return built

    def _pending_kinds(self, step: Step) -> list[str]:
        """Return the kinds of what landed that require a step's build."""
        pending = self._state.pending()
        if step.calculates and self._is_calculation_due():
            return [*dict.fromkeys([*pending, CALCULATIONS])]
        if step.is_last:
            return [] if set(pending) == {"tokens"} and not pending["tokens"] and self._is_deferred else list(pending)
        if self._state.is_first(step):
            return list(pending)
        # the fetches that a work list feeds count as well: where no build came after them, they are still in the list
        feeding = [(kind, queue) for kind in step.kinds for queue in step.queues]
        feeding += [(resource.kind, resource.queue or "") for resource in step.feeds]
        if not any(kind in pending and not self._changes.is_built(queue, pending[kind]) for kind, queue in feeding):
            return []
        self._is_deferred = step.resources == (TOKENS,) and self._state.brings_no_work(step, self._request.as_of)
        return [] if self._is_deferred else list(pending)

    def _reach(self, kind: str) -> set[str]:
        """Return what a kind of load can change."""
        return self._changes.nodes.below(READERS[kind], stops(kind))

    def _changed(self, step: Step, kinds: list[str]) -> set[str]:
        """Return what has landed can have changed, and is not built since."""
        built = self._state.pending()
        changed: set[str] = set()
        for kind in kinds:
            changed |= self._reach(kind) - built.get(kind, set())
        return changed & self._scope(step)

    def _scope(self, step: Step) -> set[str]:
        """Return all models and snapshots that a step builds."""
        nodes = self._changes.nodes
        kept = nodes.keys("model", "snapshot")
        return kept if step.is_last else kept & nodes.above(*step.queues)

    def _restore_views(self, step: Step) -> None:
        """Build the views once more where another engine built the lake last: each keeps its own."""
        name = self._engine.choice.name
        known = self._state.engine()
        if known == name:
            return
        if known is not None and self._state.has_leaderboard():
            views = self._changes.nodes.standing_views(self._paths)
            built = self._invoke("views", "run", "--select", *self._changes.nodes.names(views))
            self._progress(f"      the lake was built by {known}; views: {built}")
        self._state.mark(ENGINE, name)

    def _is_calculation_due(self) -> bool:
        """Whether time or another formula makes a wallet's profit and loss due."""
        as_of = self._request.as_of
        is_due = self._state.has_due_calculations(as_of, self._refresh_hours)
        return is_due or self._state.has_outdated_calculations(as_of, self._changes.formula_version)

    def _invoke(self, what: str, *arguments: str) -> Built:
        """Run dbt, and note by which code it built what it built."""
        try:
            return self._builds.invoke(what, *arguments, remade=self._changes.remade())
        finally:
            self._changes.note_built()
