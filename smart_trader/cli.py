"""`smart-trader`: one command for everything."""

from __future__ import annotations

import click

from smart_trader.command_group import CommandGroup
from smart_trader.console import run

COMMANDS = {
    "as-of": "smart_trader.pipeline.cli:print_as_of",
    "backup": "smart_trader.maintenance.cli:backup",
    "calibration": "smart_trader.reports.cli:calibration",
    "cluster": "smart_trader.lakehouse.cli:cluster",
    "config": "smart_trader.reports.settings_cli:config",
    "discard-future": "smart_trader.maintenance.cli:discard_future",
    "docs": "smart_trader.pipeline.docs:docs",
    "evaluate": "smart_trader.evaluation.cli:evaluate",
    "explain": "smart_trader.reports.wallet_cli:explain",
    "lakehouse": "smart_trader.lakehouse.cli:lakehouse",
    "leaderboard": "smart_trader.reports.wallet_cli:leaderboard",
    "load": "loaders.cli:load",
    "maintain": "smart_trader.maintenance.cli:maintain",
    "repair": "smart_trader.maintenance.cli:repair",
    "report": "smart_trader.report_page.cli:report",
    "restore": "smart_trader.maintenance.cli:restore",
    "retry": "smart_trader.pipeline.cli:retry",
    "run": "smart_trader.pipeline.cli:run_pipeline",
    "sandbox": "smart_trader.sandbox.cli:sandbox",
    "sql": "smart_trader.shell.cli:sql",
    "status": "smart_trader.reports.cli:status",
    "upgrade": "smart_trader.pipeline.cli:upgrade",
}


# The order of the help: what is used most comes first. A command that is in none of them stands at the end.
SECTIONS = {
    "Every day": ("run", "leaderboard", "explain", "report", "status", "config"),
    "Questions of your own": ("sql", "docs"),
    "How good the list is": ("calibration", "evaluate"),
    "Keep a lake in order": ("retry", "maintain", "repair", "backup", "restore", "upgrade", "discard-future"),
    "Parts and schedulers": ("load", "as-of", "sandbox", "lakehouse", "cluster"),
}


class SmartTraderGroup(CommandGroup):
    """The commands of `smart-trader`."""

    lazy = COMMANDS
    sections = SECTIONS


@click.group(cls=SmartTraderGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smart-trader")
def smart_trader() -> None:
    """Find Solana wallets that really trade well.

    \b
    Examples:
      smart-trader run --demo          # a made-up market; needs no key
      smart-trader leaderboard         # who trades well
      smart-trader explain WALLET      # why, or why not
      smart-trader status              # what needs attention, what waits

    With BIRDEYE_API_KEY in the environment or .env, `smart-trader run` works on
    real wallets; `smart-trader config` shows all settings.
    """  # noqa: D301  \b is click's mark of lines that are not wrapped


def main() -> None:
    """Entry point of the `smart-trader` command."""
    run(smart_trader, "smart-trader")


if __name__ == "__main__":
    main()
