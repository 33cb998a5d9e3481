"""Commands of Spark's server, and those a cluster is made of. Heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import shlex
import time

import click

from smart_trader.command_group import CommandGroup
from smart_trader.config.settings import ENGINE_VARIABLE, cluster_settings, lakehouse_settings
from smart_trader.console import printable, report_line, show
from smart_trader.errors import SmartTraderError

EXIT_NOT_RUNNING = 3


@click.group(cls=CommandGroup)
def lakehouse() -> None:
    """The lake's own Spark server, which dbt uses where it is up.

    Settings are environment variables or lines of .env: LAKEHOUSE_HOME, LAKEHOUSE_URI, LAKEHOUSE_THRIFT_PORT,
    LAKEHOUSE_CONNECT_PORT, LAKEHOUSE_DRIVER_MEMORY, LAKEHOUSE_JAVA, LAKEHOUSE_COMPILER and more; see .env.example.
    """


@lakehouse.command()
def start() -> None:
    """Start the server, or report that it runs already; registers what the lake holds in its catalog."""
    from smart_trader.lakehouse import server, training
    from smart_trader.lakehouse.probe import make_sql_client
    from smart_trader.lakehouse.registration import derived_tables, synchronize

    settings = lakehouse_settings()
    if server.running(settings.paths) is None:
        training.ensure_archive(settings, report_line)
    started = server.start(settings, report_line)
    record = started.record
    # the embedded engine may have made tables since the server ran last
    if not started.was_running and any(derived_tables(settings.paths)):
        synchronize(settings.paths, make_sql_client(record.endpoints.thrift_port), report_line)
    endpoints = f"SQL on port {record.endpoints.thrift_port}, Spark Connect on {record.endpoints.connect_port}"
    if started.was_running:
        click.echo(f"already running: {endpoints}, process {record.pid}")
    else:
        click.echo(f"ready in {record.ready_s:.1f} s: {endpoints}, process {record.pid}, lake {record.uri}")


@lakehouse.command()
def stop() -> None:
    """Stop the server of this lake, and nothing else."""
    from smart_trader.lakehouse import server

    was_running = server.stop(lakehouse_settings().paths, report_line)
    click.echo("stopped" if was_running else "not running")


@lakehouse.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Report whether the server runs and answers; exit code 0 if so, 3 if it is not running."""
    from smart_trader.lakehouse import server
    from smart_trader.lakehouse.probe import NoAnswerError, check_endpoints

    paths = lakehouse_settings().paths
    record = server.running(paths)
    if record is None:
        holders = server.find_holders(paths)
        what = "not running"
        if holders.starter is not None:
            what = f"being started by process {holders.starter.pid}"
        elif holders.server is not None:
            what = f"left from a start that was killed, process {holders.server.pid}; run: smart-trader lakehouse stop"
        facts: dict[str, object] = {"running": False, "state": what, "home": str(paths.home)}
        click.echo(json.dumps(facts) if as_json else f"{what}: {paths.home}")
        context.exit(EXIT_NOT_RUNNING)
    try:
        check_endpoints(record.endpoints)
    except NoAnswerError as error:
        raise SmartTraderError(
            f"process {record.pid} is alive but does not answer: {error.why}",
            "run `smart-trader lakehouse stop`, then `start`",
        ) from None
    process = record.process()
    facts = {
        "running": True,
        "pid": record.pid,
        "thrift_port": record.endpoints.thrift_port,
        "connect_port": record.endpoints.connect_port,
        "home": str(paths.home),
        "lake": record.uri,
        "java": record.java,
        "up_s": round(time.time() - process.create_time()) if process else None,
        "rss_mb": round(process.memory_info().rss / 2**20) if process else None,
    }
    click.echo(json.dumps(facts) if as_json else "\n".join(f"{name:13} {value}" for name, value in facts.items()))


@lakehouse.command()
@click.option(
    "-n",
    "--lines",
    default=50,
    show_default=True,
    type=click.IntRange(1),
    help="Lines from the end.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is written.")
def logs(lines: int, follow: bool) -> None:
    """Print the server's log."""
    from smart_trader.lakehouse.diagnosis import read_tail

    path = lakehouse_settings().paths.log
    if not path.exists():
        raise SmartTraderError(f"no log yet: {path}", "run `smart-trader lakehouse start`")
    # text from outside comes into it with Spark's errors
    show("\n".join(read_tail(path, 10_000_000).splitlines()[-lines:]))
    if follow:
        with path.open(errors="replace") as file:
            file.seek(0, 2)
            while True:
                click.echo(printable(file.read()), nl=False)
                time.sleep(0.5)


@lakehouse.command()
@click.option("--with-token", is_flag=True, help="Also SPARK_REMOTE, which holds the Spark Connect token.")
def env(with_token: bool) -> None:
    """Print shell lines for other tools: eval "$(smart-trader lakehouse env)".

    While the server runs, LAKEHOUSE_JDBC_URL is where JDBC clients such as beeline and DBeaver find it.
    """
    from smart_trader.config.paths import project_root
    from smart_trader.lakehouse import server

    settings = lakehouse_settings()
    paths = settings.paths
    record = server.running(paths)
    values = {
        "LAKEHOUSE_HOME": str(paths.home),
        "LAKEHOUSE_URI": paths.uri,
        ENGINE_VARIABLE: settings.engine,
        "DBT_PROFILES_DIR": str(project_root()),
    }
    if record is not None:
        values["LAKEHOUSE_JDBC_URL"] = f"jdbc:hive2://localhost:{record.endpoints.thrift_port}"
    if with_token:
        if record is None:
            raise SmartTraderError("no server, so no token", "run `smart-trader lakehouse start`")
        values["SPARK_REMOTE"] = f"sc://localhost:{record.endpoints.connect_port}/;token={record.endpoints.token}"
    for name, value in values.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if record is None:
        click.echo("# no server runs; LAKEHOUSE_JDBC_URL comes with: smart-trader lakehouse start")


@lakehouse.command()
def train() -> None:
    """Train the class archive that halves the server's start; needs a system JDK, a minute or two, 200 MB."""
    from smart_trader.lakehouse.training import train as train_archive

    train_archive(lakehouse_settings(), report_line)


@click.group(cls=CommandGroup)
def cluster() -> None:
    """The processes of a Spark cluster, each in the foreground.

    The containers of docker-compose.yml run them. Settings are environment variables or lines of .env: LAKEHOUSE_URI,
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, CLUSTER_MASTER, CLUSTER_HOST, CLUSTER_SECRET, CLUSTER_METASTORE_URL,
    CLUSTER_METASTORE_PASSWORD, SPARK_CONNECT_TOKEN and more; see docs/cluster.md.
    """


@cluster.command()
def master() -> None:
    """Run the cluster's master."""
    from smart_trader.lakehouse.cluster import run_master

    run_master(lakehouse_settings(), cluster_settings(), report_line)


@cluster.command()
def worker() -> None:
    """Run a worker; start as many as there are machines."""
    from smart_trader.lakehouse.cluster import run_worker

    run_worker(lakehouse_settings(), cluster_settings(), report_line)


@cluster.command()
def serve() -> None:
    """Run the server of SQL and Spark Connect, whose work the workers do."""
    from smart_trader.lakehouse.cluster import run_server

    run_server(lakehouse_settings(), cluster_settings(), report_line)


@cluster.command()
def bucket() -> None:
    """Make the bucket of LAKEHOUSE_URI if it is not there, and see that the store can hold a lake."""
    from smart_trader.lakehouse.cluster import make_bucket

    uri = lakehouse_settings().paths.uri
    click.echo(f"{uri} {'is made' if make_bucket(uri) else 'was there'}; the store keeps to writes on a condition")


@cluster.command("jars")
def fetch_jars() -> None:
    """Fetch the jars of a cluster's processes into the cache, as an image does when it is built."""
    from smart_trader.lakehouse import cluster as processes

    _, found = processes.fetch_jars(lakehouse_settings(), report_line)
    click.echo(f"{len(found)} jars are there")


@cluster.command("ping")
def ping_server() -> None:
    """Query the server of `serve` on this machine at both endpoints; exit code 0 if it answers."""
    from smart_trader.lakehouse.cluster import ping

    ping(cluster_settings())
    click.echo("it answers")
