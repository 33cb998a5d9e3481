"""dbt adapter for open-source Spark: SQL over Thrift, Python models over Spark Connect."""

from dbt.adapters.base.plugin import AdapterPlugin
from dbt.adapters.sparkconnect.connections import SparkConnectConnectionManager
from dbt.adapters.sparkconnect.credentials import SparkConnectCredentials
from dbt.adapters.sparkconnect.impl import SparkConnectAdapter
from dbt.include import sparkconnect

__all__ = [
    "Plugin",
    "SparkConnectAdapter",
    "SparkConnectConnectionManager",
    "SparkConnectCredentials",
]

Plugin = AdapterPlugin(
    adapter=SparkConnectAdapter,  # type: ignore[arg-type]
    credentials=SparkConnectCredentials,
    include_path=sparkconnect.PACKAGE_PATH,
    dependencies=["spark"],
)
