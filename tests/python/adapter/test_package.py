"""The adapter's package: built from its folder alone, and used where the project is not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.python.support.engine import PROJECT, clean_environment

ADAPTER = PROJECT / "adapter"


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program without a Python path of ours; returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment(PYTHONPATH="", PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, with the build backend of this environment."""
    folder = tmp_path_factory.mktemp("wheel of the adapter")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ADAPTER,
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module", params=[pytest.param((), id="wheel"), pytest.param(("-e",), id="editable")])
def alone(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the adapter alone into a new environment; what it requires comes from this one. Returns its Python."""
    folder = tmp_path_factory.mktemp("environment without the project")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    here = Path(sysconfig.get_path("purelib"))
    # plugins lie in one folder with dbt-core
    shutil.copytree(here / "dbt", site / "dbt", ignore=shutil.ignore_patterns("sparkconnect", "__pycache__"))
    # a plain path: the .pth files in that folder, which name checkouts, are not read
    (site / "requirements.pth").write_text(str(here))
    source = (*request.param, ADAPTER if request.param else wheel)
    install = ("install", "-q", "--no-deps", "--no-build-isolation", *source)
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=folder)
    return python


def test_the_wheel_holds_every_file_of_the_adapter_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    kept = {
        path.relative_to(ADAPTER).as_posix()
        for path in (ADAPTER / "dbt").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names == kept
    assert "dbt/include/sparkconnect/macros/table.sql" in names
    assert "dbt/__init__.py" not in names


def test_no_module_of_the_adapter_imports_the_project() -> None:
    statement = re.compile(r"^\s*(?:from|import) (?:smart_trader|loaders)\b.*", re.MULTILINE)
    found = {path.name: statement.findall(path.read_text()) for path in (ADAPTER / "dbt").rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_dbt_lists_the_adapter_where_the_project_is_not_installed(alone: Path) -> None:
    missing = run(alone, "-c", "import importlib.util as u; print(u.find_spec('smart_trader'))", cwd=alone.parent)
    assert missing.strip() == "None"
    place = run(alone, "-c", "import dbt.adapters.sparkconnect as a; print(a.__file__)", cwd=alone.parent).strip()
    assert Path(place).is_relative_to(alone.parent.parent) or Path(place).is_relative_to(ADAPTER)
    listed = run(alone, "-m", "dbt.cli.main", "--version", cwd=alone.parent)
    assert f"- sparkconnect: {version()}" in listed


def test_the_project_requires_the_version_in_its_folder() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert f"dbt-sparkconnect[embedded]=={version()}" in project["project"]["dependencies"]
    assert project["tool"]["uv"]["sources"]["dbt-sparkconnect"] == {"path": "adapter"}
    assert f"## {version()}\n" in (ADAPTER / "CHANGELOG.md").read_text()


def version() -> str:
    """Return the adapter's version as its module says it."""
    from dbt.adapters.sparkconnect.__version__ import version as found

    return found
