"""What a lake says of itself decides who may write to it, and which steps bring an old one up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import LakehouseSettings
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.identity import (
    LAKE_VERSION,
    LakeIdentity,
    claim_source,
    identity_location,
    read_identity,
    write_identity,
)
from smart_trader.lake.lock import lock_lake
from smart_trader.pipeline import upgrade
from smart_trader.pipeline.upgrade import (
    UPGRADES,
    Upgrade,
    Workshop,
    ensure_lake_is_current,
    pending_upgrades,
    upgrade_lake,
)
from smart_trader.sandbox.running import serving
from tests.python.support.object_store import object_store

from .conftest import LoadedLake

IDENTITY = "_lake.json"


def quiet(line: str) -> None:
    """Take a progress line."""


def change(loaded: LoadedLake, **values: object) -> None:
    path = loaded.root / IDENTITY
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def forget(loaded: LoadedLake) -> None:
    """Make it a lake of a time before lakes had a version."""
    (loaded.root / IDENTITY).unlink()


def test_every_version_has_its_step() -> None:
    assert [step.number for step in UPGRADES] == list(range(1, LAKE_VERSION + 1))


def test_a_new_lake_is_of_the_current_version(filled: LoadedLake) -> None:
    identity = read_identity(filled.paths)
    assert identity is not None
    assert identity.version == LAKE_VERSION
    assert pending_upgrades(filled.paths, "") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--demo"),
        ("load", "init"),
        ("maintain",),
        ("repair",),
        ("backup", "elsewhere"),
        ("upgrade",),
        ("status",),
    ],
    ids=" ".join,
)
def test_a_lake_of_a_newer_project_is_refused_by_name(loaded: LoadedLake, arguments: tuple[str, ...]) -> None:
    change(loaded, version=LAKE_VERSION + 1, written_by="9.9.9", a_later_field=True)
    before = loaded.tables()
    done = loaded.smart_trader(*arguments)
    assert done.returncode == 1
    assert f"is of version {LAKE_VERSION + 1}, written by smart-trader 9.9.9; this project (" in done.stderr
    assert "fix: update the project, or point LAKEHOUSE_HOME" in done.stderr
    assert loaded.tables() == before


def test_dbt_builds_neither_on_an_older_lake_nor_on_a_newer_one(loaded: LoadedLake) -> None:
    forget(loaded)
    with pytest.raises(
        SmartTraderError, match=r"(?s)an earlier version.*1, make every derived.*2, give tables.*smart-trader upgrade"
    ):
        ensure_lake_is_current(f"file:{loaded.root}", "bronze")
    with lock_lake(loaded.paths, "the upgrade itself"):
        ensure_lake_is_current(f"file:{loaded.root}", "bronze")
    assert read_identity(loaded.paths) is None
    write_identity(loaded.paths, LakeIdentity.new(lake_version=LAKE_VERSION + 1))
    with pytest.raises(SmartTraderError, match="knows versions up to"):
        ensure_lake_is_current(f"file:{loaded.root}", "bronze")


@pytest.mark.parametrize("prefix", ["", "ci_"])
def test_a_lake_that_was_only_loaded_needs_no_step(loaded: LoadedLake, prefix: str) -> None:
    for layer in ("silver", "gold", "snapshots"):
        (loaded.root / layer).rename(loaded.root / f"other_{layer}")
    forget(loaded)
    (loaded.root / "bronze").rename(loaded.root / f"{prefix}bronze")
    ensure_lake_is_current(f"file:{loaded.root}", f"{prefix}bronze")
    identity = read_identity(loaded.paths, prefix)
    assert identity is not None
    assert (identity.version, identity.source) == (LAKE_VERSION, "sandbox")
    assert [step.number for step in pending_upgrades(loaded.paths, "other_")] == [1, 2]


def test_an_identity_that_cannot_be_read_is_named(loaded: LoadedLake) -> None:
    (loaded.root / IDENTITY).write_text("{ cut")
    done = loaded.smart_trader("load", "init")
    assert done.returncode == 1
    assert f"{loaded.root / IDENTITY} cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_is_claimed_once_and_for_ever(made_lake: Callable[[str], LoadedLake]) -> None:
    paths = made_lake("new").paths
    with lock_lake(paths, "a run"):
        claim_source(paths, "sandbox")
        claim_source(paths, "sandbox")
        with pytest.raises(SettingsError, match="holds sandbox data, this run would land birdeye data"):
            claim_source(paths, "birdeye")
    identity = read_identity(paths)
    assert identity is not None
    assert identity.source == "sandbox"


def test_each_set_of_schemas_has_an_identity_of_its_own(tmp_path: Path) -> None:
    paths = LakePaths(tmp_path, "s3://bucket/lake")
    assert identity_location(paths) == "s3://bucket/lake/_lake.json"
    assert identity_location(paths, "ci_") == "s3://bucket/lake/_lake.ci.json"


def test_a_lake_on_a_store_has_its_identity_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects: dict[str, bytes] = {}
    paths = LakePaths(tmp_path, "s3://bucket/lake")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-this-test")
    with serving(object_store(objects)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with lock_lake(paths, "a run"):
            claim_source(paths, "sandbox")
        identity = read_identity(paths)
        assert identity is not None
        assert (identity.version, identity.source) == (LAKE_VERSION, "sandbox")
        assert json.loads(objects["bucket/lake/_lake.json"])["source"] == "sandbox"
        newer = identity.model_copy(update={"version": LAKE_VERSION + 1})
        objects["bucket/lake/_lake.json"] = newer.model_dump_json().encode()
        with pytest.raises(SmartTraderError, match="knows versions up to"), lock_lake(paths, "a run"):
            raise AssertionError("the lock was given")
        del objects["bucket/lake/_lake.json"]
        objects["bucket/lake/bronze/fetch_log/_delta_log/0.json"] = b"{}"
        with lock_lake(paths, "a run"):
            assert read_identity(paths) is None


class Steps:
    """Three steps that note what they do; the second fails as often as it is set to."""

    def __init__(self, failures: int) -> None:
        self.done: list[int] = []
        self.failures = failures
        self.all = tuple(
            Upgrade(number, f"do {number}", lambda paths, prefix: True, self.step(number)) for number in (1, 2, 3)
        )

    def step(self, number: int) -> Callable[[Workshop], None]:
        def apply(workshop: Workshop) -> None:
            if number == 2 and self.failures:
                self.failures -= 1
                raise SmartTraderError("no room")
            self.done.append(number)

        return apply


def test_an_upgrade_that_was_cut_short_goes_on_where_it_was(
    loaded: LoadedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(loaded)
    steps = Steps(failures=1)
    monkeypatch.setattr(upgrade, "UPGRADES", steps.all)
    monkeypatch.setattr(upgrade, "LAKE_VERSION", 3)
    monkeypatch.setattr("smart_trader.lake.identity.LAKE_VERSION", 3)
    machine = LakehouseSettings(home=loaded.root)
    with pytest.raises(SmartTraderError, match="no room"):
        upgrade_lake(machine, quiet)
    identity = read_identity(loaded.paths)
    assert identity is not None
    assert identity.version == 1
    assert upgrade_lake(machine, quiet) == 2
    assert steps.done == [1, 2, 3]
    assert upgrade_lake(machine, quiet) == 0
    identity = read_identity(loaded.paths)
    assert identity is not None
    assert (identity.version, identity.source) == (3, "sandbox")
