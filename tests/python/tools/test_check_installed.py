"""What `make setup` forgives of `pip check`: one requirement, by name."""

from __future__ import annotations

import importlib.util

import pytest

from tests.python.support.engine import PROJECT

SPEC = importlib.util.spec_from_file_location("check_installed", PROJECT / "tools" / "check_installed.py")
assert SPEC is not None
assert SPEC.loader is not None
check_installed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_installed)

LEFT_OUT = "dbt-core 1.12.6 requires dbt-core-experimental-parser, which is not installed."
THRIFT = "dbt-spark 1.11.0 requires thrift, which is not installed."
OLD = "dbt-core 1.12.6 has requirement dbt-core-experimental-parser<3,>=2.0.0b1, but you have 1.0."


@pytest.mark.parametrize(
    ("report", "code", "found"),
    [
        pytest.param("No broken requirements found.\n", 0, [], id="whole"),
        pytest.param(f"{LEFT_OUT}\n", 1, [], id="left-out-on-purpose"),
        pytest.param(f"{LEFT_OUT}\n{THRIFT}\n", 1, [THRIFT], id="another-one-missing-too"),
        pytest.param(THRIFT, 1, [THRIFT], id="another-one-missing"),
        pytest.param(LEFT_OUT.replace("dbt-core 1", "dbt-cores 1"), 1, [LEFT_OUT.replace("dbt-core 1", "dbt-cores 1")], id="of-another"),
        pytest.param(OLD, 1, [OLD], id="of-a-wrong-version"),
        pytest.param("", 1, ["pip check ended with 1 and said nothing"], id="no-answer"),
        pytest.param("Traceback: x", 2, ["Traceback: x"], id="a-crash"),
    ],
)  # fmt: skip
def test_one_missing_requirement_is_forgiven_by_name(report: str, code: int, found: list[str]) -> None:
    assert check_installed.faults(report, code) == found
