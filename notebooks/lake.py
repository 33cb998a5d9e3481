"""The lake in a notebook: the list, one wallet, the calibration, and a question of your own."""

import marimo

app = marimo.App(width="medium", app_title="Smart Trader's lake")


@app.cell
def _():
    import marimo as mo

    import smart_trader.lake
    from smart_trader import errors

    lake = smart_trader.lake.open()
    return errors, lake, mo


@app.cell
def _(lake, mo):
    sources = {
        "birdeye": mo.callout("Data from BirdEye.", kind="info"),
        "sandbox": mo.callout("Made-up data: the wallets and tokens of this lake do not exist.", kind="warn"),
        "replay": mo.callout("Recorded responses, answered again.", kind="info"),
    }
    sources.get(lake.source, mo.callout("This lake does not say where its rows come from.", kind="warn"))
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # The list

    Best first. `skill_low` is the lower bound of what a position returned: the order within a tier goes by it.
    """)
    return


@app.cell
def _(lake, mo):
    board = lake.polars("""
        select overall_rank, tier, grade, wallet_address, flags, skill_low, position_count, total_pnl, win_rate
        from gold.leaderboard
        where not former
        order by overall_rank
    """)
    mo.ui.table(board, selection=None)
    return (board,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # One wallet

    Its positions by its newest calculation, the largest profit first.
    """)
    return


@app.cell
def _(board, lake, mo):
    wallets = (
        board["wallet_address"].to_list()
        or lake.polars("select wallet_address from gold.wallet_standings order by wallet_address")[
            "wallet_address"
        ].to_list()
    )
    wallet = mo.ui.dropdown(wallets, value=wallets[0] if wallets else None, label="wallet", searchable=True)
    wallet
    return (wallet,)


@app.cell
def _(lake, mo, wallet):
    positions = lake.polars(
        """
        select
            position.token_address,
            position.trade_count,
            position.bought_usd,
            position.sold_usd,
            position.realized_pnl_usd,
            position.unrealized_pnl_usd,
            position.first_trade_at,
            position.last_trade_at
        from silver.position_pnl as position
        join silver.pnl_due_wallets as newest using (wallet_address, calculation_date)
        where position.wallet_address = $wallet
        order by position.realized_pnl_usd desc
        """,
        {"wallet": wallet.value},
    )
    mo.ui.table(positions, selection=None)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Did the scores order what came after?

    One row per score for the newest window that has closed; docs/trust.md explains the verdicts.
    """)
    return


@app.cell
def _(lake, mo):
    calibration = lake.polars("""
        select score_name, verdict, wallet_count, rank_correlation, rank_correlation_low, rank_correlation_high
        from gold.score_calibration
        where scored_at = (select max(scored_at) from gold.score_calibration)
        order by score_name
    """)
    (
        mo.ui.table(calibration, selection=None)
        if len(calibration)
        else mo.callout("It is not known yet: no window has closed.", kind="neutral")
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # A question of your own

    Any query of DuckDB's SQL over any table of the lake; nothing can be written.
    """)
    return


@app.cell
def _(mo):
    question = mo.ui.code_editor(
        """select flag, severity, count(*) as wallets
from gold.wallet_flags
group by all
order by wallets desc""",
        language="sql",
    )
    question
    return (question,)


@app.cell
def _(errors, lake, mo, question):
    try:
        answer = mo.ui.table(lake.polars(question.value), selection=None)
    except errors.SmartTraderError as error:
        answer = mo.callout(mo.plain_text(str(error)), kind="danger")
    answer
    return


if __name__ == "__main__":
    app.run()
