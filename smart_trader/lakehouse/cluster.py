"""The processes of a Spark cluster, each run in the foreground: what a container starts, and what any shell can."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from smart_trader.config.paths import OWNER_ONLY_DIR, LakePaths
from smart_trader.config.settings import ClusterSettings, LakehouseSettings
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.atomic import write_file
from smart_trader.lake.store import bucket_and_prefix, check_store, error_code, s3_client
from smart_trader.lakehouse import jars, spark_config
from smart_trader.lakehouse.java import Java, find_java
from smart_trader.lakehouse.probe import NoAnswerError, check_endpoints
from smart_trader.lakehouse.server import empty_scratch, prepare_home
from smart_trader.lakehouse.spark_config import LOOPBACK, Endpoints

DAEMON_MEMORY = "512m"


def run_master(settings: LakehouseSettings, cluster: ClusterSettings, progress: ProgressFn) -> NoReturn:
    """Become the cluster's master.

    Raises:
        SmartTraderError: It cannot be started.
    """
    host, _, port = cluster.master.removeprefix("spark://").partition(":")
    arguments = ["--host", host, "--port", port, "--webui-port", "0"]
    _become(
        "org.apache.spark.deploy.master.Master",
        arguments,
        spark_config.trust_properties(cluster),
        settings,
        cluster,
        progress,
    )


def run_worker(settings: LakehouseSettings, cluster: ClusterSettings, progress: ProgressFn) -> NoReturn:
    """Become a worker of the cluster; executors get the S3 lake's keys from its environment.

    Raises:
        SmartTraderError: It cannot be started.
    """
    work = settings.paths.home / "work"
    # a container's own address, where nobody gave it a name
    host = socket.gethostbyname(socket.gethostname()) if cluster.host == "auto" else cluster.host
    arguments = ["--host", host, "--webui-port", "0", "--work-dir", str(work)]
    arguments += ["--cores", str(cluster.worker_cores), "--memory", cluster.worker_memory, cluster.master]
    # what ended executors leave behind would fill the disk
    properties = spark_config.trust_properties(cluster) | {"spark.worker.cleanup.enabled": "true"}
    _become("org.apache.spark.deploy.worker.Worker", arguments, properties, settings, cluster, progress)


def run_server(settings: LakehouseSettings, cluster: ClusterSettings, progress: ProgressFn) -> NoReturn:
    """Become the server of SQL and Spark Connect, whose work the cluster does.

    Raises:
        SmartTraderError: It cannot be started, or the lake's store cannot be used.
    """
    paths = settings.paths
    if not paths.is_local:
        check_store(paths.uri)
    java, found = _prepare(settings, progress)
    empty_scratch(paths)
    properties = spark_config.cluster_properties(cluster, paths, found)
    command = [
        *_java(java, paths, found, spark_config.jvm_flags(settings)),
        *("org.apache.spark.deploy.SparkSubmit", "--properties-file", _write(paths, properties)),
        *("--class", spark_config.MAIN_CLASS, "spark-internal"),
    ]
    progress(f"starting Spark's server on {cluster.master}, lake {paths.uri}")
    _exec(command, paths, cluster)


def make_bucket(uri: str) -> bool:
    """Make the bucket of an S3 lake.

    Returns:
        Whether it was not there before.

    Raises:
        SmartTraderError: The store cannot be used.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _ = bucket_and_prefix(uri)
    try:
        s3_client().create_bucket(Bucket=bucket)
        made = True
    except ClientError as error:
        if error_code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise SmartTraderError(
                f"cannot make the bucket {bucket}: {error}", "see to the store and the key"
            ) from None
        made = False
    except BotoCoreError as error:
        raise SmartTraderError(f"cannot make the bucket {bucket}: {error}", "see to AWS_ENDPOINT_URL") from None
    check_store(uri)
    return made


def ping(cluster: ClusterSettings) -> None:
    """Query the server of this machine at both endpoints.

    Raises:
        SmartTraderError: One of them does not answer.
    """
    try:
        check_endpoints(
            Endpoints(cluster.thrift_port, cluster.connect_port, cluster.connect_token.get_secret_value()), 30
        )
    except NoAnswerError as error:
        raise SmartTraderError(f"the server does not answer: {error.why}", "wait, or see its log") from None


def _become(
    main_class: str,
    arguments: list[str],
    properties: dict[str, str],
    settings: LakehouseSettings,
    cluster: ClusterSettings,
    progress: ProgressFn,
) -> NoReturn:
    paths = settings.paths
    java, found = _prepare(settings, progress)
    flags = spark_config.jvm_flags(settings.model_copy(update={"driver_memory": DAEMON_MEMORY}))
    command = [
        *_java(java, paths, found, flags),
        main_class,
        "--properties-file",
        _write(paths, properties),
        *arguments,
    ]
    progress(f"starting {main_class.rpartition('.')[2]} of {cluster.master}")
    _exec(command, paths, cluster)


def fetch_jars(settings: LakehouseSettings, progress: ProgressFn) -> tuple[Java, list[Path]]:
    """Fetch every jar a cluster's process needs; they are the same in all, as executors look for the server's paths.

    Raises:
        SmartTraderError: One cannot be had.
    """
    java = find_java(settings.java)
    wanted = (*jars.DELTA_JARS, *jars.listed_jars("s3"), *jars.listed_jars("postgresql"))
    return java, jars.ensure_jars(java, settings.ivy_settings, progress, wanted)


def _prepare(settings: LakehouseSettings, progress: ProgressFn) -> tuple[Java, list[Path]]:
    prepare_home(settings, settings.paths)
    settings.paths.tmp.mkdir(mode=OWNER_ONLY_DIR, exist_ok=True)
    return fetch_jars(settings, progress)


def _java(java: Java, paths: LakePaths, found: list[Path], flags: list[str]) -> list[str]:
    return [
        str(java.program),
        *flags,
        f"-Djava.io.tmpdir={paths.tmp}",
        f"-Dlog4j2.configurationFile={spark_config.log_config().as_uri()}",
        *("-cp", spark_config.classpath(found)),
    ]


def _write(paths: LakePaths, properties: dict[str, str]) -> str:
    """Write Spark's settings, secrets among them, to a file of the owner alone; returns its name."""
    write_file(paths.properties, spark_config.properties_text(properties))
    return str(paths.properties)


def _exec(command: list[str], paths: LakePaths, cluster: ClusterSettings) -> NoReturn:
    environment = spark_config.server_environment(sys.executable, paths)
    if cluster.host != LOOPBACK:
        # the others must reach it
        del environment["SPARK_LOCAL_IP"]
    os.umask(0o077)
    os.chdir(paths.home)
    sys.stderr.flush()
    os.execve(command[0], command, environment)  # noqa: S606  it becomes the JVM: signals reach it, and its exit code us
