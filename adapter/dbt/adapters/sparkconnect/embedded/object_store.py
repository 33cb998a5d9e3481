"""A lake in a bucket that speaks S3; delta-rs writes its tables, and our own commits are conditional writes as well.

DuckDB reads files of this machine alone: a data file never changes, so each is fetched once, when a statement first
reads its table, and kept for later ones.
"""

import fnmatch
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from dbt.adapters.sparkconnect.embedded.storage import alternatives, log_entry

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
TRIES = 3
AT_ONCE = 8
CHUNK_BYTES = 4 << 20
DELETED_AT_ONCE = 1000
#: Entries of a log that are looked at from a known version on: its checkpoint's parts, itself, the next one.
LOOKED_AT = 50
#: Fetched files are kept up to this size; what was read within the last day stays, whatever its size.
KEPT_BYTES = 10 << 30
DAY_S = 86_400
PRECONDITION_FAILED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
MISSING = frozenset({"NoSuchKey", "404"})
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
_FIXES = {
    "NoSuchBucket": "make the bucket, or correct `lake` in the profile",
    "AccessDenied": "give the key leave to list, read and write the bucket",
    "PermanentRedirect": "correct AWS_REGION",
    "AuthorizationHeaderMalformed": "correct AWS_REGION",
}


class ObjectStore:
    """A bucket, or a path in it; see `Storage`. The environment names its place and its key, as for every S3 tool."""

    def __init__(self, root: str, scratch: str | None, environment: Mapping[str, str] | None = None) -> None:
        parsed = urlparse(root)
        self._bucket, path = parsed.netloc, parsed.path.strip("/")
        if not self._bucket:
            raise EmbeddedError(f"{root} names no bucket: write it as s3://bucket or s3://bucket/path")
        self._prefix = f"{path}/" if path else ""
        # as Spark's file systems spell it
        self.address = f"s3a://{self._bucket}/{path}".rstrip("/")
        given = os.environ if environment is None else environment
        self._settings = {name: value for name, value in given.items() if name.startswith("AWS_") and value}
        self._endpoint = self._settings.get("AWS_ENDPOINT_URL_S3") or self._settings.get("AWS_ENDPOINT_URL")
        self._region = self._settings.get("AWS_REGION") or self._settings.get("AWS_DEFAULT_REGION") or "us-east-1"
        self.options: Mapping[str, str] | None = self._delta_options()
        own = hashlib.sha256(f"{self._endpoint} {self.address}".encode()).hexdigest()[:16]
        base = Path(scratch) if scratch else Path(tempfile.gettempdir()) / f"dbt-sparkconnect-{os.getuid()}"
        self.scratch = base.expanduser().absolute() / own
        self._made_schemas: set[str] = set()
        with self._explain_error():
            self._client = self._make_client()
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def _delta_options(self) -> dict[str, str]:
        """Return what delta-rs needs; a commit is a write that fails where the version is taken."""
        options = {"AWS_REGION": self._region, "AWS_CONDITIONAL_PUT": "etag"}
        if self._endpoint:
            options["AWS_ENDPOINT_URL"] = self._endpoint
            options["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false"
            options["AWS_ALLOW_HTTP"] = str(self._endpoint.startswith("http:")).lower()
        return {**{name: self._settings[name] for name in _SECRETS if name in self._settings}, **options}

    def _make_client(self) -> Any:
        return botocore.session.Session().create_client(
            "s3",
            region_name=self._region,
            endpoint_url=self._endpoint,
            aws_access_key_id=self._settings.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self._settings.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=self._settings.get("AWS_SESSION_TOKEN"),
            config=botocore.config.Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"total_max_attempts": TRIES},
                max_pool_connections=2 * AT_ONCE,
                s3={"addressing_style": "path" if self._endpoint else "auto"},
                # checksums that came after many stores were written
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @contextmanager
    def _explain_error(self) -> Iterator[None]:
        """Turn what the store refuses into an error that names it, and the fix; no key is in it."""
        where = self._endpoint or f"Amazon S3 in {self._region}"
        try:
            yield
        except ClientError as exc:
            fix = _FIXES.get(_code(exc), "check AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            message = self.without_secrets(f"{where} refuses the lake {self.address}: {_shorten(exc)}")
            raise EmbeddedError(f"{message}; {fix}") from None
        except (BotoCoreError, ValueError) as exc:
            message = self.without_secrets(f"the lake {self.address} cannot be reached at {where}: {_shorten(exc)}")
            raise EmbeddedError(
                f"{message}; start the store, or set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None

    def without_secrets(self, message: str) -> str:
        """See `Storage`; what a store answers to a wrong key may hold it."""
        for name in _SECRETS:
            value = self._settings.get(name)
            if value:
                message = message.replace(value, "***")
        return message

    # ---------------------------------------------------------------- names

    def folder(self, schema: str, name: str) -> str:
        """See `Storage`."""
        return f"s3://{self._bucket}/{self._key(schema, name)}"

    def _key(self, *parts: str) -> str:
        return self._prefix + "/".join(parts)

    def is_delta(self, path: str) -> bool:
        """See `Storage`."""
        return any(self._has_log(self._key_of(one)) for one in alternatives(path))

    def is_table(self, schema: str, name: str) -> bool:
        """See `Storage`."""
        return self._has_log(self._key(schema, name))

    def _has_log(self, folder: str) -> bool:
        return any(one["Key"].endswith(".json") for one in self._objects(f"{folder}/_delta_log/"))

    def is_newest(self, schema: str, name: str, version: int) -> bool:
        """See `Storage`."""
        log = self._key(schema, name, "_delta_log")
        with self._explain_error():
            answer = self._client.list_objects_v2(
                Bucket=self._bucket,
                Prefix=f"{log}/",
                StartAfter=f"{log}/{version:020}",
                MaxKeys=LOOKED_AT,
            )
        found = {one["Key"].rpartition("/")[2] for one in answer.get("Contents", [])}
        return log_entry(version) in found and log_entry(version + 1) not in found

    def schemas(self) -> list[str]:
        """See `Storage`; a bucket has no empty folders, so others see a schema with its first table."""
        names = [name for name in self._folders(self._prefix) if not name.startswith((".", "_"))]
        return sorted({*self._made_schemas, *(name for name in names if self.tables(name))})

    def tables(self, schema: str) -> list[str]:
        """See `Storage`."""
        names = self._folders(f"{self._key(schema)}/")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            are_tables = pool.map(lambda name: self.is_table(schema, name), names)
            return [name for name, is_table in zip(names, are_tables, strict=True) if is_table]

    def make_schema(self, schema: str) -> None:
        """See `Storage`: a bucket has no folders, so this process alone knows of it."""
        self._made_schemas.add(schema)

    def drop_schema(self, schema: str) -> None:
        """See `Storage`."""
        self._made_schemas.discard(schema)
        for name in self.tables(schema):
            self.drop_table(schema, name)
        self._delete(f"{self._key(schema)}/")

    def drop_table(self, schema: str, name: str) -> None:
        """See `Storage`: the log goes first and from its beginning, without which the rest is no table."""
        self._delete(f"{self._key(schema, name, '_delta_log')}/")
        self._delete(f"{self._key(schema, name)}/")

    def _delete(self, prefix: str) -> None:
        keys = [one["Key"] for one in self._objects(prefix)]
        for at in range(0, len(keys), DELETED_AT_ONCE):
            with self._explain_error():
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in keys[at : at + DELETED_AT_ONCE]], "Quiet": True},
                )
            for failed in answer.get("Errors", []):
                raise EmbeddedError(f"cannot delete {failed.get('Key')}: {failed.get('Code')} {failed.get('Message')}")

    def _pages(self, prefix: str, **more: str) -> list[dict[str, Any]]:
        with self._explain_error():
            return list(
                self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, **more)
            )

    def _objects(self, prefix: str) -> list[dict[str, Any]]:
        return [one for page in self._pages(prefix) for one in page.get("Contents", [])]

    def _folders(self, prefix: str) -> list[str]:
        pages = self._pages(prefix, Delimiter="/")
        return [one["Prefix"][len(prefix) : -1] for page in pages for one in page.get("CommonPrefixes", [])]

    def _key_of(self, path: str) -> str:
        """Return the key of a path as Spark's SQL has it.

        Raises:
            EmbeddedError: It is not in the lake's bucket.
        """
        parsed = urlparse(path)
        if parsed.scheme not in ("s3", "s3a") or parsed.netloc != self._bucket:
            raise EmbeddedError(f"{path} is not in the bucket of the lake, {self.address}")
        return parsed.path.strip("/")

    # ---------------------------------------------------------------- texts

    def read(self, name: str) -> str | None:
        """See `Storage`."""
        with self._explain_error():
            try:
                return str(self._get_object(self._key(name))["Body"].read(), "utf-8")
            except FileNotFoundError:
                return None

    def _get_object(self, key: str) -> Any:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as exc:
            if _code(exc) in MISSING:
                raise FileNotFoundError(f"there is no s3://{self._bucket}/{key}") from None
            raise

    def write(self, name: str, text: str) -> None:
        """See `Storage`: an object is there as a whole, or not."""
        with self._explain_error():
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=text.encode("utf-8"))

    def commit(self, schema: str, name: str, version: int, text: str) -> None:
        """See `Storage`."""
        key = self._key(schema, name, "_delta_log", log_entry(version))
        with self._explain_error():
            try:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=text.encode("utf-8"), IfNoneMatch="*")
            except ClientError as exc:
                if _code(exc) in PRECONDITION_FAILED:
                    raise FileExistsError(key) from None
                raise

    # ---------------------------------------------------------------- files

    def data_files(self, schema: str, name: str, uris: Iterable[str]) -> list[str]:
        """See `Storage`."""
        # escaped in the address of the table, as they are below it
        above = 1 + self._prefix.count("/") + 2
        relative = [uri.partition("://")[2].split("/", above)[-1] for uri in uris]
        return self._fetched({self._key(schema, name, file): self._copy(schema, name, file) for file in relative})

    def _copy(self, schema: str, name: str, file: str) -> Path:
        return self.scratch / "files" / schema / name / file

    def text_files(self, path: str) -> list[str]:
        """See `Storage`; a text may be written again, so its copy is known by size and content."""
        copies: dict[str, Path] = {}
        for one in alternatives(path):
            key = self._key_of(one)
            pattern = key if "*" in key else f"{key}/*"
            prefix = pattern.partition("*")[0]
            for found in self._objects(prefix):
                # as in a glob, a star does not pass a slash
                if found["Key"].count("/") == pattern.count("/") and fnmatch.fnmatchcase(found["Key"], pattern):
                    tag = "".join(filter(str.isalnum, found["ETag"]))
                    copies[found["Key"]] = self.scratch / "texts" / f"{found['Size']}-{tag}" / found["Key"]
        return sorted(self._fetched(copies))

    def _fetched(self, copies: dict[str, Path]) -> list[str]:
        """Fetch what is not here yet; returns where all are."""
        absent = {key: path for key, path in copies.items() if not _is_kept(path)}
        if absent:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
                list(pool.map(self._fetch, absent, absent.values()))
        return [str(path) for path in copies.values()]

    def _fetch(self, key: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".fetch-")
        new = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file, self._explain_error():
                answer = self._get_object(key)
                for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                    file.write(chunk)
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)

    def sweep(self) -> None:
        """See `Storage`: the oldest go first, until the rest is small enough."""
        copies = [
            (entry.stat().st_mtime, entry.stat().st_size, entry)
            for kind in ("files", "texts")
            for entry in (self.scratch / kind).rglob("*")
            if entry.is_file()
        ]
        total = sum(size for _, size, _ in copies)
        for used_at, size, path in sorted(copies, key=lambda copy: copy[0]):
            if total <= KEPT_BYTES or used_at > time.time() - DAY_S:
                return
            path.unlink(missing_ok=True)
            total -= size


def _is_kept(path: Path) -> bool:
    """Return whether a copy is here, and note that it was used."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _code(exc: ClientError) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


def _shorten(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:300]
