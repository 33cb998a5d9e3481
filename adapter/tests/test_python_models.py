"""What Python models promise beyond dbt's own tests, in one project on the real server."""

import time
from pathlib import Path
from typing import Any

import pytest
from adapter_support import OnDelta, failure, rows, versions
from dbt.tests.util import run_dbt
from deltalake import DeltaTable

SOURCE = "select id, cast(id % 2 as int) as half, 'x' as day from range({{ var('rows', 4) }})"

TABLE = """
def model(dbt, session):
    dbt.config(
        materialized="table",
        partition_by=["half", "day"],
        tblproperties={"delta.appendOnly": False, "team": "it's us"},
        persist_docs={"relation": True},
    )
    assert repr(dbt.this).endswith("kept"), dbt.this
    return dbt.ref("numbers")
"""

UNCONFIGURED = """
def model(dbt, session):
    return dbt.ref("numbers")
"""

# the blank lines at the top are stripped by dbt and must be counted all the same
BROKEN = '''


"""A model with a mistake."""

def helper(value):
    return 1 / value


def model(dbt, session):
    return helper(0)  # line 11
'''

LATE = """
def model(dbt, session):
    return session.sql("select cast('twelve' as int) as n")
"""

LISTED = """
def model(dbt, session):
    return dbt.ref("numbers").collect()
"""

BUCKETS = """
def model(dbt, session):
    dbt.config(clustered_by="id", buckets=2)
    return dbt.ref("numbers")
"""

MERGED = """
def model(dbt, session):
    dbt.config(materialized="incremental", unique_key="id")
    found = dbt.ref("numbers")
    if dbt.is_incremental:
        found = found.where(found.id > session.table(str(dbt.this)).agg({"id": "max"}).first()[0])
    return found
"""

APPENDED = """
def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    return dbt.ref("numbers")
"""

SLEEPS = """
def model(dbt, session):
    sleep = "java_method('java.lang.Thread', 'sleep', 60000L)"
    return session.sql(f"select {sleep} as slept from range(1)")
"""

SPINS = """
import time

def model(dbt, session):
    time.sleep(5.6)
    return session.range(1)
"""

WORKERS = """
from dataclasses import dataclass
import pyspark.sql.functions as F

@dataclass
class Doubled:
    value: int

def double(batches):
    for batch in batches:
        values = [Doubled(n).value * 2 for n in batch.column("id").to_pylist()]
        import pyarrow as pa
        texts = [str(n) for n in values]
        yield pa.RecordBatch.from_pydict({"id": values, "text": texts, "texts": [[t] for t in texts]})

def model(dbt, session):
    numbers = dbt.ref("numbers").select(F.col("id"))
    return numbers.mapInArrow(double, "id long, text string, texts array<string>")
"""


class TestPythonModels(OnDelta):
    """Tables a Python model writes, and errors it makes."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {
            "numbers.sql": SOURCE,
            "kept.py": TABLE,
            "kept.yml": "models: [{name: kept, description: It's kept}]",
            "deep": {"broken.py": BROKEN},
            "late.py": LATE,
            "listed.py": LISTED,
            "buckets.py": BUCKETS,
            "merged.py": MERGED,
            "appended.py": APPENDED,
            "workers.py": WORKERS,
        }

    @pytest.fixture(scope="class", autouse=True)
    def numbers(self, project: Any) -> None:
        """Build what the models read."""
        run_dbt(["run", "-s", "numbers"])

    def test_replacing_a_table_keeps_its_history_partitions_and_properties(self, project: Any) -> None:
        """A second run is one more version of the same table."""
        run_dbt(["run", "-s", "kept"])
        run_dbt(["run", "-s", "kept"])
        assert len(versions(project, "kept")) == 2
        assert all("REPLACE TABLE" in operation for operation in versions(project, "kept"))
        detail = rows(project, "describe extended {s}.kept")
        text = str(detail)
        assert text.index("# Partition Information") < text.rindex("'half'")
        assert ("Comment", "It's kept", "") in detail
        properties = dict(rows(project, "show tblproperties {s}.kept"))
        assert properties["team"] == "it's us"

    def test_error_names_the_line_of_the_models_file(self, project: Any) -> None:
        """The traceback reads as if the file had been run by hand."""
        message = failure(["run", "-s", "broken"])
        assert "models/deep/broken.py, line 7" in message
        assert 'File "models/deep/broken.py", line 11, in model' in message
        assert "return helper(0)" in message
        assert "ZeroDivisionError" in message
        assert "site-packages" not in message

    def test_error_of_a_late_computation_names_the_model(self, project: Any) -> None:
        """Spark computes when the table is written, long after `model()` returned."""
        message = failure(["run", "-s", "late"])
        assert "models/late.py" in message
        assert "CAST_INVALID_INPUT" in message
        assert "org.apache.spark" not in message

    def test_wrong_result_is_refused(self, project: Any) -> None:
        """Collected rows are no table; the message says what is."""
        message = failure(["run", "-s", "listed"])
        assert "models/listed.py" in message
        assert "model() returned builtins.list" in message
        assert "return a Spark DataFrame" in message

    def test_setting_that_would_be_ignored_is_refused(self, project: Any) -> None:
        """Buckets cannot be written this way."""
        assert "`clustered_by` is not supported" in failure(["run", "-s", "buckets"])

    def test_functions_of_the_model_reach_the_workers(self, project: Any) -> None:
        """Code of the model's file is pickled by value, classes included."""
        run_dbt(["run", "-s", "workers"])
        assert rows(project, "select sum(id) from {s}.workers") == [(12,)]
        # Delta would note a collation that other readers refuse
        table = DeltaTable(rows(project, "describe detail {s}.workers")[0][4].removeprefix("file:"))
        assert [str(field.type.to_json()) for field in table.schema().fields][1] == '"string"'

    def test_incremental_merges_what_is_new_and_leaves_no_temporary_table(self, project: Any) -> None:
        """First run, run with nothing new, run with news, full refresh."""
        select = ["-s", "merged"]
        run_dbt(["run", *select])
        run_dbt(["run", *select])
        assert len(versions(project, "merged")) == 1, "nothing was merged, yet committed"
        run_dbt(["run", "-s", "numbers", "merged", "--vars", "rows: 6"])
        assert rows(project, "select count(*) from {s}.merged") == [(6,)]
        assert versions(project, "merged")[-1] == "MERGE"
        assert rows(project, "show tables in {s} like '*__dbt_tmp'") == []
        run_dbt(["run", "--full-refresh", *select])
        assert len(versions(project, "merged")) == 3

    def test_incremental_appends(self, project: Any) -> None:
        """The same rows twice, since append does not look at keys."""
        run_dbt(["run", "-s", "numbers", "appended", "--vars", "rows: 3"])
        run_dbt(["run", "-s", "appended", "--vars", "rows: 3"])
        assert rows(project, "select count(*) from {s}.appended") == [(6,)]


class TestSwitches:
    """Models that change their kind between runs, with no file format configured."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {"numbers.sql": SOURCE, "switched.sql": SOURCE}

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        """Override of dbt's fixture: nothing is configured."""
        return {}

    def test_view_becomes_python_table_and_view_again(self, project: Any) -> None:
        """Without a `file_format` Python writes Delta, replaced in place."""
        sql = Path("models/switched.sql")
        python = Path("models/switched.py")
        run_dbt(["run"])
        sql.unlink()
        python.write_text(UNCONFIGURED, encoding="utf-8")
        run_dbt(["run", "-s", "switched"])
        run_dbt(["run", "-s", "switched"])
        assert len(versions(project, "switched")) == 2, "the table was dropped, not replaced"
        python.unlink()
        sql.write_text(SOURCE, encoding="utf-8")
        run_dbt(["run", "-s", "switched"])
        assert "VIEW" in str(rows(project, "describe extended {s}.switched"))


class TestLocation(OnDelta):
    """A table in a place of its own."""

    @pytest.fixture(scope="class")
    def project_config_update(self, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
        """Override of dbt's fixture."""
        root = tmp_path_factory.mktemp("a place")
        return {"models": {"+file_format": "delta", "+location_root": str(root)}}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {
            "numbers.sql": "{{ config(materialized='table') }}" + SOURCE,
            "own.py": UNCONFIGURED,
        }

    def test_location_root_is_honoured(self, project: Any) -> None:
        """The Delta log lies where the config says."""
        run_dbt(["run"])
        run_dbt(["run", "-s", "own"])
        location = str(rows(project, "describe extended {s}.own"))
        assert "a place" in location
        assert len(versions(project, "own")) == 2


class TestTimeout(OnDelta):
    """Models that take longer than the profile allows."""

    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        """Override of dbt's fixture."""
        return {**dbt_profile_target, "python_timeout": 2}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        return {"sleeps.py": SLEEPS, "spins.py": SPINS}

    @pytest.mark.parametrize("model", ["sleeps", "spins"])
    def test_model_is_stopped(self, project: Any, model: str) -> None:
        """On the server or in Python, no model outlasts the limit by much."""
        start = time.monotonic()
        message = failure(["run", "-s", model])
        assert time.monotonic() - start < 20
        assert f"models/{model}.py ran longer than `python_timeout`, 2 seconds" in message
        # the thread that was left behind wakes up, and must not write any more
        time.sleep(3.5 if model == "spins" else 0)
        assert rows(project, "show tables in {s}") == []
