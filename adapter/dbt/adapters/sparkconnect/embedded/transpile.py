"""Spark SQL to DuckDB: sqlglot, less all that it would guess, plus what it drops or reads otherwise."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from dbt.adapters.sparkconnect.embedded import functions, rewrite
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError, RefusedError, parse_error
from dbt.adapters.sparkconnect.embedded.nodes import OURS, place
from dbt.adapters.sparkconnect.embedded.outline import Outline, outline_of
from sqlglot import Dialect, ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError, UnsupportedError
from sqlglot.tokenizer_core import Token, TokenType

# "databricks", as sqlglot takes every cast of "spark" for a try_cast
_SPARK = Dialect.get_or_raise("databricks")
_TEXTS = frozenset({TokenType.STRING, TokenType.IDENTIFIER, TokenType.RAW_STRING, TokenType.NATIONAL_STRING})
_WORD = re.compile(r"[A-Za-z_]\w*")
PLACEHOLDER = re.compile(r'"?__relation_(\d+)__"?')
#: The mark of a query of a `with` that is a relation as it is.
INLINED = re.compile(r'NOT MATERIALIZED (?=\(SELECT \* FROM "?__relation_(\d+)__"?)')


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, a view or a path that a query reads; `schema` is empty for a temporary view."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Query:
    """A query for DuckDB in which `__relation_<n>__` stands where the n-th relation is read.

    A query of a `with` that is a relation as it is gets `not materialized`: DuckDB would copy all of a table that is
    read twice into memory, with columns and rows that no reader of it uses.
    """

    text: str
    relations: tuple[Relation, ...]
    outline: Outline = field(default=(), compare=False)


@lru_cache(maxsize=512)
def transpiled(statement: str) -> Query:
    """Return a Spark query as DuckDB's.

    Raises:
        RefusedError: It uses a function or a construct that is not known to mean the same.
        EmbeddedError: It cannot be read.
    """
    return query_of(parsed(statement))


def parsed(statement: str) -> exp.Expr:
    """Return a statement's tree, in which every function is one of ours or one that sqlglot reads right."""
    try:
        tokens = _with_whole_texts(_SPARK.tokenize(statement), statement)
        _refuse_unknown_functions(tokens)
        trees = _SPARK.parser(error_level=ErrorLevel.RAISE).parse(
            [_renamed(tokens, at) for at in range(len(tokens))], statement
        )
    except ParseError as exc:
        raise parse_error(exc.errors, statement) from exc
    except TokenError as exc:
        raise EmbeddedError(f"[PARSE_SYNTAX_ERROR] {exc}") from exc
    if len(trees) != 1 or trees[0] is None:
        raise EmbeddedError("[PARSE_SYNTAX_ERROR] there must be one statement")
    return trees[0]


def query_of(tree: exp.Expr) -> Query:
    """Return a query's tree as DuckDB's text; the tree is used up."""
    rewrite.refuse_unknown_nodes(tree)
    relations: list[Relation] = []
    # before the rewriting, which may copy parts of the tree
    for table in list(tree.find_all(exp.Table)):
        _name_relation(table, relations)
    outline = outline_of(tree, {f"__relation_{number}__": number for number in range(len(relations))})
    try:
        text = rewrite.rewritten(tree).sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE, comments=False)
    except UnsupportedError as exc:
        raise RefusedError(f"what sqlglot cannot write for DuckDB ({exc})") from exc
    return Query(text, tuple(relations), outline)


def expression_of(text: str) -> exp.Expr:
    """Return one expression's tree, e.g. a condition."""
    tree = parsed(f"select {text}")
    return cast(exp.Expr, tree.expressions[0])


def _with_whole_texts(tokens: list[Token], statement: str) -> list[Token]:
    """Read `'it''s'` as one text with a quote in it; sqlglot reads two texts."""
    whole: list[Token] = []
    for token in tokens:
        last = whole[-1] if whole else None
        is_one = (
            last is not None
            and last.token_type == token.token_type == TokenType.STRING
            and last.end + 1 == token.start
            and statement[last.end] == statement[token.start]
        )
        if last is None or not is_one:
            whole.append(token)
            continue
        text = f"{last.text}{statement[last.end]}{token.text}"
        whole[-1] = Token(TokenType.STRING, text, last.line, last.col, last.start, token.end, list(last.comments))
    return whole


def _refuse_unknown_functions(tokens: list[Token]) -> None:
    """Look at every word with a bracket after it, as the user wrote it."""
    for at, token in enumerate(tokens[:-1]):
        if not _is_call(tokens, at):
            continue
        word = token.text.lower()
        if word in functions.LENGTH_TYPES:
            raise RefusedError(f"the type {word}(...)", token.line, token.col - len(token.text) + 1, "use string")
        known = word in functions.FUNCTIONS or word in functions.READ_BY_SQLGLOT or word in functions.WORDS
        if known or word in functions.SIZED_TYPES or _is_name_with_columns(tokens, at):
            continue
        raise RefusedError(f"the function {word}", token.line, token.col - len(token.text) + 1)


def _is_call(tokens: list[Token], at: int) -> bool:
    token = tokens[at]
    return (
        token.token_type not in _TEXTS
        and _WORD.fullmatch(token.text) is not None
        and at + 1 < len(tokens)
        and tokens[at + 1].token_type == TokenType.L_PAREN
        # a column of a table: `t.x (` does not occur, `schema.function(` does
        and (at == 0 or tokens[at - 1].token_type != TokenType.DOT)
    )


def _is_name_with_columns(tokens: list[Token], at: int) -> bool:
    """Distinguish `as t(a, b)`, `with t(a, b) as` and `into t (a, b)` from calls."""
    before = tokens[at - 1].text.lower() if at else ""
    if before in {"as", "with", "into", "table"}:
        return True
    # `) t(a, b)` after a subquery
    return before == ")" and tokens[at].token_type == TokenType.VAR


def _renamed(tokens: list[Token], at: int) -> Token:
    """Hide a function of ours from sqlglot, which then keeps its arguments as they are."""
    token = tokens[at]
    if not _is_call(tokens, at):
        return token
    word = token.text.lower()
    if word not in functions.FUNCTIONS or _is_name_with_columns(tokens, at):
        return token
    # `count(*) filter (where ...)`
    if word == "filter" and at + 2 < len(tokens) and tokens[at + 2].token_type == TokenType.WHERE:
        return token
    return Token(TokenType.VAR, OURS + word, token.line, token.col, token.start, token.end, list(token.comments))


def _name_relation(table: exp.Table, relations: list[Relation]) -> None:
    """Put a placeholder where a table, a view or a path is named."""
    if not isinstance(table.this, exp.Identifier):
        rewrite.range_table(table)
        return
    if table.catalog and table.catalog.lower() != "spark_catalog":
        raise RefusedError(f"the catalog {table.catalog}", *place(table))
    schema, name = table.db, table.name
    if not schema and _is_cte(table, name):
        return
    relations.append(Relation(schema.lower() if schema.lower() in {"text"} else schema, name))
    _inline(table)
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    table.set("this", exp.to_identifier(f"__relation_{len(relations) - 1}__"))
    table.set("db", None)
    table.set("catalog", None)


def _inline(table: exp.Table) -> None:
    """Mark the query of a `with` that is `select * from` this table, and no more."""
    select = table.parent.parent if table.parent else None
    if not isinstance(select, exp.Select) or not isinstance(select.parent, exp.CTE):
        return
    given = {name for name, value in select.args.items() if value and name not in ("expressions", "from", "from_")}
    stars = select.expressions
    if not given and not table.args.get("joins") and len(stars) == 1 and _is_plain_star(stars[0]):
        select.parent.set("materialized", False)


def _is_plain_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) and not any(node.args.values())


def _is_cte(table: exp.Table, name: str) -> bool:
    """Return whether a name is that of a query before this one; a query does not see itself."""
    inside: exp.Expr = table
    node = table.parent
    while node is not None:
        with_ = node.args.get("with_") or node.args.get("with")
        before = with_.expressions if isinstance(with_, exp.With) and with_ is not inside else []
        if any(cte.alias.lower() == name.lower() for cte in before):
            return True
        # the queries of a `with` are seen by those after them
        if isinstance(node, exp.With):
            for cte in node.expressions:
                if cte is inside:
                    break
                if cte.alias.lower() == name.lower():
                    return True
        inside, node = node, node.parent
    return False
