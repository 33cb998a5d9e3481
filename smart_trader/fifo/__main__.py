"""`python -m smart_trader.fifo FILE`: check trades of your own."""

from __future__ import annotations

import json
from pathlib import Path

import click

from smart_trader.console import report_line, run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--compile", "compile_only", is_flag=True, help="Compile the kernel ahead and exit.")
def fifo(file: Path | None, compile_only: bool) -> None:
    """Compute first-in-first-out profit and loss of the trades in FILE and print it as JSON.

    FILE is JSON, a list of {"id", "trades": [{"t", "side", "qty", "value" or "price", "seq"}]}, or CSV with the columns
    wallet, token, t, side, qty, value and, where wanted, price, seq, tx_hash.

    A token is its mint address: a symbol is not unique, and two tokens of one name would share their lots. A time is
    2026-01-31T09:00:00Z, 2026-01-31 or 20260131 (UTC), or seconds since 1970; a bare year is refused. value is the
    total in USD and price is per unit, after fees. A value of 0 is a token that cost nothing: all it is sold for is
    profit. An empty value is a missing price: such a lot's cost is unknown, and selling it gives no profit.

    Trades of one time go by seq, smaller first. Where that is equal or missing, JSON keeps the order given; in CSV buys
    go first, then by tx_hash, then the smaller qty, then the smaller value, by number. Quantities are printed to the
    last digit, USD with twelve digits.
    """
    from smart_trader.fifo.files import answers_of_file
    from smart_trader.fifo.warmup import compile_kernel

    if compile_only:
        report_line(f"kernel ready in {compile_kernel():.1f} s")
        return
    if file is None:
        raise click.UsageError("name a FILE, or --compile")
    click.echo(json.dumps(answers_of_file(file, report_line), indent=1))


if __name__ == "__main__":
    run(fifo, "python -m smart_trader.fifo")
