"""The jars that the pyspark wheel lacks: fetched once with the Ivy inside it, checked, kept in the user's cache."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from smart_trader.config.paths import LakePaths, cache_dir
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import FileLock, LockHeldError
from smart_trader.lakehouse.java import Java
from smart_trader.lakehouse.trust import trust_flags

FETCH_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Jar:
    """A jar by its Maven coordinates and the checksum of the one release we run."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """Name of the file in the cache."""
        return f"{self.artifact}-{self.version}.jar"


# Everything else these two require is in pyspark/jars already, in the versions Spark wants.
DELTA_JARS = (
    Jar(
        "io.delta",
        "delta-spark_4.2_2.13",
        "4.4.0",
        "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",  # pragma: allowlist secret
    ),
    Jar(
        "io.delta",
        "delta-storage",
        "4.4.0",
        "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",  # pragma: allowlist secret
    ),
)


def listed_jars(name: str) -> tuple[Jar, ...]:
    """Return the jars of a list in this package.

    Args:
        name: `s3` (Hadoop's S3A and the parts of the AWS SDK it uses, less what Spark has in its own version) or
            `postgresql` (the driver of a metastore that several machines share).
    """
    text = (resources.files("smart_trader.lakehouse") / f"jars_{name}.csv").read_text()
    return tuple(Jar(**row) for row in csv.DictReader(text.splitlines()))


def jars_for(paths: LakePaths) -> tuple[Jar, ...]:
    """Return the jars that a server of a lake needs."""
    return DELTA_JARS if paths.is_local else (*DELTA_JARS, *listed_jars("s3"))


def spark_home() -> Path:
    """Return the folder of the installed pyspark.

    Raises:
        SmartTraderError: pyspark is not installed.
    """
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SmartTraderError("pyspark is not installed in this Python", "run `make setup`")
    return Path(spec.origin).parent


def ensure_jars(
    java: Java,
    ivy_settings: Path | None,
    progress: ProgressFn,
    jars: tuple[Jar, ...] = DELTA_JARS,
) -> list[Path]:
    """Return the paths of the jars, fetching those that the cache lacks.

    Raises:
        SmartTraderError: A jar cannot be fetched, or what is there is not what was released.
    """
    folder = cache_dir() / "jars"
    missing = [jar for jar in jars if not (folder / jar.filename).is_file()]
    if missing:
        progress(f"fetching {len(missing)} jars (once)")
        _fetch_all(missing, folder, java, ivy_settings)
    for jar in jars:
        check_jar(folder / jar.filename, jar)
    return [folder / jar.filename for jar in jars]


def check_jar(path: Path, jar: Jar) -> None:
    """Compare a file with the checksum of the release.

    Raises:
        SmartTraderError: They differ.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise SmartTraderError(
            f"wrong checksum: {path} is not {jar.group}:{jar.artifact}:{jar.version} "
            f"(sha256 {found[:12]}..., expected {jar.sha256[:12]}...)",
            "delete that file and start again to fetch it again; if it comes back, do not trust the mirror behind it",
        )


def _fetch_all(missing: list[Jar], folder: Path, java: Java, ivy_settings: Path | None) -> None:
    if ivy_settings is not None and not ivy_settings.is_file():
        raise SmartTraderError(f"LAKEHOUSE_IVY_SETTINGS={ivy_settings}: no such file", "correct the path or unset it")
    try:
        with (
            FileLock(folder.parent / "jars.lock", "fetching jars"),
            tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as work,
        ):
            for jar, path in _fetch(missing, Path(work), java, ivy_settings):
                check_jar(path, jar)
                folder.mkdir(parents=True, exist_ok=True)
                # a rename: nobody ever sees half a jar in the cache
                os.replace(path, folder / jar.filename)
    except LockHeldError as error:
        raise SmartTraderError(f"the jars are being fetched by {error.holder}", "start again when it is done") from None
    except OSError as error:
        raise SmartTraderError(
            f"cannot write the cache {folder}: {error.strerror}",
            "make it writable, or set SMART_TRADER_CACHE to a folder that is",
        ) from None


def _fetch(wanted: list[Jar], work: Path, java: Java, ivy_settings: Path | None) -> Iterator[tuple[Jar, Path]]:
    """Let Ivy fetch jars, all in one go, and yield each with its file."""
    ivy = next((spark_home() / "jars").glob("ivy-*.jar"))
    dependencies = "".join(
        f'<dependency org="{jar.group}" name="{jar.artifact}" rev="{jar.version}" transitive="false" '
        'conf="default->default"/>'
        for jar in wanted
    )
    (work / "ivy.xml").write_text(
        '<ivy-module version="2.0"><info organisation="smart-trader" module="jars"/>'
        f'<configurations><conf name="default"/></configurations><dependencies>{dependencies}</dependencies>'
        "</ivy-module>"
    )
    command = [str(java.program), *trust_flags(java, work), "-jar", str(ivy), "-cache", str(work / "ivy")]
    command += ["-settings", str(ivy_settings)] if ivy_settings else []
    command += ["-ivy", str(work / "ivy.xml"), "-m2compatible", "-confs", "default", "-types", "jar", "bundle"]
    command += ["-retrieve", f"{work}/[artifact]-[revision].[ext]"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
        output = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        output = f"no answer within {FETCH_TIMEOUT_S} s"
    for jar in wanted:
        path = work / jar.filename
        if not path.is_file():
            raise SmartTraderError(
                f"cannot fetch {jar.group}:{jar.artifact}:{jar.version}: {_find_reason(output)}",
                "check the network or proxy; behind a mirror, name an Ivy settings file in LAKEHOUSE_IVY_SETTINGS; "
                f"on a machine without network, copy {jar.filename} into {cache_dir() / 'jars'}",
            )
        yield jar, path


def _find_reason(output: str) -> str:
    """Pick the line of Ivy's output that names the cause."""
    signs = (
        "Connection",
        "UnknownHost",
        "timed out",
        "Server access",
        "refused",
        "not found",
        "no answer",
        "parse",
    )
    lines = [line.strip(" \t:") for line in output.splitlines()]
    for sign in signs:
        for line in lines:
            if sign.lower() in line.lower():
                return line[:200]
    return lines[-1][:200] if lines else "no reason given"
