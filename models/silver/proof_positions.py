"""Net position of each wallet and token, computed in Arrow batches inside Spark's workers."""

SCHEMA = "wallet_address string, token_address string, quantity double, swap_count bigint"


def model(dbt, session):
    """Sum signed quantities; each worker sees whole wallets, sorted."""
    dbt.config(materialized="table")
    trades = dbt.ref("proof_trades").select("wallet_address", "token_address", "traded_at", "side", "quantity")
    by_wallet = trades.repartition("wallet_address").sortWithinPartitions(
        "wallet_address", "token_address", "traded_at"
    )
    return by_wallet.mapInArrow(net_positions, SCHEMA)


def net_positions(batches):
    """Turn batches of trades into one batch of positions; the parts of a split position are summed at the end."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trades = pa.Table.from_batches(batches) if (batches := list(batches)) else None
    if trades is None or not trades.num_rows:
        return
    signed = pc.if_else(pc.equal(trades["side"], "buy"), trades["quantity"], pc.negate(trades["quantity"]))
    keyed = trades.select(["wallet_address", "token_address"]).append_column("quantity", signed)
    totals = keyed.group_by(["wallet_address", "token_address"]).aggregate([("quantity", "sum"), ("quantity", "count")])
    yield from totals.rename_columns(["wallet_address", "token_address", "quantity", "swap_count"]).to_batches()
