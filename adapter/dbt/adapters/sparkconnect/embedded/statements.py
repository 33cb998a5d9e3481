"""The statements that dbt-spark's macros send, each done on the lake."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
from dbt.adapters.sparkconnect.embedded import transpile
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, RefusedError, RelationNotFoundError, moved_down
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.merge import Merge
from dbt.adapters.sparkconnect.embedded.types import quoted, spark_name
from dbt.adapters.sparkconnect.embedded.views import View
from dbt.adapters.sparkconnect.embedded.writes import TableSettings, Writer, typed_columns
from sqlglot import exp

WAREHOUSE = "spark.sql.warehouse.dir"
NAME = r"(?:`?spark_catalog`?\.)?(?:`(?P<schema1>[^`]+)`\.|(?P<schema2>\w+)\.)?(?:`(?P<name1>[^`]+)`|(?P<name2>\w+))"
_TEXT = r"'(?P<text>(?:\\.|[^'\\])*)'"

Answer = tuple[list[str], list[tuple[Any, ...]]]
NOTHING: Answer = ([], [])


def _named(found: re.Match[str]) -> tuple[str, str]:
    return found["schema1"] or found["schema2"] or "", found["name1"] or found["name2"]


class Statements:
    """Runs one session's statements that are no plain queries."""

    def __init__(self, lake: Lake, cursor: duckdb.DuckDBPyConnection, temporary: dict[str, str]) -> None:
        self._lake = lake
        self._cursor = cursor
        self._temporary = temporary
        self._writer = Writer(lake, cursor)
        # DuckDB's text and the columns of temporary views as they were bound
        self._bound: dict[str, tuple[str, list[tuple[str, Any]]]] = {}

    def run(self, sql: str) -> Answer | None:
        """Do a statement and return its rows, or None if it is a query.

        A view keeps Spark's variable for the root, so that it holds on the other engine, and in a lake that was moved.
        """
        found = _CREATE_VIEW.match(sql)
        if found:
            self._create_view(sql, found)
            return NOTHING
        sql = self._lake.filled(sql)
        for pattern, method in _SHAPES:
            found = pattern.match(sql)
            if found:
                answer: Answer | None = method(self, sql, found)
                return NOTHING if answer is None else answer
        if not _QUERY.match(sql):
            raise RefusedError(f"the statement {' '.join(sql.split()[:3])} ...", 1, 1)
        return None

    # ---------------------------------------------------------------- session and schemas

    def _set(self, sql: str, found: re.Match[str]) -> Answer:
        key, value = found["key"], found["value"]
        return ["key", "value"], [(key, self._lake.root if key == WAREHOUSE else value or "<undefined>")]

    def _use(self, sql: str, found: re.Match[str]) -> None:
        """Nothing to do: every name that dbt sends has its schema."""

    def _create_schema(self, sql: str, found: re.Match[str]) -> None:
        self._lake.storage.make_schema(found["schema"])

    def _drop_schema(self, sql: str, found: re.Match[str]) -> None:
        self._lake.drop_schema(found["schema"])

    def _show_schemas(self, sql: str, found: re.Match[str]) -> Answer:
        return ["namespace"], [(schema,) for schema in self._lake.schemas()]

    def _show_tables(self, sql: str, found: re.Match[str]) -> Answer:
        wanted = _like_pattern(found["pattern"])
        rows = [
            (found["schema"], name, False)
            for name, _ in self._lake.relations(found["schema"])
            if wanted.fullmatch(name)
        ]
        return ["namespace", "tableName", "isTemporary"], rows

    def _show_extended(self, sql: str, found: re.Match[str]) -> Answer:
        schema, wanted = found["schema"], _like_pattern(found["pattern"])
        rows = []
        for name, is_view in self._lake.relations(schema):
            if wanted.fullmatch(name):
                rows.append((schema, name, False, self._information(schema, name, is_view)))
        return ["namespace", "tableName", "isTemporary", "information"], rows

    def _information(self, schema: str, name: str, is_view: bool) -> str:
        """Return the text from which dbt-spark reads type, format and columns."""
        head = f"Database: {schema}\nTable: {name}\nOwner: \nType: {'VIEW' if is_view else 'MANAGED'}\n"
        if not is_view:
            head += "Provider: delta\n"
        try:
            columns = self.columns(schema, name)
        except (EmbeddedError, duckdb.Error):
            # a view over a table that is gone is still a view
            columns = []
        listed = "".join(f" |-- {column}: {kind} (nullable = true)\n" for column, kind, _ in columns)
        return f"{head}Schema: root\n{listed}"

    def _show_properties(self, sql: str, found: re.Match[str]) -> Answer:
        snapshot = self._lake.snapshot(*_named(found))
        return ["key", "value"], sorted(snapshot.delta.metadata().configuration.items())

    def _describe_history(self, sql: str, found: re.Match[str]) -> Answer:
        history = self._lake.snapshot(*_named(found)).delta.history()
        rows = [(entry.get("version"), entry.get("timestamp"), None, None, entry.get("operation")) for entry in history]
        return ["version", "timestamp", "userId", "userName", "operation"], rows

    def _describe(self, sql: str, found: re.Match[str]) -> Answer:
        schema, name = _named(found)
        rows: list[tuple[Any, ...]] = list(self.columns(schema, name))
        if found["extended"] and schema:
            is_view = not self._lake.is_table(schema, name)
            rows += [
                ("", "", ""),
                ("# Detailed Table Information", "", ""),
                ("Database", schema, ""),
                ("Table", name, ""),
            ]
            rows += [("Type", "VIEW" if is_view else "MANAGED", ""), ("Provider", "" if is_view else "delta", "")]
        return ["col_name", "data_type", "comment"], rows

    def columns(self, schema: str, name: str) -> list[tuple[str, str, str | None]]:
        """Return names, Spark's types and comments of a table's or view's columns."""
        view = self._lake.views().get(f"{schema}.{name}") if schema else None
        text = view.sql if view else self._temporary.get(name.lower()) if not schema else None
        if text is None:
            if not schema:
                raise RelationNotFoundError(name)
            kept = self._lake.kept(schema, name)
            if kept:
                return [(column, _shown(kind), None) for column, kind in _described(self._cursor.sql(kept))]
            fields = self._lake.snapshot(schema, name).delta.schema().fields
            return [(field.name, spark_name(field.type), (field.metadata or {}).get("comment")) for field in fields]
        resolved = self._lake.resolved(self._lake.filled(text), self._temporary)
        bound, described = self._bound.get("" if schema else name.lower(), ("", []))
        if bound != resolved:
            described = _described(self._cursor.sql(resolved))
        comments = view.columns if view else {}
        return [(column, _shown(kind), comments.get(column.lower())) for column, kind in described]

    # ---------------------------------------------------------------- views

    def _create_view(self, sql: str, found: re.Match[str]) -> None:
        schema, name = _named(found)
        body = sql[found.end() :].strip()
        # bound now, so that a mistake is found where it was made
        try:
            text = self._lake.resolved(self._lake.filled(body), self._temporary, becomes=f"the view {name}")
        except EmbeddedError as exc:
            exc.args = (moved_down(str(exc), sql[: sql.rindex(body)].count("\n")),)
            raise
        relation = self._cursor.sql(text)
        if found["temporary"]:
            self._temporary[name.lower()] = body
            # dbt requests them at once, and binding a long query costs more than a small lake's answer
            self._bound[name.lower()] = (text, _described(relation))
            return
        if not schema:
            raise RefusedError("a view without a schema", 1, 1)
        columns = {
            part["column"].lower(): _unescape(part["text"]) for part in _COLUMN_COMMENT.finditer(found["columns"] or "")
        }
        comment = _unescape(found["text"]) if found["text"] is not None else None
        self._lake.save_view(schema, name, View(body, comment, columns))

    def _drop(self, sql: str, found: re.Match[str]) -> None:
        schema, name = _named(found)
        if not schema:
            self._temporary.pop(name.lower(), None)
            self._bound.pop(name.lower(), None)
            return
        is_view = found["kind"].lower() == "view"
        if is_view and self._lake.is_table(schema, name):
            raise EmbeddedError(f"[EXPECT_VIEW_NOT_TABLE] `{schema}`.`{name}` is a table; drop table it")
        was_view = self._lake.drop_view(schema, name)
        if not is_view:
            self._lake.release(schema, name)
            self._writer.drop(schema, name)
        elif not was_view and not found["exists"]:
            raise RelationNotFoundError(f"{schema}.{name}")

    # ---------------------------------------------------------------- tables

    def _create_table(self, sql: str, found: re.Match[str]) -> None:
        tree = transpile.parsed(sql)
        if not isinstance(tree, exp.Create):
            raise RefusedError("this form of create table", 1, 1)
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        schema, name = target.db, target.name
        exists = self._lake.is_table(schema, name)
        if exists and tree.args.get("exists"):
            return
        if exists and not tree.args.get("replace"):
            raise EmbeddedError(f"[TABLE_OR_VIEW_ALREADY_EXISTS] `{schema}`.`{name}` exists already")
        settings = _settings(tree)
        if tree.expression is not None:
            query = transpile.query_of(tree.expression)
            text = self._lake.resolved(query, self._temporary, becomes=f"the table {schema}.{name}")
            self._writer.replace(schema, name, text, settings)
        elif isinstance(tree.this, exp.Schema):
            columns = [(column.name, column.args["kind"].sql("databricks")) for column in tree.this.expressions]
            self._writer.create_empty(schema, name, columns, settings)
        else:
            # `create table .. location`: the folder is the catalog, so a table that is not there cannot be registered
            raise RelationNotFoundError(f"{schema}.{name}")

    def _insert(self, sql: str, found: re.Match[str]) -> None:
        body = sql[found.end() :].strip()
        if body[:6].lower() == "values":
            body = f"select * from {body}"
        columns = [part.strip(" `\n") for part in found["columns"].split(",")] if found["columns"] else None
        schema, name = _named(found)
        rows = self._lake.statement(body, self._temporary)
        if found["what"].lower() == "overwrite":
            if columns is not None:
                raise RefusedError("insert overwrite of named columns", 1, 1)
            self._writer.overwrite(schema, name, rows.text, rows.columns.count)
            return
        self._writer.append(schema, name, rows.text, columns, rows.columns.count)

    def _merge(self, sql: str, found: re.Match[str]) -> None:
        tree = transpile.parsed(sql)
        if not isinstance(tree, exp.Merge):
            raise RefusedError("this form of merge", 1, 1)
        Merge(tree).run(self._lake, self._cursor, self._writer, self._temporary)

    def _delete(self, sql: str, found: re.Match[str]) -> None:
        schema, name = _named(found)
        snapshot = self._lake.snapshot(schema, name)
        condition = self._condition(sql[found.end() :])
        affected = f"select 1 from ({snapshot.select}) where ({condition}) limit 1"
        if not self._cursor.execute(affected).fetchall():
            return
        self._writer.rewrite(schema, name, f"select * from ({snapshot.select}) where ({condition}) is not true")

    def _update(self, sql: str, found: re.Match[str]) -> None:
        tree = transpile.parsed(sql)
        schema, name = tree.this.db, tree.this.name
        snapshot = self._lake.snapshot(schema, name)
        where = tree.args.get("where")
        condition = self._expression(where.this) if where is not None else "true"
        new = {one.this.name.lower(): self._expression(one.expression) for one in tree.expressions}
        unknown = set(new) - {column.lower() for column in snapshot.columns}
        if unknown:
            raise EmbeddedError(f"[UNRESOLVED_COLUMN] no column {', '.join(sorted(unknown))} in {schema}.{name}")
        columns = []
        for column, kind in snapshot.columns.items():
            value = f"case when {condition} then {new.get(column.lower())} else {quoted(column)} end"
            columns.append(f"cast({value} as {kind}) as {quoted(column)}" if column.lower() in new else quoted(column))
        self._writer.rewrite(schema, name, f"select {', '.join(columns)} from ({snapshot.select})")

    def _condition(self, rest: str) -> str:
        where = re.match(r"(?is)\s*where\b(?P<condition>.*)$", rest)
        return self._expression(transpile.expression_of(where["condition"])) if where else "true"

    def _expression(self, node: exp.Expr) -> str:
        return self._lake.resolved(transpile.query_of(exp.select(node.copy())), self._temporary).removeprefix("SELECT ")

    # ---------------------------------------------------------------- alter table

    def _alter(self, sql: str, found: re.Match[str]) -> None:
        schema, name = _named(found)
        rest = sql[found.end() :].strip()
        for pattern, method in _CHANGES:
            change = pattern.match(rest)
            if change:
                method(self, schema, name, change)
                return
        raise RefusedError(f"alter table ... {' '.join(rest.split()[:3])}", 1, 1)

    def _add_columns(self, schema: str, name: str, found: re.Match[str]) -> None:
        listed = found["columns"].strip()
        listed = listed[1:-1] if listed.startswith("(") else listed
        columns = [(part["column"], part["type"]) for part in _COLUMN_TYPE.finditer(listed)]
        self._writer.add_columns(schema, name, columns)

    def _comment_column(self, schema: str, name: str, found: re.Match[str]) -> None:
        self.comment_columns(schema, name, {found["column"]: _unescape(found["text"])})

    def comment_columns(self, schema: str, name: str, comments: dict[str, str]) -> None:
        """Set descriptions of a table's columns, in one commit and only if one differs."""
        self._writer.comment_columns(schema, name, comments)

    def _add_constraint(self, schema: str, name: str, found: re.Match[str]) -> None:
        condition = found["condition"].strip()
        text = self._expression(transpile.expression_of(condition))
        self._writer.add_constraint(schema, name, found["constraint"].strip("`"), condition, text)

    def _set_properties(self, schema: str, name: str, found: re.Match[str]) -> None:
        pairs = re.findall(r"['\"]?([\w.]+)['\"]?\s*=\s*'([^']*)'", found["properties"])
        self._writer.set_properties(schema, name, dict(pairs))


def _settings(tree: exp.Create) -> TableSettings:
    """Return what a `create table` sets besides its query; what is not known is refused."""
    comment, properties, partitions = None, {}, []
    listed = tree.args.get("properties")
    for part in listed.expressions if listed else []:
        if isinstance(part, exp.SchemaCommentProperty):
            comment = part.this.name
        elif isinstance(part, exp.FileFormatProperty):
            if part.this.name.lower() != "delta":
                raise RefusedError(f"the table format {part.this.name}", fix="set `file_format: delta`")
        elif isinstance(part, exp.PartitionedByProperty):
            partitions = [column.name for column in part.this.expressions]
        elif isinstance(part, exp.LocationProperty):
            raise RefusedError("a location for a table", fix="tables lie in the lake as schema/name")
        elif type(part) is exp.Property:
            properties[part.name] = part.args["value"].name
        else:
            raise RefusedError(f"{type(part).__name__} of a table")
    if listed is None or not any(isinstance(part, exp.FileFormatProperty) for part in listed.expressions):
        raise RefusedError("a table without a format", fix="set `file_format: delta`")
    return TableSettings(comment, properties, partitions)


def _described(relation: duckdb.DuckDBPyRelation) -> list[tuple[str, Any]]:
    try:
        return list(typed_columns(relation))
    except EmbeddedError:
        # a view may have a column of no type, or of one that a table cannot have
        return [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]


def _shown(kind: Any) -> str:
    if isinstance(kind, str):
        return "void" if "NULL" in kind else kind.lower()
    return spark_name(kind)


def _like_pattern(pattern: str | None) -> re.Pattern[str]:
    """Return Spark's pattern of names, in which * is anything and | is or."""
    parts = [re.escape(part).replace(r"\*", ".*") for part in (pattern or "*").split("|")]
    return re.compile("|".join(parts), re.IGNORECASE)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s+").replace("<>", r"\s*"), re.IGNORECASE | re.DOTALL)


_QUERY = re.compile(r"[\s(]*(?:select|with|values|from)\b", re.IGNORECASE)
_SCHEMA = r"`?(?P<schema>\w+)`?"
_COLUMN_COMMENT = re.compile(rf"`?(?P<column>\w+)`?\s+comment\s+{_TEXT}", re.IGNORECASE)
_COLUMN_TYPE = re.compile(r"`?(?P<column>\w+)`?\s+(?P<type>\w+(?:\s*\([\d,\s]+\))?)")
_LIKE = r"(?: like<>'(?P<pattern>[^']*)')?"
_VIEW_COLUMNS = r"(?:<>\((?P<columns>(?:'(?:\\.|[^'\\])*'|[^')])*)\))?"

_CREATE_VIEW = _shape(
    rf"create or replace(?P<temporary> temporary)? view {NAME}{_VIEW_COLUMNS}(?:<>comment<>{_TEXT})?<>as\b"
)

_Method = Callable[[Statements, str, re.Match[str]], Any]
_SHAPES: Sequence[tuple[re.Pattern[str], _Method]] = (
    (_shape(r"set (?P<key>[\w.:]+)(?:<>=<>(?P<value>.*))?$"), Statements._set),
    (_shape(r"use "), Statements._use),
    (_shape(rf"create (?:schema|database)(?: if not exists)? {_SCHEMA}"), Statements._create_schema),
    (_shape(rf"drop (?:schema|database)(?: if exists)? {_SCHEMA}"), Statements._drop_schema),
    (_shape(r"show (?:databases|schemas)"), Statements._show_schemas),
    (_shape(rf"show tables in {_SCHEMA}{_LIKE}"), Statements._show_tables),
    (_shape(rf"show table extended in {_SCHEMA}{_LIKE}"), Statements._show_extended),
    (_shape(rf"show tblproperties {NAME}"), Statements._show_properties),
    (_shape(rf"desc(?:ribe)? history {NAME}"), Statements._describe_history),
    (_shape(rf"desc(?:ribe)?(?: table)?(?P<extended> extended| formatted)? {NAME}\s*$"), Statements._describe),
    (_shape(rf"drop (?P<kind>view|table)(?P<exists> if exists)? {NAME}"), Statements._drop),
    (_shape(r"create (?:or replace )?table "), Statements._create_table),
    (
        _shape(rf"insert (?P<what>into|overwrite)(?: table)? {NAME}(?:<>\((?P<columns>[\w`,\s]+)\))?(?=\W)"),
        Statements._insert,
    ),
    (_shape(r"merge into "), Statements._merge),
    (_shape(rf"delete from {NAME}"), Statements._delete),
    (_shape(r"update "), Statements._update),
    (_shape(rf"alter table {NAME} "), Statements._alter),
)

_Change = Callable[[Statements, str, str, re.Match[str]], Any]
_CHANGES: Sequence[tuple[re.Pattern[str], _Change]] = (
    (_shape(r"add columns?<>(?P<columns>.+)$"), Statements._add_columns),
    (_shape(rf"(?:change|alter) column `?(?P<column>\w+)`? comment<>{_TEXT}<>$"), Statements._comment_column),
    (_shape(r"add constraint (?P<constraint>`?\w+`?)<>check<>\((?P<condition>.*)\)<>$"), Statements._add_constraint),
    (_shape(r"set tblproperties<>\((?P<properties>.*)\)<>$"), Statements._set_properties),
)
