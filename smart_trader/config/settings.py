"""The one reader of settings from the environment and `.env`.

Pipeline settings (thresholds, limits, refresh periods) live in `dbt_project.yml`; what is here describes the
machine: where the lake is, which Java, which ports.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from smart_trader.config.paths import LakePaths, lake_paths, project_root
from smart_trader.errors import SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]
# What dbt's profile reads as well, to build on the same engine.
ENGINE_VARIABLE = "LAKEHOUSE_ENGINE"
# What a header can carry; other letters, or a second line, come of copying the wrong thing.
KEY_LETTERS = re.compile(r"[!-~]+")


def _check_letters(key: SecretStr) -> SecretStr:
    """Refuse a key with letters that no key has, before a library refuses it and shows it; leaves out blanks around."""
    text = key.get_secret_value().strip()
    if text and not KEY_LETTERS.fullmatch(text):
        raise ValueError("holds a line break, a blank or a letter outside ASCII, which no key has (not shown here)")
    return SecretStr(text)


Key = Annotated[SecretStr, AfterValidator(_check_letters)]
MemorySize = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[mg]$")]


class LakehouseSettings(BaseSettings):
    """Settings of Spark's server, each an environment variable `LAKEHOUSE_<NAME>` or a line of `.env`."""

    model_config = SettingsConfigDict(env_prefix="LAKEHOUSE_", extra="ignore", env_ignore_empty=True)

    home: Path | None = Field(None, description="folder of the server's files; default: .lakehouse in the checkout")
    uri: str | None = Field(None, description="root of the tables, a folder or s3://BUCKET; default: the same folder")
    engine: Literal["auto", "embedded", "spark"] = Field(
        "auto",
        description="auto takes Spark where the lake's server is up, else the embedded engine, which needs no Java",
    )
    thrift_port: Port | None = Field(None, description="fixed port of the SQL endpoint; default: 10000, or a free one")
    connect_port: Port | None = Field(None, description="fixed port of Spark Connect; default: 15002, or a free one")
    driver_memory: MemorySize = Field("2g", description="heap of the JVM, e.g. 1g or 1500m")
    java: str = Field("auto", description="auto, system, wheel, or the path of a java program")
    compiler: Literal["c2", "c1"] = Field(
        "c2", description="c1 starts faster, but is a third slower on millions of rows"
    )
    cores: Annotated[str, StringConstraints(pattern=r"^(\*|[1-9][0-9]*)$")] = Field(
        "*", description="cores Spark may use"
    )
    class_archive: bool = Field(True, description="use the trained class archive where there is one")
    ivy_settings: Path | None = Field(None, description="Ivy settings file naming your own mirror for the jars")
    start_timeout: Annotated[int, Field(ge=5)] = Field(
        180, description="seconds the server may take to answer", json_schema_extra={"unit": "seconds"}
    )
    min_free_mb: Annotated[int, Field(ge=0)] = Field(
        512, description="MB that must be free on the lake's disk to start", json_schema_extra={"unit": "MB"}
    )

    @property
    def paths(self) -> LakePaths:
        """The lake's files."""
        return lake_paths(self.home, self.uri)


class StoreSettings(BaseSettings):
    """Where an S3 lake's store is and who we are there: the variables every S3 tool reads, or lines of `.env`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, populate_by_name=True)

    key_id: Key | None = Field(None, validation_alias="AWS_ACCESS_KEY_ID", description="id of the store's key")
    secret: Key | None = Field(
        None, validation_alias="AWS_SECRET_ACCESS_KEY", description="the key itself; never shown"
    )
    session_token: Key | None = Field(
        None, validation_alias="AWS_SESSION_TOKEN", description="token of a key that is valid for a while"
    )
    region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="the bucket's region",
    )
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^/]+/?$")] | None = Field(
        None,
        validation_alias=AliasChoices("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        description="address of a store that is not Amazon's",
    )

    def environment(self) -> dict[str, str]:
        """Return the settings as the variables a child process reads."""
        values = {
            "AWS_ACCESS_KEY_ID": self.key_id and self.key_id.get_secret_value(),
            "AWS_SECRET_ACCESS_KEY": self.secret and self.secret.get_secret_value(),
            "AWS_SESSION_TOKEN": self.session_token and self.session_token.get_secret_value(),
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        return {name: value for name, value in values.items() if value}


class ClusterSettings(BaseSettings):
    """Settings of a Spark cluster's processes, each an environment variable `CLUSTER_<NAME>` or a line of `.env`."""

    model_config = SettingsConfigDict(env_prefix="CLUSTER_", extra="ignore", env_ignore_empty=True)

    master: Annotated[str, StringConstraints(pattern=r"^spark://[^:/]+:[0-9]+$")] = Field(
        "spark://127.0.0.1:7077", description="where the master listens; its own name for it, and everybody else's"
    )
    host: str = Field("127.0.0.1", description="name or address by which the others reach this process")
    secret: SecretStr = Field(description="what every process of the cluster must know; also encrypts their traffic")
    worker_cores: Annotated[int, Field(ge=1)] = Field(1, description="cores a worker gives to executors")
    worker_memory: MemorySize = Field("1500m", description="memory a worker gives to executors")
    executor_memory: MemorySize = Field("1g", description="heap of one executor")
    partitions: Annotated[int, Field(ge=1)] = Field(
        4, description="parts a shuffle is cut into: two or three for each core of all workers"
    )
    metastore_url: Annotated[str, StringConstraints(pattern=r"^jdbc:postgresql://")] = Field(
        "jdbc:postgresql://127.0.0.1:5432/metastore", description="PostgreSQL database that holds the tables' names"
    )
    metastore_user: str = Field("metastore", description="its user")
    metastore_password: SecretStr = Field(description="that user's password")
    connect_token: SecretStr = Field(
        validation_alias=AliasChoices("SPARK_CONNECT_TOKEN", "connect_token"),
        description="what Spark Connect requires of every caller",
    )
    thrift_port: Port = Field(
        10000,
        validation_alias=AliasChoices("SPARK_THRIFT_PORT", "thrift_port"),
        description="port of Spark's Thrift server",
    )
    connect_port: Port = Field(
        15002,
        validation_alias=AliasChoices("SPARK_CONNECT_PORT", "connect_port"),
        description="port of Spark Connect",
    )


def cluster_settings() -> ClusterSettings:
    """Read the settings of a cluster's process; the environment wins over the checkout's `.env`.

    Raises:
        SettingsError: A value is missing or cannot be used; no value is in the message, some are secrets.
    """
    try:
        return ClusterSettings(_env_file=project_root() / ".env")
    except ValidationError as error:
        faults = "; ".join(f"{_name_variable(str(fault['loc'][0]))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(
            f"settings that cannot be used: {faults}", "set them in the environment or in .env"
        ) from None


def _name_variable(name: str) -> str:
    return name if name.isupper() else f"CLUSTER_{name.upper()}"


def store_settings() -> StoreSettings:
    """Read where an S3 lake's store is; the environment wins over the checkout's `.env`.

    Raises:
        SettingsError: A value cannot be used, or there is no key; no value of a key is ever in the message.
    """
    try:
        settings = StoreSettings(_env_file=project_root() / ".env")
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(
            f"settings that cannot be used: {faults}", "correct them in the environment or in .env"
        ) from None
    missing = [
        name
        for name, value in (("AWS_ACCESS_KEY_ID", settings.key_id), ("AWS_SECRET_ACCESS_KEY", settings.secret))
        if value is None
    ]
    if missing:
        raise SettingsError(
            f"the lake is on S3 and there is no {' and no '.join(missing)} in the environment or .env",
            "set both, and AWS_ENDPOINT_URL where the store is not Amazon's",
        )
    return settings


class ApiSettings(BaseSettings):
    """The key of the BirdEye account, an environment variable or a line of `.env`; never shown."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    birdeye_api_key: Key | None = Field(None, description="key of the account; never shown")


def birdeye_api_key() -> str | None:
    """Return the API key, or None where there is none; the environment wins over the checkout's `.env`.

    Raises:
        SettingsError: It can be no key; the message does not show it.
    """
    try:
        key = ApiSettings(_env_file=project_root() / ".env").birdeye_api_key
    except ValidationError as error:
        faults = "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        raise SettingsError(
            f"BIRDEYE_API_KEY {faults}", "copy the key again, letters alone, into the environment or .env"
        ) from None
    return (key.get_secret_value() or None) if key else None


def lakehouse_settings() -> LakehouseSettings:
    """Read the settings; the environment wins over the checkout's `.env`.

    Raises:
        SettingsError: A value cannot be used; names every variable at fault.
    """
    try:
        return LakehouseSettings(_env_file=project_root() / ".env")
    except ValidationError as error:
        faults = "; ".join(
            f"LAKEHOUSE_{str(fault['loc'][0]).upper()}={fault['input']!r}: {fault['msg']}" for fault in error.errors()
        )
        raise SettingsError(
            f"settings that cannot be used: {faults}", "correct them in the environment or in .env"
        ) from None
