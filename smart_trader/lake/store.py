"""The object store of a lake on S3, in the words of each library that reads or writes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlparse

import pyarrow.fs

from smart_trader.config.settings import store_settings
from smart_trader.errors import SettingsError, SmartTraderError

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 20
TRIES = 3
# What a store answers to a write whose condition does not hold, and to one it does not know.
PRECONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


def is_remote(location: str) -> bool:
    """Whether a location is an object's address rather than a file's."""
    return "://" in location and not location.startswith("file:")


def storage_options(location: str) -> dict[str, str] | None:
    """Return what delta-rs needs to reach a location; None for a file."""
    if not is_remote(location):
        return None
    settings = store_settings()
    options = settings.environment() | {"AWS_CONDITIONAL_PUT": "etag"}
    if settings.endpoint:
        options["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false"
        options["AWS_ALLOW_HTTP"] = str(settings.endpoint.startswith("http:")).lower()
    return options


def arrow_location(location: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """Return Arrow's file system for a location, and the path in it."""
    if not is_remote(location):
        return pyarrow.fs.LocalFileSystem(), location.removeprefix("file:")
    parsed = urlparse(location)
    return _arrow_store(_read_given()), f"{parsed.netloc}{parsed.path}"


def s3_client(tries: int = TRIES, read_timeout_s: float = READ_TIMEOUT_S) -> Any:
    """Return a client of the store, for what no file system offers: writes on a condition."""
    return _client(_read_given(), tries, read_timeout_s)


# What names a store and who we are there. Clients take a while to make, and are kept for as long as it is the same.
Given = tuple[tuple[str, str], ...]


def _read_given() -> Given:
    return tuple(sorted(store_settings().environment().items()))


@lru_cache(maxsize=1)
def _arrow_store(given: Given) -> pyarrow.fs.FileSystem:
    settings = dict(given)
    endpoint = urlparse(settings.get("AWS_ENDPOINT_URL", ""))
    return pyarrow.fs.S3FileSystem(
        access_key=settings["AWS_ACCESS_KEY_ID"],
        secret_key=settings["AWS_SECRET_ACCESS_KEY"],
        session_token=settings.get("AWS_SESSION_TOKEN"),
        region=settings["AWS_REGION"],
        scheme=endpoint.scheme or "https",
        endpoint_override=endpoint.netloc or None,
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=READ_TIMEOUT_S,
    )


@lru_cache(maxsize=4)
def _client(given: Given, tries: int, read_timeout_s: float) -> Any:
    import botocore.config
    import botocore.session

    settings = dict(given)
    endpoint = settings.get("AWS_ENDPOINT_URL")
    return botocore.session.Session().create_client(
        "s3",
        region_name=settings["AWS_REGION"],
        endpoint_url=endpoint,
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=settings.get("AWS_SESSION_TOKEN"),
        config=botocore.config.Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            retries={"total_max_attempts": tries},
            s3={"addressing_style": "path" if endpoint else "auto"},
            # checksums that came after many stores were written
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Split a lake's address; the prefix is empty or ends in a slash.

    Raises:
        SettingsError: It is no address of a bucket.
    """
    parsed = urlparse(uri)
    if parsed.scheme != "s3" or not parsed.netloc:
        raise SettingsError(
            f"LAKEHOUSE_URI={uri}: no folder and no bucket", "write it as s3://BUCKET or s3://BUCKET/PATH"
        )
    path = parsed.path.strip("/")
    return parsed.netloc, f"{path}/" if path else ""


def error_code(error: BaseException) -> str:
    """Return the store's own word for an error, or an empty text where it gave none."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def check_store(uri: str) -> None:
    """See that a lake's store can be used, before any work starts.

    A commit of Delta, and the lake's lock, are writes that must fail when the object is there already. A store that
    ignores this lets two writers overwrite each other's commits, so it is tried.

    Raises:
        SmartTraderError: It cannot be reached, does not know the key or the bucket, or ignores the condition.
    """
    bucket, prefix = bucket_and_prefix(uri)
    check_reachable(uri)
    with _explain_failures(bucket) as where:
        ignored = _ignored_condition(s3_client(), bucket, f"{prefix}_conditions/{uuid.uuid4()}")
    if ignored:
        raise SmartTraderError(
            f"the store {where} ignores {ignored}: two writers would overwrite each other's commits",
            "use a store with conditional writes; docs/cluster.md names some that were tried",
        )


def check_reachable(uri: str) -> None:
    """See that a lake's store can be read.

    Raises:
        SmartTraderError: It cannot be reached, or does not know the key or the bucket.
    """
    bucket, _ = bucket_and_prefix(uri)
    with _explain_failures(bucket):
        s3_client().list_objects_v2(Bucket=bucket, MaxKeys=1)


@contextmanager
def _explain_failures(bucket: str) -> Iterator[str]:
    """Turn a store's refusal into a cause and a fix; gives the store's name."""
    from botocore.exceptions import BotoCoreError, ClientError

    settings = store_settings()
    where = settings.endpoint or f"Amazon S3 in {settings.region}"
    try:
        yield where
    except ClientError as error:
        raise _explain_error(error, bucket, where) from None
    except BotoCoreError as error:
        raise SmartTraderError(
            f"the store {where} cannot be reached: {' '.join(str(error).split())[:200]}",
            "start it, or correct AWS_ENDPOINT_URL",
        ) from None


def _ignored_condition(client: Any, bucket: str, key: str) -> str | None:
    """Try both conditions on an object of our own; return the one the store does not keep to."""
    try:
        client.put_object(Bucket=bucket, Key=key, Body=b"1", IfNoneMatch="*")
        if not _is_refused(client, Bucket=bucket, Key=key, Body=b"2", IfNoneMatch="*"):
            return "If-None-Match"
        if not _is_refused(client, Bucket=bucket, Key=key, Body=b"3", IfMatch=f'"{0:032x}"'):
            return "If-Match"
        return None
    finally:
        client.delete_object(Bucket=bucket, Key=key)


def _is_refused(client: Any, **write: Any) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.put_object(**write)
    except ClientError as error:
        if error_code(error) in PRECONDITION_FAILED:
            return True
        raise
    return False


def _explain_error(error: Any, bucket: str, where: str) -> SmartTraderError:
    """Put a store's refusal into a cause and a fix."""
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", ""))[:200]
    if code in ("NoSuchBucket", "404"):
        return SmartTraderError(f"no bucket {bucket} at {where}", "make it, or correct LAKEHOUSE_URI")
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "XAdminUserNotFound"):
        return SmartTraderError(
            f"the store {where} refuses the key: {code}", "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return SmartTraderError(
            f"the key may not list, read and write the bucket {bucket} at {where}: {code}",
            "correct the key, or what it is allowed to do",
        )
    if code in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return SmartTraderError(f"the bucket {bucket} is not in the region of {where}: {message}", "correct AWS_REGION")
    if code == "NotImplemented":
        return SmartTraderError(
            f"the store {where} knows no writes on a condition: {message}",
            "use a store with conditional writes; docs/cluster.md names some that were tried",
        )
    return SmartTraderError(f"the store {where} does not answer as S3 does: {code or error}: {message}", "see its log")
