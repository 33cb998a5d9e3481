"""What the server is started with: Spark's settings, the JVM's flags, the environment."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import ClusterSettings, LakehouseSettings, store_settings
from smart_trader.lakehouse.jars import spark_home

LOOPBACK = "127.0.0.1"
MAIN_CLASS = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"

# The packages Spark opens to itself; the list of Spark's own launcher. We call java directly because the wheel's
# runtime lacks jdk.incubator.vector, which spark-submit adds without checking whether it is there.
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
DROPPED_PREFIXES = ("SPARK_", "PYSPARK_", "HADOOP_", "HIVE_", "YARN_", "BIRDEYE_", "CLUSTER_")

SQL_PROPERTIES = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    # the default, INT96, has no time zone and no statistics, and ends in 2262
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # rows that a client brings along come in the plan: what it sends ahead of it, Spark 4.2 keeps as a plain block and
    # reads as an encrypted one
    "spark.sql.session.localRelationCacheThreshold": str(120 * 2**20),
}
# The persistent classes of Hive's metastore, as its mapping (package.jdo) lists them, less those that others embed.
HIVE_CLASSES = tuple(
    f"org.apache.hadoop.hive.metastore.model.{name}"
    for name in (
        "MDatabase",
        "MType",
        "MTable",
        "MConstraint",
        "MSerDeInfo",
        "MColumnDescriptor",
        "MStorageDescriptor",
        "MPartition",
        "MIndex",
        "MRole",
        "MRoleMap",
        "MGlobalPrivilege",
        "MDBPrivilege",
        "MTablePrivilege",
        "MPartitionPrivilege",
        "MTableColumnPrivilege",
        "MPartitionColumnPrivilege",
        "MPartitionEvent",
        "MMasterKey",
        "MDelegationToken",
        "MTableColumnStatistics",
        "MPartitionColumnStatistics",
        "MVersionTable",
        "MResourceUri",
        "MFunction",
        "MNotificationLog",
        "MNotificationNextId",
    )
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where one server listens, always on loopback.

    Attributes:
        thrift_port: SQL over Thrift; no password, so loopback only.
        connect_port: Spark Connect.
        token: What Spark Connect requires of every caller, since it executes code.
    """

    thrift_port: int
    connect_port: int
    token: str


def spark_properties(settings: LakehouseSettings, paths: LakePaths, endpoints: Endpoints) -> dict[str, str]:
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
        **_endpoint_properties(endpoints),
        **_catalog_properties(paths),
        **_derby_properties(paths),
        **store_properties(paths),
        **_small_data_properties(cores),
        **SQL_PROPERTIES,
    }


def cluster_properties(cluster: ClusterSettings, paths: LakePaths, jars: list[Path]) -> dict[str, str]:
    """Return Spark's settings for a server whose work is done by a cluster; secrets are among them.

    Both endpoints stay on loopback, as Thrift has no password: who may connect is who runs on the same machine, or in
    the same network namespace.
    """
    endpoints = Endpoints(cluster.thrift_port, cluster.connect_port, cluster.connect_token.get_secret_value())
    return {
        "spark.master": cluster.master,
        "spark.app.name": "lakehouse",
        "spark.ui.enabled": "false",
        "spark.driver.host": cluster.host,
        "spark.driver.bindAddress": LOOPBACK if cluster.host in (LOOPBACK, "localhost") else "0.0.0.0",  # noqa: S104
        "spark.local.dir": str(paths.tmp),
        "spark.executor.memory": cluster.executor_memory,
        "spark.executor.extraClassPath": os.pathsep.join(map(str, jars)),
        **trust_properties(cluster),
        **_endpoint_properties(endpoints),
        **_catalog_properties(paths),
        **_postgresql_properties(cluster),
        **store_properties(paths),
        **_small_data_properties(cluster.partitions),
        **SQL_PROPERTIES,
    }


def trust_properties(cluster: ClusterSettings) -> dict[str, str]:
    """Return what makes a cluster refuse unauthenticated clients, and encrypts traffic and files of its processes."""
    return {
        "spark.authenticate": "true",
        "spark.authenticate.secret": cluster.secret.get_secret_value(),
        "spark.network.crypto.enabled": "true",
        "spark.io.encryption.enabled": "true",
    }


def store_properties(paths: LakePaths) -> dict[str, str]:
    """Return what S3A needs to reach a lake's store; the keys are in the environment of the processes."""
    if paths.is_local:
        return {}
    settings = store_settings()
    provider = "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider"
    properties = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.aws.credentials.provider": provider,
        "spark.hadoop.fs.s3a.endpoint.region": settings.region,
        # a store that is away for half a minute is waited for; a wrong one is found before work starts
        "spark.hadoop.fs.s3a.attempts.maximum": "5",
        "spark.hadoop.fs.s3a.retry.limit": "7",
        "spark.hadoop.fs.s3a.retry.interval": "500ms",
        "spark.hadoop.fs.s3a.connection.establish.timeout": "5s",
    }
    if settings.endpoint:
        properties |= {
            "spark.hadoop.fs.s3a.endpoint": settings.endpoint.rstrip("/"),
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(settings.endpoint.startswith("https:")).lower(),
        }
    return properties


def properties_text(properties: dict[str, str]) -> str:
    """Write settings as a properties file, in which a backslash starts an escape."""
    return "".join(f"{key}={value}\n".replace("\\", "\\\\") for key, value in properties.items())


def _endpoint_properties(endpoints: Endpoints) -> dict[str, str]:
    return {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(endpoints.connect_port),
        "spark.connect.authenticate.token": endpoints.token,
        "spark.hadoop.hive.server2.thrift.bind.host": LOOPBACK,
        "spark.hadoop.hive.server2.thrift.port": str(endpoints.thrift_port),
        # one session for each dbt thread: settings and temporary views do not leak between them
        "spark.sql.hive.thriftServer.singleSession": "false",
    }


def _catalog_properties(paths: LakePaths) -> dict[str, str]:
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # an in-memory catalog stalls every closing Thrift session for 20 s
        "spark.sql.catalogImplementation": "hive",
        # a bucket's root has to be a path as well, which Hadoop takes only with the slash
        "spark.sql.warehouse.dir": paths.spark_uri if paths.is_local else f"{paths.spark_uri}/",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        **_log_store_properties(paths),
        # Hadoop sets its own modes, whatever the process's umask
        "spark.hadoop.fs.permissions.umask-mode": "077",
        # Hive would share these between all users of the machine, in /tmp
        "spark.hadoop.hive.exec.scratchdir": str(paths.tmp / "hive"),
        "spark.hadoop.hive.exec.local.scratchdir": str(paths.tmp / "hive-local"),
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
    }


def _log_store_properties(paths: LakePaths) -> dict[str, str]:
    """Return how Delta's log is written on a local disk: Hadoop's way forks four `readlink` for each file of a log.

    It is safe for one process, and a lake's lock lets one write at a time.
    """
    return {"spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore"} if paths.is_local else {}


def _derby_properties(paths: LakePaths) -> dict[str, str]:
    return {
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={paths.metastore};create=true",
        # an embedded metastore that fails, fails for good: ten tries two seconds apart only hide it
        "spark.hadoop.hive.hmshandler.retry.attempts": "1",
        "spark.hadoop.hive.hmshandler.retry.interval": "200ms",
    }


def _postgresql_properties(cluster: ClusterSettings) -> dict[str, str]:
    return {
        "spark.hadoop.javax.jdo.option.ConnectionURL": cluster.metastore_url,
        "spark.hadoop.javax.jdo.option.ConnectionDriverName": "org.postgresql.Driver",
        "spark.hadoop.javax.jdo.option.ConnectionUserName": cluster.metastore_user,
        "spark.hadoop.javax.jdo.option.ConnectionPassword": cluster.metastore_password.get_secret_value(),
        # made one by one, at the first use of each, the tables of Hive's schema wait for a transaction of their own
        # maker for ever; so all are made at the start
        "spark.hadoop.datanucleus.autoStartMechanism": "Classes",
        "spark.hadoop.datanucleus.autoStartClassNames": ",".join(HIVE_CLASSES),
    }


def _small_data_properties(cores: int) -> dict[str, str]:
    """Settings for tables of megabytes; the defaults are made for terabytes (one VACUUM takes 52 s with them)."""
    return {
        "spark.sql.shuffle.partitions": str(cores),
        # what Spark infers of long conditions over derived columns grows with each step until the heap is full
        "spark.sql.constraintPropagation.enabled": "false",
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
        # with C1 alone Java reserves 48 MB, less than a run's compiled code
        flags += ["-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m"]
    flags += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES]
    return [
        *flags,
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Dio.netty.tryReflectionSetAccessible=true",
    ]


def log_config() -> Path:
    """Return the log4j2 settings: warnings and worse, so that the log stays small and readable."""
    return Path(str(resources.files("smart_trader.lakehouse") / "log4j2.properties"))


def server_environment(python: str, paths: LakePaths) -> dict[str, str]:
    """Return the JVM's environment: the user's, less other Spark settings and secrets.

    Args:
        paths: The lake; one on S3 needs its keys there.
        python: The interpreter Spark's Python workers run, so that they see this project's packages.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED_PREFIXES)}
    # the keys of an S3 lake may stand in .env alone
    store = {} if paths.is_local else store_settings().environment()
    return (
        kept
        | store
        | {
            "SPARK_HOME": str(spark_home()),
            "SPARK_SCALA_VERSION": "2.13",
            "SPARK_LOCAL_IP": LOOPBACK,
            "PYSPARK_PYTHON": python,
            # never read a conf folder of some other Spark
            "SPARK_CONF_DIR": str(spark_home() / "no-conf"),
            # numba, pyarrow: one thread per worker, since Spark runs one worker per core already
            "OMP_NUM_THREADS": "1",
            # under the plain C of cron and containers Java finds no path with a letter beyond ASCII; macOS always does
            **({"LC_ALL": "C.UTF-8"} if sys.platform == "linux" else {}),
        }
    )
