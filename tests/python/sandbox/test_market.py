"""The market: it follows from its seed, goes on in time, and no amount comes from nowhere."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market import agents
from smart_trader.sandbox.market.compiling import compiled_run
from smart_trader.sandbox.market.holding import LOCKED_SHARE
from smart_trader.sandbox.market.market_source import LATE_SECONDS, MarketSource, market
from smart_trader.sandbox.market.population import kinds_of
from smart_trader.sandbox.market.simulation import KINDS
from smart_trader.sandbox.market.tokens import DEAD
from smart_trader.sandbox.market.truth import as_text, truths
from smart_trader.sandbox.market.world import World

from .sandboxes import CLOCK, DAY, GENESIS, everything, make_market, results, texts_of

GOLD = {"min_pnl": 10.0, "min_roi": 1.0, "min_win_rate": 40.0, "min_coverage": 0.9}


def test_the_same_seed_serves_the_same_bytes_and_another_seed_does_not() -> None:
    now = GENESIS + 2 * DAY + 1234
    first, again, other = (everything(make_market(seed, 30, 2), now) for seed in (7, 7, 8))
    assert first == again
    assert not set(first) & set(other)


def test_a_later_clock_continues_the_same_world() -> None:
    early, late = GENESIS + DAY + 500, GENESIS + 3 * DAY + 777
    carried, at_once = make_market(days=0), make_market(days=3)
    before = {owner: texts_of(carried, owner, early) for owner in carried.wallets}
    # in many small steps, as a pipeline would
    for now in range(early, late, 40_000):
        everything(carried, now)
    assert everything(carried, late) == everything(at_once, late)
    grew = 0
    for owner, known in before.items():
        after = Counter(texts_of(carried, owner, late))
        assert not Counter(known) - after
        new = [json.loads(text)["block_unix_time"] for text in (after - Counter(known)).elements()]
        grew += len(new)
        # what is new but old is late
        assert all(time > early - LATE_SECONDS for time in new)
    assert grew > 200


def test_late_rows_show_up_half_a_day_after_their_block_time(source: MarketSource) -> None:
    world = source.world
    source._index()
    late = np.nonzero(source._seen_at > world.rows.time)[0]
    assert 20 <= len(late) <= 200
    number = int(late[len(late) // 2])
    time, wallet = int(world.rows.time[number]), int(world.rows.wallet[number])
    again = market(7, 200, GENESIS, GENESIS)
    owner = again.wallets[wallet]
    hashes = [
        Counter(json.loads(text)["tx_hash"] for text in texts_of(again, owner, now, time))
        for now in (time + LATE_SECONDS - 1, time + LATE_SECONDS)
    ]
    assert sum((hashes[1] - hashes[0]).values()) >= 1


def test_the_product_of_the_reserves_never_shrinks(source: MarketSource) -> None:
    rows, world = source.world.rows, source.world
    columns = [column.tolist() for column in rows]
    last: dict[int, tuple[int, int]] = {}
    pending: dict[int, int] = {}
    previous_tx: dict[int, int] = {}
    for time, _, pool, sells_a, a, b, tx, _, _, after_a, after_b, *_ in zip(*columns, strict=True):
        before = (after_a - a) * (after_b + b) if sells_a else (after_a + a) * (after_b - b)
        if previous_tx.get(pool) != tx:
            if pool in last and not (world.drained[pool] and last[pool][0] < world.drained[pool] <= time):
                # between two swaps the crowd may have traded too
                assert before >= last[pool][1]
            pending[pool] = before
        # the lots of an order book go at one price, so only all of them together keep the product
        last[pool] = (time, after_a * after_b)
        previous_tx[pool] = tx
        assert after_a > 0
        assert after_b > 0
    groups: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for _, _, pool, sells_a, a, b, tx, _, _, after_a, after_b, *_ in zip(*columns, strict=True):
        before = (after_a - a) * (after_b + b) if sells_a else (after_a + a) * (after_b - b)
        groups[pool, tx].append((before, after_a * after_b))
    assert all(group[-1][1] >= group[0][0] for group in groups.values())


def test_balances_are_what_was_received_and_swapped_and_never_negative(source: MarketSource) -> None:
    world = source.world
    held: defaultdict[tuple[int, int], int] = defaultdict(int)
    for (wallet, asset), amount in np.ndenumerate(world.first_money):
        held[wallet, asset] = int(amount)
    transfers = sorted(world.transfers, reverse=True)
    a_of, b_of = world.pools.a.tolist(), world.pools.b.tolist()
    for time, wallet, pool, sells_a, a, b, *_ in zip(*(column.tolist() for column in world.rows), strict=True):
        while transfers and transfers[-1].time <= time:
            came = transfers.pop()
            held[came.wallet, came.asset] += came.amount
        sign = -1 if sells_a else 1
        held[wallet, a_of[pool]] += sign * a
        held[wallet, b_of[pool]] -= sign * b
        assert held[wallet, a_of[pool]] >= 0
        assert held[wallet, b_of[pool]] >= 0
    for came in transfers:
        held[came.wallet, came.asset] += came.amount
    for (wallet, asset), amount in np.ndenumerate(world.wallets.balance):
        assert held[wallet, asset] == amount


def test_no_token_has_more_units_than_were_made(source: MarketSource) -> None:
    world = source.world
    for asset in range(3, len(world.tokens)):
        pools = sum(
            int(reserve[side[: world.pool_count] == asset].sum())
            for side, reserve in (
                (world.pools.a, world.pools.reserve_a[: world.pool_count]),
                (world.pools.b, world.pools.reserve_b[: world.pool_count]),
            )
        )
        supply = world.tokens[asset].supply
        assert pools + int(world.wallets.balance[:, asset].sum()) + supply // LOCKED_SHARE < supply


def test_holders_at_a_clock_are_what_swaps_up_to_it_left(source: MarketSource) -> None:
    """The world is carried to the end of its step; rows behind the clock must not count."""
    now = GENESIS + DAY + 1
    early = market(7, 200, GENESIS, now)
    world = early.world
    assert (world.rows.time > now).any()
    shown: Counter[tuple[str, str]] = Counter()
    for token in early.tokens_at(now):
        for text in early.holder_texts(token["address"], 0, 10_000, now):
            row = json.loads(text)
            shown[row["owner"], row["mint"]] += int(row["amount"])
    for wallet, owner in enumerate(early.wallets):
        for asset in range(3, len(world.tokens)):
            balance = sum(came.amount for came in world.transfers if (came.wallet, came.asset) == (wallet, asset))
            mine = (world.rows.wallet == wallet) & (world.rows.time <= now)
            for side, amounts, is_a in (
                (world.pools.a, world.rows.amount_a, 1),
                (world.pools.b, world.rows.amount_b, 0),
            ):
                chosen = mine & (side[world.rows.pool] == asset)
                gave = world.rows.sells_a[chosen] == is_a
                balance += int(np.where(gave, -amounts[chosen], amounts[chosen]).sum())
            listed = world.tokens[asset].launched_at + 900 <= now
            assert shown[owner, world.tokens[asset].mint] == (balance if listed else 0)
        if wallet > 60:
            break


@pytest.mark.full
def test_compiled_and_plain_kernel_give_the_same_bits() -> None:
    worlds = [World(3, 60, GENESIS, run) for run in (agents.run, compiled_run())]
    for world in worlds:
        world.carry_to(GENESIS + 3 * DAY)
    for one, other in zip(worlds[0].rows, worlds[1].rows, strict=True):
        assert np.array_equal(one, other)


def test_at_almost_any_hour_some_tokens_pass_the_filters_and_others_fail_one_rule(source: MarketSource) -> None:
    rules = {
        "min_liquidity": lambda row: row["liquidity"] >= 1e6,
        "max_liquidity": lambda row: row["liquidity"] <= 3e6,
        "volume": lambda row: row["volume_1h_usd"] >= 1e5,
        "change_2h": lambda row: (row["price_change_2h_percent"] or -1) >= 0,
        "change_24h": lambda row: (row["price_change_24h_percent"] or 0) >= 30,
    }
    young = make_market(wallets=20, days=0)
    passing, single = [], Counter[str]()
    for hour in range(0, 30 * 24, 5):
        failed = [
            [name for name, rule in rules.items() if not rule(row)] for row in young.tokens_at(GENESIS + hour * 3600)
        ]
        passing.append(sum(not names for names in failed))
        single.update(names[0] for names in failed if len(names) == 1)
    assert np.mean([count >= 3 for count in passing]) > 0.97
    assert max(passing) <= 20
    assert set(single) == set(rules)


def test_tokens_live_through_every_phase(source: MarketSource) -> None:
    world = source.world
    count = len(world.tokens)
    assert {1, 2, 3, DEAD} <= set(world.assets.phase[:count].tolist())
    drained = [asset for asset in range(3, count) if world.drained[world.assets.pools[asset, 0]]]
    assert len(drained) > 5
    listed = {row["address"]: row for row in source.tokens_at(CLOCK)}
    assert all(listed[world.tokens[asset].mint]["liquidity"] < 1e5 for asset in drained)


def test_truth_covers_every_kind_whatever_the_size() -> None:
    for wallets in (20, 57, 1000, 20_000):
        kinds = kinds_of(wallets)
        assert len(kinds) == wallets
        assert set(kinds) == set(range(len(KINDS)))
        assert kinds.count(KINDS.index("wash_pair")) % 2 == 0


def test_truth_names_every_holder(source: MarketSource) -> None:
    truth_of = {truth.address: truth for truth in truths(source, CLOCK)}
    assert {truth.kind for truth in truth_of.values()} == {*KINDS, "pool", "pool_authority", "locker"}
    for token in source.tokens_at(CLOCK):
        owners = [json.loads(text)["owner"] for text in source.holder_texts(token["address"], 0, 10_000, CLOCK)]
        assert set(owners) <= truth_of.keys()
        assert any(truth_of[owner].kind in ("pool", "pool_authority") for owner in owners)
    pairs = [truth for truth in truth_of.values() if truth.kind == "wash_pair"]
    assert all(truth_of[truth.partner].partner == truth.address for truth in pairs)
    found = list(truth_of.values())
    assert len(as_text(found, "csv").splitlines()) == len(found) + 1
    assert json.loads(as_text(found, "json"))[0]["kind"] == "skilled"


def test_skilled_wallets_are_on_top_and_some_qualify(
    source: MarketSource, rows: dict[str, list[dict[str, Any]]]
) -> None:
    truth_of = {truth.address: truth.kind for truth in truths(source, CLOCK)}
    qualified = {}
    for owner, mine in rows.items():
        got = results(mine)
        decided = got["wins"] + got["losses"]
        roi = 100 * got["realized"] / got["cost"] if got["cost"] else 0.0
        win_rate = 100 * got["wins"] / decided if decided else 0.0
        coverage = 1 - got["unmatched"] / got["sold"] if got["sold"] else 0.0
        if (
            got["realized"] >= GOLD["min_pnl"]
            and roi >= GOLD["min_roi"]
            and win_rate >= GOLD["min_win_rate"]
            and coverage >= GOLD["min_coverage"]
        ):
            qualified[owner] = (0.4 * min(got["realized"] / 1000, 100) + 0.3 * min(roi, 100) + 0.2 * win_rate, roi, got)
    kinds = Counter(truth_of[owner] for owner in qualified)
    assert kinds["skilled"] >= 12
    assert kinds["noise"] >= 5
    assert kinds["airdrop_seller"] == 0
    best = sorted(qualified, key=lambda owner: -qualified[owner][0])[:8]
    assert sum(truth_of[owner] in ("skilled", "insider") for owner in best) >= 6
    assert any(roi >= 50 and got["realized"] >= 10_000 for _, roi, got in qualified.values())


@pytest.mark.parametrize(
    ("wallets", "clock", "message"),
    [
        (19, GENESIS, "19 wallets"),
        (200_000, GENESIS, "200000 wallets"),
        (20, GENESIS - 1, "lies before genesis"),
        (20, GENESIS + 121 * DAY, "more than 120 days"),
    ],
)
def test_a_market_that_cannot_be_is_refused(wallets: int, clock: int, message: str) -> None:
    with pytest.raises(SmartTraderError, match=message):
        market(7, wallets, GENESIS, clock)
    for seed in (-1, 2**32):
        with pytest.raises(SmartTraderError, match="negative or too large"):
            market(seed, 20, GENESIS, GENESIS)
