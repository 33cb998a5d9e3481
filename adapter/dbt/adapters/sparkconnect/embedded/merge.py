"""`merge into`: DuckDB finds what changes, and one Delta commit holds it."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from dbt.adapters.sparkconnect.embedded import transpile
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, RefusedError
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.nodes import place
from dbt.adapters.sparkconnect.embedded.types import quoted
from dbt.adapters.sparkconnect.embedded.writes import Writer
from sqlglot import exp

ACTION = "merge_action"
INSERT, UPDATE, DELETE = "i", "u", "d"


@dataclass(frozen=True, slots=True)
class _Clause:
    """One `when ... then` in DuckDB's words; `values` by the target's column, for rows that stay."""

    action: str
    condition: str
    values: Mapping[str, str]


class Merge:
    """One statement, taken apart."""

    def __init__(self, tree: exp.Merge) -> None:
        self.schema, self.name = tree.this.db, tree.this.name
        source = tree.args["using"]
        self._target_alias = tree.this.alias or tree.this.name
        self._source_alias = source.alias or source.name
        self._on = tree.args["on"]
        self._whens = tree.args["whens"].expressions
        bare = source.copy()
        if isinstance(bare, exp.Table):
            bare.set("alias", None)
        self.source = transpile.query_of(exp.select("*").from_(bare))

    def run(self, lake: Lake, cursor: duckdb.DuckDBPyConnection, writer: Writer, temporary: Mapping[str, str]) -> None:
        """Apply the statement; a merge that changes nothing is no commit."""
        target = lake.snapshot(self.schema, self.name)
        query = lake.resolved(self.source, temporary, becomes=f"the merge into {self.schema}.{self.name}")
        source = cursor.sql(query).to_arrow_table()
        cursor.register("merge_source", source)
        try:
            changes = self._changes(lake, cursor, temporary, target.columns, source.column_names)
            cursor.register("merge_changes", changes)
            try:
                self._apply(cursor, writer, target.select, target.columns, changes)
            finally:
                cursor.unregister("merge_changes")
        finally:
            cursor.unregister("merge_source")

    # ---------------------------------------------------------------- what changes

    def _changes(
        self,
        lake: Lake,
        cursor: duckdb.DuckDBPyConnection,
        temporary: Mapping[str, str],
        columns: Mapping[str, str],
        given: list[str],
    ) -> pa.Table:
        """Return the rows to write, with what to do with each."""
        matched, unmatched = self._clauses(lake, temporary, columns, given)
        target = f"({lake.snapshot(self.schema, self.name).select}) as {quoted(self._target_alias)}"
        source = f"merge_source as {quoted(self._source_alias)}"
        on = self._text(self._on, lake, temporary)
        parts = []
        if matched:
            self._refuse_two_for_one(cursor, source, target, on)
            action = " ".join(
                f"when {clause.condition} then '{clause.action}{at}'" for at, clause in enumerate(matched)
            )
            new = ", ".join(self._new_value(matched, column, kind) for column, kind in columns.items())
            old = ", ".join(f"{self._target(column)} as {quoted('old ' + column)}" for column in columns)
            differs = " or ".join(f"{quoted(column)} is distinct from {quoted('old ' + column)}" for column in columns)
            parts.append(self._matched_rows(target, source, on, action, new, old, differs, columns))
        for at, clause in enumerate(unmatched):
            others = "".join(f" and ({before.condition}) is not true" for before in unmatched[:at])
            values = ", ".join(
                f"cast({clause.values[column]} as {kind}) as {quoted(column)}" for column, kind in columns.items()
            )
            parts.append(
                f"select '{INSERT}' as {ACTION}, {values} from {source} anti join {target} on {on} "
                f"where {clause.condition}{others}"
            )
        return cursor.sql(" union all ".join(parts)).to_arrow_table()

    @staticmethod
    def _matched_rows(
        target: str, source: str, on: str, action: str, new: str, old: str, differs: str, columns: Mapping[str, str]
    ) -> str:
        """Return the query of the matched rows that change."""
        listed = ", ".join(map(quoted, columns))
        joined = f"select case {action} end as {ACTION}, {new}, {old} from {target} join {source} on {on}"
        return (
            f"select left({ACTION}, 1) as {ACTION}, {listed} from ({joined}) "
            f"where {ACTION} is not null and (left({ACTION}, 1) = '{DELETE}' or {differs})"
        )

    def _new_value(self, clauses: list[_Clause], column: str, kind: str) -> str:
        """Return a column's value after the first clause that applies."""
        cases = " ".join(
            f"when {clause.condition} then {clause.values.get(column, self._target(column))}" for clause in clauses
        )
        return f"cast(case {cases} else {self._target(column)} end as {kind}) as {quoted(column)}"

    def _target(self, column: str) -> str:
        return f"{quoted(self._target_alias)}.{quoted(column)}"

    def _refuse_two_for_one(self, cursor: duckdb.DuckDBPyConnection, source: str, target: str, on: str) -> None:
        keys = self._keys()
        if not keys:
            return
        columns = ", ".join(f"{quoted(self._source_alias)}.{quoted(source_key)}" for _, source_key in keys)
        twice = cursor.execute(
            f"select {columns} from {source} semi join {target} on {on} group by {columns} having count(*) > 1 limit 1"
        ).fetchall()
        if twice:
            raise EmbeddedError(
                "[DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE] Cannot perform Merge as multiple source rows "
                f"matched one row of {self.schema}.{self.name}, e.g. for {twice[0]}"
            )

    def _clauses(
        self, lake: Lake, temporary: Mapping[str, str], columns: Mapping[str, str], given: list[str]
    ) -> tuple[list[_Clause], list[_Clause]]:
        matched: list[_Clause] = []
        unmatched: list[_Clause] = []
        for when in self._whens:
            if when.args.get("source"):
                raise RefusedError("`when not matched by source`", *place(when))
            condition = when.args.get("condition")
            text = f"({self._text(condition, lake, temporary)})" if condition is not None else "true"
            then = when.args["then"]
            if not when.args.get("matched"):
                unmatched.append(_Clause(INSERT, text, self._inserted(then, lake, temporary, columns, given)))
            elif isinstance(then, exp.Update):
                matched.append(_Clause(UPDATE, text, self._updated(then, lake, temporary, columns, given)))
            else:
                matched.append(_Clause(DELETE, text, {}))
        return matched, unmatched

    def _updated(
        self, then: exp.Update, lake: Lake, temporary: Mapping[str, str], columns: Mapping[str, str], given: list[str]
    ) -> dict[str, str]:
        sets = then.expressions
        if not isinstance(sets, list) or not sets or isinstance(sets[0], exp.Star):
            return self._all_of_source(columns, given)
        values = {}
        for one in sets:
            values[_known(columns, one.this.name)] = self._text(one.expression, lake, temporary)
        return values

    def _inserted(
        self, then: exp.Expr, lake: Lake, temporary: Mapping[str, str], columns: Mapping[str, str], given: list[str]
    ) -> dict[str, str]:
        names, values = then.this, then.expression
        if names is None or isinstance(names, exp.Star) or values is None:
            return self._all_of_source(columns, given)
        listed = [_known(columns, part.name) for part in names.expressions]
        texts = [self._text(part, lake, temporary) for part in values.expressions]
        if len(listed) != len(texts):
            raise EmbeddedError("[INSERT_COLUMN_ARITY_MISMATCH] a merge inserts as many values as columns")
        found = dict(zip(listed, texts, strict=True))
        return {column: found.get(column, "null") for column in columns}

    def _all_of_source(self, columns: Mapping[str, str], given: list[str]) -> dict[str, str]:
        names = {name.lower(): name for name in given}
        absent = [column for column in columns if column.lower() not in names]
        if absent:
            raise EmbeddedError(
                f"[DELTA_MERGE_UNRESOLVED_EXPRESSION] Cannot resolve {', '.join(absent)} in a merge of all columns: "
                f"the source has {', '.join(given)}"
            )
        return {column: f"{quoted(self._source_alias)}.{quoted(names[column.lower()])}" for column in columns}

    @staticmethod
    def _text(node: exp.Expr, lake: Lake, temporary: Mapping[str, str]) -> str:
        query = lake.resolved(transpile.query_of(exp.select(node.copy())), temporary)
        return query.removeprefix("SELECT ")

    # ---------------------------------------------------------------- how it is written

    def _keys(self) -> list[tuple[str, str]]:
        """Return pairs of equal columns, of the target and of the source, in the condition."""
        parts = self._on.unnest().flatten() if isinstance(self._on.unnest(), exp.And) else [self._on]
        keys = []
        for part in parts:
            part = part.unnest()
            if not (
                isinstance(part, exp.EQ) and isinstance(part.left, exp.Column) and isinstance(part.right, exp.Column)
            ):
                continue
            sides = {part.left.table.lower(): part.left.name, part.right.table.lower(): part.right.name}
            target, source = self._target_alias.lower(), self._source_alias.lower()
            if set(sides) == {target, source}:
                keys.append((sides[target], sides[source]))
        return keys

    def _apply(
        self,
        cursor: duckdb.DuckDBPyConnection,
        writer: Writer,
        select: str,
        columns: Mapping[str, str],
        changes: pa.Table,
    ) -> None:
        counts = dict(cursor.execute(f"select {ACTION}, count(*) from merge_changes group by all").fetchall())
        if not counts:
            return
        if set(counts) == {INSERT}:
            writer.append_rows(self.schema, self.name, changes.drop_columns([ACTION]))
            return
        keys = [_known(columns, key) for key, _ in self._keys()]
        touched = counts.get(UPDATE, 0) + counts.get(DELETE, 0)
        if not keys or self._rows_with(cursor, select, keys) != touched:
            raise RefusedError(
                f"a merge into {self.schema}.{self.name} whose condition does not tell its rows apart",
                fix="join target and source on columns that are unique in the target",
            )
        writer.merge_rows(self.schema, self.name, changes, keys)

    @staticmethod
    def _rows_with(cursor: duckdb.DuckDBPyConnection, select: str, keys: list[str]) -> int:
        """Count the target's rows that have the keys of changed rows; others than those must not be touched."""
        on = " and ".join(f"t.{quoted(key)} = c.{quoted(key)}" for key in keys)
        found = cursor.execute(
            f"select count(*) from ({select}) as t semi join "
            f"(select * from merge_changes where {ACTION} <> '{INSERT}') as c on {on}"
        ).fetchall()
        return int(found[0][0])


def _known(columns: Mapping[str, str], wanted: str) -> str:
    for column in columns:
        if column.lower() == wanted.lower():
            return column
    raise EmbeddedError(f"[UNRESOLVED_COLUMN] no column {wanted} among {', '.join(columns)}")
