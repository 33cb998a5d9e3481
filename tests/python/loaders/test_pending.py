"""What an earlier run left in dlt's folder: it lands before anything is requested, or is set aside by name."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dlt
import pytest

from loaders.apis import Api
from loaders.bronze import Bronze
from smart_trader.config.paths import LakePaths
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.identity import IDENTITY_NAME
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import address, swap
from tests.python.support.api_rows import recordings as recorded
from tests.python.support.loader_lake import AS_OF, Lake

WALLETS = [address(f"wallet{number}") for number in range(3)]
DAY = 86_400


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    rows = [swap(wallet, AS_OF - n, f"{wallet}-{n}") for wallet in WALLETS for n in range(3)]
    with serving(sandbox_app(recorded(tmp_path_factory.mktemp("recorded"), *rows), clock=AS_OF)) as url:
        yield url


@pytest.fixture(scope="module")
def whole(api: str, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that holds one wallet's swaps."""
    lake = Lake(tmp_path_factory.mktemp("whole"))
    lake.load("transactions", api, WALLETS[0])
    return lake


def leave_pending(
    lake: Lake, api: str, step: str = "load", source: str = "replay", as_of: int = AS_OF, wallet: str = WALLETS[1]
) -> None:
    """Load one wallet and end before dlt's `step`, as a full disk does."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dlt.Pipeline, step, full)
        with pytest.raises(SmartTraderError, match="No space left"):
            lake.load("transactions", Api(api, "k", source), wallet, as_of)


def pending(lake: Lake) -> list[Path]:
    return [
        *lake.paths.dlt_home.glob("bronze/normalize/extracted/*"),
        *lake.paths.dlt_home.glob("bronze/load/normalized/*"),
    ]


def wallets(lake: Lake) -> list[str]:
    return sorted({row["wallet_address"] for row in lake.rows("transaction_history")})


@pytest.fixture
def lake(whole: Lake, tmp_path: Path) -> Lake:
    shutil.copytree(whole.root, tmp_path / "lake")
    return Lake(tmp_path / "lake")


@pytest.mark.parametrize("step", ["normalize", "load"])
def test_a_pending_package_lands_before_source_and_time_are_looked_at(lake: Lake, api: str, step: str) -> None:
    leave_pending(lake, api, step, as_of=AS_OF + 20 * DAY)
    # a scheduler asks this before the run that lands it
    assert Bronze(lake.paths).newest_as_of() == datetime.fromtimestamp(AS_OF + 20 * DAY, UTC)
    with pytest.raises(SettingsError, match="before the lake's newest, 2025-07-05"):
        lake.load("transactions", api, WALLETS[2], AS_OF + DAY)
    assert (wallets(lake), pending(lake)) == (sorted(WALLETS[:2]), [])


@pytest.mark.parametrize("step", ["normalize", "load"])
def test_the_first_rows_of_a_lake_keep_other_sources_out_while_they_wait(api: str, tmp_path: Path, step: str) -> None:
    lake = Lake(tmp_path / "new")
    Bronze(lake.paths).prepare()
    leave_pending(lake, api, step, source="sandbox")
    assert lake.rows("fetch_log") == []
    with pytest.raises(SettingsError, match="holds sandbox data, this run would land replay data"):
        lake.load("transactions", api, WALLETS[2])
    assert {row["data_source"] for row in lake.rows("fetch_log")} == {"sandbox"}


def test_a_lake_remembers_its_source_when_what_waited_is_gone(api: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "new")
    Bronze(lake.paths).prepare()
    leave_pending(lake, api, source="sandbox")
    shutil.rmtree(lake.paths.dlt_home)
    with pytest.raises(SettingsError, match="holds sandbox data, this run would land birdeye data"):
        lake.load("transactions", Api(api, "k", "birdeye"), WALLETS[2])


def test_a_lake_whose_identity_is_lost_is_known_by_its_rows(lake: Lake, api: str) -> None:
    note = lake.root / IDENTITY_NAME
    note.unlink()
    with pytest.raises(SettingsError, match="holds replay data"):
        lake.load("transactions", Api(api, "k", "birdeye"), WALLETS[2])
    lake.load("transactions", api, WALLETS[2])
    assert json.loads(note.read_text())["source"] == "replay"


@pytest.mark.parametrize("content", ["", '{"versi'], ids=["empty", "cut"])
def test_a_lake_whose_identity_cannot_be_read_is_refused_by_name(lake: Lake, api: str, content: str) -> None:
    (lake.root / IDENTITY_NAME).write_text(content)
    with pytest.raises(SmartTraderError, match=f"{IDENTITY_NAME} cannot be read"):
        lake.load("transactions", api, WALLETS[2])


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def fill_with_zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink])
@pytest.mark.parametrize("step", ["load", None])
@pytest.mark.parametrize("name", ["state.json", "schemas/bronze.schema.json"])
def test_a_broken_file_of_dlts_own_is_replaced_and_what_waits_lands(
    lake: Lake,
    api: str,
    name: str,
    step: str | None,
    damage: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if step is not None:
        leave_pending(lake, api, step)
    damage(lake.paths.dlt_home / "bronze" / name)
    assert lake.load("transactions", api, WALLETS[2]).outcomes == {"complete": 1}
    assert wallets(lake) == sorted({*WALLETS} - ({WALLETS[1]} if step is None else set()))
    if damage is not Path.unlink:
        assert f"dlt/bronze/{name}: cannot be read; moved to {lake.root}/_set_aside" in capsys.readouterr().err
        assert len(list((lake.root / "_set_aside").glob(f"*/dlt/bronze/{name}"))) == 1


@pytest.mark.parametrize("damage", [empty, fill_with_zeros])
@pytest.mark.parametrize("step", ["normalize", "load"])
@pytest.mark.parametrize(
    "pattern",
    ["schema.json", "load_package_state.json", "new_jobs/transaction_history*.parquet", "new_jobs/fetch_log*.parquet"],
)
def test_a_package_with_a_broken_file_is_set_aside_and_fetched_again(
    lake: Lake, api: str, pattern: str, step: str, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    leave_pending(lake, api, step)
    (package,) = pending(lake)
    (file,) = package.glob(pattern)
    damage(file)
    assert lake.load("transactions", api, WALLETS[2]).outcomes == {"complete": 1}
    assert (wallets(lake), pending(lake)) == (sorted([WALLETS[0], WALLETS[2]]), [])
    output = capsys.readouterr().err
    assert f"{package.name}: its {file.relative_to(package)} " in output
    assert "fetched again by the next run" in output
    assert list((lake.root / "_set_aside").rglob(file.name))


@pytest.mark.parametrize("name", ["normalize/.version", "load/.version"])
def test_what_else_dlt_stumbles_over_sets_its_folder_aside(lake: Lake, api: str, name: str) -> None:
    empty(lake.paths.dlt_home / "bronze" / name)
    assert lake.load("transactions", api, WALLETS[2]).outcomes == {"complete": 1}
    assert wallets(lake) == sorted([WALLETS[0], WALLETS[2]])


def test_a_package_that_fails_twice_the_same_way_is_set_aside(
    lake: Lake, api: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_pending(lake, api)
    (package,) = pending(lake)
    load = dlt.Pipeline.load

    def fail_on_it(self: dlt.Pipeline, *arguments: object, **options: object) -> object:
        if package.exists():
            try:
                raise ValueError(f"rows of {package.name} fit no table")
            except ValueError as error:
                raise OSError("the job failed") from error
        return load(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(dlt.Pipeline, "load", fail_on_it)
    with pytest.raises(SmartTraderError, match="fit no table"):
        lake.load("transactions", api, WALLETS[2])
    assert pending(lake) == [package]
    assert lake.load("transactions", api, WALLETS[2]).outcomes == {"complete": 1}
    assert f"{package.name}: it failed twice the same way" in capsys.readouterr().err
    assert wallets(lake) == sorted([WALLETS[0], WALLETS[2]])


def test_a_package_waits_for_room_on_the_disk_however_long_that_takes(lake: Lake, api: str) -> None:
    leave_pending(lake, api)
    before = pending(lake)
    for _ in range(3):
        leave_pending(lake, api, wallet=WALLETS[2])
    assert pending(lake) == before
    lake.load("transactions", api, WALLETS[2])
    assert wallets(lake) == sorted(WALLETS)


def test_what_waits_for_one_lake_lands_in_no_other(lake: Lake, api: str, tmp_path: Path) -> None:
    leave_pending(lake, api)
    other = LakePaths(lake.root, str(tmp_path / "other"))
    Bronze(other).prepare()
    assert not Bronze(other).newest_as_of()
    assert len(list((lake.root / "_set_aside").rglob("transaction_history*.parquet"))) == 1


def test_a_lake_that_is_moved_keeps_what_waits_for_it(lake: Lake, api: str) -> None:
    leave_pending(lake, api)
    moved = Lake(lake.root.rename(lake.root.with_name("moved")))
    moved.load("transactions", api, WALLETS[2])
    assert wallets(moved) == sorted(WALLETS)
