"""What dbt is given of the adapter."""

from dbt.adapters.base.plugin import AdapterPlugin
from dbt.adapters.sparkconnect.credentials import SparkConnectCredentials
from dbt.adapters.sparkconnect.impl import SparkConnectAdapter
from dbt.include import sparkconnect

Plugin = AdapterPlugin(
    adapter=SparkConnectAdapter,  # type: ignore[arg-type]
    credentials=SparkConnectCredentials,
    include_path=sparkconnect.PACKAGE_PATH,
    dependencies=["spark"],
)
