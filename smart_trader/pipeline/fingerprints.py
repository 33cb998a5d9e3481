"""Fingerprints of the project's code: they show what an edit makes old, and which code made a figure.

A fingerprint covers what decides a node's rows: its code without comments and layout, the macros it uses, the vars that
any of them reads, and the modules that a Python model imports.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import smart_trader
from smart_trader.config.paths import PROJECT_FILE, project_root
from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.errors import SettingsError

FOLDERS = ("models", "macros", "seeds", "snapshots", "tests/generic")
SUFFIXES = (".sql", ".py", ".yml", ".csv")
LANGUAGES = {".sql": "sql", ".py": "python", ".csv": "csv"}
VERSION_LENGTH = 12
VERSION_MACRO = "code_version"
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# A formula begins with the verdict and goes upstream to these: they hold what was observed or what is due, not how a
# figure is made of it.
EVALUATION = "trader_evaluations"
OBSERVED_OR_DUE = frozenset(
    {
        "complete_loads",
        "fetch_attempts",
        "fetch_status",
        "holder_observations",
        "swap_load_batches",
        "token_launches",
        "token_observations",
        "token_prices",
        "transaction_fetch_queue",
        "whale_wallets",
    }
)
# Facts of a run, and how often it calculates: no figure of a calculation depends on them.
RUN_FACTS = frozenset({"as_of", "run_id", VERSION_MACRO})
SCHEDULE = frozenset({"pnl_refresh_hours"})

# a string is kept whole, since what looks like a comment in it is none
_COMMENT = re.compile(r"""('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")|--[^\n]*|/\*.*?\*/|\{#.*?#\}""", re.DOTALL)
_MACRO = re.compile(r"\{%-?\s*(macro|test)\s+(\w+)\s*\(.*?\{%-?\s*end\1\s*-?%\}", re.DOTALL)
_VAR = re.compile(r"""\bvar\(\s*['"](\w+)['"]""")
_REF = re.compile(r"""\bref\(\s*['"](\w+)['"]""")


@dataclass(frozen=True, slots=True)
class Source:
    """What decides a node's rows.

    Attributes:
        text: Its code, or a seed's lines.
        language: sql, python or csv.
        config: What is configured for it outside of its code.
    """

    text: str
    language: str
    config: str = ""

    def normalized(self) -> str:
        """Return the code without what changes nothing."""
        match self.language:
            case "sql":
                return normalized_sql(self.text)
            case "python":
                return normalized_python(self.text)
            case _:
                return self.text.strip()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a node is made by.

    Attributes:
        code: Of its code alone.
        full: Of its code, and of the values of the vars that it reads.
    """

    code: str
    full: str


@dataclass(frozen=True)
class ProjectCode:
    """The files of the project, and the values of its vars in one run."""

    root: Path
    variables: Mapping[str, Any]

    @classmethod
    def read(cls, overrides: Mapping[str, Any] | None = None) -> ProjectCode:
        """Return the project as a run sees it.

        Args:
            overrides: Values of this run alone, by the vars' names.

        Raises:
            SettingsError: A var is unknown, missing or out of range.
        """
        return cls(project_root(), read_variables(ProjectVariables, overrides).model_dump(mode="json"))

    @cached_property
    def macros(self) -> dict[str, str]:
        """Code of the project's macros and generic tests, by the name they are called by."""
        found = {}
        for folder in ("macros", "tests/generic"):
            for path in sorted((self.root / folder).rglob("*.sql")):
                for match in _MACRO.finditer(path.read_text()):
                    name = f"test_{match[2]}" if match[1] == "test" else match[2]
                    found[name] = normalized_sql(match[0])
        return found

    @cached_property
    def _macro_call(self) -> re.Pattern[str]:
        return re.compile(rf"\b({'|'.join(sorted(self.macros)) or '(?!)'})\s*\(")

    def whole(self) -> str:
        """Return the fingerprint of everything: every file as it is, and every var."""
        parts = [_as_text(self.variables)]
        for path in sorted(self._list_files()):
            parts.append(f"{path.relative_to(self.root)}\n{path.read_text()}")
        parts += [path.read_text() for path in _list_package_files("smart_trader.fifo")]
        return digest(parts)

    def _list_files(self) -> Iterator[Path]:
        yield self.root / PROJECT_FILE
        yield from (self.root / "tests").glob("*.sql")
        for folder in FOLDERS:
            yield from (path for path in (self.root / folder).rglob("*") if path.suffix in SUFFIXES)

    def fingerprint(self, source: Source, without: Iterable[str] = ()) -> Fingerprint:
        """Return the fingerprint of a node.

        Args:
            source: Its code.
            without: Macros and vars that do not count.
        """
        left_out = set(without)
        parts = [source.normalized(), source.config]
        if source.language == "python":
            parts += [normalized_python(path.read_text()) for path in _follow_imports(parts[0])]
        used = self._macros_of("\n".join(parts[:2]), left_out) if source.language != "csv" else set()
        parts += [self.macros[name] for name in sorted(used)]
        names = {name for part in parts for name in _VAR.findall(part)} - left_out
        values = [f"{name}={_as_text(self.variables.get(name))}" for name in sorted(names)]
        if VERSION_MACRO in used:
            values.append(self.formula_version)
        return Fingerprint(digest(parts), digest([*parts, *values]))

    def _macros_of(self, text: str, left_out: set[str]) -> set[str]:
        """Return the macros that a text calls, and those that they call."""
        used: set[str] = set()
        waiting = [text]
        while waiting:
            new = set(self._macro_call.findall(waiting.pop())) - used - left_out
            used |= new
            waiting += [self.macros[name] for name in new]
        return used

    @cached_property
    def formula_version(self) -> str:
        """Version of the code that makes a wallet's figures and its verdict.

        Raises:
            SettingsError: A model or seed of the formula has no file.
        """
        return self._formula(lambda source: self.fingerprint(source, without=RUN_FACTS | SCHEDULE).full)

    @cached_property
    def formula_code(self) -> str:
        """Fingerprint of that code alone, whatever seeds and vars hold.

        Raises:
            SettingsError: A model or seed of the formula has no file.
        """
        return self._formula(
            lambda source: (
                "" if source.language == "csv" else self.fingerprint(source, without=RUN_FACTS | SCHEDULE).code
            )
        )

    def _formula(self, fingerprint: Callable[[Source], str]) -> str:
        """Return one fingerprint of all models and seeds between the swaps and the verdict."""
        done: dict[str, str] = {}
        waiting = [EVALUATION]
        while waiting:
            name = waiting.pop()
            if name in done or name in OBSERVED_OR_DUE:
                continue
            source = self._source(name)
            done[name] = fingerprint(source)
            waiting += _REF.findall(source.text)
        return digest(f"{name}={done[name]}" for name in sorted(done))[:VERSION_LENGTH]

    def _source(self, name: str) -> Source:
        """Return the code of a model or seed, and what the yml of its name configures."""
        for folder, suffix in (("models", ".sql"), ("models", ".py"), ("seeds", ".csv")):
            for path in sorted((self.root / folder).rglob(f"{name}{suffix}")):
                return Source(path.read_text(), LANGUAGES[suffix], self._configured(folder, name))
        raise SettingsError(f"{self.root} has no model and no seed {name}", "restore its file")

    def _configured(self, kind: str, name: str) -> str:
        for path in sorted((self.root / kind).rglob(f"{name}.yml")):
            for entry in (yaml.load(path.read_text(), _YAML) or {}).get(kind, []):  # noqa: S506  (a safe loader)
                if entry.get("name") == name:
                    return _as_text(entry.get("config", {}))
        return ""


def formula_version(overrides: Mapping[str, Any] | None = None) -> str:
    """Return the version of the code that makes a wallet's figures and its verdict; dbt calls this for each build.

    Args:
        overrides: Values from the command line, by the vars' names.

    Raises:
        SettingsError: A var is unknown, missing or out of range, or a file of the formula is missing.
    """
    return ProjectCode.read(overrides).formula_version


def digest(parts: Iterable[str]) -> str:
    """Return one short fingerprint of texts."""
    made = hashlib.sha256()
    for part in parts:
        made.update(f"{len(part)}:{part}".encode())
    return made.hexdigest()[:32]


def normalized_sql(text: str) -> str:
    """Return SQL and Jinja without comments and layout, so that rewording a comment changes nothing."""
    pieces = []
    end = 0
    for match in _COMMENT.finditer(text):
        pieces += [" ".join(text[end : match.start()].split()), match[1] or ""]
        end = match.end()
    pieces.append(" ".join(text[end:].split()))
    return " ".join(piece for piece in pieces if piece)


def normalized_python(text: str) -> str:
    """Return Python without comments, docstrings and empty lines."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            for number in range(first.lineno - 1, first.end_lineno or first.lineno):
                lines[number] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _follow_imports(code: str) -> list[Path]:
    """Return the project's own modules that a Python model reaches, within the packages it imports."""
    found: dict[str, Path] = {}
    waiting = [code]
    while waiting:
        for name in _list_imports(waiting.pop()):
            path = _find_module_file(name)
            if path is None or name in found or not name.startswith("smart_trader.fifo"):
                continue
            found[name] = path
            waiting.append(path.read_text())
    return [found[name] for name in sorted(found)]


def _list_imports(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # what is taken from a package may be a module of it
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _find_module_file(name: str) -> Path | None:
    package = Path(smart_trader.__file__).parent
    base = package.joinpath(*name.split(".")[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _list_package_files(name: str) -> list[Path]:
    folder = Path(smart_trader.__file__).parent.joinpath(*name.split(".")[1:])
    return sorted(folder.glob("*.py"))


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
