"""The bronze tables on disk: made, written and finished through dlt, which is their only writer."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from loaders.pending import WorkFolder, is_machines
from loaders.tables import FETCH_LOG, TABLES, Table
from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import store_settings
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import first_value, is_table, open_table
from smart_trader.lake.identity import claim_source, other_source, read_identity
from smart_trader.lake.store import check_reachable, storage_options

logger = logging.getLogger(__name__)

PIPELINE = "bronze"
# Dlt's folder of packages that wait to be normalized.
EXTRACTED = "extracted"
ROW_ID = "_dlt_id"
LOAD_ID = "_dlt_load_id"
ROW_ID_FIELD = pa.field(ROW_ID, pa.string(), nullable=False)
# Seconds between dlt's looks at its jobs.
LOOK_EVERY_S = 0.02
LINEAGE_HINTS = {name: {"name": name, "data_type": "text", "nullable": False} for name in (ROW_ID, LOAD_ID)}
# Rows that dlt takes at once; memory grows with it.
PIECE_ROWS = 50_000
# Types stay as they are; a field never seen becomes a column.
CONTRACT = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}
# dlt starts its telemetry and its log before any setting of ours reaches it: only the environment is in time. What
# fails is reported by us, and what dlt tries again with success is no error.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
DLT_SETTINGS: dict[str, Any] = {
    # the row ids are in the tables already: dlt would write every file again to add them
    "normalize.parquet_normalizer.add_dlt_load_id": True,
    "normalize.workers": 1,
    "load.workers": 1,
    # what a load leaves behind would grow with every run
    "load.delete_completed_jobs": True,
    # the schema and what is pending live in the pipeline's folder; there is no other state
    "restore_from_destination": False,
}


class Bronze:
    """The bronze schema of a lake.

    All calls that write come from one thread: dlt's pipeline belongs to the thread that uses it.

    Args:
        paths: The lake.
        schema: Name of the schema, which is dlt's dataset: `bronze`, or prefixed as dbt's target has it.
    """

    def __init__(self, paths: LakePaths, schema: str = "bronze") -> None:
        self._paths = paths
        self.schema = schema
        self._made: Any = None
        self._pipeline_name = PIPELINE if schema == "bronze" else f"{PIPELINE}_{schema}"
        self._work_folder = WorkFolder(paths, self._pipeline_name)

    def location(self, table: Table) -> str:
        """Return where a table lies."""
        return self._paths.table(self.schema, table.name)

    def has(self, table: Table) -> bool:
        """Whether a table is there.

        Raises:
            SmartTraderError: What is there cannot be read.
        """
        return is_table(self.location(table))

    @property
    def work_folder(self) -> Path:
        """Dlt's folder: the tables' schema, and packages that are not landed yet."""
        return self._paths.dlt_home

    def _pipeline(self) -> Any:
        """Return the pipeline; dlt takes a second to import, so it comes late."""
        if self._made is None:
            import dlt
            from dlt.destinations import filesystem

            _look_at_jobs_often()
            for name, value in DLT_SETTINGS.items():
                dlt.config[name] = value
            self._made = dlt.pipeline(
                self._pipeline_name,
                pipelines_dir=str(self.work_folder),
                destination=filesystem(**_destination(self._paths)),
                dataset_name=self.schema,
            )
        return self._made

    def prepare(self) -> bool:
        """Finish what an earlier run left half-way, then make the tables that are missing, empty.

        Returns:
            Whether anything was left half-way.

        Raises:
            SmartTraderError: The lake cannot be written.
        """
        finished = self.finish_pending()
        missing = [table for table in TABLES if not self.has(table)]
        if missing:
            import dlt

            self._run({table: [dlt.mark.materialize_table_schema()] for table in missing})
        return finished

    def finish_pending(self) -> bool:
        """Land what an earlier run left half-way; what of it cannot be read is set aside.

        What reads the lake's contents, its source and its newest time, reads after this: what waits belongs to it.

        Returns:
            Whether anything was left half-way.

        Raises:
            SmartTraderError: The lake cannot be written.
        """
        self._work_folder.mend()
        if not self._work_folder.path.is_dir():
            return False
        try:
            return self._land_pending()
        except SmartTraderError as error:
            if not self._is_packages_fault(error):
                raise
            self._work_folder.set_aside(self._work_folder.packages()[0], f"it failed twice the same way: {error.what}")
        except Exception as error:  # dlt stumbles over its own folder in ways that no list of ours is sure to hold
            if is_machines(error):
                raise SmartTraderError(
                    f"cannot read {self._work_folder.path}: {error}", "see to the cause, then run again"
                ) from error
            self._made = None
            self._work_folder.set_aside(self._work_folder.path, f"dlt cannot use it: {type(error).__name__}: {error}")
        return self.finish_pending()

    def _is_packages_fault(self, error: SmartTraderError) -> bool:
        """Whether a package is to blame for a failed landing: it failed so before, and lake and machine are well."""
        if error.__cause__ is None or is_machines(error):
            return False
        if not self._paths.is_local:
            check_reachable(self._paths.uri)
        for table in TABLES:
            if self.has(table):
                open_table(self.location(table))
        return self._work_folder.has_failed_before(_find_root_cause(error))

    def _land_pending(self) -> bool:
        pipeline = self._pipeline()
        _remove_leftovers(pipeline)
        if not pipeline.has_pending_data:
            return False
        logger.info("finishing what an earlier run left half-way")
        self._explain_failures(lambda: (pipeline.normalize(), pipeline.load()))
        return True

    def land(self, tables: Mapping[Table, pa.Table]) -> None:
        """Append rows to some tables in one load.

        Args:
            tables: Rows by table, of the table's columns and any new ones.

        Raises:
            SettingsError: The lake holds rows of another source.
            SmartTraderError: They cannot be written; they are kept and land with the next run.
        """
        for source in {
            source for rows in tables.values() for source in rows["data_source"].unique().to_pylist() if source
        }:
            self.claim(source)
        from dlt.common.normalizers.utils import generate_dlt_ids

        tables = {
            table: rows.append_column(ROW_ID_FIELD, pa.array(generate_dlt_ids(rows.num_rows), pa.string()))
            for table, rows in tables.items()
        }
        self._run(
            {
                table: [rows.slice(start, PIECE_ROWS) for start in range(0, rows.num_rows, PIECE_ROWS)]
                for table, rows in tables.items()
                if rows.num_rows
            }
        )

    def _run(self, tables: Mapping[Table, list[Any]]) -> None:
        import dlt

        resources = [
            dlt.resource(  # type: ignore[call-overload]
                data,
                name=table.name,
                write_disposition="append",
                table_format="delta",
                columns=table.hints | LINEAGE_HINTS,
                schema_contract=CONTRACT,
            )
            for table, data in tables.items()
        ]
        self._work_folder.note_lake()
        self._explain_failures(lambda: self._pipeline().run(resources))

    def _explain_failures(self, work: Any) -> None:
        from dlt.pipeline.exceptions import PipelineStepFailed

        try:
            work()
        except (PipelineStepFailed, OSError) as error:
            cause = _find_root_cause(error)
            raise SmartTraderError(
                f"cannot land rows in {self.schema}: {type(cause).__name__}: {str(cause)[:400]}",
                "see to the cause, then run again: what was extracted lands first",
            ) from error

    def newest_as_of(self) -> datetime | None:
        """Return the latest time that any fetch of this lake was stamped with, landed or about to land."""
        timestamps = [self._find_latest("as_of"), self._work_folder.newest(FETCH_LOG.name, "as_of")]
        return max((timestamp for timestamp in timestamps if timestamp is not None), default=None)

    def _find_latest(self, column: str) -> datetime | None:
        if not self.has(FETCH_LOG):
            return None
        actions = open_table(self.location(FETCH_LOG)).get_add_actions(flatten=True)
        name = f"max.{column}"
        if name not in actions.schema.names:
            return None
        values = [value for value in pa.chunked_array(actions[name]).to_pylist() if value is not None]
        return max(values, default=None)

    def data_source(self) -> str | None:
        """Return where this lake's rows come from; None while it is empty."""
        noted = self._read_noted_source()
        return noted if noted is not None else self._read_landed_source()

    def claim(self, data_source: str) -> None:
        """Keep this lake for one source: refuse another, and note this one before its first row lands.

        Raises:
            SettingsError: The lake holds rows of another source.
        """
        held = self._read_noted_source() or self._read_landed_source()
        if held is not None and held != data_source:
            raise other_source(held, data_source)
        claim_source(self._paths, data_source, self._prefix)

    @property
    def _prefix(self) -> str:
        # a schema with a prefix of its own is a lake of its own in the same folder
        return self.schema.removesuffix(PIPELINE)

    def _read_noted_source(self) -> str | None:
        """Return the source that the lake itself names; None where it names none."""
        identity = read_identity(self._paths, self._prefix)
        return identity.source if identity else None

    def _read_landed_source(self) -> str | None:
        for table in TABLES:
            if self.has(table):
                found = first_value(self.location(table), "data_source")
                if found is not None:
                    return str(found)
        return None


def _find_root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _destination(paths: LakePaths) -> dict[str, Any]:
    """Return where dlt writes, and how it gets there."""
    if paths.is_local:
        return {"bucket_url": str(paths.local_root)}
    from dlt.common.configuration.specs import AwsCredentials

    settings = store_settings()
    given = settings.environment()
    credentials = AwsCredentials(
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=given.get("AWS_SESSION_TOKEN"),
        region_name=settings.region,
        endpoint_url=settings.endpoint,
    )
    return {
        "bucket_url": paths.uri,
        "credentials": credentials,
        "deltalake_storage_options": storage_options(paths.uri),
    }


def _remove_leftovers(pipeline: Any) -> None:
    """Remove what a kill can leave in dlt's folder that dlt itself stumbles over, or never looks at again.

    An extraction that was not committed lies in a folder of its own beside `extracted`; nothing of it counts. And an
    extracted package is deleted file by file once it is normalized: cut short, its rest is taken for a new package.
    """
    working = Path(pipeline.working_dir) / "normalize"
    for folder in working.iterdir() if working.is_dir() else ():
        if folder.is_dir() and folder.name != EXTRACTED:
            shutil.rmtree(folder)
    taken_over = {*pipeline.list_normalized_load_packages(), *pipeline.list_completed_load_packages()}
    for load_id in taken_over.intersection(pipeline.list_extracted_load_packages()):
        shutil.rmtree(working / EXTRACTED / load_id)


def _look_at_jobs_often() -> None:
    """Shorten dlt's wait between two looks at its jobs, for which it has no setting.

    Landing a Delta table is two jobs. The first is done at once and wakes nobody, so that every load would wait a whole
    second before the second one starts.
    """
    from dlt.load.load import Load

    Load._run_loop_sleep_duration = property(lambda _: LOOK_EVERY_S, lambda _, __: None)  # type: ignore[assignment]
