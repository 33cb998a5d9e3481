"""First-in-first-out profit and loss of the drawn trades, one row per wallet and token."""

from smart_trader.fifo.partitions import positions_frame


def model(dbt, session):
    """Hand the trades to the engine."""
    dbt.config(materialized="table")
    return positions_frame(dbt.ref("fifo_proof_trades"))
