"""Which columns every part of a query gives and which names it refers to, as far as its text alone shows."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dbt.adapters.sparkconnect.embedded.nodes import place
from sqlglot import exp

#: Clauses in which Spark looks a name up among the select's own columns first.
_LATE = frozenset({"order", "sort", "having"})
_ELSEWHERE = frozenset({"with_", "from_", "joins", "laterals"})
RELATION, QUERY, UNKNOWN = "relation", "query", ""
STAR, NAME = "*", "name"


class Item(NamedTuple):
    """A column of a select, or all columns of a source.

    Attributes:
        kind: `STAR`, `NAME`, or `UNKNOWN` for columns whose names the text does not give.
        name: Name in lower case; of a star, the source's alias or nothing.
        excepted: Names that a star leaves out.
        column: The reference that is passed on as it is, source and name; none for what is computed.
    """

    kind: str
    name: str = ""
    excepted: tuple[str, ...] = ()
    column: tuple[str, str] | None = None


class Source(NamedTuple):
    """What a select reads; `number` is that of a relation of the query or of a scope before this one."""

    alias: str
    kind: str
    number: int
    names: tuple[str, ...] = ()
    is_filter: bool = False
    is_natural: bool = False
    using: tuple[str, ...] = ()


class Reference(NamedTuple):
    """A name as it is referred to, `first` or `first.second`, in lower case, with its place in the statement."""

    first: str
    second: str
    line: int | None
    column: int | None


class Scope(NamedTuple):
    """One select; or a union, an intersection or a difference, whose columns are those of `same_as`."""

    label: str
    same_as: int = -1
    items: tuple[Item, ...] = ()
    sources: tuple[Source, ...] = ()
    references: tuple[Reference, ...] = ()
    on: tuple[Reference, ...] = ()
    late: tuple[Reference, ...] = ()
    inner: tuple[int, ...] = ()


#: The scopes of a query, each after those that it reads; the last one is the query itself.
Outline = tuple[Scope, ...]
#: Queries that a name stands for, with the names that `with t(a, b)` gives to its columns.
_Known = Mapping[str, tuple[int, tuple[str, ...]]]


def outline_of(tree: exp.Expr, placeholders: Mapping[str, int]) -> Outline:
    """Return a query's outline.

    Args:
        tree: Spark's query, in which placeholders stand for its relations.
        placeholders: Numbers of the relations by their placeholders.
    """
    builder = _Builder(placeholders)
    builder.query(tree, "", {})
    return tuple(builder.scopes)


def as_json(outline: Outline) -> list[Any]:
    """Return an outline for a file of JSON."""
    return [list(scope) for scope in outline]


def from_json(rows: list[Any]) -> Outline:
    """Return the outline of `as_json` again.

    Raises:
        TypeError, ValueError: It is not one.
    """
    return tuple(_scope(*row) for row in rows)


def _scope(
    label: str, same_as: int, items: Any, sources: Any, references: Any, on: Any, late: Any, inner: Any
) -> Scope:
    return Scope(
        label,
        same_as,
        tuple(Item(kind, name, tuple(left_out), tuple(of) if of else None) for kind, name, left_out, of in items),
        tuple(_source(*row) for row in sources),
        tuple(Reference(*row) for row in references),
        tuple(Reference(*row) for row in on),
        tuple(Reference(*row) for row in late),
        tuple(inner),
    )


def _source(alias: str, kind: str, number: int, names: Any, is_filter: bool, is_natural: bool, using: Any) -> Source:
    return Source(alias, kind, number, tuple(names), is_filter, is_natural, tuple(using))


class _Builder:
    """Collects the scopes of one tree."""

    def __init__(self, placeholders: Mapping[str, int]) -> None:
        self.scopes: list[Scope] = []
        self._placeholders = placeholders

    def query(self, node: exp.Expr, label: str, known: _Known) -> int:
        """Add a query; returns its number, or -1 for one that gives unknown columns."""
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            number = self.query(cte.this, cte.alias, known)
            known = {**known, cte.alias.lower(): (number, _listed(cte))}
        if isinstance(node, (exp.Subquery, exp.Paren)):
            return self.query(node.this, label, known)
        if isinstance(node, exp.SetOperation):
            left = self.query(node.this, label, known)
            right = self.query(node.expression, label, known)
            late, inner = self._references(node.args.get("order"), known)
            inner = (*inner, *(side for side in (left, right) if side >= 0))
            return self._add(Scope(label, left, late=late, inner=inner)) if left >= 0 else -1
        if isinstance(node, exp.Select):
            return self._select(node, label, known)
        return -1

    def _add(self, scope: Scope) -> int:
        self.scopes.append(scope)
        return len(self.scopes) - 1

    def _select(self, node: exp.Select, label: str, known: _Known) -> int:
        sources: list[Source] = []
        from_ = node.args.get("from_")
        if from_ is not None:
            self._read(from_.this, None, sources, known)
        joins = node.args.get("joins") or []
        for join in joins:
            self._read(join.this, join, sources, known)
        sources += [Source("", UNKNOWN, -1) for _ in node.args.get("laterals") or []]
        here: list[Reference] = []
        late: list[Reference] = []
        inner: list[int] = []
        for clause, part in node.args.items():
            if clause not in _ELSEWHERE:
                found, queries = self._references(part, known)
                (late if clause in _LATE else here).extend(found)
                inner += queries
        on, queries = self._references([join.args.get("on") for join in joins], known)
        items = tuple(item for part in node.expressions for item in _items(part))
        scope = Scope(label, -1, items, tuple(sources), tuple(here), on, tuple(late), (*inner, *queries))
        return self._add(scope)

    def _read(self, node: exp.Expr, join: exp.Expr | None, sources: list[Source], known: _Known) -> None:
        """Add what a `from` or a `join` names."""
        alias, names = node.alias.lower(), _listed(node)
        source = Source(alias, UNKNOWN, -1)
        if isinstance(node, exp.Table):
            name = node.name.lower()
            if name in self._placeholders:
                source = Source(alias or name, RELATION, self._placeholders[name], names)
            elif name in known:
                number, own = known[name]
                source = Source(alias or name, QUERY if number >= 0 else UNKNOWN, number, names or own)
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
            number = self.query(node, node.alias, known)
            source = Source(alias, QUERY if number >= 0 else UNKNOWN, number, names)
        if join is not None:
            source = source._replace(
                is_filter=str(join.args.get("kind") or "").upper() in {"SEMI", "ANTI"},
                is_natural=str(join.args.get("method") or "").upper() == "NATURAL",
                using=tuple(part.name.lower() for part in join.args.get("using") or ()),
            )
        sources.append(source)
        # `from a join b, c`: the joins of a part of the list
        for further in node.args.get("joins") or ():
            self._read(further.this, further, sources, known)

    def _references(self, part: object, known: _Known) -> tuple[tuple[Reference, ...], tuple[int, ...]]:
        """Return the names in a clause, and the queries in it, whose names are their own."""
        found: list[Reference] = []
        inner: list[int] = []
        for root in part if isinstance(part, list) else [part]:
            if not isinstance(root, exp.Expr):
                continue
            for node in root.walk(prune=lambda one: isinstance(one, exp.Query)):
                if isinstance(node, exp.Query):
                    number = self.query(node, "", known)
                    inner += [number] if number >= 0 else []
                elif isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                    first, second = _named(node)
                    found.append(Reference(first, second, *place(node)))
        return tuple(found), tuple(inner)


def _named(column: exp.Column) -> tuple[str, str]:
    """Return the first two names of `a.b.c` in lower case; an excepted name has the source of its star."""
    parts = [part.name.lower() for part in column.parts]
    star = column.parent
    if isinstance(star, exp.Star) and len(parts) == 1 and isinstance(star.parent, exp.Column):
        parts.insert(0, star.parent.table.lower())
    return parts[0], parts[1] if len(parts) > 1 else ""


def _listed(node: exp.Expr) -> tuple[str, ...]:
    """Return the names of the columns in `as t(a, b)`."""
    alias = node.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.Expr) else None
    return tuple(column.name.lower() for column in columns or ())


def _items(node: exp.Expr) -> list[Item]:
    """Return the columns that an item of a select gives."""
    star = node.this if isinstance(node, exp.Column) else node
    if isinstance(star, exp.Star):
        left_out = tuple(part.name.lower() for part in star.args.get("except_") or ())
        return [Item(STAR, node.table.lower() if isinstance(node, exp.Column) else "", left_out)]
    if isinstance(node, exp.Aliases):
        return [Item(NAME, part.name.lower()) for part in node.expressions]
    if isinstance(node, exp.Alias):
        alias = node.args["alias"]
        if isinstance(alias, exp.Tuple):
            return [Item(NAME, part.name.lower()) for part in alias.expressions]
        return [Item(NAME, alias.name.lower())]
    if isinstance(node, exp.Column):
        parts = [part.name.lower() for part in node.parts]
        # the field of a struct is a column of its own
        column = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1]) if len(parts) == 2 else None
        return [Item(NAME, parts[-1], (), column)]
    if isinstance(node, exp.Dot):
        return [Item(NAME, node.expression.name.lower())]
    if isinstance(node, (exp.Cast, exp.TryCast)) and isinstance(node.this, (exp.Column, exp.Dot)):
        # Spark names a cast of a column as the column
        return [Item(NAME, item.name) for item in _items(node.this)]
    return [Item(UNKNOWN)]
