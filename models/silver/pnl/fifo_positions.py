"""First-in-first-out profit and loss of the wallets that are due, one row per wallet, token and calculation."""

from smart_trader.fifo import Rules
from smart_trader.fifo.partitions import positions_frame


def model(dbt, session):
    """Hand the due wallets' trades to the engine, in SQL and Arrow that both engines take."""
    dbt.config(materialized="incremental", incremental_strategy="append")
    due = "select due.wallet_address, due.calculation_date from {calculations} as due"
    frames = {"calculations": dbt.ref("pnl_due_wallets")}
    if dbt.is_incremental:
        due += (
            " left anti join {known} as known"
            " on due.wallet_address = known.wallet_address and due.calculation_date = known.calculation_date"
        )
        frames["known"] = session.table(str(dbt.this))
    due_wallets = session.sql(due, **frames)
    trades = session.sql(
        # where a transaction nets to nothing the side is never looked at; a round trip with a difference of 0 is one,
        # and a transaction of one side alone is none
        """
        select
            trades.wallet_address, token_address, block_unix_time, coalesce(side, 'buy') as side, quantity, value_usd,
            block_number, tx_hash, is_basis_unknown,
            if(bought_quantity > 0 and sold_quantity > 0, round_trip_usd, null) as round_trip_usd, decimals
        from {trades} as trades
        left semi join {due} as due on trades.wallet_address = due.wallet_address
        """,
        trades=dbt.ref("wallet_trades"),
        due=due_wallets,
    )
    rules = Rules(float(dbt.config.meta_get("win_threshold_usd")), float(dbt.config.meta_get("dust_share")))
    positions = positions_frame(session, trades, rules)
    return session.sql(
        "select positions.*, due.calculation_date from {positions} as positions "
        "inner join {due} as due on positions.wallet_address = due.wallet_address",
        positions=positions,
        due=due_wallets,
    )
