"""What the embedded engine raises, with the place in the user's own SQL."""

import re
from collections.abc import Sequence


class EmbeddedError(Exception):
    """A statement that failed; the message begins with Spark's name for the error where there is one."""


class RefusedError(EmbeddedError):
    """A statement that this engine does not run, since it is not known to mean here what it means on Spark."""

    def __init__(self, what: str, line: int | None = None, column: int | None = None, fix: str = "") -> None:
        place = f" at line {line}, column {column}" if line else ""
        text = f"`method: embedded` refuses {what}{place}"
        super().__init__(
            f"{text}; {fix}" if fix else f"{text}. Build it on Spark (`method: thrift`), or write it otherwise."
        )


class RelationNotFoundError(EmbeddedError):
    """A table or view that the lake does not have."""

    def __init__(self, name: str) -> None:
        self.name = name
        quoted = ".".join(f"`{part}`" for part in name.split("."))
        super().__init__(
            f"[TABLE_OR_VIEW_NOT_FOUND] The table or view {quoted} cannot be found. If it is a model of the project, "
            f"build it: dbt run --select {name.rpartition('.')[2]}"
        )


class UnreadableTableError(EmbeddedError):
    """A table that is there and cannot be read."""

    def __init__(self, table: str, part: str, error: BaseException) -> None:
        self.table = table
        reason = " ".join(str(error).split())[:300]
        super().__init__(f"[UNREADABLE_TABLE] The table {table} cannot be read, by {part}: {reason}")


class PathNotFoundError(EmbeddedError):
    """A path that no file matches."""

    def __init__(self, path: str) -> None:
        super().__init__(f"[PATH_NOT_FOUND] Path does not exist: {path}")


QUOTED_NAME = re.compile(
    r"""(?:column|table) (?:named |with name )?["'`]?([\w.]+)["'`]?|["'`]([A-Za-z_]\w*)["'`]"""
    r"|function with name (\w+)|function (\w+)\(",
    re.IGNORECASE,
)
PLACE = re.compile(r"\bline (\d+), column")
WORD = re.compile(r"(?P<skipped>'(?:[^'\\]|\\.)*'|--[^\n]*|/\*.*?\*/)|(?P<word>[A-Za-z_]\w*)", re.DOTALL)


def located(message: str, statement: str) -> str:
    """Return DuckDB's message with the place, in the statement as it was sent, of the first name it speaks of.

    DuckDB's own position counts in the text it was given, which the user has never seen.
    """
    shown = message.split("\n\nLINE")[0].strip()
    for found in QUOTED_NAME.finditer(shown):
        name = next(part for part in found.groups() if part).rpartition(".")[2]
        place = _place_of(name, statement)
        if place:
            line, column = place
            return f"{shown}\n  at line {line}, column {column}: {_quote_line(statement, line)}"
    return shown


def moved_down(message: str, lines: int) -> str:
    """Return a message with the lines that it names counted from so many lines above."""
    return PLACE.sub(lambda found: f"line {int(found[1]) + lines}, column", message) if lines else message


def parse_error(errors: Sequence[dict[str, object]], statement: str) -> EmbeddedError:
    """Return the error for SQL that cannot be read."""
    first = errors[0] if errors else {}
    line, column = first.get("line"), first.get("col")
    text = str(first.get("description") or "the statement cannot be read").rstrip(".")
    if not isinstance(line, int) or not isinstance(column, int):
        return EmbeddedError(f"[PARSE_SYNTAX_ERROR] {text}")
    return EmbeddedError(f"[PARSE_SYNTAX_ERROR] {text} at line {line}, column {column}: {_quote_line(statement, line)}")


def _place_of(name: str, statement: str) -> tuple[int, int] | None:
    for found in WORD.finditer(statement):
        if (found["word"] or "").lower() == name.lower():
            before = statement[: found.start()]
            return before.count("\n") + 1, found.start() - (before.rfind("\n") + 1) + 1
    return None


def _quote_line(statement: str, number: int) -> str:
    lines = statement.splitlines()
    return lines[number - 1].strip()[:160] if 0 < number <= len(lines) else ""
