"""Python models in dbt's own process: a session whose `sql` is Spark's, and frames that are queries or Arrow data."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
from dbt.adapters.base.impl import PythonJobHelper
from dbt.adapters.sparkconnect.credentials import SparkConnectCredentials
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, RefusedError, located
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.session import lake_of
from dbt.adapters.sparkconnect.embedded.types import duckdb_name, of_spark, quoted
from dbt.adapters.sparkconnect.embedded.writes import BATCH_ROWS, TableSettings, Writer
from dbt.adapters.sparkconnect.python_model import PythonModel
from dbt_common.exceptions import DbtRuntimeError

#: dbt's name for an incremental Python model's new rows, which live until they are merged.
TEMPORARY_SUFFIX = "__dbt_tmp"
_FRAME = re.compile(r"\{(\w+)\}")
_FIELD = re.compile(r"`?(\w+)`?\s*:?\s+([\w ]+(?:\(\s*\d+\s*(?:,\s*\d+\s*)?\))?)\s*(?:,|$)")

ArrowFunction = Callable[[Iterator[pa.RecordBatch]], Iterable[pa.RecordBatch]]


class Frame:
    """A query, or the result of one, with the few methods of a Spark DataFrame that hold on this engine."""

    def __init__(self, session: "Session", name: str) -> None:
        self._session = session
        #: Name of the temporary view that the frame is.
        self.name = name

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._session.relation(self.name).columns)

    def mapInArrow(self, function: ArrowFunction, schema: str) -> "Frame":  # noqa: N802 - pyspark's name
        """Return what a function makes of the rows, as a stream of Arrow batches in the order of the query.

        Unlike on Spark there is one partition: the function sees all rows, batch after batch, and never all at once.

        Args:
            function: Takes the batches and yields batches of the schema.
            schema: The result's columns in Spark's DDL.
        """
        return self._session.mapped(self, function, schema)

    def limit(self, num: int) -> "Frame":
        """Return the first rows."""
        return self._session.sql(f"select * from {{frame}} limit {int(num)}", frame=self)

    def filter(self, condition: str) -> "Frame":
        """Return the rows for which a condition in SQL holds."""
        if not isinstance(condition, str):
            raise RefusedError("a condition of columns", fix="write it as text: frame.filter('id > 5')")
        return self._session.sql(f"select * from {{frame}} where {condition}", frame=self)

    where = filter

    def toArrow(self) -> pa.Table:  # noqa: N802 - pyspark's name
        """Return all rows."""
        return self._session.relation(self.name).to_arrow_table()

    def toPandas(self) -> Any:  # noqa: N802 - pyspark's name
        """Return all rows."""
        return self.toArrow().to_pandas()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RefusedError(
            f"`{name}` of a DataFrame",
            fix="write it as SQL: session.sql('select ... from {frame}', frame=frame)",
        )


class Session:
    """What a model gets as `session` and as `spark`."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._cursor = lake.cursor()
        self._views: dict[str, str] = {}
        self._results: dict[str, str] = {}
        self._prefix = uuid4().hex

    def table(self, name: str) -> Frame:
        """Return a table or view of the lake."""
        return self._view(f"select * from {name}")

    def sql(self, text: str, **frames: Frame) -> Frame:
        """Return a query, in which `{name}` stands for the frame given under that name, as in pyspark."""

        def name_of(found: re.Match[str]) -> str:
            frame = frames.get(found[1])
            if not isinstance(frame, Frame):
                raise EmbeddedError(f"session.sql was given no frame for {{{found[1]}}}")
            return frame.name

        return self._view(_FRAME.sub(name_of, text))

    def createDataFrame(self, data: Any, schema: Sequence[str] | None = None) -> Frame:  # noqa: N802 - pyspark's name
        """Return a pandas DataFrame, a pyarrow Table or a list of rows with the names of their columns as a frame."""
        if isinstance(data, list) and schema and not isinstance(schema, str):
            columns = [pa.array([row[at] for row in data]) for at in range(len(schema))]
            data = pa.table(dict(zip(schema, columns, strict=True)))
        if isinstance(data, pa.Table):
            return self._result(data.to_reader())
        if type(data).__module__.partition(".")[0] == "pandas":
            return self._result(pa.Table.from_pandas(data, preserve_index=False).to_reader())
        raise EmbeddedError(
            "createDataFrame takes a pandas DataFrame, a pyarrow Table, or a list of rows and the names of their "
            f"columns, not {type(data).__name__}"
        )

    def relation(self, name: str) -> duckdb.DuckDBPyRelation:
        """Return a view as a query of DuckDB's."""
        return self._lake.cursor().sql(self.query(name))

    def query(self, name: str) -> str:
        """Return DuckDB's text of a view."""
        results = {result: f"select * from {kept}" for result, kept in self._results.items()}
        return self._lake.resolved(f"select * from {name}", self._views, results)

    def mapped(self, frame: Frame, function: ArrowFunction, schema: str) -> Frame:
        """Run a function over a frame's rows as a stream."""
        fields = [(column, of_spark(kind)) for column, kind in _FIELD.findall(schema)]
        if not fields:
            raise EmbeddedError(f"mapInArrow was given no columns: {schema!r}")
        reader = self.relation(frame.name).to_arrow_reader(BATCH_ROWS)
        expected = self._lake.cursor().sql(
            "select " + ", ".join(f"cast(null as {duckdb_name(kind)}) as {quoted(name)}" for name, kind in fields)
        )
        target = pa.schema([field.with_nullable(True) for field in expected.to_arrow_table().schema])

        def results() -> Iterator[pa.RecordBatch]:
            for batch in function(iter(reader)):
                yield batch.select(target.names).cast(target)

        return self._result(pa.RecordBatchReader.from_batches(target, results()))

    def _view(self, text: str) -> Frame:
        name = f"frame_{len(self._views) + len(self._results)}"
        self._views[name] = text
        return Frame(self, name)

    def _result(self, rows: pa.RecordBatchReader) -> Frame:
        """Keep rows in DuckDB, which spills them, while the model runs."""
        name = f"frame_{len(self._views) + len(self._results)}"
        kept = f"memory.main.{quoted(f'{self._prefix}_{name}')}"
        self._cursor.register("incoming", rows)
        try:
            self._cursor.execute(f"create or replace table {kept} as select * from incoming")
        finally:
            self._cursor.unregister("incoming")
        self._results[name] = kept
        return Frame(self, name)

    def write_table(
        self,
        _: "Session",
        result: Any,
        name: str,
        *,
        file_format: str = "delta",
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Write what `model()` returned; `create_table_as` calls this in the model's name."""
        if file_format != "delta":
            raise RefusedError(f"the table format {file_format}", fix="set `file_format: delta`")
        frame = result if isinstance(result, Frame) else self._frame_of(result)
        given = dict(properties or {})
        if "location" in given:
            raise RefusedError("location_root of a Python model")
        schema, _dot, table = name.replace("`", "").partition(".")
        if table.endswith(TEMPORARY_SUFFIX):
            self._lake.keep(schema, table, self._cursor.sql(self.query(frame.name)))
            return
        settings = TableSettings(given.pop("comment", None), given, partition_by)
        Writer(self._lake, self._cursor).replace(schema, table, self.query(frame.name), settings)

    def _frame_of(self, result: Any) -> Frame:
        try:
            return self.createDataFrame(result)
        except EmbeddedError:
            kind = type(result)
            raise TypeError(
                f"model() returned {kind.__module__}.{kind.__qualname__}; return a frame of the session, "
                "a pandas DataFrame or a pyarrow Table"
            ) from None

    def interrupt(self) -> None:
        """Stop the running query."""
        self._cursor.interrupt()

    def stop(self) -> None:
        """Release what the model kept."""
        for kept in self._results.values():
            self._cursor.execute(f"drop table if exists {kept}")
        self._cursor.close()


class EmbeddedPythonJobHelper(PythonJobHelper):
    """Runs one model in dbt's own process."""

    def __init__(self, parsed_model: dict[str, Any], credential: SparkConnectCredentials) -> None:
        self._parsed_model = parsed_model
        self._creds = credential

    def submit(self, compiled_code: str) -> None:
        """Run the model's code, which also writes its table."""
        model = PythonModel(self._parsed_model, compiled_code)
        session = Session(lake_of(self._creds))
        outcome: list[str | None] = []
        # of its own, so that a loop cannot outlast the limit
        thread = threading.Thread(target=lambda: outcome.append(self._run(model, session)), daemon=True)
        thread.start()
        thread.join(self._creds.python_timeout)
        if thread.is_alive():
            session.interrupt()
            raise DbtRuntimeError(
                f"{model.path} ran longer than `python_timeout`, {self._creds.python_timeout:g} seconds."
            )
        if not outcome:
            raise DbtRuntimeError(f"{model.path} ended the thread it ran in")
        if outcome[0]:
            raise DbtRuntimeError(outcome[0])

    @staticmethod
    def _run(model: PythonModel, session: Session) -> str | None:
        """Return what went wrong, if anything did."""
        try:
            model.run({"spark": session, "write_table": session.write_table})
        except duckdb.Error as exc:
            return model.explain(type(exc)(located(str(exc), "")))
        except Exception as exc:
            return model.explain(exc)
        finally:
            session.stop()
        return None
