"""Settings: what a wrong value says, and where the lake comes to lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from smart_trader.config.paths import lake_paths, project_root
from smart_trader.config.settings import lakehouse_settings
from smart_trader.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("LAKEHOUSE_THRIFT_PORT", "70000", id="port-too-high"),
        pytest.param("LAKEHOUSE_CONNECT_PORT", "abc", id="port-not-a-number"),
        pytest.param("LAKEHOUSE_DRIVER_MEMORY", "lots", id="memory-without-unit"),
        pytest.param("LAKEHOUSE_COMPILER", "c3", id="unknown-compiler"),
        pytest.param("LAKEHOUSE_CORES", "0", id="no-cores"),
        pytest.param("LAKEHOUSE_MIN_FREE_MB", "-1", id="negative-space"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as refused:
        lakehouse_settings()
    assert value in refused.value.what


@pytest.mark.parametrize(
    ("home", "uri", "expected_home", "expected_uri"),
    [
        pytest.param(None, None, "{root}/.lakehouse", "{root}/.lakehouse", id="defaults-in-the-checkout"),
        pytest.param("/h", None, "/h", "/h", id="tables-beside-the-server"),
        pytest.param("h", "t", "{root}/h", "{root}/t", id="relative-to-the-checkout"),
        pytest.param("/h", "s3://bucket/", "/h", "s3://bucket", id="object-store"),
        pytest.param("/h", "file:///a%20b", "/h", "file:///a%20b", id="file-address"),
    ],
)
def test_where_the_lake_lies(home: str | None, uri: str | None, expected_home: str, expected_uri: str) -> None:
    paths = lake_paths(Path(home) if home else None, uri)
    root = str(project_root())
    assert (str(paths.home), paths.uri) == (expected_home.format(root=root), expected_uri.format(root=root))


def test_a_file_address_becomes_the_path_it_means() -> None:
    paths = lake_paths(Path("/h"), "file:///a%20b")
    assert paths.local_root == Path("/a b")
    assert paths.spark_uri == "file:/a b"
