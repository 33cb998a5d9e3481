"""dbt in the test's own process, which spares its imports each time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from dbt.cli.main import dbtRunner

from .engine import PROJECT, EmbeddedLake, Engine


@dataclass(frozen=True)
class DbtResult:
    """What a dbt command did.

    Attributes:
        success: Whether it succeeded.
        nodes: Each node's status and message.
        error: What ended the whole command, if something did.
        listed: What `dbt ls` lists.
    """

    success: bool
    nodes: list[tuple[str, str]]
    error: str | None
    listed: list[str]

    def messages(self, *statuses: str) -> list[str]:
        """Return the messages of the nodes of some statuses."""
        return [message for status, message in self.nodes if status in statuses]

    @property
    def failures(self) -> list[str]:
        """What failed, in dbt's words."""
        return self.messages("error", "fail", "runtime error") + ([self.error] if self.error else [])

    def counts(self) -> Counter[str]:
        """Return how many nodes have each status."""
        return Counter(status for status, _ in self.nodes)


def run_dbt(lake: Engine | EmbeddedLake, *arguments: str, project: Path = PROJECT, **environment: str) -> DbtResult:
    """Run dbt in this process, on the lake's own engine unless the environment sets another."""
    command, *rest = arguments
    places = ("--target-path", str(lake.paths.home / "dbt-target"), "--log-path", str(lake.paths.home / "dbt-logs"))
    places += ("--project-dir", str(project), "--profiles-dir", str(project))
    with patch.dict("os.environ", {**lake.environment, **environment}, clear=True):
        done = dbtRunner().invoke(["--quiet", "--no-use-colors", command, *places, *rest])
    nodes = [(str(one.status), str(one.message)) for one in getattr(done.result, "results", [])]
    listed = done.result if isinstance(done.result, list) else []
    return DbtResult(done.success, nodes, str(done.exception) if done.exception else None, listed)
