"""Writes the page: one file with its data, its style and its scripts in it."""

from __future__ import annotations

import base64
import csv
import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import simplejson
from jinja2 import Environment, PackageLoader, StrictUndefined

from smart_trader.console import one_line
from smart_trader.errors import SmartTraderError
from smart_trader.lake.atomic import write_file
from smart_trader.lake.identity import project_version
from smart_trader.lake.reader import Lake
from smart_trader.report_page.charts import chart_specs
from smart_trader.report_page.columns import COLUMNS
from smart_trader.report_page.formats import FILTERS
from smart_trader.report_page.page_file import report_file
from smart_trader.report_page.reading import read_page
from smart_trader.report_page.sections import (
    calibration_of,
    failure_counts,
    flag_groups,
    head_of,
    health_of,
    near_misses,
    wanted_by_rule,
)
from smart_trader.report_page.wallets import page_wallets, shared_tokens
from smart_trader.reports.grades import GRADES
from smart_trader.reports.text_table import plain_value

_LOG = logging.getLogger(__name__)

TOP = 50
LIBRARIES = ("vega.min.js", "vega-lite.min.js", "vega-embed.min.js")
SCRIPTS = ("elements.js", "numbers.js", "charts.js", "table.js", "wallet.js", "compare.js", "start.js")
# The page asks nothing of any server, and runs no script but the ones it was written with.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)


def page_line(lake: Lake) -> str:
    """Write the page at the end of a run; returns where it is, or why there is none.

    Whatever goes wrong with the page is no fault of the run, so every error becomes a line.
    """
    try:
        return f"report: {write_page(lake, report_file(lake))}"
    except Exception as error:
        _LOG.debug("no report page", exc_info=True)
        why = error.what if isinstance(error, SmartTraderError) else repr(error)
        return f"report: not written: {one_line(why)}"


def write_page(lake: Lake, path: Path, top: int = TOP) -> Path:
    """Write the page of a lake.

    Args:
        lake: The lake.
        path: Where to.
        top: Wallets shown at most.

    Returns:
        The file's absolute path.

    Raises:
        SmartTraderError: There is no list yet, a table cannot be read, or the file cannot be written.
    """
    content = render_page(page_data(lake, top))
    try:
        write_file(path, content)
    except OSError as error:
        raise SmartTraderError(
            f"cannot write {path}: {error.strerror or error}", "name a file in a folder that you may write to: -o FILE"
        ) from None
    return path.absolute()


def page_data(lake: Lake, top: int) -> dict[str, Any]:
    """Return everything that the page shows.

    Raises:
        SmartTraderError: There is no list yet, or a table cannot be read.
    """
    reading = read_page(lake, top)
    return {
        "head": head_of(lake, reading),
        "written_at": datetime.now(UTC),
        "version": project_version(),
        "wallets": page_wallets(reading),
        "shared": shared_tokens(reading),
        "failures": failure_counts(reading),
        "near_misses": near_misses(reading),
        "flag_groups": flag_groups(reading),
        "calibration": calibration_of(lake, reading),
        "health": health_of(lake, reading),
        "wanted": wanted_by_rule(reading),
        "settings": reading.settings,
        "grades": GRADES,
        "columns": COLUMNS,
    }


def render_page(data: Mapping[str, Any]) -> str:
    """Return the page's HTML."""
    environment = Environment(
        loader=PackageLoader("smart_trader.report_page", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    calibration = data["calibration"]
    embedded = {
        "wallets": data["wallets"],
        "tokens": data["shared"][0],
        "shared": data["shared"][1],
        "columns": [column.for_script() for column in data["columns"]],
        "specs": chart_specs(),
        "calibration": {"fifths": calibration["fifths"], "points": calibration["points"]},
        "made_up": data["head"].is_made_up,
        "listed": data["head"].listed,
        "listed_shown": data["head"].shown,
    }
    style, scripts = _asset("page.css"), [*map(_library, LIBRARIES), _own_script()]
    policy = POLICY.format(scripts=" ".join(map(_source, scripts)), styles=_source(style))
    return environment.get_template("page.html.j2").render(
        **data, policy=policy, style=style, scripts=scripts, licences=_licences(), embedded=embed_json(embedded)
    )


def embed_json(value: Any) -> str:
    """Return JSON that can stand in a script element: no text in it can end the element or begin another."""
    # what is no number is shown as missing
    text = simplejson.dumps(value, default=plain_value, separators=(",", ":"), ensure_ascii=False, ignore_nan=True)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def _asset(name: str) -> str:
    return (files("smart_trader.report_page") / "assets" / name).read_text(encoding="utf-8")


@cache
def _library(name: str) -> str:
    """Return a vendored script without the last line that names its source map: a debugger would ask for it."""
    text = (files("smart_trader.report_page") / "vendor" / name).read_text(encoding="utf-8")
    return text.partition("\n//# sourceMappingURL=")[0]


@cache
def _licences() -> list[tuple[str, str]]:
    """Return the name and the licence of each package whose scripts the page hands on."""
    vendor = files("smart_trader.report_page") / "vendor"
    pins = csv.DictReader((vendor / "vendored.csv").read_text(encoding="utf-8").splitlines())
    return [
        (f"{pin['package']} {pin['version']}", (vendor / pin["file"]).read_text(encoding="utf-8"))
        for pin in pins
        if pin["file"].endswith(".LICENSE")
    ]


@cache
def _own_script() -> str:
    parts = "\n".join(_asset(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _source(text: str) -> str:
    """Return what a content security policy calls an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
