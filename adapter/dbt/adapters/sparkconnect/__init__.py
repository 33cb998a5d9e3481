"""dbt adapter for open-source Spark: SQL over Thrift, Python models over Spark Connect."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import what dbt asks for when it asks: a reader of a lake need not wait a second for dbt."""
    if name == "Plugin":
        from dbt.adapters.sparkconnect.plugin import Plugin

        return Plugin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
