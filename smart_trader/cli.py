"""`smart-trader`: one command for everything."""

from __future__ import annotations

from importlib import import_module

import click

from smart_trader.console import run

COMMANDS = {
    "as-of": "smart_trader.pipeline.cli:print_as_of",
    "backup": "smart_trader.maintenance.cli:backup",
    "calibration": "smart_trader.reports.cli:calibration",
    "cluster": "smart_trader.lakehouse.cli:cluster",
    "discard-future": "smart_trader.maintenance.cli:discard_future",
    "docs": "smart_trader.pipeline.docs:docs",
    "evaluate": "smart_trader.evaluation.cli:evaluate",
    "explain": "smart_trader.reports.wallet_cli:explain",
    "lakehouse": "smart_trader.lakehouse.cli:lakehouse",
    "leaderboard": "smart_trader.reports.wallet_cli:leaderboard",
    "load": "loaders.cli:load",
    "maintain": "smart_trader.maintenance.cli:maintain",
    "repair": "smart_trader.maintenance.cli:repair",
    "restore": "smart_trader.maintenance.cli:restore",
    "report": "smart_trader.report_page.cli:report",
    "retry": "smart_trader.pipeline.cli:retry",
    "run": "smart_trader.pipeline.cli:run_pipeline",
    "sandbox": "smart_trader.sandbox.cli:sandbox",
    "sql": "smart_trader.shell.cli:sql",
    "status": "smart_trader.reports.cli:status",
    "upgrade": "smart_trader.pipeline.cli:upgrade",
}


class LazyGroup(click.Group):
    """Imports a command when it is called: reading the leaderboard need not wait for the loaders' libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101  for the type checker
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smart-trader")
def smart_trader() -> None:
    """Find Solana wallets that really trade well."""


def main() -> None:
    """Entry point of the `smart-trader` command."""
    run(smart_trader, "smart-trader")


if __name__ == "__main__":
    main()
