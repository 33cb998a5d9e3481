"""What the file is made of: its policy, the vendored scripts, the charts' specs, and what happens where it cannot be."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from smart_trader.lake.reader import Lake
from smart_trader.report_page import page, sections
from smart_trader.report_page.charts import chart_specs
from smart_trader.report_page.formats import whole_dates
from smart_trader.report_page.page import embed_json, page_line
from tests.python.support.engine import PROJECT, EmbeddedLake
from tests.python.support.market_lake import FIRST, MarketLake

PACKAGE = PROJECT / "smart_trader" / "report_page"
VENDOR = PACKAGE / "vendor"


def test_vendored_files_are_the_pinned_ones_with_their_licences() -> None:
    with (VENDOR / "vendored.csv").open(newline="") as file:
        pins = list(csv.DictReader(file))
    assert {pin["file"] for pin in pins} == {path.name for path in VENDOR.iterdir()} - {"vendored.csv"}
    for pin in pins:
        assert hashlib.sha256((VENDOR / pin["file"]).read_bytes()).hexdigest() == pin["sha256"], pin["file"]
        assert pin["licence"] == "BSD-3-Clause"
    for name in {pin["package"] for pin in pins}:
        assert "Redistributions in binary form must reproduce" in (VENDOR / f"{name}.LICENSE").read_text()
    for name in page.LIBRARIES:
        pin = next(pin for pin in pins if pin["file"] == name)
        text = (VENDOR / name).read_text()
        assert pin["version"] in text
        # either would end the element that the script stands in
        assert "</script" not in text.lower()
        assert "<!--" not in text


def test_the_policy_allows_the_pages_own_scripts_alone(page_file: Path) -> None:
    text = page_file.read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in allowed
    assert "connect-src 'none'" in allowed
    assert "unsafe" not in allowed
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == len(page.LIBRARIES) + 1
    for script in scripts:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in allowed
    assert "sourceMappingURL" not in text
    # who hands the scripts on hands on their licences
    assert text.count("Redistributions in binary form must reproduce") == len(page.LIBRARIES)
    assert not re.search(
        r"\son\w+=|\sstyle=|(src|srcset|action)=", text.partition("</style>")[2].partition("<script")[0]
    )
    assert len(text) < 5_000_000


def test_embedded_data_cannot_leave_its_element() -> None:
    hostile = "</script><!--<script>&\u2028\u2029"
    text = embed_json({"symbol": hostile, "missing": float("nan")})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"symbol": hostile, "missing": None}


def test_the_page_says_what_is_made_up(page_file: Path) -> None:
    assert "Made-up market." in page_file.read_text()


def test_what_is_cut_says_so(calm: MarketLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET", "ci")
    monkeypatch.setenv("SMART_TRADER_SCHEMA", calm.prefix.rstrip("_"))
    lake = Lake(calm.engine.paths)
    whole = page.page_data(lake, page.TOP)
    assert "on this page" not in page.render_page(whole).partition("</header>")[0]

    monkeypatch.setattr(sections, "NEAR_MISSES", 1)
    text = page.render_page(page.page_data(lake, 1))
    listed, near = whole["head"].listed, whole["near_misses"]["count"]
    assert min(listed, near) > 1
    assert f"{listed} listed (1 on this page)" in text
    assert f"The first of {listed} listed wallets" in text
    assert f"the most profitable first, 1 of {near} shown." in text
    assert "Left out:" not in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("closes on 2026-12-13.", 'closes on <span class="date">2026-12-13</span>.', id="date"),
        pytest.param("<b>1-2", "&lt;b&gt;1-2", id="markup"),
    ],
)
def test_a_date_is_kept_whole_and_the_rest_is_escaped(text: str, written: str) -> None:
    assert whole_dates(text) == written


def test_a_run_ends_with_the_pages_path(shown: str, calm: MarketLake) -> None:
    path = calm.engine.paths.report_file(calm.prefix)
    assert path.name == "report.market.html"
    assert "report: " in shown
    assert path.is_file()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_run_that_changes_nothing_leaves_the_page_as_it_is(calm: MarketLake, tmp_path: Path) -> None:
    home = tmp_path / "lake"
    shutil.copytree(calm.engine.paths.home, home)
    lake = MarketLake(EmbeddedLake(home), calm.prefix)
    path = lake.engine.paths.report_file(lake.prefix)

    def run_again(minutes: int) -> tuple[str, bool]:
        before = path.read_bytes() if path.is_file() else None
        shown = lake.demo(FIRST + 60 * minutes, "--skip-tests", "--top", "0")
        assert "nothing landed or changed, nothing to build" in shown
        return shown, path.read_bytes() == before

    shown, is_same = run_again(1)
    assert f"report: {path} (nothing changed since it was written)\n" in shown
    assert is_same

    # of before the last build, as a run leaves it that is killed between its last build and its page
    os.utime(path, (FIRST, FIRST))
    shown, is_same = run_again(2)
    assert f"report: {path}\n" in shown
    assert not is_same

    path.unlink()
    shown, _ = run_again(3)
    assert f"report: {path}\n" in shown


def test_a_page_that_cannot_be_written_is_a_line_of_the_run(
    calm: MarketLake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBT_TARGET", "ci")
    monkeypatch.setenv("SMART_TRADER_SCHEMA", calm.prefix.rstrip("_"))
    empty = Lake(type(calm.engine.paths)(tmp_path, str(tmp_path)))
    line = page_line(empty)
    assert line.startswith("report: not written: this lake has no table")
    assert "\n" not in line

    home = tmp_path / "lake"
    shutil.copytree(calm.engine.paths.home, home)
    taken = calm.engine.paths.report_file(calm.prefix).name
    (home / taken).unlink()
    (home / taken).mkdir()
    (home / taken / "kept").touch()
    line = page_line(Lake(type(calm.engine.paths)(home, str(home))))
    assert line.startswith("report: not written: cannot write")
    assert (home / taken / "kept").exists()


def test_a_folder_that_is_not_there_is_refused_with_a_fix(calm: MarketLake, tmp_path: Path) -> None:
    done = calm.smart_trader("report", "-o", str(tmp_path / "nowhere" / "page.html"))
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_holds_the_pages_files(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("assets", "vendor"):
        assert {f"smart_trader/report_page/{folder}/{path.name}" for path in (PACKAGE / folder).iterdir()} <= packed


ROWS = {
    "equity": [
        {"time": 1_790_000_000_000, "value": 0, "kind": "realized", "label": "realized"},
        {"time": 1_790_900_000_000, "value": 50, "kind": "realized", "label": "realized"},
        {"time": 1_790_900_000_000, "value": 50, "kind": "open", "label": ""},
        {"time": 1_790_950_000_000, "value": 20, "kind": "open", "label": "open"},
    ],
    "returns": [
        {"return": "-25 to 0", "count": 1, "sign": "loss"},
        {"return": "0 to 25", "count": 3, "sign": "gain"},
    ],
    "holdings": [{"held": "< 1 min", "share": 0.25}, {"held": "> 7 d", "share": 0.75}],
    "tokens": [
        {"key": "A\n1", "name": "A 1", "profit": 7, "trades": 2, "sign": "gain"},
        {"key": "A\n2", "name": "A 2", "profit": -7, "trades": 2, "sign": "loss"},
    ],
    "compare": [
        {"time": 1_790_000_000_000, "value": 0, "wallet": "#1"},
        {"time": 1_790_900_000_000, "value": 50, "wallet": "#2"},
    ],
    "calibration": [
        {"wallet": "a", "score": -0.1, "return": 0.2},
        {"wallet": "b", "score": 0.1, "return": -0.2},
    ],
    "fifths": [{"fifth": 1, "return": 0.1, "sign": "gain"}, {"fifth": 5, "return": -0.1, "sign": "loss"}],
}
GAIN, LOSS = "#0f7b4f", "#c0392b"


@pytest.mark.parametrize("name", chart_specs())
def test_a_spec_draws_without_a_browser(name: str) -> None:
    convert = pytest.importorskip("vl_convert", reason="the package vl-convert-python is not installed")
    spec = {**chart_specs()[name], "data": {"name": "rows", "values": ROWS[name]}, "width": 400}
    assert convert.vegalite_to_png(spec).startswith(b"\x89PNG")
    drawing = convert.vegalite_to_svg(spec)
    if any("sign" in row for row in ROWS[name]):
        bars = re.findall(r'aria-label="([^"]*)"[^>]*aria-roledescription="bar"[^>]*fill="([^"]*)"', drawing)
        assert len(bars) == len(ROWS[name])
        # a loss is never drawn as a gain
        for label, colour in bars:
            assert colour == (LOSS if "sign: loss" in label else GAIN), label
