"""`python -m smart_trader.fifo FILE`: check trades of your own."""

from __future__ import annotations

import json
from pathlib import Path

import click

from smart_trader.console import run, say


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--compile", "compile_only", is_flag=True, help="Compile the kernel ahead and exit.")
def fifo(file: Path | None, compile_only: bool) -> None:
    """Compute first-in-first-out profit and loss of the trades in FILE and print it as JSON.

    FILE is JSON, a list of {"id", "trades": [{"t", "side", "qty", "value" or "price", "seq"}]}, or CSV with the columns
    wallet, token, t, side, qty, value. A time is seconds since 1970 or an ISO time; value is the total in USD, price is
    per unit, neither means that the price is missing.
    """
    from smart_trader.fifo.files import answers_of_file
    from smart_trader.fifo.warmup import compile_kernel

    if compile_only:
        say(f"kernel ready in {compile_kernel():.1f} s")
        return
    if file is None:
        raise click.UsageError("name a FILE, or --compile")
    click.echo(json.dumps(answers_of_file(file), indent=1))


if __name__ == "__main__":
    run(fifo, "python -m smart_trader.fifo")
