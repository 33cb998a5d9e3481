"""The one reader of settings from the environment and `.env`.

Pipeline settings (thresholds, limits, refresh periods) live in `dbt_project.yml`; what is here describes the
machine: where the lake is, which Java, which ports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from smart_trader.errors import SettingsError
from smart_trader.paths import LakePaths, lake_paths, project_root

Port = Annotated[int, Field(ge=1, le=65535)]
MemorySize = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[mg]$")]


class LakehouseSettings(BaseSettings):
    """Settings of the embedded server, each an environment variable `LAKEHOUSE_<NAME>` or a line of `.env`."""

    model_config = SettingsConfigDict(env_prefix="LAKEHOUSE_", extra="ignore", env_ignore_empty=True)

    home: Path | None = Field(None, description="folder of the server's files; default: .lakehouse in the checkout")
    uri: str | None = Field(None, description="root of the tables; default: the same folder")
    thrift_port: Port | None = Field(None, description="fixed port of the SQL door; default: 10000, or a free one")
    connect_port: Port | None = Field(None, description="fixed port of Spark Connect; default: 15002, or a free one")
    driver_memory: MemorySize = Field("1g", description="heap of the JVM, e.g. 1g or 1500m")
    java: str = Field("auto", description="auto, system, wheel, or the path of a java program")
    compiler: Literal["c2", "c1"] = Field(
        "c2", description="c1 starts faster, but is a third slower on millions of rows"
    )
    cores: Annotated[str, StringConstraints(pattern=r"^(\*|[1-9][0-9]*)$")] = Field(
        "*", description="cores Spark may use"
    )
    class_archive: bool = Field(True, description="use the trained class archive where there is one")
    ivy_settings: Path | None = Field(None, description="Ivy settings file naming your own mirror for the jars")
    start_timeout: Annotated[int, Field(ge=5)] = Field(180, description="seconds the server may take to answer")
    min_free_mb: Annotated[int, Field(ge=0)] = Field(
        512, description="MB that must be free on the lake's disk to start"
    )

    @property
    def paths(self) -> LakePaths:
        """The lake's files."""
        return lake_paths(self.home, self.uri)


class ApiSettings(BaseSettings):
    """The key of the BirdEye account, an environment variable or a line of `.env`; never shown."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    birdeye_api_key: SecretStr | None = None


def birdeye_api_key() -> str | None:
    """Return the API key, or None where there is none; the environment wins over the checkout's `.env`."""
    key = ApiSettings(_env_file=project_root() / ".env").birdeye_api_key
    return (key.get_secret_value().strip() or None) if key else None


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
