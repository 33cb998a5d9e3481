"""The wallets that qualify, by hand: one DuckDB script over bronze tables, without dbt and without a table written.

    python benchmarks/peer.py LAKE [--format json] [--threads 2]

It is what the models' cost is measured against. It goes from bronze over profit and loss to score and tier by size, and
no further: flags, skill, grades and the histories are not part of it, so the ratio counts against the models. It takes
each wallet as of its newest fetch, so its wallets are the lake's while no calculation was refreshed by age alone, every
load is whole, and the project's vars have their defaults. Prints seconds, CPU seconds and peak memory; exits with 1 if
the lake has `gold.wallet_standings` and what qualifies there has another order, `uncapped_tier`, score or profit.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from itertools import zip_longest  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
from deltalake import DeltaTable  # noqa: E402

from smart_trader.fifo import fifo_positions  # noqa: E402
from smart_trader.fifo.columns import POSITION_SCHEMA  # noqa: E402

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
TRADES_PER_BATCH = 100_000

MACROS = """
create macro number(text) as if(abs(try_cast(text as double)) < 1e30, try_cast(text as double), null);
create macro plain(text) as coalesce(cast(try_cast(text as decimal(38, 12)) as varchar), text);
create macro units(text) as coalesce(round_even(try_cast(text as decimal(38, 12))::double, 0), number(text));
create macro usable(usd) as if(usd > 0 and usd < 1e18, usd, null);
create macro money(usd) as cast(round_even(usd, 6) as decimal(38, 6));
create macro sold(word, change) as
    case
        when word = 'from' then true when word = 'to' then false when change < 0 then true when change > 0 then false
    end
"""

SWAPS = """
create table swaps as
with sides as (
    select *,
        sold(base__type_swap, number(base__ui_change_amount)) as base_sold,
        sold(quote__type_swap, number(quote__ui_change_amount)) as quote_sold
    from transaction_history
    where owner = wallet_address
),
directed as (
    select *, coalesce(base_sold, not quote_sold) as is_base_sold from sides
    where coalesce(base_sold <> quote_sold, true) and coalesce(base_sold, quote_sold) is not null
),
legs as (
    select wallet_address, tx_hash, address, block_unix_time, block_number, ins_index, inner_ins_index, occurrence,
        _dlt_load_id, _dlt_id,
        if(is_base_sold, base__address, quote__address) as sold_token,
        if(is_base_sold, base__decimals, quote__decimals) as sold_decimals,
        if(is_base_sold, base__amount, quote__amount) as sold_amount,
        number(if(is_base_sold, base__ui_amount, quote__ui_amount)) as sold_tokens,
        number(if(is_base_sold, base__price, quote__price)) as sold_price,
        number(if(is_base_sold, base__nearest_price, quote__nearest_price)) as sold_nearest_price,
        if(is_base_sold, quote__address, base__address) as bought_token,
        if(is_base_sold, quote__decimals, base__decimals) as bought_decimals,
        if(is_base_sold, quote__amount, base__amount) as bought_amount,
        number(if(is_base_sold, quote__ui_amount, base__ui_amount)) as bought_tokens,
        number(if(is_base_sold, quote__price, base__price)) as bought_price,
        number(if(is_base_sold, quote__nearest_price, base__nearest_price)) as bought_nearest_price
    from directed
),
distinct_swaps as (
    select * from legs
    qualify row_number() over (
        partition by tx_hash, wallet_address, address, block_unix_time, ins_index, inner_ins_index, sold_token,
            plain(sold_amount), bought_token, plain(bought_amount), if(ins_index is null, coalesce(occurrence, 0), null)
        order by _dlt_load_id, _dlt_id
    ) = 1
)
select
    row_number() over () as swap, wallet_address, tx_hash, block_unix_time, block_number,
    if(sold_quote.mint is null, sold_token, null) as sold_token,
    if(bought_quote.mint is null, bought_token, null) as bought_token,
    greatest(units(sold_amount), 0) as sold_quantity, greatest(units(bought_amount), 0) as bought_quantity,
    coalesce(units(sold_amount) < 0, true) as is_sold_unreadable,
    coalesce(units(bought_amount) < 0, true) as is_bought_unreadable,
    sold_decimals, bought_decimals,
    sold_quote.mint is not null and bought_quote.mint is not null as is_conversion,
    sold_quote.mint is null and bought_quote.mint is null as is_token_swap,
    sold_tokens * sold_nearest_price as sold_leg_usd, bought_tokens * bought_nearest_price as bought_leg_usd,
    case
        when sold_quote.mint is not null then usable(sold_tokens * coalesce(sold_price, sold_nearest_price))
        when bought_quote.mint is not null then usable(bought_tokens * coalesce(bought_price, bought_nearest_price))
    end as usd
from distinct_swaps
left join quote_assets as sold_quote on sold_token = sold_quote.mint
left join quote_assets as bought_quote on bought_token = bought_quote.mint
"""

# A token-to-token swap is worth what its transaction paid for the one, or got for the other. Twice, for those between
# two others.
ROUTES = """
create or replace temp table routed as
with token_swaps as (select * from swaps where is_token_swap and usd is null),
sums as (
    select token_swaps.swap,
        any_value(token_swaps.sold_quantity) as sold_quantity,
        any_value(token_swaps.bought_quantity) as bought_quantity,
        sum(other.bought_quantity) filter (where other.bought_token = token_swaps.sold_token) as paid_quantity,
        sum(other.usd) filter (
            where other.bought_token = token_swaps.sold_token and other.bought_quantity > 0
        ) as paid_usd,
        sum(other.sold_quantity) filter (where other.sold_token = token_swaps.bought_token) as got_quantity,
        sum(other.usd) filter (where other.sold_token = token_swaps.bought_token and other.sold_quantity > 0) as got_usd
    from token_swaps inner join swaps as other using (tx_hash, wallet_address)
    where other.usd is not null
    group by token_swaps.swap
)
select swap, coalesce(
    if(sold_quantity > 0 and paid_quantity >= sold_quantity, paid_usd * sold_quantity / paid_quantity, null),
    if(bought_quantity > 0 and got_quantity >= bought_quantity, got_usd * bought_quantity / got_quantity, null)
) as usd
from sums;
update swaps set usd = routed.usd from routed where swaps.swap = routed.swap
"""

TRADES = """
create table trades as
with valued as (
    select *, if(is_token_swap and usd is null, usable(least(sold_leg_usd, bought_leg_usd)), usd) as value_usd,
        is_token_swap and usd is null and not coalesce(
            sold_leg_usd <= 1.5 * bought_leg_usd and bought_leg_usd <= 1.5 * sold_leg_usd, false
        ) as is_unknown
    from swaps
    where not is_conversion
),
legs as (
    select wallet_address, tx_hash, block_unix_time, block_number, value_usd, is_unknown, sold_token as token_address,
        sold_quantity as sold, 0 as bought, sold_decimals as decimals, is_sold_unreadable as is_unreadable
    from valued
    where sold_token is not null
    union all
    select wallet_address, tx_hash, block_unix_time, block_number, value_usd, is_unknown, bought_token,
        0, bought_quantity, bought_decimals, is_bought_unreadable
    from valued
    where bought_token is not null
),
net as (
    select wallet_address, token_address, tx_hash, min(block_unix_time) as block_unix_time,
        min(block_number) as block_number, sum(bought) as bought, sum(sold) as sold,
        -- one part without a price leaves the whole without one
        if(bool_or(bought > 0 and value_usd is null), null, sum(if(bought > 0, value_usd, 0))) as bought_usd,
        if(bool_or(sold > 0 and value_usd is null), null, sum(if(sold > 0, value_usd, 0))) as sold_usd,
        bool_or(bought > 0 and is_unknown) as is_unknown, bool_or(is_unreadable) as is_unreadable,
        max(decimals) as decimals
    from legs
    group by wallet_address, token_address, tx_hash
),
sided as (
    select *, case
        when abs(bought - sold) <= 1e-9 * (bought + sold) then null when bought > sold then 'buy' else 'sell'
    end as side
    from net
)
select wallet_address, token_address, block_unix_time, coalesce(side, 'buy') as side,
    if(side is null, 0, abs(bought - sold)) as quantity,
    nullif(case side
        when 'buy' then bought_usd * (bought - sold) / bought when 'sell' then sold_usd * (sold - bought) / sold
    end, 0) as value_usd,
    block_number, tx_hash, coalesce(side = 'buy' and is_unknown, false) as is_basis_unknown,
    if(bought > 0 and sold > 0, coalesce(least(bought, sold) * (sold_usd / sold - bought_usd / bought), 0), null)
        as round_trip_usd,
    decimals, is_unreadable
from sided
"""

SORTED_TRADES = """
select wallet_address, token_address, block_unix_time, side, quantity, value_usd, block_number, is_basis_unknown,
    round_trip_usd
from trades
order by wallet_address, token_address, block_unix_time, block_number nulls last, side, tx_hash
"""

LEADERS = """
with fetches as (
    select item as wallet_address, max(as_of) as as_of, bool_or(reached_oldest) as has_reached_oldest,
        arg_max(coalesce(resume_before_time, -1), (as_of, landed_at)) filter (where outcome <> 'failed')
            as resume_before
    from fetch_log
    where kind = 'swaps' and outcome <> 'retry'
    group by item
),
observed as (
    select address as token_address, observed_at, number(price) * coalesce(number(multiplier), 1) as price,
        number(liquidity) as liquidity, _dlt_load_id, list_position, _dlt_id
    from token_metrics
    union all
    -- what is looked up is the price of a unit already
    select token_address, observed_at, number(value), number(liquidity), _dlt_load_id, null, _dlt_id
    from token_prices
),
prices as (
    select * from observed
    qualify row_number() over (
        partition by token_address, observed_at order by _dlt_load_id, list_position, _dlt_id
    ) = 1
),
accounts as (
    select * from whale_holders
    where try_cast(amount as decimal(38, 12)) >= 0
    qualify row_number() over (partition by fetch_id, token_account order by list_position nulls last, _dlt_id) = 1
),
balances as (
    select owner as wallet_address, token_address, observed_at, sum(amount::decimal(38, 0))::double as balance
    from accounts
    group by owner, token_address, observed_at, fetch_id
),
token_decimals as (select token_address, max(decimals) as decimals from trades group by token_address),
marked as (
    select positions.* exclude (decimals), token_decimals.decimals, price, liquidity, as_of,
        least(open_quantity, if(balances.observed_at >= as_of - interval 168 hour, balance, null)) as marked_quantity,
        case
            when open_quantity <= 0 then 'none'
            when prices.observed_at >= as_of - interval 48 hour and price >= 0 and liquidity >= 0
                and token_decimals.decimals is not null then 'observation'
            when last_priced_time >= epoch(as_of) - 168 * 3600 then 'trade'
            else 'none'
        end as mark
    from positions
    inner join fetches using (wallet_address)
    left join token_decimals using (token_address)
    asof left join prices on positions.token_address = prices.token_address and fetches.as_of >= prices.observed_at
    asof left join balances
        on positions.wallet_address = balances.wallet_address and positions.token_address = balances.token_address
        and fetches.as_of >= balances.observed_at
),
valued as (
    select *, case mark
        when 'observation' then least(marked_quantity / power(10, decimals) * price, liquidity / 2)
        when 'trade' then least(open_cost_usd, marked_quantity * last_price_usd)
        else 0
    end as open_value_usd
    from marked
),
totals as (
    select wallet_address, sum(trade_count) as trade_count, sum(win_count) as wins, sum(loss_count) as losses,
        sum(money(realized_pnl_usd)) as realized,
        sum(money(realized_pnl_usd) + money(open_value_usd) - money(open_cost_usd)) as total_pnl,
        sum(money(sold_usd)) as proceeds, sum(money(cost_of_sold_usd)) as cost,
        sum(money(sold_usd) - money(unmatched_proceeds_usd)) as matched_proceeds
    from valued
    group by wallet_address
),
known as (
    select wallet_address, count(*) as swap_count from swaps group by wallet_address
),
figures as (
    select wallet_address, trade_count, total_pnl,
        money(coalesce(100.0::double * wins / nullif(wins + losses, 0), 0)) as win_rate,
        if(cost < 1, 0, money(100.0::double * realized::double / cost::double)) as roi,
        matched_proceeds::double / nullif(proceeds::double, 0) as basis_coverage
    from totals
    inner join fetches using (wallet_address)
    inner join known using (wallet_address)
    where has_reached_oldest and resume_before = -1 and swap_count <= 20000
        and wallet_address not in (select wallet_address from trades where is_unreadable)
),
qualified as (
    select * from figures
    where basis_coverage >= 0.9
        and total_pnl >= coalesce((select minimum from qualification_minimums where metric = 'total_pnl'), total_pnl)
        and roi >= coalesce((select minimum from qualification_minimums where metric = 'roi'), roi)
        and win_rate >= coalesce((select minimum from qualification_minimums where metric = 'win_rate'), win_rate)
        and trade_count
        >= coalesce((select minimum from qualification_minimums where metric = 'trade_count'), trade_count)
),
tiered as (
    select wallet_address, arg_min(tier, tier_rank) as tier, any_value(total_pnl) as total_pnl, money(any_value(
        0.4 * least(total_pnl::double / 1000, 100) + 0.3 * least(roi::double, 100) + 0.2 * win_rate::double
        + 0.1 * least(trade_count, 10)
    )) as score
    from qualified inner join trader_tiers
        on total_pnl >= coalesce(min_total_pnl, total_pnl) and roi >= coalesce(min_roi, roi)
        and win_rate >= coalesce(min_win_rate, win_rate)
        and (min_total_pnl is not null or total_pnl > 0 or win_rate > 0)
    group by wallet_address
)
select row_number() over (order by score desc, total_pnl desc, wallet_address) as rank, wallet_address, tier,
    score::double, total_pnl::double
from tiered
order by rank
"""

Leader = tuple[int, str, str, float, float]


def open_bronze(lake: Path, threads: int) -> duckdb.DuckDBPyConnection:
    """Return a connection with the bronze tables and seeds of a lake."""
    db = duckdb.connect(config={"threads": threads})
    db.execute("set timezone = 'UTC'")
    db.execute(MACROS)
    for name in ("transaction_history", "token_metrics", "token_prices", "whale_holders", "fetch_log"):
        table = DeltaTable(str(lake / "bronze" / name))
        files = [uri.removeprefix("file://") for uri in table.file_uris()]
        if files:
            db.execute(f"create view {name} as select * from read_parquet({files!r}, union_by_name = true)")
        else:
            db.register(name, table.to_pyarrow_table())
    for name in ("quote_assets", "trader_tiers", "qualification_minimums"):
        db.execute(f"create table {name} as select * from read_csv('{SEEDS / name}.csv')")
    return db


def rank_wallets(db: duckdb.DuckDBPyConnection) -> tuple[list[Leader], int]:
    """Return the wallets that qualify by score, and how many distinct swaps they were ranked by."""
    db.execute(SWAPS)
    db.execute(ROUTES)
    db.execute(ROUTES)
    db.execute(TRADES)
    sorted_trades = db.sql(SORTED_TRADES).to_arrow_reader(TRADES_PER_BATCH)
    db.register("positions", pa.Table.from_batches(fifo_positions(sorted_trades), POSITION_SCHEMA))
    leaders = db.execute(LEADERS).fetchall()
    ((swaps,),) = db.execute("select count(*) from swaps").fetchall()
    return leaders, swaps


def read_standings(lake: Path) -> list[Leader] | None:
    """Return what qualifies in the lake itself, by score, or None if it has no standings."""
    location = str(lake / "gold" / "wallet_standings")
    if not DeltaTable.is_deltatable(location):
        return None
    columns = ["wallet_address", "is_qualified", "uncapped_tier", "smart_trader_score", "total_pnl"]
    rows = [row for row in DeltaTable(location).to_pyarrow_table(columns=columns).to_pylist() if row["is_qualified"]]
    rows.sort(key=lambda row: (-row["smart_trader_score"], -row["total_pnl"], row["wallet_address"]))
    return [
        (rank, row["wallet_address"], row["uncapped_tier"], float(row["smart_trader_score"]), float(row["total_pnl"]))
        for rank, row in enumerate(rows, 1)
    ]


def is_same(one: Leader | None, other: Leader | None) -> bool:
    """Whether two entries agree: score and profit to the sixth place, or 1e-9 of large sums."""
    return (
        one is not None
        and other is not None
        and one[:3] == other[:3]
        and all(math.isclose(a, b, rel_tol=1e-9, abs_tol=2e-6) for a, b in zip(one[3:], other[3:], strict=True))
    )


def main() -> None:
    """Rank the wallets of a lake and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path, help="folder of a lake with bronze tables")
    parser.add_argument("--threads", type=int, default=2, help="of DuckDB (default: 2)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    given = parser.parse_args()
    leaders, swaps = rank_wallets(open_bronze(given.lake, given.threads))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found: dict[str, Any] = {
        "swaps": swaps,
        "leaders": len(leaders),
        "seconds": round(time.perf_counter() - STARTED, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        # bytes on macOS, else KB
        "peak_mb": round(usage.ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)),
    }
    listed = read_standings(given.lake)
    differences = (
        [pair for pair in zip_longest(leaders, listed or []) if not is_same(*pair)] if listed is not None else []
    )
    found["differences"] = None if listed is None else len(differences)
    if given.format == "json":
        print(json.dumps(found))
    else:
        verdicts = {None: "no standings to compare with", 0: "equal to the lake's standings"}
        print(
            f"{swaps:,} swaps to {len(leaders):,} wallets that qualify: {found['seconds']} s, "
            f"{found['cpu_seconds']} CPU s, peak {found['peak_mb']:,} MB; "
            f"{verdicts.get(found['differences'], 'differs from the lake')}"
        )
    for mine, theirs in differences[:5]:
        print(f"  by hand {mine}\n  in gold {theirs}", file=sys.stderr)
    if differences:
        raise SystemExit(f"error: {len(differences)} of {len(listed or [])} entries differ from gold.wallet_standings")


if __name__ == "__main__":
    main()
