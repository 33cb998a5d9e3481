"""The connection method `embedded`: Spark SQL in dbt's own process, on DuckDB and Delta tables."""
