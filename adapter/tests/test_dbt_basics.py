"""dbt's own tests of what every adapter must do, on Delta tables."""

import pytest
from adapter_support import OnDelta
from dbt.tests.adapter.basic.test_base import BaseSimpleMaterializations
from dbt.tests.adapter.basic.test_empty import BaseEmpty
from dbt.tests.adapter.basic.test_ephemeral import BaseEphemeral
from dbt.tests.adapter.basic.test_generic_tests import BaseGenericTests
from dbt.tests.adapter.basic.test_singular_tests import BaseSingularTests
from dbt.tests.adapter.basic.test_singular_tests_ephemeral import BaseSingularTestsEphemeral
from dbt.tests.adapter.basic.test_validate_connection import BaseValidateConnection


@pytest.mark.full
class TestSimpleMaterializations(OnDelta, BaseSimpleMaterializations):
    """Seeds, views, tables and the switches between them."""


class TestSingularTests(OnDelta, BaseSingularTests):
    """Tests written as a query."""


@pytest.mark.full
class TestEphemeral(OnDelta, BaseEphemeral):
    """Models that exist only inside others."""


@pytest.mark.full
class TestSingularTestsEphemeral(OnDelta, BaseSingularTestsEphemeral):
    """Tests written as a query over ephemeral models."""


@pytest.mark.full
class TestEmpty(OnDelta, BaseEmpty):
    """A project without models."""


@pytest.mark.full
class TestGenericTests(OnDelta, BaseGenericTests):
    """Tests from a model's yml."""


class TestValidateConnection(OnDelta, BaseValidateConnection):
    """`dbt debug`."""
