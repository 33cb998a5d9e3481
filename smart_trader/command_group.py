"""Groups of commands: imported when called, listed by use, with a word about what somebody may have meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from smart_trader.errors import closest

# Letters of a text that is not cut.
WHOLE = 1000


class UnknownCommandError(click.UsageError):
    """A group has no command of this name."""

    def __init__(self, name: str, known: Sequence[str], ctx: click.Context) -> None:
        super().__init__(f"No such command {name!r}.", ctx)
        self.near = closest(name, known)


class CommandGroup(click.Group):
    """A group whose mistyped commands are answered with the one that may have been meant.

    Its commands are those that were added, and those of `lazy`, by name and `module:attribute`: these are imported when
    they are called, since reading the leaderboard need not wait for the loaders' libraries. `sections` orders the help.
    """

    lazy: Mapping[str, str] = {}
    sections: Mapping[str, Sequence[str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        ordered = [name for names in self.sections.values() for name in names]
        return [*ordered, *sorted({*self.lazy, *self.commands} - set(ordered))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; imports it if need be."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.lazy[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101  for the type checker
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words name.

        Raises:
            UnknownCommandError: There is none.
        """
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UnknownCommandError(args[0], known, ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command that the words name.

        Raises:
            click.UsageError: The words make no call; its context is that command's, whose help shows what would.
        """
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            # click's parser raises an option without its value without a context
            command = self.get_command(ctx, ctx.invoked_subcommand) if ctx.invoked_subcommand else None
            if error.ctx is None and command is not None:
                error.ctx = click.Context(command, info_name=ctx.invoked_subcommand, parent=ctx)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, section by section."""
        names = self.list_commands(ctx)
        width = max(map(len, names))
        placed = {name for group in self.sections.values() for name in group}
        rest = [name for name in names if name not in placed]
        for title, group in [*self.sections.items(), ("Further commands" if placed else "Commands", rest)]:
            found = [(name, command) for name in group if (command := self.get_command(ctx, name)) is not None]
            if not found:
                continue
            with formatter.section(title):
                # one width for all sections, so that the texts stand below each other; a long one is wrapped, not cut
                formatter.write_dl([(name.ljust(width), text.get_short_help_str(WHOLE)) for name, text in found])
