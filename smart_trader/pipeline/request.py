"""What a run has to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from smart_trader.pipeline.sources import SourceSpec
from smart_trader.pipeline.steps import STEPS, Step


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run has to do.

    Attributes:
        source: Where its rows come from.
        as_of: Its time.
        run_id: Its name, on every row it makes.
        step: One step alone, or None for all.
        tokens: Tokens whose holders are fetched as well.
        wallets: Wallets that are tracked as well.
        variables: Settings of this run alone.
        with_tests: Whether what is built is tested.
    """

    source: SourceSpec
    as_of: datetime
    run_id: str
    step: str | None = None
    tokens: Sequence[str] = ()
    wallets: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    with_tests: bool = True

    @property
    def steps(self) -> list[Step]:
        """The steps to do, in order."""
        return [step for step in STEPS if self.step in (None, step.name)]

    @property
    def builds(self) -> bool:
        """Whether one of them calls dbt; a load alone needs no engine."""
        return any(step.is_build for step in self.steps)
