"""What goes over the wire looks like the recordings, passes the vendor's schemas, and has every known quirk."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import jsonschema
import pytest

from smart_trader.addresses import BASE58
from smart_trader.sandbox.faults import KINDS as FAULT_KINDS
from smart_trader.sandbox.faults import PAGES, fault_of
from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.replay import load_recordings
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.engine import PROJECT

from .sandboxes import CLOCK, GENESIS, HOLDER, LIST, QUOTES, SORTED, SWAPS, get, legs, texts_of

SHARED = PROJECT.parent / "shared" / "birdeye"
Rows = dict[str, list[dict[str, Any]]]
ROW_KEYS = [
    "quote",
    "base",
    "base_price",
    "quote_price",
    "tx_hash",
    "source",
    "block_unix_time",
    "tx_type",
    "address",
    "owner",
    "block_number",
    "volume_usd",
    "volume",
    "ins_index",
    "inner_ins_index",
    "signers",
    "interacted_program_id",
]
LEG_KEYS = [
    "symbol",
    "decimals",
    "address",
    "amount",
    "type",
    "type_swap",
    "ui_amount",
    "price",
    "nearest_price",
    "change_amount",
    "ui_change_amount",
]
ERROR = {
    "type": "object",
    "required": ["success", "message"],
    "properties": {"success": {"const": False}, "message": {"type": "string"}},
}


def own_schema(path: str) -> dict[str, Any]:
    """A small schema for checkouts without the vendor's documents."""
    required = {
        LIST: ["address", "symbol", "decimals", "liquidity", "price"],
        HOLDER: ["amount", "decimals", "mint", "owner", "token_account", "ui_amount"],
        SWAPS: [key for key in ROW_KEYS if key != "ins_index"],
    }[path]
    data = {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": {"required": required}}},
    }
    return {"type": "object", "required": ["success", "data"], "properties": {"success": {"const": True}, "data": data}}


@cache
def vendor_schemas(path: str, status: int) -> tuple[dict[str, Any], ...]:
    """The vendor's schemas of an answer, from each of its documents, relaxed where they contradict its own wire.

    The wire says `has_next` where the schema of swaps requires `hasNext`; logos, listing times and every change in
    percent are null in recordings where the schema wants a value.
    """
    found = []
    for file in sorted((SHARED / "openapi").glob("*.json")):
        answers = json.loads(file.read_text())["paths"][path]["get"]["responses"]
        if str(status) not in answers:
            continue
        schema = deepcopy(answers[str(status)]["content"]["application/json"]["schema"])
        data = schema["properties"].get("data", {})
        if "hasNext" in data.get("required", []):
            data["required"] = ["items"]
        for name, kind in data.get("properties", {}).get("items", {}).get("items", {}).get("properties", {}).items():
            if name in ("logo_uri", "recent_listing_time") or name.endswith("change_percent") or "price_change" in name:
                kind["type"] = [kind["type"], "null"]
        found.append(schema)
    return tuple(found)


def check(path: str, status: int, body: Any) -> int:
    schemas = vendor_schemas(path, status) or (ERROR if status >= 400 else own_schema(path),)
    for schema in schemas:
        jsonschema.validate(body, schema)
    return len(schemas)


def test_every_answer_of_the_market_passes_the_schemas(market_url: str, source: MarketSource, rows: Rows) -> None:
    queries: list[tuple[str, dict[str, object]]] = [
        (LIST, {**SORTED, "offset": offset, **extra})
        for offset in (0, 100)
        for extra in ({}, {"ui_amount_mode": "scaled"}, {"min_liquidity": 1e6})
    ]
    queries += [(HOLDER, {"address": token["address"]}) for token in source.tokens_at(CLOCK)[:25]]
    queries += [(SWAPS, {"address": owner, "ui_amount_mode": "scaled"}) for owner in source.wallets[::6]]
    queries += [(SWAPS, {"address": "nobody"}), (HOLDER, {"address": "nobody"})]
    for path, query in queries:
        answer = get(market_url, path, **query)
        assert answer.status_code == 200
        check(path, 200, answer.json())


@pytest.mark.parametrize("name", ["hard", "no_skill"])
def test_the_other_markets_answers_pass_the_schemas_and_have_every_quirk_of_rows(name: str) -> None:
    other = market(WorldSpec(name, 7, 300, GENESIS), CLOCK)
    queries: list[tuple[str, dict[str, object]]] = [
        (LIST, {**SORTED, "offset": offset, **extra})
        for offset in (0, 300)
        for extra in ({}, {"ui_amount_mode": "scaled"}, {"min_liquidity": 1e6})
    ]
    queries += [(HOLDER, {"address": token["address"]}) for token in other.tokens_at(CLOCK)[::40]]
    queries += [(SWAPS, {"address": owner, "ui_amount_mode": "scaled"}) for owner in other.wallets[::9]]
    with serving(sandbox_app(other, clock=CLOCK)) as url:
        for path, query in queries:
            answer = get(url, path, **query)
            assert answer.status_code == 200
            check(path, 200, answer.json())
    rows = [json.loads(text) for owner in other.wallets for text in texts_of(other, owner, CLOCK)]
    counts = {quirk: sum(bool(is_so(row)) for row in rows) for quirk, is_so in QUIRKS.items()}
    assert not {quirk: count for quirk, count in counts.items() if count < 3}
    assert {tuple(row) for row in rows} == {tuple(ROW_KEYS), tuple(key for key in ROW_KEYS if key != "ins_index")}


def test_every_refusal_passes_the_schemas(market_url: str) -> None:
    for path, query in ((LIST, {}), (HOLDER, {}), (SWAPS, {"address": "a", "limit": 0})):
        answer = get(market_url, path, **query)
        assert answer.status_code == 400
        check(path, 400, answer.json())


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not beside this checkout")
def test_every_answer_of_a_replay_passes_the_schemas() -> None:
    recordings = load_recordings(SHARED / "samples")
    with serving(sandbox_app(recordings)) as url:
        for path, query in [
            (LIST, dict(SORTED)),
            *((HOLDER, {"address": mint}) for mint in recordings.holders),
            *((SWAPS, {"address": owner}) for owner in recordings.swaps),
        ]:
            check(path, 200, get(url, path, **query).json())


@pytest.mark.parametrize(
    "kind", [kind for kind in FAULT_KINDS if kind not in (*PAGES, "truncated", "redirect", "timeout", "null_data")]
)
def test_every_fault_that_answers_in_json_passes_the_schemas(source: MarketSource, rows: Rows, kind: str) -> None:
    owner = max(rows, key=lambda owner: len(rows[owner]))
    with serving(
        sandbox_app(source, clock=CLOCK, faults=[fault_of({"fault": kind, "times": None, "seconds": 0})])
    ) as url:
        for path, query in ((LIST, SORTED), (HOLDER, {"address": next(iter(QUOTES))}), (SWAPS, {"address": owner})):
            answer = get(url, path, **query)
            check(path, answer.status_code, answer.json())


def test_rows_have_the_recorded_keys_in_the_recorded_order(rows: Rows) -> None:
    found = Counter(tuple(row) for mine in rows.values() for row in mine)
    assert set(found) == {tuple(ROW_KEYS), tuple(key for key in ROW_KEYS if key != "ins_index")}
    assert {tuple(leg) for mine in rows.values() for row in mine for leg in legs(row)} == {
        tuple(LEG_KEYS),
        tuple(key for key in LEG_KEYS if key != "nearest_price"),
    }


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not beside this checkout")
def test_values_have_the_recorded_types(rows: Rows) -> None:
    """Each (venue, key) has no type that the recordings of that venue do not show, but for prices that are null."""

    def types(row: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        for key, value in row.items():
            if isinstance(value, dict):
                yield from ((row["source"], f"leg.{name}", _type(content)) for name, content in value.items())
            else:
                yield row["source"], key, _type(value)

    def _type(value: object) -> str:
        return (
            "number" if isinstance(value, float) else {"int": "number"}.get(type(value).__name__, type(value).__name__)
        )

    recorded = {
        kind
        for path in (SHARED / "samples" / "wallets").glob("*.json")
        for row in json.loads(path.read_text())
        for kind in types(row)
    }
    served = {kind for mine in rows.values() for row in mine for kind in types(row)}
    known = {venue for venue, _, _ in recorded}
    strange = {kind for kind in served - recorded if kind[0] in known}
    assert {(key, kind) for _, key, kind in strange} <= {
        ("base_price", "NoneType"), ("quote_price", "NoneType"), ("leg.price", "NoneType"), ("leg.symbol", "NoneType"),
        ("signers", "NoneType"), ("inner_ins_index", "NoneType"), ("inner_ins_index", "number"),
    }  # fmt: skip


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not beside this checkout")
def test_tokens_have_the_keys_of_the_vendors_newest_example(source: MarketSource) -> None:
    document = json.loads(max((SHARED / "openapi").glob("*.json")).read_text())
    examples = document["paths"][LIST]["get"]["responses"]["200"]["content"]["application/json"]["examples"]
    newest = examples["SolanaScaledUIAmount"]["value"]["data"]["items"][0]
    assert [*source.tokens_at(CLOCK)[0], "is_scaled_ui_token", "multiplier"] == list(newest)


def test_addresses_are_base58_of_32_bytes_and_signatures_of_64(rows: Rows, source: MarketSource) -> None:
    def size(text: str) -> int:
        assert set(text) <= set(BASE58)
        value = 0
        for letter in text:
            value = value * 58 + BASE58.index(letter)
        return (value.bit_length() + 7) // 8 + len(text) - len(text.lstrip("1"))

    some = [row for mine in rows.values() for row in mine[:3]]
    assert {size(row[key]) for row in some for key in ("owner", "address", "interacted_program_id")} == {32}
    assert {size(leg["address"]) for row in some for leg in legs(row)} == {32}
    assert {size(row["tx_hash"]) for row in some} == {64}
    assert len({token["address"] for token in source.tokens_at(CLOCK)}) == len(source.tokens_at(CLOCK))


def test_amounts_agree_within_a_row(rows: Rows) -> None:
    for mine in rows.values():
        for row in mine:
            for leg in legs(row):
                assert leg["ui_amount"] == pytest.approx(float(leg["amount"]) / 10 ** leg["decimals"], rel=1e-12)
                assert abs(leg["change_amount"]) == pytest.approx(float(leg["amount"]), rel=1e-12)
                assert (leg["ui_change_amount"] < 0) == (leg["type_swap"] == "from" and leg["ui_amount"] > 0)
            assert {leg["type_swap"] for leg in legs(row)} == {"from", "to"}
            assert row["volume"] == row["base"]["ui_amount"]
            assert (row["base_price"], row["quote_price"]) == (row["base"]["price"], row["quote"]["price"])


def test_rows_stand_newest_first_within_the_clock(rows: Rows) -> None:
    for mine in rows.values():
        times = [row["block_unix_time"] for row in mine]
        assert times == sorted(times, reverse=True)
        assert all(GENESIS <= time <= CLOCK for time in times)


QUIRKS: dict[str, Any] = {
    "ins_index absent": lambda row: "ins_index" not in row and row["source"] == "openbook_v2",
    "inner_ins_index null": lambda row: row["inner_ins_index"] is None and "ins_index" in row,
    "both prices null, nearest present": lambda row: row["base_price"] is row["quote_price"] is None and "nearest_price" in row["base"],
    "quote money's price null": lambda row: (row["base_price"] is None) != (row["quote_price"] is None),
    "amounts as text": lambda row: isinstance(row["base"]["amount"], str),
    "fractional amount": lambda row: any(isinstance(leg["amount"], float) for leg in legs(row)),
    "poisoned price": lambda row: any((leg["price"] or 0) > 1000 and leg["address"] not in QUOTES for leg in legs(row)),
    "zero amounts": lambda row: row["base"]["amount"] == "0" and "nearest_price" not in row["base"],
    "signer is not the owner": lambda row: row["signers"] and row["owner"] not in row["signers"],
    "two signers": lambda row: row["signers"] and len(row["signers"]) == 2,
    "no signers": lambda row: row["signers"] is None,
    "symbol ends in a space": lambda row: any((leg["symbol"] or "").endswith(" ") for leg in legs(row)),
    "symbol null": lambda row: any(leg["symbol"] is None for leg in legs(row)),
    "symbol with a dollar": lambda row: any((leg["symbol"] or "").startswith("$") for leg in legs(row)),
    "token for token": lambda row: not {leg["address"] for leg in legs(row)} & QUOTES,
    "quote money for quote money": lambda row: {leg["address"] for leg in legs(row)} <= QUOTES,
    "token is base": lambda row: row["quote"]["address"] in QUOTES,
    "token is quote": lambda row: row["base"]["address"] in QUOTES,
    "whole number without a point": lambda row: isinstance(row["base"]["ui_amount"], int) and row["base"]["ui_amount"] > 0,
    "price is not the nearest": lambda row: row["base"]["price"] != row["base"].get("nearest_price"),
}  # fmt: skip


@pytest.mark.parametrize("quirk", QUIRKS)
def test_the_default_market_has_every_quirk_of_rows(rows: Rows, quirk: str) -> None:
    found = sum(bool(QUIRKS[quirk](row)) for mine in rows.values() for row in mine)
    assert found >= 3
    if quirk == "token for token":
        assert 0.005 < found / sum(map(len, rows.values())) < 0.3


def test_the_default_market_has_every_quirk_of_transactions(rows: Rows) -> None:
    kinds: Counter[str] = Counter()
    for mine in rows.values():
        by_tx: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in mine:
            by_tx[row["tx_hash"]].append(row)
        for group in by_tx.values():
            sold, bought = ({legs(row)[side]["address"] for row in group} for side in (0, 1))
            texts = Counter(json.dumps(row) for row in group)
            kinds["equal rows"] += max(texts.values()) > 1
            kinds["unequal rows without ins_index"] += len(texts) > 1 and all("ins_index" not in row for row in group)
            kinds["split route"] += len(sold) == len(bought) == 1 and len({row["address"] for row in group}) > 1
            kinds["token-to-token swap"] += len((sold & bought) & QUOTES) > 0 and len(sold | bought) == 3
            kinds["round trip"] += bool((sold & bought) - QUOTES) and bool(sold & bought & QUOTES)
    assert (
        min(
            kinds[name]
            for name in (
                "equal rows",
                "unequal rows without ins_index",
                "split route",
                "token-to-token swap",
                "round trip",
            )
        )
        >= 10
    )
    keys = Counter(
        (row["tx_hash"], row["owner"], row["ins_index"], row["inner_ins_index"], json.dumps(row))
        for mine in rows.values()
        for row in mine
        if "ins_index" in row
    )
    assert max(keys.values()) == 1


def test_the_default_market_has_every_quirk_of_tokens_and_holders(source: MarketSource) -> None:
    tokens = source.tokens_at(CLOCK)
    for name in (
        "logo_uri",
        "extensions",
        "recent_listing_time",
        "price_change_24h_percent",
        "volume_24h_change_percent",
        "symbol",
    ):
        assert any(token[name] is None for token in tokens), name
    symbols = Counter(token["symbol"] for token in tokens)
    assert max(symbols.values()) > 1
    assert {token["address"] for token in tokens} >= QUOTES
    twice = 0
    for token in tokens:
        holders = [json.loads(text) for text in source.holder_texts(token["address"], 0, 10_000, CLOCK)]
        amounts = [int(row["amount"]) for row in holders]
        assert amounts == sorted(amounts, reverse=True)
        assert len({row["token_account"] for row in holders}) == len(holders)
        twice += max(Counter(row["owner"] for row in holders).values()) > 1
    assert twice >= 3


def test_a_busy_wallets_pages_overlap_by_offset_but_not_by_time(market_url: str, rows: Rows) -> None:
    owner = max(rows, key=lambda owner: len(rows[owner]))

    def pages(**bounds: object) -> list[dict[str, Any]]:
        found, offset = [], 0
        while True:
            data = get(market_url, SWAPS, address=owner, offset=offset, **bounds).json()["data"]
            found += data["items"]
            if not data["has_next"]:
                return found
            offset += 100

    drifting, still = pages(), pages(before_time=CLOCK)
    assert still == rows[owner]
    assert len(drifting) > len(still)
    assert {json.dumps(row) for row in drifting} == {json.dumps(row) for row in still}
    assert drifting[100] in drifting[97:100]


def test_time_bounds_are_inclusive(market_url: str, rows: Rows) -> None:
    owner, mine = next((owner, mine) for owner, mine in rows.items() if 20 < len(mine) < 90)
    time = mine[10]["block_unix_time"]
    before = get(market_url, SWAPS, address=owner, before_time=time).json()["data"]["items"]
    after = get(market_url, SWAPS, address=owner, after_time=time).json()["data"]["items"]
    assert before == [row for row in mine if row["block_unix_time"] <= time]
    assert after == [row for row in mine if row["block_unix_time"] >= time]
    assert get(market_url, SWAPS, address=owner, tx_type="add").json()["data"]["items"] == []


def test_scaled_rows_carry_two_more_keys(market_url: str, rows: Rows) -> None:
    owner = next(owner for owner, mine in rows.items() if mine)
    row = get(market_url, SWAPS, address=owner, ui_amount_mode="scaled").json()["data"]["items"][0]
    assert list(row["base"])[-2:] == ["is_scaled_ui_token", "multiplier"]
    token = get(market_url, LIST, ui_amount_mode="scaled", **SORTED).json()["data"]["items"][0]
    assert list(token)[-2:] == ["is_scaled_ui_token", "multiplier"]


def test_the_envelope_is_the_endpoints_own(market_url: str) -> None:
    assert re.match(r'\{"success":true,"data":\{"items":\[.*"has_next":', get(market_url, LIST, **SORTED).text)
    assert get(market_url, SWAPS, address="a").text == '{"data":{"items":[],"has_next":false},"success":true}'
    assert get(market_url, HOLDER, address="a").text == '{"data":{"items":[]},"success":true}'
