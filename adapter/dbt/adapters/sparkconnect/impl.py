"""The adapter: dbt-spark's, with Python models and a way to work without a server."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.impl import PythonJobHelper
from dbt.adapters.base.meta import available
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.spark.impl import SparkAdapter
from dbt.adapters.sparkconnect.connections import SparkConnectConnectionManager
from dbt.adapters.sparkconnect.python_submissions import SparkConnectPythonJobHelper
from dbt.adapters.sparkconnect.thrift_session import ThriftSession
from dbt_common.exceptions import DbtRuntimeError

if TYPE_CHECKING:
    from dbt.adapters.contracts.relation import RelationConfig

SUBMISSION_METHOD = "spark_connect"
WAREHOUSE = "spark.sql.warehouse.dir"


class SparkConnectAdapter(SparkAdapter):
    """Runs SQL over Thrift and Python models over Spark Connect, on one server."""

    ConnectionManager = SparkConnectConnectionManager
    # asked of the engine once: a running server's warehouse stays where it is
    _lake_root: str | None = None

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
        if self.config.credentials.is_embedded:
            from dbt.adapters.sparkconnect.embedded.python_model import EmbeddedPythonJobHelper

            return {SUBMISSION_METHOD: EmbeddedPythonJobHelper}
        return {SUBMISSION_METHOD: SparkConnectPythonJobHelper}

    @available.parse_none
    def lake_root(self) -> str:
        """Return the root of the tables, as the engine writes it: Spark's warehouse, or the embedded engine's lake."""
        if self._lake_root is None:
            _, answer = self.execute(f"select '${{{WAREHOUSE}}}' as root", fetch=True)
            self._lake_root = str(answer.rows[0][0])
        return self._lake_root

    @available.parse(lambda *_, **__: True)
    def has_delta_log(self, path: str) -> bool:
        """Tell whether a folder holds a Delta table, known to a catalog or not.

        Args:
            path: The folder; `{a,b}` in it stands for either.
        """
        if self._is_offline:
            return False
        session = self.connections.get_thread_connection().handle
        if isinstance(session, ThriftSession):
            # the handler is for the missing path alone: any other trouble with the folder stays an error
            sought = f"select true as found from text.`{path}/_delta_log/*.json` limit 1"  # noqa: S608 - it is a path
            handler = "declare exit handler for path_not_found begin select false as found; end;"
            _, answer = self.execute(f"begin {handler} {sought}; end", fetch=True)
            return bool(len(answer.rows) and answer.rows[0][0])
        return bool(session.lake.has_delta_log(path))

    @available.parse_none
    def set_column_comments(self, relation: BaseRelation, comments: dict[str, str]) -> bool:
        """Set the comments of a table's columns in one commit, if the engine can; returns whether it did."""
        if self._is_offline or not self.config.credentials.is_embedded:
            return False
        session = self.connections.get_thread_connection().handle
        session.statements.comment_columns(relation.schema, relation.identifier, comments)
        return True

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
