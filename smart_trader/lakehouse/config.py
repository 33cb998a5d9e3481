"""What the server is started with: Spark's settings, the JVM's flags, the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from smart_trader.lakehouse.jars import spark_home
from smart_trader.paths import LakePaths
from smart_trader.settings import LakehouseSettings

LOOPBACK = "127.0.0.1"
MAIN_CLASS = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"

# The packages Spark opens to itself; the list of Spark's own launcher. We call java directly because the wheel's
# runtime lacks jdk.incubator.vector, which spark-submit asks for without asking whether it is there.
OPENED_PACKAGES = (
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "jdk.internal.ref",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
)
# A user's own Spark or Hadoop settings would silently change ours; secrets have no business in the JVM.
DROPPED_PREFIXES = ("SPARK_", "PYSPARK_", "HADOOP_", "HIVE_", "YARN_", "BIRDEYE_")


@dataclass(frozen=True, slots=True)
class Doors:
    """Where one server listens, always on loopback.

    Attributes:
        thrift_port: SQL over Thrift; no password, so loopback only.
        connect_port: Spark Connect.
        token: What Spark Connect asks of every caller, since it executes code.
    """

    thrift_port: int
    connect_port: int
    token: str


def spark_properties(settings: LakehouseSettings, paths: LakePaths, doors: Doors) -> dict[str, str]:
    """Return Spark's settings for one start; the token is among them, so they go to an owner-only file."""
    cores = os.cpu_count() or 2 if settings.cores == "*" else int(settings.cores)
    return {
        "spark.master": f"local[{settings.cores}]",
        "spark.app.name": "lakehouse",
        "spark.ui.enabled": "false",
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.local.dir": str(paths.tmp),
        # a full memory moves blocks to this folder, and some hold the settings of a session: the token, keys for S3
        "spark.io.encryption.enabled": "true",
        **_door_properties(doors),
        **_catalog_properties(paths),
        **_small_data_properties(cores),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    }


def _door_properties(doors: Doors) -> dict[str, str]:
    return {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(doors.connect_port),
        "spark.connect.authenticate.token": doors.token,
        "spark.hadoop.hive.server2.thrift.bind.host": LOOPBACK,
        "spark.hadoop.hive.server2.thrift.port": str(doors.thrift_port),
        # one session for each dbt thread: settings and temporary views do not leak between them
        "spark.sql.hive.thriftServer.singleSession": "false",
    }


def _catalog_properties(paths: LakePaths) -> dict[str, str]:
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # an in-memory catalog stalls every closing Thrift session for 20 s
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": paths.spark_uri,
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={paths.metastore};create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        # an embedded metastore that fails, fails for good: ten tries two seconds apart only hide it
        "spark.hadoop.hive.hmshandler.retry.attempts": "1",
        "spark.hadoop.hive.hmshandler.retry.interval": "200ms",
        # Hadoop sets its own modes, whatever the process's umask
        "spark.hadoop.fs.permissions.umask-mode": "077",
        # Hive would share these between all users of the machine, in /tmp
        "spark.hadoop.hive.exec.scratchdir": str(paths.tmp / "hive"),
        "spark.hadoop.hive.exec.local.scratchdir": str(paths.tmp / "hive-local"),
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
    }


def _small_data_properties(cores: int) -> dict[str, str]:
    """Settings for tables of megabytes; the defaults are made for terabytes (one VACUUM takes 52 s with them)."""
    return {
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(cores),
        "spark.databricks.delta.snapshotPartitions": "1",
        # each cached log holds its session and its snapshot: hundreds of them fill the heap
        "spark.databricks.delta.delta.log.cacheSize": "60",
        "spark.cleaner.periodicGC.interval": "5min",
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "200",
        "spark.sql.thriftserver.ui.retainedSessions": "10",
        "spark.sql.thriftserver.ui.retainedStatements": "20",
    }


def classpath(jars: list[Path]) -> str:
    """Return the class path. The wildcard stays unexpanded: java does it in one order for archive and run."""
    return os.pathsep.join([str(spark_home() / "jars" / "*"), *map(str, jars)])


def jvm_flags(settings: LakehouseSettings) -> list[str]:
    """Return the flags that a class archive depends on."""
    flags = [f"-Xmx{settings.driver_memory}", "-XX:+UseSerialGC"]
    if settings.compiler == "c1":
        flags.append("-XX:TieredStopAtLevel=1")
    flags += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
    return [
        *flags,
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Dio.netty.tryReflectionSetAccessible=true",
    ]


def log_config() -> Path:
    """Return the log4j2 settings: warnings and worse, so that the log stays small and readable."""
    return Path(str(resources.files("smart_trader.lakehouse") / "log4j2.properties"))


def server_environment(python: str) -> dict[str, str]:
    """Return the JVM's environment: the user's, less other Spark settings and secrets.

    Args:
        python: The interpreter Spark's Python workers run, so that they see this project's packages.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED_PREFIXES)}
    return kept | {
        "SPARK_HOME": str(spark_home()),
        "SPARK_SCALA_VERSION": "2.13",
        "SPARK_LOCAL_IP": LOOPBACK,
        "PYSPARK_PYTHON": python,
        # never read a conf folder of some other Spark
        "SPARK_CONF_DIR": str(spark_home() / "no-conf"),
        # numba, pyarrow: one thread per worker, since Spark runs one worker per core already
        "OMP_NUM_THREADS": "1",
    }
