"""Without a server: parse and compile work, statements are refused."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt.adapters.factory import reset_adapters
from dbt.adapters.sparkconnect.credentials import OFFLINE_VARIABLE
from dbt.cli.main import dbtRunner, dbtRunnerResult

PROFILE = """
offline:
  target: dev
  outputs:
    dev: {{type: sparkconnect, schema: nowhere, endpoint_file: /no/such/file.json{more}}}
"""

MODEL = """
{{ config(materialized='incremental', unique_key='id') }}
select id from {{ source('raw', 'numbers') }}
{% if is_incremental() %} where id > 1 {% endif %}
"""


@pytest.fixture
def project_dir(tmp_path: Path) -> Iterator[Path]:
    """Return a small project whose profile leads to no server."""
    (tmp_path / "models").mkdir()
    project = "{name: offline, version: '1.0.0', profile: offline}"
    (tmp_path / "dbt_project.yml").write_text(project, encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(PROFILE.format(more=""), encoding="utf-8")
    (tmp_path / "models" / "one.sql").write_text(MODEL, encoding="utf-8")
    sources = "sources: [{name: raw, tables: [{name: numbers}]}]"
    (tmp_path / "models" / "sources.yml").write_text(sources, encoding="utf-8")
    yield tmp_path
    # dbt keeps one adapter per type in the process, with the profile it was first made with
    reset_adapters()


def dbt(project_dir: Path, command: str) -> dbtRunnerResult:
    """Run one dbt command in a project."""
    place = ["--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]
    return dbtRunner().invoke(["--quiet", command, *place])


def test_environment_turns_it_on(project_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile writes the model's SQL; run says why it does not."""
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    assert dbt(project_dir, "parse").success
    assert dbt(project_dir, "compile").success
    compiled = project_dir / "target" / "compiled" / "offline" / "models" / "one.sql"
    assert compiled.read_text(encoding="utf-8").split() == ["select", "id", "from", "raw.numbers"]
    result = dbt(project_dir, "run")
    assert not result.success
    assert "offline and ran no statement" in str(result.exception or result.result)


def test_profile_turns_it_on(project_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`offline: true` does what the variable does; without either a server is needed."""
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)
    assert not dbt(project_dir, "compile").success
    profile = PROFILE.format(more=", offline: true")
    (project_dir / "profiles.yml").write_text(profile, encoding="utf-8")
    assert dbt(project_dir, "compile").success


@pytest.mark.full
def test_sqlfluff_lints(project_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dbt templater always fills the cache of relations first."""
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    config = f"""
[sqlfluff]
templater = dbt
dialect = sparksql
rules = LT02
[sqlfluff:templater:dbt]
project_dir = {project_dir}
profiles_dir = {project_dir}
"""
    (project_dir / ".sqlfluff").write_text(config, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", "models"],
        cwd=project_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
