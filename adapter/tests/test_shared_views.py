"""A view that one engine made is there for the other, whichever command comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from adapter_support import Engine, delta_config, rows
from dbt.adapters.sparkconnect.embedded.storage import LocalStorage
from dbt.adapters.sparkconnect.embedded.views import View, views_in
from dbt.adapters.sparkconnect.shared_views import SharedViews, is_same_place, statement
from dbt.tests.util import run_dbt, run_dbt_and_capture, write_file

VIEW = View("select *\n  from text.`${spark.sql.warehouse.dir}/loads`", "it's a view")


@pytest.fixture
def shared(tmp_path: Path) -> SharedViews:
    return SharedViews(LocalStorage(str(tmp_path)), "file:/lake")


@pytest.mark.parametrize(
    ("facts", "is_created"),
    [
        pytest.param(None, True, id="unknown"),
        pytest.param("Type: VIEW\nView Text: select * from text.`file:/lake/loads`\n", False, id="same-text"),
        pytest.param("Type: VIEW\nView Text: select * from text.`file:/other/loads`\n", True, id="another-text"),
        pytest.param("Type: MANAGED\nProvider: delta\n", False, id="a-table-by-now"),
    ],
)
def test_spark_is_given_the_views_that_it_lacks(shared: SharedViews, facts: str | None, is_created: bool) -> None:
    shared.record("silver.some", VIEW)
    known = {} if facts is None else {"silver.some": facts}
    assert list(shared.to_create(known)) == (["silver.some"] if is_created else [])


def test_comments_around_a_view_make_no_difference(shared: SharedViews) -> None:
    shared.record(
        "silver.some",
        View("\n-- What it is: one\n/* of two\nkinds */\nselect 1 as a -- not two\n-- That's all.\n", None),
    )
    assert not shared.to_create({"silver.some": "Type: VIEW\nView Text: select 1 as a -- not two\n"})
    assert shared.to_create({"silver.some": "Type: VIEW\nView Text: select 2 as a -- not two\n"})


def test_views_are_forgotten_alone_or_with_their_schema(shared: SharedViews) -> None:
    for name in ("silver.some", "silver.other", "silver_too.some"):
        shared.record(name, VIEW)
    shared.forget("silver.some")
    assert sorted(shared.all()) == ["silver.other", "silver_too.some"]
    shared.forget("silver.*")
    assert sorted(shared.all()) == ["silver_too.some"]


def test_a_statement_for_spark_has_the_description_and_the_text() -> None:
    assert statement("silver.some", VIEW) == (
        "create or replace view `silver`.`some` comment 'it\\'s a view' as select *\n"
        "  from text.`${spark.sql.warehouse.dir}/loads`"
    )


@pytest.mark.parametrize(
    ("address", "root", "is_same"),
    [
        pytest.param("/a lake", "file:/a lake", True, id="one-slash"),
        pytest.param("/a lake", "file:///a%20lake/", True, id="three-slashes"),
        pytest.param("s3a://bucket/lake", "s3://bucket/lake/", True, id="store"),
        pytest.param("/lake", "file:/other", False, id="another-folder"),
        pytest.param("s3a://bucket/lake", "s3a://bucket", False, id="another-path"),
    ],
)
def test_a_lake_is_known_by_its_place(address: str, root: str, is_same: bool) -> None:
    assert is_same_place(address, root) == is_same


class TestViewsAfterASwitch:
    """Spark, then the embedded engine, then Spark, each with `dbt test` alone."""

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        """Override of dbt's fixture: a schema whose folder both engines know."""
        return delta_config(**{"+schema": "shared", "+persist_docs": {"relation": True, "columns": True}})

    @pytest.fixture(scope="class")
    def macros(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {
            "create_schema.sql": (Path(__file__).parents[2] / "macros" / "schemas" / "create_schema.sql").read_text()
        }

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture; the view is before the one it reads in the alphabet."""
        return {
            "base.sql": "{{ config(materialized='table') }} select id from values (1), (2), (3) as t(id)",
            "first.sql": "{{ config(materialized='view') }} select id from {{ ref('second') }}",
            "second.sql": "{{ config(materialized='view') }}\nselect id\nfrom {{ ref('base') }}\nwhere id > 1\n",
            "models.yml": (
                "models: [{name: first, description: 'it''s read', "
                "columns: [{name: id, description: a number, data_tests: [not_null]}]}]"
            ),
        }

    @pytest.fixture(scope="class")
    def profiles_config_update(self, engine: Engine, unique_schema: str) -> dict[str, Any]:
        """Override of dbt's fixture: two targets on one lake."""
        lake = {"type": "sparkconnect", "schema": unique_schema, "lake": str(engine.paths.local_root), "threads": 2}
        spark = {**lake, "method": "thrift", "endpoint_file": str(engine.endpoint_file)}
        return {"test": {"target": "default", "outputs": {"default": spark, "other": {**lake, "method": "embedded"}}}}

    def test_each_engine_knows_the_views_of_the_other(self, project: Any, engine: Engine) -> None:
        schema = f"{project.test_schema}_shared"
        embedded = ("--target", "other")
        assert len(run_dbt(["run"])) == 3
        assert len(run_dbt(["test", *embedded])) == 1
        shown = run_dbt(["show", "--inline", "select sum(id) as total from {{ ref('first') }}", *embedded])
        assert [tuple(row) for row in shown.results[0].agate_table.rows] == [(5,)]
        recorded = views_in(LocalStorage(str(engine.paths.local_root)))[f"{schema}.first"]
        assert (recorded.comment, recorded.columns) == ("it's read", {"id": "a number"})

        # Spark has one no more, and the other as it was
        write_file("{{ config(materialized='view') }} select id from {{ ref('base') }} where id > 2",
                   project.project_root, "models", "second.sql")  # fmt: skip
        run_dbt(["run", "--select", "second", *embedded])
        engine.sql(f"drop view {schema}.first")
        assert len(run_dbt(["test"])) == 1
        assert rows(project, f"select * from {schema}.first") == [(3,)]

        # what Spark has is not made again
        _, log = run_dbt_and_capture(["--debug", "test"])
        assert "create or replace view" not in log

        # a view that Spark has replaced by a table is a view no more
        write_file("{{ config(materialized='table') }} select id from {{ ref('base') }}",
                   project.project_root, "models", "second.sql")  # fmt: skip
        run_dbt(["run", "--select", "second", "--full-refresh"])
        shown = run_dbt(["show", "--inline", "select sum(id) as total from {{ ref('first') }}", *embedded])
        assert [tuple(row) for row in shown.results[0].agate_table.rows] == [(6,)]
