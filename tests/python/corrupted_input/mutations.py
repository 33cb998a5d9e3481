"""Ways to corrupt a response body. Each is a name in `MUTATIONS`; where it strikes is drawn from a seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

TEXTS = {
    "sql": "'; drop table x; --",
    "jinja": "{{ 1/0 }}",
    "shell": "${HOME}$(id)",
    "backticks": "`id`",
    "script": "</script><script>alert(1)</script>",
    "newline": "one\r\ntwo",
    "terminal": "\x1b[31mred",
    "path": "../../x",
    "format": "%s{0}%n",
    "quotes": "\"'\\",
    "zero-byte": "a\0b",
    "right-to-left": "\u202eabc\u05d0\u0645",
    "emoji": "🦀👩\u200d👩\u200d👧",
    "long": "x" * 10_000,
    "empty": "",
    "blank": " ",
}
VALUES = {
    **{f"text-{name}": json.dumps(text) for name, text in TEXTS.items()},
    "first-surrogate-alone": '"a\\ud800b"',
    "second-surrogate-alone": '"\\udc00"',
    "raw-newline": '"a\nb"',
    "null": "null",
    "true": "true",
    "list": "[]",
    "object": '{"a":{"b":1.50}}',
    "nested-500": "[" * 500 + "]" * 500,
    "nested-940": "[" * 940 + "]" * 940,
    "nested-100000": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "zero": "0",
    "minus-5": "-5",
    "half": "0.5",
    "300": "300",
    "2^40": str(2**40),
    "2^63": str(2**63),
    "-2^63": str(-(2**63)),
    "milliseconds": "1780000000000",
    "10^60": "1" + "0" * 60,
    "-10^60": "-1" + "0" * 60,
    "5000-digits": "1" * 5000,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e-400": "1e-400",
    "1e9999999": "1e9999999",
    "-1e9999999": "-1e9999999",
    "1e-9999999": "1e-9999999",
    "1e99999999999999999999": "1e99999999999999999999",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "number-as-text": '"12"',
    "1e400-as-text": '"1e400"',
    "1e99999999999999999999-as-text": '"1e99999999999999999999"',
    "NaN-as-text": '"NaN"',
    "negative-as-text": '"-1000"',
}
# the last ones are what the models call columns of their own
NEW_KEYS = {**TEXTS, "chinese": "名", "dlt": "_dlt_id", "batch": "load_batch", "sold": "soldAmount", "id": "swap_id"}


class Written(str):
    """JSON text that stands as it is."""

    __slots__ = ()


class Fields(list[tuple[str, Any]]):
    """An object, whose keys may come twice."""


def read(body: str) -> Any:
    """Read JSON into what `write` writes again without a change."""
    return json.loads(body, object_pairs_hook=Fields, parse_float=Written, parse_int=Written)


def write(value: Any) -> str:
    """Write JSON."""
    if isinstance(value, Written):
        return value
    if isinstance(value, Fields):
        return "{" + ",".join(f"{json.dumps(name)}:{write(one)}" for name, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def _items(envelope: Fields) -> list[Any]:
    found: list[Any] = dict(dict(envelope)["data"])["items"]
    return found


def _places(fields: Fields) -> list[tuple[Fields, int]]:
    """Return every field of an object and of those in it."""
    found = []
    for index, (_, value) in enumerate(fields):
        found.append((fields, index))
        if isinstance(value, Fields):
            found += _places(value)
    return found


def _in_a_row(change: Callable[[Random, Fields, int], None], random: Random, body: str) -> bytes:
    """Change one field of one row."""
    envelope = read(body)
    rows = _items(envelope)
    if rows:
        change(random, *random.choice(_places(random.choice(rows))))
    return write(envelope).encode()


def _replaced(value: str, random: Random, fields: Fields, index: int) -> None:
    fields[index] = (fields[index][0], Written(value))


def _left_out(random: Random, fields: Fields, index: int) -> None:
    del fields[index]


def _twice(random: Random, fields: Fields, index: int) -> None:
    fields.insert(index, (fields[index][0], Written(random.choice(list(VALUES.values())))))


def _new(name: str, random: Random, fields: Fields, index: int) -> None:
    fields.insert(index, (name, Written(random.choice(["1.50", '"text"', "null", '{"a":[]}']))))


def _odd_row(row: str, random: Random, body: str) -> bytes:
    """Put a row of another kind among the rows."""
    envelope = read(body)
    rows = _items(envelope)
    rows.insert(random.randint(0, len(rows)), Written(row))
    return write(envelope).encode()


def _data(key: str, value: str | None, random: Random, body: str) -> bytes:
    """Replace a key of the envelope, or of the listing in it; None leaves it out."""
    envelope = read(body)
    fields = envelope if key in ("success", "data") else dict(envelope)["data"]
    fields[:] = [field for field in fields if field[0] != key]
    if value is not None:
        fields.insert(random.randint(0, len(fields)), (key, Written(value)))
    return write(envelope).encode()


def _everywhere(key: str, value: str, random: Random, body: str) -> bytes:
    """Replace a field of every row, and of every object in it."""
    envelope = read(body)
    for row in _items(envelope):
        for fields, index in _places(row):
            if fields[index][0] == key:
                fields[index] = (key, Written(value))
    return write(envelope).encode()


Mutation = Callable[[Random, str], bytes]

MUTATIONS: dict[str, Mutation] = {
    **{f"value {name}": partial(_in_a_row, partial(_replaced, value)) for name, value in VALUES.items()},
    **{
        f"every {key} {value}": partial(_everywhere, key, VALUES[value])
        for key, values in {
            "amount": ("minus-5", "negative-as-text", "10^60", "1e400", "1e-9999999"),
            "decimals": ("minus-5", "300", "2^40"),
            "ui_amount": ("minus-5", "1e400"),
            "nearest_price": ("minus-5", "1e400"),
            "block_unix_time": ("-2^63", "zero", "milliseconds"),
        }.items()
        for value in values
    },
    "key left out": partial(_in_a_row, _left_out),
    "key twice": partial(_in_a_row, _twice),
    **{f"new key {name}": partial(_in_a_row, partial(_new, key)) for name, key in NEW_KEYS.items()},
    **{
        f"row {name}": partial(_odd_row, VALUES[name])
        for name in ("null", "true", "zero", "list", "object", "text-sql", "nested-500", "NaN")
    },
    **{
        f"{key} {value}": partial(_data, key, value)
        for key, values in {
            "success": ("false", "null", '"true"', "1", None),
            "data": ("null", "[]", "7", '"text"', "{}", None),
            "items": ("null", "{}", "7", '"text"', "[]", "[[]]", None),
            "has_next": ("null", "true", "false", '"yes"', "1"),
            "hasNext": ("true", '"yes"'),
        }.items()
        for value in values
    },
    "body empty": lambda random, body: b"",
    "body cut": lambda random, body: body.encode()[: random.randrange(1, len(body))],
    "body html": lambda random, body: b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    "body twice": lambda random, body: body.encode() * 2,
    "body not utf-8": lambda random, body: body.replace('"', '"\xff', 9).encode("latin-1", "replace"),
    "body with a mark": lambda random, body: b"\xef\xbb\xbf" + body.encode(),
    "body in utf-16": lambda random, body: body.encode("utf-16"),
    "body null": lambda random, body: b"null",
    "body a list": lambda random, body: b"[" + body.encode() + b"]",
    "body nested": lambda random, body: b"[" * 100_000,
    "body refusal": lambda random, body: b'{"success":false,"message":"' + b"no\\n" * 500 + b'"}',
}


@dataclass(frozen=True)
class Case:
    """One corrupted answer; printed where it breaks an invariant."""

    seed: int

    @property
    def mutation(self) -> str:
        return list(MUTATIONS)[self.seed % len(MUTATIONS)]

    def corrupt(self, body: str) -> bytes:
        """Return the body as this case sends it; the same one for the same body."""
        return MUTATIONS[self.mutation](Random(self.seed), body)

    def __str__(self) -> str:
        return f"seed {self.seed}, mutation {self.mutation!r}"
