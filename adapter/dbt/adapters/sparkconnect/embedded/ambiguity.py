"""Refuses a name that could be one of two columns, as Spark does; DuckDB takes the first one without a word."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from dbt.adapters.sparkconnect.embedded.outline import (
    NAME,
    QUERY,
    RELATION,
    STAR,
    Item,
    Outline,
    Reference,
    Scope,
    Source,
)

#: How DuckDB names the second of two columns of one name inside a query.
_NUMBERED = re.compile(r"(.+)_\d+")


class Columns:
    """Columns of a relation or a query in their order.

    Args:
        names: Names in lower case; '' where nothing is known.
        origins: Where each comes from. Two columns of one name are one to Spark if one column was selected twice.
    """

    __slots__ = ("ambiguous", "names", "origins", "repeated")

    def __init__(self, names: Sequence[str], origins: Sequence[object] | None = None) -> None:
        self.names = names
        self.origins: Sequence[object] = names
        #: Names that stand there more than once, and those of them that are more than one column.
        self.repeated: frozenset[str] = frozenset()
        self.ambiguous: frozenset[str] = frozenset()
        if len(set(names)) == len(names):
            return
        if origins is not None:
            self.origins = origins
        self.repeated = frozenset(name for name, count in Counter(names).items() if count > 1 and name)
        if self.repeated:
            kinds = Counter(name for name, _ in set(zip(names, self.origins, strict=True)))
            self.ambiguous = frozenset(name for name in self.repeated if kinds[name] > 1)

    @property
    def count(self) -> int | None:
        """How many there are; None where something is not known of them."""
        return len(self.names) if all(self.names) else None


UNKNOWN_COLUMNS = Columns(("",))


def columns_of(outline: Outline, relations: Sequence[Columns], view: str = "") -> Columns:
    """Return the columns of a query, after a look at every name that it refers to.

    Args:
        outline: The query's outline.
        relations: Columns of the relations that it reads.
        view: Name of the view whose query it is, for the message.

    Raises:
        EmbeddedError: A name could be one of two columns.
    """
    return _Look(outline, relations, view).columns()


def refuse_repeated(columns: Columns, what: str) -> None:
    """Refuse a result whose columns must have names of their own.

    Raises:
        EmbeddedError: Two columns have one name.
    """
    if columns.repeated:
        listed = ", ".join(sorted(columns.repeated))
        raise EmbeddedError(f"[COLUMN_ALREADY_EXISTS] the query of {what} gives {listed} twice")


def _selected(scope: Scope, read: Sequence[Columns]) -> Columns:
    """Return the columns that a select gives."""
    names: list[str] = []
    origins: list[object] = []
    for at, item in enumerate(scope.items):
        if item.kind != STAR:
            names.append(item.name)
            origins.append(_origin(item, at, scope.sources, read))
            continue
        for number, merged in _starred(item, scope.sources, read):
            source = read[number]
            hidden = merged.union(item.excepted)
            pairs = zip(source.names, source.origins, strict=True)
            kept = [(name, (number, origin)) for name, origin in pairs if name not in hidden]
            names += [name for name, _ in kept]
            origins += [origin for _, origin in kept]
    return Columns(names, origins)


def _starred(item: Item, sources: Sequence[Source], read: Sequence[Columns]) -> Iterable[tuple[int, frozenset[str]]]:
    """Return the sources of a star, each with the names that a join has merged with columns before."""
    if item.name:
        return [(number, frozenset()) for number, source in enumerate(sources) if source.alias == item.name]
    found = []
    before: set[str] = set()
    for number, source in enumerate(sources):
        if source.is_filter:
            continue
        merged = frozenset(source.using)
        if source.is_natural:
            merged |= before.intersection(read[number].names)
        found.append((number, merged))
        before.update(read[number].names)
    return found


def _origin(item: Item, at: int, sources: Sequence[Source], read: Sequence[Columns]) -> object:
    """Return where an item comes from: a column of a source, or itself."""
    if item.kind == NAME and item.column is not None:
        alias, name = item.column
        for number, source in enumerate(sources):
            names = read[number].names
            if name in names and (source.alias == alias if alias else not source.is_filter):
                return (number, read[number].origins[list(names).index(name)])
    return ("item", at)


class _Look:
    """One look at a query, scope by scope."""

    def __init__(self, outline: Outline, relations: Sequence[Columns], view: str) -> None:
        self._outline = outline
        self._relations = relations
        self._view = view
        self._columns: list[Columns] = []
        self._read: list[list[Columns]] = []

    def columns(self) -> Columns:
        """Return the columns of the last scope, the query itself."""
        for scope in self._outline:
            read = [self._of_source(source) for source in scope.sources]
            columns = self._columns[scope.same_as] if scope.same_as >= 0 else _selected(scope, read)
            self._read.append(read)
            self._columns.append(columns)
            if columns.ambiguous or any(one.repeated for one in read):
                self._refuse(scope, read, columns)
        # what is not a select, e.g. bare values, has no scope of its own
        return self._columns[-1] if self._columns else UNKNOWN_COLUMNS

    def _of_source(self, source: Source) -> Columns:
        if source.names:
            return Columns(source.names, range(len(source.names)))
        if source.kind == RELATION:
            return self._relations[source.number]
        return self._columns[source.number] if source.kind == QUERY else UNKNOWN_COLUMNS

    def _refuse(self, scope: Scope, read: Sequence[Columns], columns: Columns) -> None:
        """Look at the names of one select, and at those of the queries inside it that are not their own."""
        every = list(zip(scope.sources, read, strict=True))
        visible = [pair for pair in every if not pair[0].is_filter]
        for reference in scope.late:
            if reference.second or reference.first not in columns.names:
                self._refuse_ambiguous(reference, visible)
            elif reference.first in columns.ambiguous:
                raise self._ambiguous(reference, scope.label)
        given = {name for _, one in visible for name in one.names}
        for reference in scope.references:
            self._refuse_ambiguous(reference, visible)
            # a name that no source has is that of another item of the select
            if reference.first in columns.ambiguous and reference.first not in given and "" not in given:
                raise self._ambiguous(reference, scope.label)
        for reference in scope.on:
            self._refuse_ambiguous(reference, every)
        for at, source in enumerate(scope.sources):
            for name in source.using:
                self._refuse_ambiguous(Reference(name, "", None, None), every[: at + 1])
        for number in scope.inner:
            for reference in self._outer_references(number):
                self._refuse_ambiguous(reference, visible)

    def _refuse_ambiguous(self, reference: Reference, sources: Sequence[tuple[Source, Columns]]) -> None:
        """Refuse a reference to a name that a source has twice, or that only DuckDB gives to the second of the two."""
        own = [pair for pair in sources if reference.second and pair[0].alias == reference.first]
        name = reference.second if own else reference.first
        candidates = own or sources
        for source, columns in candidates:
            if name in columns.ambiguous:
                raise self._ambiguous(reference, source.alias)
        numbered = _NUMBERED.fullmatch(name)
        is_known = any(name in columns.names or "" in columns.names for _, columns in candidates)
        if numbered and not is_known and any(numbered[1] in columns.repeated for _, columns in candidates):
            raise EmbeddedError(f"[UNRESOLVED_COLUMN] there is no column `{name}`{self._place(reference)}")

    def _outer_references(self, number: int) -> Iterator[Reference]:
        """Return the references of a query inside another one that may name a column of the outer one's sources."""
        scope, read = self._outline[number], self._read[number]
        aliases = {source.alias for source in scope.sources}
        own = {name for columns in read for name in columns.names} | (set(self._columns[number].names) - {""})
        inner = (one for further in scope.inner for one in self._outer_references(further))
        for reference in (*scope.references, *scope.on, *scope.late, *inner):
            is_own = reference.first in own or "" in own
            if not (reference.first in aliases if reference.second else is_own):
                yield reference

    def _ambiguous(self, reference: Reference, source: str) -> EmbeddedError:
        name = ".".join(f"`{part}`" for part in (reference.first, reference.second) if part)
        holder = f"`{source}`" if source else "the query"
        return EmbeddedError(
            f"[AMBIGUOUS_REFERENCE] Reference {name} is ambiguous{self._place(reference)}: {holder} has more than one "
            "column of this name. Rename one of them, or leave it out: * except (...)"
        )

    def _place(self, reference: Reference) -> str:
        place = f" at line {reference.line}, column {reference.column}" if reference.line else ""
        return f"{place} of the view {self._view}" if self._view else place
