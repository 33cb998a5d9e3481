"""Carries a lake's tables over to the names that this project gives them, with all that was computed in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc
import pyarrow.fs
from deltalake import write_deltalake

from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location, is_remote, storage_options
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.fingerprints import ProjectCode
from smart_trader.pipeline.stamps import Nodes, Stamp

# Silver's tables by their earlier names. A snapshot keeps a column for ever, so one has to be renamed in it.
TABLES = {
    "swap_loads": "swap_load_batches",
    "wallet_calculations": "pnl_due_wallets",
    "pnl_calculations": "pnl_history",
}
FOLDED = "wallet_totals"
VIEWS = {"landed_loads": "complete_loads", "landed_fetches": "fetch_attempts", "fetches": "fetch_status"}
COLUMNS = {("snapshots", "tracked_whales_history"): {"too_active": "is_too_active"}}
MODELS = {**TABLES, **VIEWS}
# The `ProjectCode.formula_code` that makes the figures of the code with the earlier names. Under any other, what such a
# lake holds is computed again. It marks by prices that are looked up as well, of which such a lake has none.
SAME_FIGURES = "a01220115e34"  # pragma: allowlist secret


def move_tables(lake: Lake, progress: ProgressFn) -> None:
    """Give tables their present names; a move that was cut short goes on.

    A folder moves at once. A store copies objects first: files of Delta never change, so that copying some of them
    again changes nothing, and the earlier table goes last.

    Raises:
        SmartTraderError: Both names are tables of their own.
    """
    for before, now in TABLES.items():
        source, target = lake.location("silver", before), lake.location("silver", now)
        if not _is_there(source):
            continue
        _ensure_same(source, target)
        files, path = arrow_location(source)
        _, to = arrow_location(target)
        if is_remote(source):
            pyarrow.fs.copy_files(path, to, files, files)
            files.delete_dir(path)
        else:
            files.move(path, to)
        progress(f"silver.{before}: now silver.{now}")
    folded = lake.location("silver", FOLDED)
    if _is_there(folded):
        files, path = arrow_location(folded)
        files.delete_dir(path)
        progress(f"silver.{FOLDED}: gone, its sums are made within silver.{TABLES['pnl_calculations']}")


def rename_columns(lake: Lake) -> None:
    """Give columns of histories their present names, each table in one commit."""
    for (schema, name), columns in COLUMNS.items():
        if not lake.has(schema, name):
            continue
        found = lake.delta(schema, name).schema().to_arrow()
        if not any(field in columns for field in found.names):
            continue
        rows = lake.read(schema, name)
        renamed = rows.rename_columns([columns.get(column, column) for column in rows.column_names])
        location = lake.location(schema, name)
        write_deltalake(
            location, renamed, mode="overwrite", schema_mode="overwrite", storage_options=storage_options(location)
        )


def carry_marks(lake: Lake, nodes: Mapping[str, Any], overrides: Mapping[str, Any], progress: ProgressFn) -> None:
    """Note that the tables hold what the present code makes of their rows, so that nothing is computed a second time.

    The names are all that differs: same rows, same figures. Each table is still built once more, which appends nothing
    to it. Where a seed was edited since, or the formula itself is another by now, everything is left to the next run.

    Args:
        lake: The lake.
        nodes: dbt's nodes of the project.
        overrides: Vars of the run that upgrades.
        progress: Takes progress lines.
    """
    code, state = ProjectCode.read(overrides), BuildState(lake)
    present, built = Nodes(nodes, code), state.stamps()
    # a seed that such a lake does not have came later, and none of its figures stands on it
    seeds = present.keys("seed") & built.keys()
    is_same = code.formula_code == SAME_FIGURES and bool(seeds)
    is_same = is_same and all(built[key].own == present.stamps[key].own for key in seeds)
    if not is_same:
        progress("a seed or the formula is another than this lake was built by: the next run computes it again")
        return
    earlier = {now: before for before, now in MODELS.items()}
    carried = {}
    for key, stamp in present.stamps.items():
        name = present.name(key)
        known = built.get(key.removesuffix(name) + earlier.get(name, name))
        if known is not None:
            carried[key] = Stamp(known.own, known.build, stamp.rows)
    state.mark_stamps(carried)
    _carry_versions(lake, code.formula_version)


def _carry_versions(lake: Lake, version: str) -> None:
    """Name the present version in the wallets whose newest calculation is by the version that the lake was built by."""
    if not lake.has("silver", "pnl_due_wallets"):
        return
    table = lake.delta("silver", "pnl_due_wallets")
    if "code_version" not in table.schema().to_arrow().names:
        return
    rows = lake.read("silver", "pnl_due_wallets", ["calculation_date", "code_version"])
    if not rows.num_rows:
        return
    newest = rows.filter(pc.equal(rows["calculation_date"], pc.max(rows["calculation_date"])))
    made_by = pc.unique(newest["code_version"].drop_null())
    if len(made_by) == 1 and made_by[0].as_py() != version:
        table.update(updates={"code_version": f"'{version}'"}, predicate=f"code_version = '{made_by[0].as_py()}'")


def _ensure_same(source: str, target: str) -> None:
    """Refuse two tables of both names.

    Raises:
        SmartTraderError: They are.
    """
    if _is_there(target) and (not is_remote(source) or _first_commit(source) not in (None, _first_commit(target))):
        raise SmartTraderError(
            f"{source} and {target} are both tables, and the second is the first one's present name",
            "an earlier version of the project has written to this lake after its upgrade began: move the one away "
            "that holds fewer rows, then run smart-trader upgrade",
        )


def _first_commit(location: str) -> bytes | None:
    files, path = arrow_location(f"{location}/_delta_log/{0:020}.json")
    try:
        with files.open_input_stream(path) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None


def _is_there(location: str) -> bool:
    files, path = arrow_location(location)
    return bool(files.get_file_info(path).type != pyarrow.fs.FileType.NotFound)
