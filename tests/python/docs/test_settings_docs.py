"""docs/settings.md: it holds every setting, and says so when one has changed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = PROJECT / "tools" / "settings_docs.py"
PAGE = PROJECT / "docs" / "settings.md"
SOURCES = ("*.py", "*.sql", "*.yml", "*.sh", "*.env", ".env.example", "docker/Dockerfile")
VARIABLE = re.compile(r"\b(?:LAKEHOUSE|SMART_TRADER|BIRDEYE|CLUSTER)(?:_[A-Z0-9]+)+\b")

spec = importlib.util.spec_from_file_location("settings_docs", SCRIPT)
assert spec is not None
assert spec.loader is not None
settings_docs = importlib.util.module_from_spec(spec)
sys.modules["settings_docs"] = settings_docs
spec.loader.exec_module(settings_docs)


def check(page: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--check", str(page)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_the_page_matches_the_settings() -> None:
    assert PAGE.read_text() == settings_docs.page(), "stale; run: python tools/settings_docs.py"


@pytest.mark.parametrize("is_there", [True, False], ids=["changed", "missing"])
def test_a_stale_page_is_refused_with_the_command_that_writes_it(tmp_path: Path, is_there: bool) -> None:
    page = tmp_path / "settings.md"
    if is_there:
        shutil.copy(PAGE, page)
        page.write_text(page.read_text().replace("`token_limit` | `50`", "`token_limit` | `51`"))
    done = check(page)
    assert done.returncode == 1
    assert "fix: python tools/settings_docs.py" in done.stderr


def test_every_variable_that_the_code_names_is_on_the_page() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", *SOURCES, ":!tests", ":!benchmarks", ":!adapter"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {name: file for file in listed.stdout.split() for name in VARIABLE.findall((PROJECT / file).read_text())}
    assert len(found) > 20
    written = set(VARIABLE.findall(PAGE.read_text()))
    assert {name: file for name, file in found.items() if name not in written} == {}


def test_vars_share_the_comment_above_them_until_the_next() -> None:
    text = "name: a\nvars:\n  # USD, at least\n  # or at most\n  low: 1.0e-9\n  high: null\n\n  # prices\n  costs:\n    /a: 1\nnext: 1\n"
    first, second = settings_docs.documented_vars(text)
    assert (first.comment, first.defaults) == ("USD, at least or at most", {"low": "`1.0e-9`", "high": "`null`"})
    assert (second.comment, second.defaults) == ("prices", {"costs": "`/a` 1"})


def test_a_var_without_a_comment_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="var low has no comment"):
        settings_docs.documented_vars("name: a\nvars:\n  low: 1\n")
