"""One parse of the project serves all lakes, and holds nothing of any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loaders.bronze import Bronze
from smart_trader.config.paths import LakePaths, parse_dir
from smart_trader.lake.reader import Lake
from smart_trader.lakehouse.session import Choice, EmbeddedEngine
from smart_trader.pipeline.dbt import Builds
from tests.python.support.project_copy import copy_project, edited

EMBEDDED = EmbeddedEngine(Choice("embedded", "a test"))
AS_OF = {"one": "2026-01-01T00:00:00+00:00", "two": "2026-02-02T00:00:00+00:00"}
STAMPED = "select {{ as_of() }} as as_of, {{ run_id() }} as run_id, {{ code_version() }} as code_version\n"
Start = Callable[..., Builds]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with a model of what a run alone knows."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    (copy / "models" / "gold" / "stamped.sql").write_text(STAMPED)
    return copy


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LakePaths]:
    """Two lakes with empty tables."""
    made = {}
    for name in AS_OF:
        home = tmp_path_factory.mktemp(name)
        made[name] = LakePaths(home, str(home))
        Bronze(made[name], "bronze").prepare()
    return made


@pytest.fixture
def start(lakes: dict[str, LakePaths], project: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Makes a run's dbt on one of the lakes."""
    monkeypatch.chdir(project)
    monkeypatch.delenv("DBT_TARGET", raising=False)
    return lambda lake, **variables: Builds(lakes[lake], EMBEDDED, AS_OF[lake], f"run-{lake}", variables, print)


def parsed_by(paths: LakePaths) -> bytes | None:
    """Return what dbt has parsed for this lake itself."""
    own = paths.home / "dbt-target" / "embedded" / "partial_parse.msgpack"
    return own.read_bytes() if own.exists() else None


def test_a_second_lake_is_built_by_the_parse_of_the_first(start: Start, lakes: dict[str, LakePaths]) -> None:
    for name in AS_OF:
        start(name).invoke("stamped", "run", "--select", "stamped")
    stamped = {name: Lake(paths).read("gold", "stamped").to_pylist() for name, paths in lakes.items()}
    assert {name: [(row["as_of"].isoformat(), row["run_id"]) for row in rows] for name, rows in stamped.items()} == {
        name: [(AS_OF[name], f"run-{name}")] for name in AS_OF
    }
    assert parsed_by(lakes["one"])
    assert parsed_by(lakes["two"]) is None
    (kept,) = parse_dir().iterdir()
    assert not [name for name, paths in lakes.items() if str(paths.home).encode() in kept.read_bytes()]


def test_an_edit_is_parsed_once_for_both(start: Start, project: Path, lakes: dict[str, LakePaths]) -> None:
    start("one").nodes()
    before = parsed_by(lakes["one"])
    with edited(project / "models" / "gold" / "stamped.sql", "as run_id", "as run_name"):
        for name in ("two", "one"):
            assert "run_name" in start(name).nodes()["model.smart_trader.stamped"].raw_code, name
        assert parsed_by(lakes["two"])
        assert parsed_by(lakes["one"]) == before
    for name in AS_OF:
        assert "run_name" not in start(name).nodes()["model.smart_trader.stamped"].raw_code, name


def test_settings_of_one_run_stay_out_of_what_all_share(start: Start) -> None:
    start("one").nodes()
    (kept,) = parse_dir().iterdir()
    before = kept.read_bytes()
    start("one", dust_share=0.5).nodes()
    assert [path.read_bytes() for path in parse_dir().iterdir()] == [before]


def test_what_cannot_be_used_or_kept_stops_nobody(
    start: Start, lakes: dict[str, LakePaths], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start("one").nodes()
    (kept,) = parse_dir().iterdir()
    kept.write_bytes(b"no parse")
    assert start("two").nodes()
    # a parse that cannot be read is replaced by the next
    assert kept.read_bytes() == parsed_by(lakes["two"])
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr("smart_trader.pipeline.known_parse.parse_dir", lambda: file / "below")
    assert start("one").nodes()
