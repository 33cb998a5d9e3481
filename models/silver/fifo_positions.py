"""First-in-first-out profit and loss of the wallets that are due, one row per wallet and token."""

from pyspark.sql.functions import broadcast, coalesce, lit, when

from smart_trader.fifo import Rules
from smart_trader.fifo.partitions import positions_frame

TRADE_COLUMNS = [
    "wallet_address",
    "token_address",
    "block_unix_time",
    "quantity",
    "value_usd",
    "block_number",
    "tx_hash",
    "is_basis_unknown",
]
CALCULATION = ["wallet_address", "calculation_date"]


def model(dbt, session):
    """Hand the due wallets' trades to the engine."""
    dbt.config(materialized="incremental", incremental_strategy="merge", unique_key=["wallet_address", "token_address"])
    due = dbt.ref("wallet_calculations").select(*CALCULATION)
    if dbt.is_incremental:
        due = due.join(session.table(str(dbt.this)).select(*CALCULATION).distinct(), CALCULATION, "left_anti")
    trades = dbt.ref("wallet_trades")
    rules = Rules(float(dbt.config.meta_get("win_threshold_usd")), float(dbt.config.meta_get("dust_share")))
    positions = positions_frame(
        trades.join(broadcast(due), "wallet_address", "left_semi").select(
            *TRADE_COLUMNS,
            # where a transaction nets to nothing the side is never looked at
            coalesce(trades["side"], lit("buy")).alias("side"),
            # a round trip with a difference of 0 is one, and a transaction of one side alone is none
            when((trades["bought_quantity"] > 0) & (trades["sold_quantity"] > 0), trades["round_trip_usd"]).alias(
                "round_trip_usd"
            ),
        ),
        rules,
    )
    return positions.join(broadcast(due), "wallet_address")
