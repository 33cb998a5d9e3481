"""The project's documentation as one page: tables, columns and lineage, with the types that the lake's tables have."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_trader.clock import now
from smart_trader.config.schemas import TARGET_VARIABLE, current_target, target_output
from smart_trader.config.settings import ENGINE_VARIABLE, LakehouseSettings, lakehouse_settings
from smart_trader.console import ProgressFn, report_line, show
from smart_trader.lake.private import claim_folder
from smart_trader.lakehouse.session import EMBEDDED, Choice, lake_engine
from smart_trader.pipeline.options import target_option

if TYPE_CHECKING:
    from starlette.applications import Starlette

DEFAULT_PORT = 8080
# dbt's own name for the page that holds all it shows
PAGE = "static_index.html"


@click.command()
@click.option("--no-serve", is_flag=True, help="Write the page and print where it is.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on loopback; 0 takes a free one.",
)
@target_option
def docs(no_serve: bool, port: int) -> None:
    """Write what dbt knows of the tables as one page, and serve it until stopped.

    The page shows each table's columns, code and lineage, and needs no network. No engine but the embedded one is
    needed, and no lake either: what is not built yet has no types.
    """
    page = write_docs(lakehouse_settings(), report_line)
    if no_serve:
        show(str(page))
        return
    serve_docs(page, port, report_line)


def write_docs(machine: LakehouseSettings, progress: ProgressFn) -> Path:
    """Write the page; nothing of the lake is changed, and a run may go on meanwhile.

    Args:
        machine: Names the lake whose tables are shown.
        progress: Takes progress lines.

    Returns:
        The page, in the lake's own folder.

    Raises:
        SmartTraderError: dbt cannot read the project, or the lake.
    """
    from smart_trader.pipeline.dbt import Builds

    _choose_embedded_target()
    claim_folder(machine.paths.home)
    folder = machine.paths.home / "dbt-target" / "docs"
    with lake_engine(machine, progress, Choice(EMBEDDED, "documentation needs no server")) as engine:
        run_id = f"docs-{uuid.uuid4().hex[:6]}"
        builds = Builds(machine.paths, engine, now().isoformat(), run_id, {}, progress, folder)
        progress("writing the documentation")
        builds.write_docs()
    return folder / PAGE


def _choose_embedded_target() -> None:
    """Take the target of the same tables whose engine is in this process, where the current one needs a server."""
    output = target_output(current_target(), {ENGINE_VARIABLE: EMBEDDED})
    if output.get("method") != EMBEDDED:
        os.environ[TARGET_VARIABLE] = EMBEDDED


def serve_docs(page: Path, port: int, progress: ProgressFn) -> None:
    """Serve the page on loopback until the process is stopped.

    Args:
        page: From `write_docs`.
        port: 0 takes a free one.
        progress: Takes the address.

    Raises:
        SmartTraderError: The port is taken.
    """
    from smart_trader.sandbox.running import serve_until_stopped

    serve_until_stopped(make_app(page), port, lambda url: progress(f"documentation on {url}; Ctrl-C ends it"))


def make_app(page: Path) -> Starlette:
    """Return what serves the page and nothing else of its folder."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import FileResponse
    from starlette.routing import Route

    from smart_trader.sandbox.running import HOST

    async def answer(_: Request) -> FileResponse:
        return FileResponse(page)

    # a page from elsewhere whose name leads to this machine gets no answer
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=[Route("/", answer)], middleware=[hosts])
