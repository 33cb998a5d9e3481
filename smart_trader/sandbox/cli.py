"""`smart-trader sandbox`: the API on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from smart_trader.console import say

HOST = "127.0.0.1"


@click.group()
def sandbox() -> None:
    """A BirdEye-compatible API on this machine, for trying things without a key."""


@sandbox.command()
@click.option(
    "--replay",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with recorded JSON bodies, at any depth.",
)
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535), help="Port on loopback.")
def serve(folder: Path, port: int) -> None:
    """Serve recorded responses until stopped."""
    import uvicorn

    from smart_trader.sandbox.replay import load_recordings
    from smart_trader.sandbox.server import replay_app

    recordings = load_recordings(folder)
    for line in recordings.skipped:
        say(f"skipped {line}")
    swaps = sum(map(len, recordings.swaps.values()))
    holders = sum(map(len, recordings.holders.values()))
    say(
        f"serving {len(recordings.tokens)} tokens, {holders} holders of {len(recordings.holders)} tokens, "
        f"{swaps} swaps of {len(recordings.swaps)} wallets on http://{HOST}:{port}"
    )
    uvicorn.run(replay_app(recordings), host=HOST, port=port, log_level="warning")
