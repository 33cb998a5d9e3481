"""The adapter: dbt-spark's, with Python models and a way to work without a server."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.impl import PythonJobHelper
from dbt.adapters.base.meta import available
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.spark.impl import SparkAdapter
from dbt.adapters.sparkconnect.connections import SparkConnectConnectionManager
from dbt.adapters.sparkconnect.python_submissions import SparkConnectPythonJobHelper
from dbt_common.exceptions import DbtRuntimeError

if TYPE_CHECKING:
    from dbt.adapters.contracts.relation import RelationConfig

SUBMISSION_METHOD = "spark_connect"


class SparkConnectAdapter(SparkAdapter):
    """Runs SQL over Thrift and Python models over Spark Connect, on one server."""

    ConnectionManager = SparkConnectConnectionManager

    @property
    def _is_offline(self) -> bool:
        return bool(self.config.credentials.is_offline)

    @available.parse_none
    def is_offline(self) -> bool:
        """Tell macros whether no statement can be run, so that they compile without asking the server."""
        return self._is_offline

    def list_relations_without_caching(self, schema_relation: BaseRelation) -> list[BaseRelation]:
        """List a schema's relations; without a server there are none."""
        if self._is_offline:
            return []
        relations = super().list_relations_without_caching(schema_relation)
        # the kept session's own temporary views are listed too, with no schema
        return [relation for relation in relations if relation.schema]

    def list_schemas(self, database: str) -> list[str]:
        """List the schemas; without a server there are none."""
        return [] if self._is_offline else list(super().list_schemas(database))

    def check_schema_exists(self, database: str, schema: str) -> bool:
        """Tell whether a schema exists; without a server none does."""
        return not self._is_offline and bool(super().check_schema_exists(database, schema))

    @property
    def default_python_submission_method(self) -> str:
        """Name of the one way to run a Python model."""
        return SUBMISSION_METHOD

    @property
    def python_submission_helpers(self) -> dict[str, type[PythonJobHelper]]:
        """Ways to run a Python model, by name."""
        return {SUBMISSION_METHOD: SparkConnectPythonJobHelper}

    @available.parse_none
    def call_python(self, function: str, *arguments: Any) -> Any:
        """Call a function of an installed package, named `package.module.function`, in dbt's own process."""
        module, _, name = function.rpartition(".")
        try:
            return getattr(import_module(module), name)(*arguments)
        except Exception as exc:
            raise DbtRuntimeError(str(exc) or type(exc).__name__) from exc

    @classmethod
    def _get_adapter_specific_run_info(cls, config: "RelationConfig") -> dict[str, Any]:
        return {**super()._get_adapter_specific_run_info(config), "adapter_type": "sparkconnect"}
