"""The adapter: dbt-spark's, with Python models and a way to work without a server."""

import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from dbt.adapters.base.impl import PythonJobHelper
from dbt.adapters.base.meta import available
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.spark.impl import SparkAdapter
from dbt.adapters.sparkconnect.connections import SparkConnectConnectionManager
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from dbt.adapters.sparkconnect.embedded.storage import storage_of
from dbt.adapters.sparkconnect.embedded.views import View
from dbt.adapters.sparkconnect.python_submissions import SparkConnectPythonJobHelper
from dbt.adapters.sparkconnect.shared_views import SharedViews, is_same_place, statement
from dbt.adapters.sparkconnect.thrift_session import ThriftSession
from dbt_common.exceptions import DbtRuntimeError

if TYPE_CHECKING:
    from dbt.adapters.contracts.relation import RelationConfig

logger = AdapterLogger("SparkConnect")

SUBMISSION_METHOD = "spark_connect"
WAREHOUSE = "spark.sql.warehouse.dir"


class SparkConnectAdapter(SparkAdapter):
    """Runs SQL over Thrift and Python models over Spark Connect, on one server."""

    ConnectionManager = SparkConnectConnectionManager
    # read from the engine once: a running server's warehouse stays where it is
    _lake_root: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._views_lock = threading.Lock()
        self._shared: SharedViews | None = None
        self._is_shared_known = False
        self._are_views_restored = False

    @property
    def _is_offline(self) -> bool:
        return bool(self.config.credentials.is_offline)

    @available.parse_none
    def is_offline(self) -> bool:
        """Return to macros whether no statement can be run, so that they compile without a query."""
        return self._is_offline

    def list_relations_without_caching(self, schema_relation: BaseRelation) -> list[BaseRelation]:
        """List a schema's relations; without a server there are none."""
        if self._is_offline:
            return []
        # dbt lists before it runs anything, and requests all schemas at once
        with self._views_lock:
            if not self._are_views_restored:
                self._are_views_restored = True
                self.restore_views()
        return self._listed(schema_relation)

    def _listed(self, schema_relation: BaseRelation) -> list[BaseRelation]:
        relations = super().list_relations_without_caching(schema_relation)
        # the kept session's own temporary views are listed too, with no schema
        return [relation for relation in relations if relation.schema]

    # ---------------------------------------------------------------- views of both engines

    def _shared_views(self) -> SharedViews | None:
        """Return the lake's file of views, where Spark runs on a lake that the embedded engine can read."""
        if not self._is_shared_known:
            creds = self.config.credentials
            self._is_shared_known = True
            if creds.lake and not creds.is_embedded and not self._is_offline:
                try:
                    self._shared = self._shared_views_of(str(creds.lake), creds.scratch)
                except (EmbeddedError, OSError) as exc:
                    logger.warning(f"`method: embedded` will not know the views of {creds.lake}: {exc}")
        return self._shared

    def _shared_views_of(self, lake: str, scratch: str | None) -> SharedViews | None:
        address = urlparse(lake)
        # a folder of another machine is not to be made on this one
        if address.scheme in ("", "file") and not Path(unquote(address.path) if address.scheme else lake).is_dir():
            return None
        storage = storage_of(lake, scratch)
        root = self.lake_root()
        return SharedViews(storage, root) if is_same_place(storage.address, root) else None

    @available.parse_none
    def restore_views(self) -> None:
        """Create in Spark's catalog the lake's views that it lacks, or has as they were before the embedded engine's.

        One that reads a table which the catalog does not know stays away, and Spark reports it when it is read.
        """
        shared = self._shared_views()
        try:
            names = list(shared.all()) if shared else []
        except (EmbeddedError, OSError) as exc:
            logger.warning(f"The views of the lake cannot be read: {exc}")
            return
        if not shared or not names:
            return
        known = {
            f"{relation.schema}.{relation.identifier}": str(getattr(relation, "information", None) or "")
            for schema in {name.partition(".")[0] for name in names}
            for relation in self._listed(self.Relation.create(schema=schema))
        }
        waiting = shared.to_create(known)
        failures: dict[str, str] = {"": ""}
        # views read views: go on for as long as one can be made
        while waiting and failures:
            failures = {}
            for name, view in waiting.items():
                try:
                    self.execute(statement(name, view))
                except DbtRuntimeError as exc:
                    failures[name] = str(exc)
            if len(failures) == len(waiting):
                break
            waiting = {name: view for name, view in waiting.items() if name in failures}
        for name, why in failures.items():
            if why:
                logger.debug(f"the view {name} is not made in Spark's catalog: {why}")

    @available.parse_none
    def record_view(self, relation: BaseRelation, sql: str, comment: str | None, columns: dict[str, str]) -> None:
        """Note a view that Spark has made, so that the embedded engine knows it; that one notes its own."""
        shared = self._shared_views()
        if shared:
            described = {name.lower(): text for name, text in columns.items() if text}
            try:
                shared.record(f"{relation.schema}.{relation.identifier}", View(sql.strip(), comment, described))
            except (EmbeddedError, OSError) as exc:
                logger.warning(f"`method: embedded` will not know the view {relation}: {exc}")

    def drop_relation(self, relation: BaseRelation) -> None:
        """Drop a relation, and its entry in the lake's file."""
        super().drop_relation(relation)  # type: ignore[no-untyped-call]
        self._forget_view(f"{relation.schema}.{relation.identifier}")

    def drop_schema(self, relation: BaseRelation) -> None:
        """Drop a schema with its views."""
        super().drop_schema(relation)
        self._forget_view(f"{relation.schema}.*")

    def _forget_view(self, name: str) -> None:
        shared = self._shared_views()
        if shared:
            try:
                shared.forget(name)
            except (EmbeddedError, OSError) as exc:
                logger.warning(f"`method: embedded` still knows the view {name}: {exc}")

    # ---------------------------------------------------------------- what else dbt calls

    def debug_query(self) -> None:
        """Ask the engine for an answer, as `dbt debug` does, and say which lake that is; dbt does not show it."""
        if place := self.config.credentials.place():
            logger.info(place)
        super().debug_query()

    def list_schemas(self, database: str) -> list[str]:
        """List the schemas; without a server there are none."""
        return [] if self._is_offline else list(super().list_schemas(database))

    def check_schema_exists(self, database: str, schema: str) -> bool:
        """Return whether a schema exists; without a server none does."""
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
        """Return whether a folder holds a Delta table, known to a catalog or not.

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
