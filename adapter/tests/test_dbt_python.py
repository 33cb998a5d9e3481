"""dbt's own tests of Python models."""

import pytest
from adapter_support import OnDelta
from dbt.tests.adapter.python_model import test_python_model as base
from dbt.tests.adapter.python_model import test_spark as frames


class TestPythonModel(OnDelta, base.BasePythonModelTests):
    """References, versions and sources inside a Python model."""


@pytest.mark.full
class TestPythonIncremental(OnDelta, base.BasePythonIncrementalTests):
    """An incremental Python model, merged."""


@pytest.mark.full
class TestPythonMetaGet(OnDelta, base.BasePythonMetaGetTests):
    """`dbt.config.meta_get`."""


@pytest.mark.full
class TestPythonEmpty(OnDelta, base.BasePythonEmptyTests):
    """`--empty` leaves Python models alone."""


class TestFrames(OnDelta, frames.BasePySparkTests):
    """Every kind of data frame a model may return."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Without Koalas, which ended with Spark 3.2."""
        return {
            "pandas_df.py": frames.PANDAS_MODEL,
            "pyspark_df.py": frames.PYSPARK_MODEL,
            "pandas_on_spark_df.py": frames.PANDAS_ON_SPARK_MODEL,
            "arrow_df.py": ARROW_MODEL,
        }


ARROW_MODEL = """
import pyarrow as pa

def model(dbt, session):
    return pa.table({"City": ["Caracas"], "Latitude": [10.48]})
"""
