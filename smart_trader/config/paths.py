"""Where things live: the checkout, the lake, the cache. No other module builds these paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import platformdirs

from smart_trader.errors import SettingsError

PROJECT_FILE = "dbt_project.yml"
OWNER_ONLY_DIR = 0o700
OWNER_ONLY_FILE = 0o600
OWNER_ONLY_UMASK = 0o077
# Beside letters and digits. The others mean something in an address, a pattern or a statement to one of the libraries
# between us and the files.
PLAIN_SIGNS = " ._-/@+~"


def project_root() -> Path:
    """Return the checkout: the nearest folder upwards with a `dbt_project.yml`, else the package's own.

    dbt gets the same folder, so a command works from any directory below the checkout.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """Return the per-user cache outside the checkout (jars, class archives).

    `SMART_TRADER_CACHE` overrides the system's own place ($XDG_CACHE_HOME/smart-trader on Linux).
    """
    override = os.environ.get("SMART_TRADER_CACHE")
    return Path(override) if override else platformdirs.user_cache_path("smart-trader")


def parse_dir() -> Path:
    """Return where the project as dbt has parsed it is kept for all lakes: in the folder that `dbt clean` empties."""
    return project_root() / "target" / "parsed"


@dataclass(frozen=True, slots=True)
class LakePaths:
    """Files of one lake and its Spark server.

    Attributes:
        home: Folder of the server's own files; owner-only.
        uri: Root of the tables, without a trailing slash: a local path or an object-store address.
    """

    home: Path
    uri: str

    @property
    def is_local(self) -> bool:
        """Whether the tables are files of this machine."""
        return urlparse(self.uri).scheme in ("", "file")

    @property
    def local_root(self) -> Path:
        """The tables' root as a path.

        Raises:
            ValueError: The lake is not on this machine.
        """
        if not self.is_local:
            raise ValueError(f"{self.uri} is not a local lake")
        parsed = urlparse(self.uri)
        return Path(unquote(parsed.path)) if parsed.scheme else Path(self.uri)

    @property
    def spark_uri(self) -> str:
        """The tables' root in the form Spark takes; spaces stay as they are, Hadoop wants no escapes."""
        return f"file:{self.local_root}" if self.is_local else self.uri.replace("s3://", "s3a://", 1)

    @property
    def server_file(self) -> Path:
        """Ports, pid and token of the running server; what clients read to find it."""
        return self.home / "server.json"

    @property
    def server_lock(self) -> Path:
        """Held by the running server for as long as its process lives."""
        return self.home / "server.lock"

    @property
    def properties(self) -> Path:
        """Spark's settings for this start, the token among them."""
        return self.home / "spark.properties"

    @property
    def log(self) -> Path:
        """Log of the running or last server."""
        return self.home / "server.log"

    @property
    def metastore(self) -> Path:
        """Derby database with the names of the tables (not their data)."""
        return self.home / "metastore"

    @property
    def metastore_root(self) -> Path:
        """Which root the metastore's tables lie in."""
        return self.home / "metastore.root"

    @property
    def tmp(self) -> Path:
        """Spark's scratch space; emptied at each start."""
        return self.home / "tmp"

    @property
    def dlt_home(self) -> Path:
        """Working folder of dlt: packages that are not landed yet."""
        return self.home / "dlt"

    @property
    def market_file(self) -> Path:
        """Which made-up market a demo lake was filled from."""
        return self.home / "market.json"

    @property
    def built_file(self) -> Path:
        """What the pipeline's builds have seen, by schema and step."""
        return self.home / "built.json"

    def report_file(self, prefix: str = "") -> Path:
        """Return where the report page lies: in the lake's folder, or beside the local files of a lake elsewhere.

        Args:
            prefix: What dbt's target puts before the schemas' names; each set of schemas has a page of its own.
        """
        name = f"report.{prefix.rstrip('_')}.html" if prefix else "report.html"
        return (self.local_root if self.is_local else self.home) / name

    def table(self, schema: str, name: str) -> str:
        """Return where a table lies, e.g. `/lake/silver/wallet_swaps`."""
        root = str(self.local_root) if self.is_local else self.uri
        return f"{root}/{schema}/{name}"


def lake_paths(home: Path | None, uri: str | None) -> LakePaths:
    """Resolve the lake's paths from the two settings; both default into the checkout's `.lakehouse`.

    Raises:
        SettingsError: A path is of a file, or holds a sign that some library would not take for part of a name.
    """
    base = (home if home else project_root() / ".lakehouse").expanduser()
    base = base if base.is_absolute() else project_root() / base
    _refuse_signs("LAKEHOUSE_HOME", str(base))
    _refuse_file("LAKEHOUSE_HOME", base)
    if not uri:
        return LakePaths(base, str(base))
    uri = uri.rstrip("/")
    if uri.startswith("s3a://"):
        # Spark's name for it; every other library uses s3
        uri = uri.replace("s3a://", "s3://", 1)
    if "://" not in uri and not uri.startswith("file:"):
        local = Path(uri).expanduser()
        uri = str(local if local.is_absolute() else project_root() / local)
    paths = LakePaths(base, uri)
    if paths.is_local:
        # only an address has escapes
        _refuse_signs("LAKEHOUSE_URI", unquote(uri.removeprefix("file:")) if uri.startswith("file:") else uri)
        _refuse_file("LAKEHOUSE_URI", paths.local_root)
    return paths


def _refuse_file(setting: str, path: Path) -> None:
    """Refuse a path that is a file's, or lies below one.

    Raises:
        SettingsError: Names the file.
    """
    nearest = next((folder for folder in (path, *path.parents) if os.path.exists(folder)), path)
    if os.path.exists(nearest) and not os.path.isdir(nearest):
        raise SettingsError(
            f"{setting}={str(path)!r} cannot be used: {nearest} is a file, not a folder",
            f"set {setting} to a folder, or to one that does not exist yet",
        )


def _refuse_signs(setting: str, path: str) -> None:
    """Refuse a path that is no plain name.

    Raises:
        SettingsError: Names the signs.
    """
    signs = sorted({sign for sign in path if not sign.isalnum() and sign not in PLAIN_SIGNS})
    if signs:
        shown = " ".join(sign if sign.isprintable() else repr(sign) for sign in signs)
        raise SettingsError(
            f"{setting}={path!r} cannot be used: Spark and dlt do not take {shown} for part of a name",
            f"choose a folder whose path is letters, digits, spaces and {PLAIN_SIGNS.strip()}",
        )
