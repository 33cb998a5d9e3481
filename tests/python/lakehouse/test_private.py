"""What a lake's folder may be: ours alone, made so where it was open, refused where it is somebody else's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from smart_trader.config.paths import lake_paths
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.atomic import write_file
from smart_trader.lake.file_lock import FileLock, lake_lock
from smart_trader.lake.private import claim_folder
from tests.python.support.engine import clean_environment, deny, run_module

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to somebody else needs root")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> None:
    before = os.umask(0o000)
    yield
    os.umask(before)


@pytest.mark.parametrize("before", [None, 0o755, 0o775, 0o777], ids=["new", "0755", "0775", "0777"])
def test_a_folder_of_ours_is_closed_to_others(tmp_path: Path, open_umask: None, before: int | None) -> None:
    folder = tmp_path / "lake"
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
        (folder / "bronze").mkdir()
    claim_folder(folder)
    assert mode(folder) == 0o700


def test_the_lock_of_a_lake_closes_its_folder(tmp_path: Path, open_umask: None) -> None:
    folder = tmp_path / "lake"
    folder.mkdir()
    with lake_lock(folder, "a run"):
        assert mode(folder) == 0o700
        assert mode(folder / "_lake.lock") == 0o600


@as_root
def test_a_folder_of_somebody_else_is_refused_by_name_though_all_may_write(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o777)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(SmartTraderError, match=rf"{folder} belongs to nobody, this process runs as root"):
        claim_folder(folder)
    assert mode(folder) == 0o777


@as_root
def test_a_file_of_another_user_in_an_open_folder_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    planted = folder / "server.json.part"
    planted.touch()
    os.chown(planted, NOBODY, NOBODY)
    folder.chmod(0o777)
    with pytest.raises(SmartTraderError, match=r"server.json.part in it belongs to nobody"):
        claim_folder(folder)


@as_root
@pytest.mark.parametrize("command", [["loaders", "init"], ["smart_trader.cli", "lakehouse", "start"]], ids=str)
def test_commands_refuse_a_folder_of_somebody_else(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    deny(folder)
    done = run_module(*command, env=clean_environment(LAKEHOUSE_HOME=str(folder)))
    assert done.returncode == 1
    assert f"{folder} belongs to nobody" in done.stderr
    assert list(folder.iterdir()) == []


def test_what_a_loader_writes_is_readable_by_its_owner_alone(tmp_path: Path, open_umask: None) -> None:
    home = tmp_path / "lake"
    done = run_module("loaders", "init", env=clean_environment(LAKEHOUSE_HOME=str(home)))
    assert done.returncode == 0, done.stderr
    files = [home, *home.rglob("*")]
    assert len(files) > 20
    assert {str(path): oct(mode(path)) for path in files if mode(path) & 0o077} == {}


def test_a_link_in_place_of_a_private_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("theirs")
    path = tmp_path / "server.json"
    path.symlink_to(target)
    write_file(path, "secret")
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("theirs", "secret", False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["elsewhere", "server.json"]


def test_a_link_in_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SmartTraderError, match="cannot open the lock"):
        FileLock(tmp_path / "a.lock", "a run").acquire()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "name", ["a#b", "a?b", "a*b", "a%41", "a%20b", "it's", "a[1]", "a:b", "a{b}", "a\nb", "a\\b", "a=1"]
)
@pytest.mark.parametrize("setting", ["LAKEHOUSE_HOME", "LAKEHOUSE_URI"])
def test_a_path_that_a_library_would_take_apart_is_refused_by_its_sign(tmp_path: Path, name: str, setting: str) -> None:
    path = tmp_path / name
    with pytest.raises(SettingsError, match=f"(?s){setting}=.* cannot be used"):
        lake_paths(path, None) if setting == "LAKEHOUSE_HOME" else lake_paths(tmp_path, str(path))


def test_a_plain_path_is_taken_also_under_the_locale_of_cron(tmp_path: Path) -> None:
    home = tmp_path / "ü ñ" / "user@domain" / "~a.b_c-d++"
    assert lake_paths(home, None).local_root == home
    done = run_module("loaders", "init", env=clean_environment(LAKEHOUSE_HOME=str(home), LC_ALL="C"))
    assert done.returncode == 0, done.stderr
    assert (home / "bronze" / "fetch_log" / "_delta_log").is_dir()


def test_an_address_may_escape_what_a_path_may_hold() -> None:
    assert lake_paths(Path("/tmp"), "file:/lake%20one").local_root == Path("/lake one")
    with pytest.raises(SettingsError, match="do not take #"):
        lake_paths(Path("/tmp"), "file:/lake#1")


def test_text_from_outside_in_the_servers_log_steers_no_terminal(tmp_path: Path) -> None:
    claim_folder(tmp_path / "lake")
    (tmp_path / "lake" / "server.log").write_text("ERROR no table \x1b]0;title\x07\x9b2J\n")
    done = run_module(
        "smart_trader.cli", "lakehouse", "logs", env=clean_environment(LAKEHOUSE_HOME=str(tmp_path / "lake"))
    )
    assert done.stdout == "ERROR no table \\x1b]0;title\\x07\\x9b2J\n"
