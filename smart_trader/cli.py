"""`smart-trader`: one command for everything."""

from __future__ import annotations

import click

from loaders.cli import load
from smart_trader.console import run
from smart_trader.lakehouse.cli import lakehouse
from smart_trader.sandbox.cli import sandbox


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smart-trader")
def smart_trader() -> None:
    """Find Solana wallets that really trade well."""


smart_trader.add_command(lakehouse)
smart_trader.add_command(load)
smart_trader.add_command(sandbox)


def main() -> None:
    """Entry point of the `smart-trader` command."""
    run(smart_trader, "smart-trader")


if __name__ == "__main__":
    main()
