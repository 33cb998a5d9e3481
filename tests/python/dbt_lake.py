"""An embedded lake on which dbt runs in the test's own process, which spares a second of imports each time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from dbt.cli.main import dbtRunner
from engine import PROJECT, EmbeddedLake


@dataclass(frozen=True)
class DbtLake(EmbeddedLake):
    """A lake, and the project that dbt builds on it."""

    project: Path = PROJECT

    def dbt(self, *arguments: str, **environment: str) -> DbtResult:
        """Run dbt in this process, on the embedded engine unless the environment says otherwise."""
        command, *rest = arguments
        places = ("--target-path", str(self.home / "dbt-target"), "--log-path", str(self.home / "dbt-logs"))
        places += ("--project-dir", str(self.project), "--profiles-dir", str(self.project))
        with patch.dict("os.environ", {**self.environment, **environment}, clear=True):
            done = dbtRunner().invoke(["--quiet", "--no-use-colors", command, *places, *rest])
        nodes = [(str(one.status), str(one.message)) for one in getattr(done.result, "results", [])]
        listed = done.result if isinstance(done.result, list) else []
        return DbtResult(done.success, nodes, str(done.exception) if done.exception else None, listed)


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
