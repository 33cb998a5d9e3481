"""Incremental models in SQL: merge, its column lists, and changes of the columns."""

from typing import Any

import pytest
from adapter_support import OnDelta, failure, rows
from dbt.tests.adapter.basic.test_incremental import (
    BaseIncremental,
    BaseIncrementalNotSchemaChange,
)
from dbt.tests.adapter.incremental.test_incremental_merge_exclude_columns import (
    BaseMergeExcludeColumns,
)
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import (
    BaseIncrementalOnSchemaChangeSetup,
)
from dbt.tests.adapter.incremental.test_incremental_predicates import BaseIncrementalPredicates
from dbt.tests.adapter.incremental.test_incremental_unique_id import BaseIncrementalUniqueKey
from dbt.tests.util import run_dbt

CHANGING = """
{{{{ config(materialized='incremental', unique_key='id', {config}) }}}}
{{% if is_incremental() %}}
select 1 as id, 'new' as name, 'more' as added
{{% else %}}
select 1 as id, 'old' as name, 'less' as removed
{{% endif %}}
"""


@pytest.mark.full
class TestMergeExcludeColumns(OnDelta, BaseMergeExcludeColumns):
    """Merge leaves the named columns of existing rows alone."""


class TestColumnsThatChange(OnDelta):
    """One model per way to treat columns that come and go; only two runs for all of them."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        configs = {
            "appending": "on_schema_change='append_new_columns'",
            "syncing": "on_schema_change='sync_all_columns'",
            "mapped": "on_schema_change='sync_all_columns', tblproperties={'delta.columnMapping.mode': 'name'}",
            "failing": "on_schema_change='fail'",
            "updating": "merge_exclude_columns=['removed']",
        }
        models = {f"{name}.sql": CHANGING.format(config=text) for name, text in configs.items()}
        more, both = "'more' as added", "'more' as added, 'x' as removed"
        models["appending.sql"] = models["appending.sql"].replace(more, both)
        models["updating.sql"] = models["updating.sql"].replace(more, "'x' as removed")
        return models

    def test_columns(self, project: Any) -> None:
        """What cannot be done says how it can."""
        run_dbt(["run"])
        results = run_dbt(["run"], expect_pass=False)
        messages = {result.node.name: str(result.message) for result in results}
        assert rows(project, "select * from {s}.appending") == [(1, "new", "x", "more")]
        assert rows(project, "select * from {s}.mapped") == [(1, "new", "more")]
        assert rows(project, "select * from {s}.updating") == [(1, "new", "less")]
        assert "Cannot drop `removed`" in messages["syncing"]
        assert "--full-refresh" in messages["syncing"]
        assert "out of sync" in messages["failing"]


@pytest.mark.full
class TestIncremental(OnDelta, BaseIncremental):
    """Rows are added by a second run."""

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        """Override of dbt's fixture: the model has no key, so it appends."""
        config = super().project_config_update.__wrapped__(self)  # type: ignore[attr-defined]
        config["models"]["+incremental_strategy"] = "append"
        return dict(config)


@pytest.mark.full
class TestIncrementalNotSchemaChange(OnDelta, BaseIncrementalNotSchemaChange):
    """Columns are compared by name, whatever their case."""


@pytest.mark.full
class TestUniqueKey(OnDelta, BaseIncrementalUniqueKey):
    """Keys of one, two and three columns."""


@pytest.mark.full
class TestPredicates(OnDelta, BaseIncrementalPredicates):
    """Merge touches only rows that match a predicate."""

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        """Override of dbt's fixture."""
        return {
            "models": {
                "+file_format": "delta",
                "+incremental_strategy": "merge",
                "+incremental_predicates": ["dbt_internal_dest.id != 2"],
            }
        }


@pytest.mark.full
class TestOnSchemaChange(OnDelta, BaseIncrementalOnSchemaChangeSetup):
    """The part of dbt's test that drops no columns."""

    def test_append_new_columns(self, project: Any) -> None:
        """New columns arrive."""
        self.run_incremental_append_new_columns(project)

    def test_fail(self, project: Any) -> None:
        """A changed column stops the run."""
        run_dbt(["run", "-s", "model_a incremental_fail", "--full-refresh"])
        assert "Compilation Error" in failure(["run", "-s", "incremental_fail"])
