"""The catalog of a copied or moved lake: dropped at a start, refused where nobody may drop it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.catalog import drop_if_of_another_root
from smart_trader.lake.lock import ensure_own_server
from smart_trader.lakehouse import server
from smart_trader.lakehouse.registration import is_below, known_locations
from tests.python.support.engine import Engine, own_engine, run_module, start_engine


@pytest.mark.parametrize(
    ("noted", "is_kept"),
    [("file:{home}", True), ("file:/another", False), ("s3a://bucket/lake", False), (None, False)],
    ids=["this-lake", "copied-or-moved", "another-store", "made-before-it-was-noted"],
)
def test_a_metastore_is_kept_only_for_the_root_it_names(tmp_path: Path, noted: str | None, is_kept: bool) -> None:
    paths = LakePaths(tmp_path, str(tmp_path))
    paths.metastore.mkdir()
    if noted:
        paths.metastore_root.write_text(noted.format(home=tmp_path) + "\n")
    lines: list[str] = []
    drop_if_of_another_root(paths, lines.append)
    assert (paths.metastore.exists(), lines == []) == (is_kept, is_kept)
    assert paths.metastore_root.read_text() == f"file:{tmp_path}\n"


def test_a_new_lake_only_notes_its_root(tmp_path: Path) -> None:
    paths = LakePaths(tmp_path, str(tmp_path))
    drop_if_of_another_root(paths, pytest.fail)
    assert paths.metastore_root.read_text() == f"file:{tmp_path}\n"


@pytest.mark.parametrize(
    ("location", "root", "expected"),
    [
        ("file:/lake/silver/t", "file:/lake", True),
        ("file:///lake/silver/t", "file:/lake", True),
        ("file:/with%20space/silver/t", "file:/with space", True),
        ("file:/lake", "file:/lake/", True),
        ("file:/lake2/silver/t", "file:/lake", False),
        ("file:/original/silver/t", "file:/copy", False),
        ("s3a://bucket/lake/silver/t", "s3a://bucket/lake", True),
        ("s3a://bucket/other/silver/t", "s3a://bucket/lake", False),
    ],
)
def test_what_lies_in_a_lake(location: str, root: str, expected: bool) -> None:
    assert is_below(location, root) is expected


FACTS = "Catalog: spark_catalog\nDatabase: silver\nTable: t\nType: EXTERNAL\nLocation: {}\nProvider: delta\n"


@pytest.mark.parametrize(
    ("schema_at", "table_at", "named"),
    [
        ("file:/lake/silver", "file:/lake/silver/t", None),
        ("file:/other/silver", "file:/lake/silver/t", r"silver lies at file:/other/silver"),
        ("file:/lake/silver", "file:/other/silver/t", r"silver\.t lies at file:/other/silver/t"),
    ],
    ids=["ours", "schema-elsewhere", "table-elsewhere"],
)
def test_tables_outside_the_lake_are_refused_by_name(schema_at: str, table_at: str, named: str | None) -> None:
    def execute(statement: str) -> list[tuple[object, ...]]:
        if statement == "show schemas":
            return [("default",), ("silver",), ("somebodys",)]
        if statement.startswith("describe schema"):
            return [("Catalog Name", "spark_catalog"), ("Location", schema_at)]
        return [("silver", "t", False, FACTS.format(table_at)), ("silver", "v", False, "Type: VIEW\nView Text: x\n")]

    paths = LakePaths(Path("/home"), "/lake")
    if named is None:
        assert known_locations(paths, execute) == {("silver", "t")}
        return
    with pytest.raises(SmartTraderError, match=named):
        known_locations(paths, execute)


def test_dbt_is_refused_the_server_of_another_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    monkeypatch.delenv("LAKEHOUSE_URI", raising=False)
    ensure_own_server(f"file:{tmp_path}", "local")
    ensure_own_server(f"file://{tmp_path}/", "ci")
    ensure_own_server("s3a://somewhere/lake/", "cluster")
    with pytest.raises(SmartTraderError, match=f"writes the lake file:/original, the settings name file:{tmp_path}"):
        ensure_own_server("file:/original", "local")


def files_of(folder: Path) -> dict[str, int]:
    """Return each file of a lake's tables and when it was last written."""
    return {str(path): path.stat().st_mtime_ns for path in sorted((folder / "silver").rglob("*"))}


def repaired(engine: Engine) -> str:
    done = run_module("smart_trader.cli", "repair", env=engine.environment)
    assert done.returncode == 0, done.stderr
    return done.stderr


def make_original(home: Path) -> Engine:
    """Start a server on a lake with one table, which its catalog knows at its place."""
    engine = start_engine(home)
    engine.sql(f"create schema silver location 'file:{home}/silver'")
    # without a location of its own, as dbt makes them: dropping it would delete its files
    engine.sql("create table silver.t using delta as select 1 as a")
    return engine


@pytest.mark.slow
def test_work_on_a_copied_lake_leaves_the_original_alone(tmp_path: Path) -> None:
    home, copy = tmp_path / "original", tmp_path / "copy"
    original = make_original(home)
    try:
        subprocess.run(["cp", "-a", str(home), str(copy)], check=True)
        before = files_of(home)
        env = original.environment | {"LAKEHOUSE_HOME": str(copy)}
        refused = run_module("dbt.cli.main", "build", env=env)
    finally:
        server.stop(original.paths, print)
    assert refused.returncode != 0
    assert f"writes the lake file:{home}, the settings name file:{copy}" in refused.stdout
    with own_engine(copy) as engine:
        assert "silver.t: registered" in repaired(engine)
        engine.sql("insert into silver.t values (2)")
        assert engine.sql("select a from silver.t order by a") == [(1,), (2,)]
        assert "every table is whole and registered" in repaired(engine)
    assert files_of(home) == before


@pytest.mark.full
def test_a_moved_lake_works(tmp_path: Path) -> None:
    home, moved = tmp_path / "original", tmp_path / "moved"
    server.stop(make_original(home).paths, print)
    home.rename(moved)
    with own_engine(moved) as engine:
        assert "silver.t: registered" in repaired(engine)
        assert engine.sql("select a from silver.t") == [(1,)]
    assert not home.exists()
