"""`config`: every setting with its value, unit and origin; no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from smart_trader.cli import smart_trader
from smart_trader.config.documented import ENVIRONMENT_ONLY, SECTIONS, variable_names
from smart_trader.config.variables import ProjectVariables, read_variables

# recognisable in any output
SECRET = "recognisable0key1of2the3config4tests"  # pragma: allowlist secret
SECRETS = ("BIRDEYE_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLUSTER_SECRET", "SPARK_CONNECT_TOKEN")
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a .env of its own, and an environment without settings."""
    for _, settings in SECTIONS:
        for name, info in settings.model_fields.items():
            for variable in variable_names(settings, name, info):
                monkeypatch.delenv(variable, raising=False)
    for name, *_ in ENVIRONMENT_ONLY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "dbt_project.yml").write_text((PROJECT / "dbt_project.yml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(*arguments: str) -> Result:
    return CliRunner().invoke(smart_trader, ["config", *arguments], catch_exceptions=False)


def listed(*arguments: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(config(*arguments, "--format", "json").stdout)}


def test_every_setting_is_listed_once() -> None:
    rows = json.loads(config("--format", "json").stdout)
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names))
    assert set(ProjectVariables.model_fields) <= set(names)
    assert {"LAKEHOUSE_HOME", "BIRDEYE_API_KEY", "AWS_REGION", "CLUSTER_MASTER", "DBT_TARGET", "pace"} <= set(names)
    assert [row["name"] for row in rows if not row["meaning"]] == []


ORIGINS = [
    pytest.param({}, "", [], "token_limit", 50, "dbt_project.yml", id="project"),
    pytest.param({}, "", ["--var", "token_limit=7"], "token_limit", 7, "--var", id="var"),
    pytest.param({}, "", [], "LAKEHOUSE_ENGINE", "auto", "default", id="default"),
    pytest.param({"LAKEHOUSE_ENGINE": "spark"}, "", [], "LAKEHOUSE_ENGINE", "spark", "environment", id="environment"),
    pytest.param({}, "LAKEHOUSE_ENGINE=spark", [], "LAKEHOUSE_ENGINE", "spark", ".env", id="file"),
    pytest.param(
        {"LAKEHOUSE_ENGINE": "embedded"},
        "LAKEHOUSE_ENGINE=spark",
        [],
        "LAKEHOUSE_ENGINE",
        "embedded",
        "environment",
        id="environment-wins",
    ),
    pytest.param({"LAKEHOUSE_ENGINE": ""}, "", [], "LAKEHOUSE_ENGINE", "auto", "default", id="empty-is-unset"),
    pytest.param({"AWS_DEFAULT_REGION": "eu-1"}, "", [], "AWS_REGION", "eu-1", "environment", id="second-name"),
    pytest.param({"DBT_TARGET": "ci"}, "", [], "DBT_TARGET", "ci", "environment", id="dbt"),
    pytest.param({}, "", [], "pace", 15.0, "birdeye_plan", id="plan"),
    pytest.param({}, "", ["--var", "requests_per_second=2"], "pace", 2.0, "requests_per_second", id="pace"),
]


@pytest.mark.parametrize(("environment", "file", "arguments", "name", "value", "origin"), ORIGINS)
def test_a_setting_shows_where_its_value_comes_from(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    file: str,
    arguments: list[str],
    name: str,
    value: object,
    origin: str,
) -> None:
    for variable, text in environment.items():
        monkeypatch.setenv(variable, text)
    (project / ".env").write_text(f"{file}\n")
    row = listed(*arguments)[name]
    assert (row["value"], row["origin"]) == (value, origin)
    (line,) = [line for line in config(*arguments).stdout.splitlines() if line.split()[:1] == [name]]
    assert line.endswith(origin)


@pytest.mark.parametrize("where", ["environment", "file"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_no_secret_is_shown(project: Path, monkeypatch: pytest.MonkeyPatch, where: str, form: str) -> None:
    addresses = {
        "CLUSTER_METASTORE_URL": f"jdbc:postgresql://me:{SECRET}@host/db?password={SECRET}",
        "AWS_ENDPOINT_URL": f"https://me:{SECRET}@store",
    }
    given = dict.fromkeys(SECRETS, SECRET) | addresses
    if where == "file":
        (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    assert SECRET not in config("--format", form).output
    assert SECRET not in config("--format", form, *SECRETS, "CLUSTER_METASTORE_URL").output
    assert {listed()[name]["value"] for name in SECRETS} == {"set"}
    assert listed()["CLUSTER_METASTORE_PASSWORD"]["value"] == "not set"


def test_units_follow_names() -> None:
    ends = {"_hours": "hours", "_days": "days", "_seconds": "seconds", "_usd": "USD", "_percent": "percent"}
    rows = listed()
    wrong = {
        name: rows[name]["unit"]
        for name in ProjectVariables.model_fields
        for end, unit in ends.items()
        if name.endswith(end) and rows[name]["unit"] != unit
    }
    assert wrong == {}


def test_one_setting_is_explained_and_a_mistyped_one_is_guessed() -> None:
    lines = config("TOKEN_LIMIT", "cu_prices").stdout.splitlines()
    assert lines[:4] == ["token_limit", "  value    50 tokens", "  set in   dbt_project.yml", lines[3]]
    assert lines[3] == "  may be   whole number ≥ 1, ≤ 10,000"
    with pytest.raises(Exception, match="did you mean token_limit") as refused:
        config("token_limt")
    assert getattr(refused.value, "exit_code", None) == 2


@pytest.mark.parametrize("arguments", [(), ("min_liquidity",), tuple(ProjectVariables.model_fields), ("--help",)])
def test_no_line_is_wider_than_a_terminal(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", "/a/lake")
    assert [line for line in config(*arguments).stdout.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("columns", ["80", "120"])
def test_every_row_keeps_to_the_columns_of_its_section(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LAKEHOUSE_HOME", "/a/folder/deep/below/others/whose/name/takes/most/of/a/line/of/a/terminal")
    for section in config().stdout.split("\n\n")[:-2]:
        title, *rows = section.splitlines()
        origins = {row.rstrip().rfind("  ") for row in rows if row.endswith(("default", "environment", ".yml"))}
        assert len(origins) == 1, f"{title}: origins begin at {origins}\n{section}"


def test_vars_with_units_are_refused_as_before() -> None:
    for name, value in {
        "min_liquidity": -1,
        "cu_budget": 0.5,
        "win_threshold_usd": "much",
        "cu_prices": {"/a": -1},
    }.items():
        with pytest.raises(Exception, match=name):
            read_variables(ProjectVariables, {name: value})
