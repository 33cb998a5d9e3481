"""A copy of the dbt project, for tests that edit it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .engine import PROJECT

PARTS = ("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "snapshots", "analyses", "tests")


def copy_project(folder: Path) -> Path:
    """Copy what dbt reads into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("python", "stack"))
        else:
            shutil.copy(PROJECT / name, folder / name)
    return folder


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Replace the one occurrence of a text in a file while the block runs."""
    text = path.read_text()
    assert text.count(old) == 1, (path, text.count(old), old)
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)
