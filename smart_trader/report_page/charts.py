"""Vega-Lite specs of the page's charts; the page's script puts data, colours and texts of the theme into them.

Each spec stands alone with the colours of the light theme, so any Vega-Lite reader draws it.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# The script replaces the values by those of the theme.
COLOURS = {"gain": "#0f7b4f", "loss": "#c0392b", "line": "#2f5fb3", "other": "#b35c00", "faint": "#8a93a3"}
MONEY = "$,.2~f"
# Each label by its own size: one sign for all would write 200 USD as $0.2k, and 5 cents as $50m.
MONEY_LABEL = "format(datum.value, abs(datum.value) < 1000 ? '$~g' : '$~s')"
ROW_HEIGHT = 18
RETURN_TICKS = (-1, -0.5, -0.2, 0, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def chart_specs() -> dict[str, Spec]:
    """Return every spec by its name; the data of each is named `rows`."""
    return {
        "equity": _equity(),
        "returns": _returns(),
        "holdings": _holdings(),
        "tokens": _tokens(),
        "compare": _compare(),
        "calibration": _calibration(),
        "fifths": _fifths(),
    }


def _spec(description: str, height: int, **parts: Any) -> Spec:
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": "transparent",
        "params": [{"name": name, "value": value} for name, value in COLOURS.items()],
        "data": {"name": "rows"},
        **parts,
    }


def _zero_line() -> Spec:
    mark = {"type": "rule", "strokeWidth": 1, "opacity": 0.6, "color": {"expr": "faint"}}
    # one line, and not one for each row
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {"y": {"datum": 0}}}


def _time() -> Spec:
    return {
        "field": "time",
        "type": "temporal",
        "scale": {"type": "utc"},
        "axis": {"title": None, "format": "%d %b", "labelOverlap": True, "tickCount": 6, "grid": False},
    }


def _money(field: str, title: str | None = None) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "axis": {
            "title": title,
            "labelExpr": MONEY_LABEL,
            "tickCount": 5,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
        },
    }


def _signed(field: str = "sign") -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": ["gain", "loss"], "range": [{"expr": "gain"}, {"expr": "loss"}]},
        "legend": None,
    }


def _tips(*fields: tuple[str, str, str]) -> list[Spec]:
    """Return tooltip lines: field, title, and format; `time` for a time, empty for text."""
    lines: list[Spec] = []
    for field, title, form in fields:
        if form == "time":
            lines.append({"field": field, "title": title, "type": "temporal", "format": "%Y-%m-%d %H:%M"})
        elif form:
            lines.append({"field": field, "title": title, "type": "quantitative", "format": form})
        else:
            lines.append({"field": field, "title": title, "type": "nominal"})
    return lines


def _equity() -> Spec:
    """Realized profit as a line of steps, and where it would stand with the open positions at their mark."""
    realized = {"filter": "datum.kind === 'realized'"}
    marked = {"filter": "datum.kind === 'open'"}
    tips = _tips(("time", "time (UTC)", "time"), ("value", "profit, USD", MONEY), ("label", "", ""))
    at = {"x": _time(), "y": _money("value")}
    return _spec(
        "Realized profit over time; the dashed end adds what the open positions stand at.",
        220,
        layer=[
            _zero_line(),
            {
                "transform": [realized],
                "mark": {"type": "line", "interpolate": "step-after", "color": {"expr": "line"}, "strokeWidth": 2},
                "encoding": at,
            },
            {
                "transform": [realized],
                "mark": {"type": "point", "opacity": 0, "size": 60, "filled": True},
                "encoding": {**at, "tooltip": tips},
            },
            {
                "transform": [marked],
                "mark": {"type": "line", "strokeDash": [4, 3], "color": {"expr": "other"}, "strokeWidth": 2},
                "encoding": at,
            },
            {
                "transform": [marked, {"filter": "datum.label !== ''"}],
                "mark": {"type": "point", "filled": True, "size": 60, "color": {"expr": "other"}},
                "encoding": {**at, "tooltip": tips},
            },
        ],
    )


def _bars(description: str, x: Spec, y: Spec, tips: list[Spec], height: int = 180, **encoding: Any) -> Spec:
    return _spec(
        description,
        height,
        mark={"type": "bar", "cornerRadiusEnd": 2},
        encoding={"x": x, "y": y, "tooltip": tips, **encoding},
    )


def _ordinal(field: str, title: str) -> Spec:
    # in the order of the rows; labels stand upright only where they fit
    return {
        "field": field,
        "type": "ordinal",
        "sort": None,
        "axis": {"title": title, "labelAngle": -40, "labelOverlap": False, "labelLimit": 90},
    }


def _returns() -> Spec:
    return _bars(
        "How many tokens returned how much on the cost of what was sold of them.",
        _ordinal("return", "return of a token, %"),
        {"field": "count", "type": "quantitative", "axis": {"title": "tokens", "tickMinStep": 1, "format": "d"}},
        _tips(("return", "return, %", ""), ("count", "tokens", "d")),
        color=_signed(),
    )


def _holdings() -> Spec:
    spec = _bars(
        "What share of the money sold was held for how long.",
        _ordinal("held", "held for"),
        {"field": "share", "type": "quantitative", "axis": {"title": "of the money sold", "format": ".0%"}},
        _tips(("held", "held for", ""), ("share", "of the money sold", ".1%")),
    )
    spec["mark"]["color"] = {"expr": "line"}
    return spec


def _tokens() -> Spec:
    """Profit by token; `key` tells tokens of one symbol apart, `name` is what is shown."""
    return _spec(
        "Profit of the tokens that won or lost the most, realized and open.",
        240,
        # the script makes the chart as high as its bars need
        usermeta={"row_height": ROW_HEIGHT},
        mark={"type": "bar", "cornerRadiusEnd": 2},
        encoding={
            "y": {
                "field": "key",
                "type": "nominal",
                "sort": None,
                "axis": {"title": None, "labelLimit": 130, "labelExpr": "split(datum.label, '\\n')[0]", "ticks": False},
            },
            "x": _money("profit"),
            "color": _signed(),
            "tooltip": _tips(("name", "token", ""), ("profit", "profit, USD", MONEY), ("trades", "trades", "d")),
        },
    )


def _compare() -> Spec:
    return _spec(
        "Realized profit of two wallets over time.",
        240,
        layer=[
            _zero_line(),
            {
                "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "point": {"size": 8}},
                "encoding": {
                    "x": _time(),
                    "y": _money("value"),
                    "color": {
                        "field": "wallet",
                        "type": "nominal",
                        "sort": None,
                        "scale": {"range": [{"expr": "line"}, {"expr": "other"}]},
                        "legend": {"title": None, "orient": "top"},
                    },
                    "tooltip": _tips(
                        ("wallet", "wallet", ""), ("time", "time (UTC)", "time"), ("value", "profit, USD", MONEY)
                    ),
                },
            },
        ],
    )


def _calibration() -> Spec:
    return _spec(
        "The score that ranks the list against what the wallets' buys of the window came to.",
        260,
        layer=[
            _zero_line(),
            {
                "mark": {"type": "point", "filled": True, "size": 30, "opacity": 0.55, "color": {"expr": "line"}},
                "encoding": {
                    "x": {
                        "field": "score",
                        "type": "quantitative",
                        "scale": {"zero": False},
                        "axis": {"title": "skill_low when scored", "format": "+.0%"},
                    },
                    "y": {
                        "field": "return",
                        "type": "quantitative",
                        # few returns are large, and they would press all others flat
                        "scale": {"type": "symlog", "constant": 0.2},
                        "axis": {"title": "return of its buys after", "format": "+.0%", "values": RETURN_TICKS},
                    },
                    "tooltip": _tips(
                        ("wallet", "wallet", ""), ("score", "skill_low", "+.1%"), ("return", "return after", "+.1%")
                    ),
                },
            },
        ],
    )


def _fifths() -> Spec:
    return _bars(
        "What the wallets of each fifth by score returned after; the first fifth scored best.",
        {
            "field": "fifth",
            "type": "ordinal",
            "axis": {"title": "fifth by score, 1 scored best", "labelAngle": 0},
        },
        {"field": "return", "type": "quantitative", "axis": {"title": "mean return after", "format": "+.0%"}},
        _tips(("fifth", "fifth", ""), ("return", "mean return after", "+.2%")),
        260,
        color=_signed(),
    )
