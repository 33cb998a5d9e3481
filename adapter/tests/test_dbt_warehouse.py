"""Contracts, constraints, stored test failures, unit tests and documentation on Delta."""

from typing import Any

import pytest
from adapter_support import OnDelta, failure, rows
from dbt.tests.adapter.empty.test_empty import BaseTestEmpty
from dbt.tests.adapter.unit_testing.test_case_insensitivity import BaseUnitTestCaseInsensivity
from dbt.tests.adapter.unit_testing.test_invalid_input import BaseUnitTestInvalidInput
from dbt.tests.adapter.unit_testing.test_types import BaseUnitTestingTypes
from dbt.tests.util import run_dbt

TYPED = """
select
    1 as id,
    cast('1.10' as decimal(38, 18)) as amount,
    timestamp '2026-01-02 03:04:05' as traded_at,
    date '2026-01-02' as traded_date,
    true as is_new,
    'it''s' as name
"""

YML = """
models:
  - name: typed
    description: One row
    config: {materialized: table, contract: {enforced: true}, persist_docs: {columns: true}}
    constraints: [{type: check, name: positive, expression: id > 0}]
    columns:
      - {name: id, data_type: int, description: The key, constraints: [{type: not_null}]}
      - {name: amount, data_type: "decimal(38,18)"}
      - {name: traded_at, data_type: timestamp}
      - {name: traded_date, data_type: date}
      - {name: is_new, data_type: boolean}
      - name: name
        data_type: string
        data_tests: [{accepted_values: {arguments: {values: [other]}, config: {store_failures: true}}}]
  - name: seen
    columns: [{name: id}]
unit_tests:
  - name: types_survive
    model: seen
    given:
      - input: ref('typed')
        rows:
          - {id: 7, amount: "1.123456789012345678", traded_at: "2026-01-02 03:04:05",
             traded_date: 2026-01-02, is_new: false, name: "it's"}
    expect:
      rows:
          - {id: 7, amount: "1.123456789012345678", traded_at: "2026-01-02 03:04:05",
             traded_date: 2026-01-02, is_new: false, name: "it's"}
"""


class TestWarehouse(OnDelta):
    """One model with every kind of column."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {"typed.sql": TYPED, "seen.sql": "select * from {{ ref('typed') }}", "all.yml": YML}

    def test_build_checks_the_contract_and_stores_failures(self, project: Any) -> None:
        """The model and the unit test pass; the data test fails and keeps the row."""
        results = run_dbt(["build"], expect_pass=False)
        status = {result.node.name: str(result.status) for result in results}
        assert status["typed"] == "success"
        kept = [name for name in status if name.startswith("accepted_values")]
        assert [status[name] for name in kept] == ["fail"]
        assert status["types_survive"] in {"pass", "skipped"}
        stored = [result.node.relation_name for result in results if result.node.name in kept]
        found = project.run_sql(f"select * from {stored[0]}", fetch="all")
        assert [tuple(row) for row in found] == [("it's", 1)]

    def test_unit_test_compares_every_type(self, project: Any) -> None:
        """Decimals keep all their digits."""
        (result,) = run_dbt(["test", "-s", "types_survive"])
        assert str(result.status) == "pass"

    def test_catalog_has_the_columns_of_tables_and_views(self, project: Any) -> None:
        """Delta tables keep their columns out of the metastore."""
        run_dbt(["run", "-s", "seen"])
        catalog = run_dbt(["docs", "generate", "--no-compile"])
        columns = {
            node.metadata.name: {name: column.type for name, column in node.columns.items()}
            for node in catalog.nodes.values()
        }
        assert list(columns["typed"]) == list(columns["seen"])
        assert columns["typed"]["amount"] == "decimal(38,18)"
        assert list(columns["typed"]) == [
            "id", "amount", "traded_at", "traded_date", "is_new", "name",
        ]  # fmt: skip

    def test_constraints_hold_for_later_writes(self, project: Any) -> None:
        """Whoever else writes to the table has to keep the contract, too."""
        insert = "insert into {s}.typed select {id}, amount, traded_at, traded_date, is_new, name"
        assert "delta.constraints.id_not_null" in dict(rows(project, "show tblproperties {s}.typed"))
        with pytest.raises(Exception, match=r"CHECK constraint positive .* violated"):
            rows(project, insert.replace("{id}", "-1") + " from {s}.typed")

    def test_newest_date_can_be_queried(self, project: Any) -> None:
        """The question every incremental model asks; Delta answers it from its statistics."""
        ((newest,),) = rows(project, "select max(traded_date) from {s}.typed")
        assert newest == "2026-01-02"

    def test_comments_of_columns_are_written(self, project: Any) -> None:
        """`persist_docs` puts the description into the table."""
        assert ("id", "int", "The key") in rows(project, "describe {s}.typed")


class TestBrokenContracts(OnDelta):
    """Models that break their contract."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        yml = "models:\n"
        for name in ("typed_wrong", "null_key"):
            yml += (
                f"  - name: {name}\n"
                "    config: {materialized: table, contract: {enforced: true}}\n"
                "    columns: [{name: id, data_type: int, constraints: [{type: not_null}]}]\n"
            )
        return {
            "typed_wrong.sql": "select 'x' as id",
            "null_key.sql": "select cast(null as int) as id",
            "all.yml": yml,
        }

    def test_wrong_type_is_found_before_the_table_is_made(self, project: Any) -> None:
        """The message has both types."""
        message = failure(["run", "-s", "typed_wrong"])
        assert "data type mismatch" in message
        assert "STRING_TYPE" in message
        assert rows(project, "show tables in {s} like 'typed_wrong'") == []

    def test_null_in_a_key_fails_the_model(self, project: Any) -> None:
        """Delta checks the rows when the constraint is added."""
        message = failure(["run", "-s", "null_key"])
        assert "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION" in message
        assert "id is not null" in message.lower().replace("`", "")


@pytest.mark.full
class TestUnitTestTypes(OnDelta, BaseUnitTestingTypes):
    """One run per type."""

    @pytest.fixture
    def data_types(self) -> list[list[str]]:
        """Override of dbt's fixture: Spark's types."""
        return [
            ["1", "1"],
            ["2.0", "2.0"],
            ["'12345'", "12345"],
            ["'string'", "string"],
            ["true", "true"],
            ["date '2011-11-11'", "2011-11-11"],
            ["timestamp '2013-11-03 00:00:00-0'", "2013-11-03 00:00:00-0"],
            ["array(1, 2, 3)", "'array(1, 2, 3)'"],
            ["map('10', 't', '15', 'f')", """'map("10", "t", "15", "f")'"""],
        ]


@pytest.mark.full
class TestUnitTestCase(OnDelta, BaseUnitTestCaseInsensivity):
    """Column names in fixtures have no case."""


@pytest.mark.full
class TestUnitTestInvalidInput(OnDelta, BaseUnitTestInvalidInput):
    """A fixture with an unknown column is refused."""


@pytest.mark.full
class TestEmptyFlag(OnDelta, BaseTestEmpty):
    """`--empty` reads no rows."""
