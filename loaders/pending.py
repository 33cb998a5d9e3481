"""What dlt's folder keeps between runs, looked at before dlt does: damage there is set aside, never met as a traceback.

A power loss or a full disk leaves files cut short or empty. dlt reads its state, its schema and every package that is
not landed yet at each start, so one such file would end every later run.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from smart_trader.config.paths import LakePaths
from smart_trader.console import report_line

ASIDE = "_set_aside"
STATE = "state.json"
SCHEMA = "schemas/bronze.schema.json"
# What each of them can be made from again: a copy that dlt keeps in every package, by the file's place in the folder.
SPARES = {STATE: ".restore/state.json", SCHEMA: "schema.json"}
PENDING = ("normalize/extracted", "load/normalized")
LOADED = "load/loaded"
LAKE_NOTE = "lake.json"
FAILURE_NOTE = "failed.json"
# Causes that lie in the machine and not in a package: with room, rights or a store it lands as it is.
MACHINE_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE}
)
# delta-rs writes the number of the system's error into its text.
SYSTEM_ERROR = re.compile(r"os error (\d+)")
CHANGING = re.compile(r"[0-9a-f]{6,}|\d+")


class WorkFolder:
    """The folder of one dlt pipeline.

    Args:
        paths: The lake.
        pipeline: The pipeline's name, which is its folder's.
    """

    def __init__(self, paths: LakePaths, pipeline: str) -> None:
        self._paths = paths
        self.path = paths.dlt_home / pipeline

    def packages(self) -> list[Path]:
        """Return the packages that are not landed yet, oldest first."""
        found = [folder for place in PENDING for folder in _list_folders(self.path / place)]
        return sorted(found, key=lambda folder: folder.name)

    def newest(self, table: str, column: str) -> datetime | None:
        """Return the largest value of a table's column in what is not landed yet."""
        files = [file for package in self.packages() for file in package.rglob(f"{table}.*.parquet")]
        columns = [pa.parquet.read_table(file, columns=[column])[column] for file in files if _is_parquet(file)]
        newest = [pc.max(values).as_py() for values in columns]
        return max((timestamp for timestamp in newest if timestamp is not None), default=None)

    def mend(self) -> None:
        """Set aside what cannot be read, and what was extracted for another lake."""
        if not self.path.is_dir():
            return
        self._leave_another_lake()
        for package in self.packages():
            fault = _find_fault(package)
            if fault is not None:
                self.set_aside(package, fault)
        for name, spare in SPARES.items():
            fault = self._find_own_fault(name)
            if fault is not None and not self._replace(name, spare, fault):
                # without it dlt would delete the packages as well
                self.set_aside(self.path, f"{name} {fault}, and there is no copy of it")
                return

    def set_aside(self, broken: Path, why: str) -> None:
        """Move a file or folder to the lake's `_set_aside`, and report it by name."""
        folder = self._paths.home / ASIDE / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        target = folder / "dlt" / broken.relative_to(self._paths.dlt_home)
        target.parent.mkdir(parents=True)
        shutil.move(broken, target)
        report_line(f"dlt/{broken.relative_to(self._paths.dlt_home)}: {why}; moved to {target}")
        if broken == self.path or broken.parent.name in ("extracted", "normalized"):
            report_line("what it held and was not landed is fetched again by the next run that asks for it")

    def note_lake(self) -> None:
        """Write down which lake the packages are for."""
        note = self.path / LAKE_NOTE
        if _read_json(note) != self._lake:
            self.path.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(self._lake))

    def has_failed_before(self, cause: BaseException) -> bool:
        """Whether the oldest package failed this very way in the run before; notes that it failed now."""
        packages = self.packages()
        if not packages:
            return False
        failure = {"package": packages[0].name, "cause": CHANGING.sub("#", f"{type(cause).__name__}: {cause}")}
        note = self.path / FAILURE_NOTE
        if _read_json(note) == failure:
            note.unlink()
            return True
        note.write_text(json.dumps(failure))
        return False

    @property
    def _lake(self) -> dict[str, str]:
        """What names the lake; one whose tables lie in its home stays itself wherever the home is moved."""
        is_in_home = self._paths.is_local and self._paths.local_root == self._paths.home
        return {"uri": "." if is_in_home else self._paths.uri}

    def _leave_another_lake(self) -> None:
        noted = _read_json(self.path / LAKE_NOTE)
        if isinstance(noted, dict) and noted != self._lake and self.packages():
            self.set_aside(self.path, f"it holds rows for the lake {noted.get('uri')}, not for {self._paths.uri}")

    def _find_own_fault(self, name: str) -> str | None:
        file = self.path / name
        if file.exists():
            return None if isinstance(_read_json(file), dict) else "cannot be read"
        # a pipeline that was never used has neither, and a loaded package shows that this one was
        return "is gone" if self.packages() or any(_list_folders(self.path / LOADED)) else None

    def _replace(self, name: str, spare: str, fault: str) -> bool:
        """Put a package's copy in the place of a file that cannot be read."""
        copies = [folder / spare for folder in (*_list_folders(self.path / LOADED), *self.packages())]
        whole = [copy for copy in copies if isinstance(_read_json(copy), dict)]
        if not whole:
            return False
        newest = max(whole, key=lambda copy: copy.relative_to(self.path).parts[2])
        file = self.path / name
        if file.exists():
            self.set_aside(file, fault)
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(newest, file)
        return True


def is_machines(error: BaseException) -> bool:
    """Whether an error, or one that it came from, lies in the machine: a full disk, a missing right."""
    found: BaseException | None = error
    while found is not None:
        match = SYSTEM_ERROR.search(str(found))
        number = int(match[1]) if match else getattr(found, "errno", None)
        if number in MACHINE_ERRORS or isinstance(found, MemoryError):
            return True
        found = found.__cause__ or found.__context__
    return False


def _find_fault(package: Path) -> str | None:
    """Return what is wrong with a package's files, or None."""
    for file in sorted(package.rglob("*")):
        if not file.is_file():
            continue
        name = file.relative_to(package)
        if file.suffix == ".json" and _read_json(file) is None:
            return f"its {name} cannot be read"
        if file.suffix == ".parquet" and not _is_parquet(file):
            return f"its {name} is cut short"
        if file.suffix == ".reference" and not file.stat().st_size:
            return f"its {name} is empty"
    return None if (package / "schema.json").exists() else "its schema.json is gone"


def _is_parquet(file: Path) -> bool:
    try:
        pa.parquet.read_metadata(file)
    except (pa.ArrowException, OSError):
        return False
    return True


def _read_json(file: Path) -> object:
    """Return a file's content, or None where it is no JSON."""
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None


def _list_folders(place: Path) -> Iterator[Path]:
    return (folder for folder in place.iterdir() if folder.is_dir()) if place.is_dir() else iter(())
