"""Writes what a Python model returned, in one atomic step where the table format has one."""

from collections.abc import Mapping, Sequence
from typing import Any

# formats whose tables Spark can replace in one commit that keeps their history
ATOMIC_FORMATS = frozenset({"delta", "iceberg"})


def write_table(
    session: Any,
    result: Any,
    name: str,
    *,
    file_format: str = "delta",
    partition_by: Sequence[str] = (),
    properties: Mapping[str, str] | None = None,
) -> None:
    """Create a table from a model's result, or replace the one that is there.

    Args:
        session: The model's Spark Connect session.
        result: What `model()` returned.
        name: Name of the table, with its schema.
        file_format: Table format; only Delta and Iceberg are replaced atomically.
        partition_by: Columns to partition by.
        properties: Table properties; `comment` and `location` are understood by Spark itself.
    """
    frame = with_plain_strings(as_spark_frame(session, result))
    writer = frame.writeTo(name).using(file_format)
    if partition_by:
        writer = writer.partitionedBy(*[frame[column] for column in partition_by])
    for key, value in (properties or {}).items():
        writer = writer.tableProperty(key, value)
    if file_format in ATOMIC_FORMATS:
        writer.createOrReplace()
        return
    session.sql(f"drop table if exists {name}").collect()
    writer.create()


def as_spark_frame(session: Any, result: Any) -> Any:
    """Return a Spark DataFrame for what `model()` returned.

    Raises:
        TypeError: If it is nothing that can become a table.
    """
    kind = type(result)
    library = kind.__module__.partition(".")[0]
    # looked up on the class: a Spark DataFrame answers to any name with a column
    if library == "pyspark" and hasattr(kind, "to_spark"):
        return result.to_spark()
    if library == "pyspark" and hasattr(kind, "writeTo"):
        return result
    if (library, kind.__name__) in {("pandas", "DataFrame"), ("pyarrow", "Table")}:
        return session.createDataFrame(result)
    raise TypeError(
        f"model() returned {kind.__module__}.{kind.__qualname__}; return a Spark DataFrame, "
        "a pandas DataFrame or a pyarrow Table"
    )


def with_plain_strings(frame: Any) -> Any:
    """Cast text columns to the plain `string` type.

    A type that went through Spark Connect names its collation, default or not, and Delta would note
    `string collate UTF8_BINARY` in the table's schema, which other Delta readers refuse.
    """
    from pyspark.sql import functions as F  # noqa: N812 - its usual name

    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    if not any("string" in kind for kind in types.values()):
        return frame
    return frame.select(
        *[
            F.col(_quoted(name)).cast(kind).alias(name) if "string" in kind else F.col(_quoted(name))
            for name, kind in types.items()
        ]
    )


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
