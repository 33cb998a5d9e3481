"""Settings of an S3 lake and of a cluster: what is missing is named, what is secret stands where it must and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from smart_trader.config.paths import LakePaths, lake_paths
from smart_trader.config.settings import cluster_settings, store_settings
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.store import arrow_location, bucket_and_prefix, s3_client, storage_options
from smart_trader.lakehouse import spark_config

SECRETS = {
    "AWS_ACCESS_KEY_ID": "one-of-the-secrets",
    "AWS_SECRET_ACCESS_KEY": "two-of-the-secrets",  # pragma: allowlist secret
    "CLUSTER_SECRET": "three-of-the-secrets",  # pragma: allowlist secret
    "CLUSTER_METASTORE_PASSWORD": "four-of-the-secrets",  # pragma: allowlist secret
    "SPARK_CONNECT_TOKEN": "five-of-the-secrets",  # pragma: allowlist secret
}
LAKE = LakePaths(Path("/home-of-the-lake"), "s3://bucket/path")


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_named_and_no_other_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=name) as refused:
        store_settings() if name.startswith("AWS_") else cluster_settings()
    assert "of-the-secrets" not in str(refused.value)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("CLUSTER_MASTER", "http://here:7077", id="master-is-no-spark-address"),
        pytest.param("CLUSTER_METASTORE_URL", "jdbc:derby:here", id="metastore-is-no-postgresql"),
        pytest.param("CLUSTER_PARTITIONS", "0", id="no-partitions"),
        pytest.param("CLUSTER_EXECUTOR_MEMORY", "lots", id="memory-without-unit"),
        pytest.param("SPARK_THRIFT_PORT", "70000", id="port-too-high"),
        pytest.param("AWS_ENDPOINT_URL", "here", id="endpoint-is-no-address"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        store_settings() if name.startswith("AWS_") else cluster_settings()


@pytest.mark.usefixtures("secrets")
def test_a_clusters_processes_refuse_unauthenticated_clients_and_the_endpoints_stay_on_loopback() -> None:
    properties = spark_config.cluster_properties(cluster_settings(), LAKE, [])
    assert properties["spark.authenticate"] == "true"
    assert properties["spark.network.crypto.enabled"] == "true"
    assert properties["spark.io.encryption.enabled"] == "true"
    for endpoint in ("spark.connect.grpc.binding.address", "spark.hadoop.hive.server2.thrift.bind.host"):
        assert properties[endpoint] == "127.0.0.1"
    holders = {name for name, value in properties.items() if "of-the-secrets" in value}
    # the keys of the store are in the environment of the processes alone
    assert holders == {
        "spark.authenticate.secret",
        "spark.connect.authenticate.token",
        "spark.hadoop.javax.jdo.option.ConnectionPassword",
    }


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        pytest.param("", {"AWS_ALLOW_HTTP": None, "AWS_ENDPOINT_URL": None}, id="amazon"),
        pytest.param("http://s3:7070", {"AWS_ALLOW_HTTP": "true", "AWS_ENDPOINT_URL": "http://s3:7070"}, id="plain"),
        pytest.param("https://s3", {"AWS_ALLOW_HTTP": "false", "AWS_ENDPOINT_URL": "https://s3"}, id="encrypted"),
    ],
)
def test_plain_http_is_allowed_only_where_it_is_configured(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, expected: dict[str, str | None]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    options = storage_options(LAKE.table("silver", "wallet_pnl")) or {}
    assert {name: options.get(name) for name in expected} == expected
    assert storage_options("/a/folder") is None
    files, path = arrow_location(LAKE.table("silver", "wallet_pnl"))
    assert (files.type_name, path) == ("s3", "bucket/path/silver/wallet_pnl")


@pytest.mark.usefixtures("secrets")
def test_another_key_is_another_client(monkeypatch: pytest.MonkeyPatch) -> None:
    first = s3_client()
    assert s3_client() is first
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "six-of-the-secrets")
    assert s3_client() is not first


@pytest.mark.parametrize("given", ["s3://bucket/path", "s3a://bucket/path/"])
def test_both_names_of_a_lake_on_s3_mean_the_same(given: str) -> None:
    paths = lake_paths(Path("/h"), given)
    assert (paths.uri, paths.spark_uri, paths.is_local) == ("s3://bucket/path", "s3a://bucket/path", False)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("s3://bucket", ("bucket", "")), ("s3://bucket/a/b", ("bucket", "a/b/"))],
)
def test_an_address_is_a_bucket_and_a_prefix(uri: str, expected: tuple[str, str]) -> None:
    assert bucket_and_prefix(uri) == expected


@pytest.mark.parametrize("uri", ["gs://bucket", "s3://", "abfs://x@y/z"])
def test_an_address_without_a_bucket_is_refused(uri: str) -> None:
    with pytest.raises(SmartTraderError, match="no folder and no bucket"):
        bucket_and_prefix(uri)
