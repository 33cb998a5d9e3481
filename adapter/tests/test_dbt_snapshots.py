"""Snapshots on Delta: a small one of every kind, and dbt's own wide tests behind `full`."""

from typing import Any

import pytest
from adapter_support import OnDelta, rows
from dbt.tests.adapter.basic.test_snapshot_check_cols import BaseSnapshotCheckCols
from dbt.tests.adapter.basic.test_snapshot_timestamp import BaseSnapshotTimestamp
from dbt.tests.adapter.simple_snapshot import new_record_check_mode as by_check
from dbt.tests.adapter.simple_snapshot import new_record_timestamp_mode as by_timestamp
from dbt.tests.adapter.simple_snapshot.test_snapshot import BaseSimpleSnapshot, BaseSnapshotCheck
from dbt.tests.util import run_dbt

SNAPSHOTS = """
sources: [{name: raw, schema: "{{ target.schema }}", tables: [{name: people}]}]
snapshots:
  - name: by_time
    relation: source('raw', 'people')
    config: {unique_key: id, strategy: timestamp, updated_at: updated_at, hard_deletes: invalidate}
  - name: by_value
    relation: source('raw', 'people')
    config: {unique_key: id, strategy: check, check_cols: [name], hard_deletes: new_record}
"""


class TestSnapshots(OnDelta):
    """Both strategies, both ways to treat a deleted row, in three runs."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {"snapshots.yml": SNAPSHOTS}

    def test_versions_and_deletions(self, project: Any) -> None:
        """Id 1 changes, id 2 is deleted, id 3 is left alone."""
        table = f"{project.test_schema}.people"
        project.run_sql(
            f"create table {table} using delta as select id, 'old' as name, "
            "timestamp '2026-01-01 00:00:00' as updated_at from range(1, 4)"
        )
        assert len(run_dbt(["snapshot"])) == 2
        project.run_sql(
            f"merge into {table} t using (select explode(array(1, 2)) as id) s on t.id = s.id "
            "when matched and t.id = 2 then delete when matched then update "
            "set name = 'new', updated_at = timestamp '2026-01-02 00:00:00'"
        )
        run_dbt(["snapshot"])
        # nothing changed any more, so nothing may be added
        run_dbt(["snapshot"])

        by_time = "select id, name, dbt_valid_to is null from {s}.by_time order by 1, 3, 2"
        assert rows(project, by_time) == [
            (1, "old", False),
            (1, "new", True),
            (2, "old", False),
            (3, "old", True),
        ]
        by_value = "select id, name, dbt_is_deleted, dbt_valid_to is null from {s}.by_value order by 1, 4, 3, 2"
        assert rows(project, by_value) == [
            (1, "old", "False", False),
            (1, "new", "False", True),
            (2, "old", "False", False),
            (2, "old", "True", True),
            (3, "old", "False", True),
        ]


@pytest.mark.full
class TestSnapshotCheckCols(OnDelta, BaseSnapshotCheckCols):
    """Rows are versioned when a checked column changes."""


@pytest.mark.full
class TestSnapshotTimestamp(OnDelta, BaseSnapshotTimestamp):
    """Rows are versioned when their timestamp moves."""


class DeltaFacts(OnDelta):
    """The table that is snapshotted is made by dbt's test itself, and must be Delta, too."""

    project: Any

    def create_fact_from_seed(self, where: str | None = None) -> None:
        """Override of dbt's helper."""
        schema = self.project.test_schema
        self.project.run_sql(f"drop table if exists {schema}.fact")
        self.project.run_sql(f"create table {schema}.fact using delta as select * from {schema}.seed where {where}")

    def add_fact_column(self, column: str | None = None, definition: str | None = None) -> None:
        """Override of dbt's helper: Delta has no column defaults unless configured."""
        kind = str(definition).split(" default", maxsplit=1)[0]
        table = f"{self.project.test_schema}.fact"
        self.project.run_sql(f"alter table {table} add column {column} {kind}")


@pytest.mark.full
class TestSimpleSnapshot(DeltaFacts, BaseSimpleSnapshot):
    """Updates, inserts, deletions, revivals and new columns."""


@pytest.mark.full
class TestSnapshotCheck(DeltaFacts, BaseSnapshotCheck):
    """Only the chosen columns make a new version."""


class InSparkSql(OnDelta):
    """Turns the statements of dbt's hard-delete tests into Spark's SQL."""

    @pytest.fixture(scope="class")
    def seed_new_record_mode_statements(self) -> list[str]:
        """Override of dbt's fixture."""
        return [_in_spark_sql(text) for text in by_timestamp._seed_new_record_mode_statements]

    @pytest.fixture(scope="class")
    def update_sql(self) -> str:
        """Override of dbt's fixture."""
        return _in_spark_sql(by_timestamp._update_sql)

    @pytest.fixture(scope="class")
    def delete_sql(self) -> str:
        """Override of dbt's fixture."""
        return _in_spark_sql(by_timestamp._delete_sql)

    @pytest.fixture(scope="class")
    def reinsert_sql(self) -> str:
        """Override of dbt's fixture."""
        return _in_spark_sql(by_timestamp._reinsert_sql)

    @pytest.fixture(scope="class")
    def snapshots(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {"snapshot.sql": _in_spark_sql(by_timestamp._snapshot_actual_sql)}


@pytest.mark.full
class TestNewRecordTimestamp(InSparkSql, by_timestamp.BaseSnapshotNewRecordTimestampMode):
    """Deleted rows get a row of their own, by timestamp."""


@pytest.mark.full
class TestNewRecordCheck(InSparkSql, by_check.BaseSnapshotNewRecordCheckMode):
    """Deleted rows get a row of their own, by value."""


def _in_spark_sql(statement: str) -> str:
    """Replace what only PostgreSQL understands."""
    for old, new in (
        ("{database}.", ""),
        ("{{target.database}}.", ""),
        ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP"),
        ("TEXT", "STRING"),
        ("::text", "::string"),
        (");", ") using delta;" if statement.startswith("create table") else ");"),
    ):
        statement = statement.replace(old, new)
    return statement.strip().rstrip(";")
