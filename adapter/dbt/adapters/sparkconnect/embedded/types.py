"""One type in three spellings: Spark's, Delta's and DuckDB's."""

import re
from typing import Any

from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from deltalake.schema import ArrayType, Field, MapType, PrimitiveType, StructType, VariantType

# Delta's name -> (Spark's, DuckDB's)
_PRIMITIVE = {
    "string": ("string", "VARCHAR"),
    "long": ("bigint", "BIGINT"),
    "integer": ("int", "INTEGER"),
    "short": ("smallint", "SMALLINT"),
    "byte": ("tinyint", "TINYINT"),
    "double": ("double", "DOUBLE"),
    "float": ("float", "FLOAT"),
    "boolean": ("boolean", "BOOLEAN"),
    "timestamp": ("timestamp", "TIMESTAMP WITH TIME ZONE"),
    "timestamp_ntz": ("timestamp_ntz", "TIMESTAMP"),
    "date": ("date", "DATE"),
    "binary": ("binary", "BLOB"),
}
_OF_SPARK = {spark: delta for delta, (spark, _) in _PRIMITIVE.items()} | {
    "long": "long", "integer": "integer", "short": "short", "byte": "byte", "real": "float",
    "timestamp_ltz": "timestamp",
}  # fmt: skip
_OF_DUCKDB = {duck: delta for delta, (_, duck) in _PRIMITIVE.items()} | {
    # sums of integers, and positions in lists; Spark has a bigint for all of them
    "HUGEINT": "long",
    # what to_json returns is a text to Spark
    "JSON": "string",
    "UBIGINT": "long",
    "UINTEGER": "long",
    "USMALLINT": "integer",
    "UTINYINT": "short",
}
_DECIMAL = re.compile(r"(?:decimal|dec|numeric)(?:\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")

Type = PrimitiveType | ArrayType | MapType | StructType | VariantType


def spark_name(kind: Type) -> str:
    """Return a Delta type as Spark's DESCRIBE shows it."""
    if isinstance(kind, ArrayType):
        return f"array<{spark_name(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"map<{spark_name(kind.key_type)},{spark_name(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"struct<{','.join(f'{field.name}:{spark_name(field.type)}' for field in kind.fields)}>"
    if isinstance(kind, VariantType):
        return "variant"
    return _PRIMITIVE[kind.type][0] if kind.type in _PRIMITIVE else kind.type


def duckdb_name(kind: Type) -> str:
    """Return a Delta type as DuckDB writes it.

    Raises:
        EmbeddedError: DuckDB has no such type.
    """
    if isinstance(kind, ArrayType):
        return f"{duckdb_name(kind.element_type)}[]"
    if isinstance(kind, MapType):
        return f"MAP({duckdb_name(kind.key_type)}, {duckdb_name(kind.value_type)})"
    if isinstance(kind, StructType):
        return f"STRUCT({', '.join(f'{quoted(field.name)} {duckdb_name(field.type)}' for field in kind.fields)})"
    if isinstance(kind, PrimitiveType) and kind.type in _PRIMITIVE:
        return _PRIMITIVE[kind.type][1]
    if isinstance(kind, PrimitiveType) and kind.type.startswith("decimal"):
        return kind.type.upper()
    raise EmbeddedError(f"`method: embedded` does not know the type {spark_name(kind)}")


def of_duckdb(kind: Any, column: str) -> Type:
    """Return the type that Spark would write for a column of a DuckDB result.

    Args:
        kind: The column's `DuckDBPyType`.
        column: Its name, for the error.

    Raises:
        EmbeddedError: A table cannot have such a column.
    """
    if kind.id == "decimal":
        sizes = dict(kind.children)
        return PrimitiveType(f"decimal({sizes['precision']},{sizes['scale']})")
    if kind.id in ("list", "array"):
        return ArrayType(of_duckdb(dict(kind.children)["child"], column), contains_null=True)
    if kind.id == "map":
        parts = dict(kind.children)
        return MapType(of_duckdb(parts["key"], column), of_duckdb(parts["value"], column), value_contains_null=True)
    if kind.id == "struct":
        return StructType([Field(name, of_duckdb(part, column), nullable=True) for name, part in kind.children])
    if str(kind) in _OF_DUCKDB:
        return PrimitiveType(_OF_DUCKDB[str(kind)])
    if "NULL" in str(kind):
        raise EmbeddedError(f"the column {column} is null and has no type; write cast(null as ...)")
    raise EmbeddedError(f"`method: embedded` cannot write the column {column}: Spark has no type for DuckDB's {kind}")


def of_spark(text: str) -> Type:
    """Return the Delta type of a type in Spark's DDL, primitive ones alone.

    Raises:
        EmbeddedError: The type is not known here.
    """
    word = " ".join(text.lower().split())
    sizes = _DECIMAL.fullmatch(word)
    if sizes:
        return PrimitiveType(f"decimal({sizes[1] or 10},{sizes[2] or 0})")
    if word in _OF_SPARK:
        return PrimitiveType(_OF_SPARK[word])
    raise EmbeddedError(f"`method: embedded` does not know the type {text}")


def quoted(name: str) -> str:
    """Return a name as an identifier of DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """Return a text as a literal of DuckDB."""
    return "'" + value.replace("'", "''") + "'"
