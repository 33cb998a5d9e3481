"""The commands of the documents: every block marked `sh`, line by line."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = ".venv/bin/"

# Commands that no test runs, with the reason. Their programs and options are checked all the same.
NOT_RUN = {
    r"docker\b": "needs Docker",
    r"cp docker/example\.env": "the lines it is for need passwords and Docker",
    r"export BIRDEYE_API_KEY=": "needs a key of a BirdEye account",
    r"(python -m loaders|smart-trader load) (tokens|whales|transactions)(?!.*(--sandbox|--dry-run))": "needs an API key",
    r"smart-trader run(?!.*(--demo|--sandbox))": "needs an API key, or recorded responses",
    r"smart-trader sandbox record": "needs an API key",
    r"smart-trader sandbox serve .*--replay": "needs recorded responses",
    r"smart-trader cluster": "needs a cluster; `make test-stack` runs it",
    r"make test(-slow)?$": "CI runs it in a fresh clone",
    r"make test-full$": "it is what runs this test",
    r"make test-(crash|stack)$": "half an hour and longer",
    r"make audit$": "fails without a vulnerability service",
    r"make lock": "takes what is newest on the day",
    r"python benchmarks/": "measures for minutes",
    r"marimo edit": "serves a notebook until it is stopped",
    r"git clone": "the test makes the clone",
    r".*\bpre-commit install": "writes into the developer's git hooks",
}


@dataclass(frozen=True)
class Command:
    """One line of a block.

    Attributes:
        document: File it is in, relative to the project.
        line: Its text without the comment.
    """

    document: str
    line: str

    @property
    def words(self) -> list[str]:
        """The line's words, with the programs of `.venv` by their plain names."""
        return [word.removeprefix(PROGRAMS) for word in shlex.split(self.line)]

    @property
    def reason(self) -> str | None:
        """Why no test runs it, or None if one does."""
        plain = " ".join(self.words)
        return next((reason for start, reason in NOT_RUN.items() if re.match(start, plain)), None)


def documents() -> list[Path]:
    """Return the documents whose blocks are commands to type."""
    return [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]


def commands(name: str, text: str) -> list[Command]:
    """Return the commands of a document, in its order.

    Args:
        name: The document's name.
        text: Its text.
    """
    found = []
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                found.append(Command(name, _without_comment(line)))
    return found


def _without_comment(line: str) -> str:
    """Return a line up to the `#` that begins its comment: the longest start with as many words as the shell reads."""
    words = shlex.split(line, comments=True)
    for end in (place.start() for place in re.finditer(r"#", line)):
        try:
            if shlex.split(line[:end]) == words:
                return " ".join(line[:end].split())
        except ValueError:  # the sign is inside quotes
            continue
    return " ".join(line.split())


def all_commands() -> list[Command]:
    """Return the commands of all documents."""
    return [
        command
        for document in documents()
        for command in commands(document.relative_to(PROJECT).as_posix(), document.read_text())
    ]
