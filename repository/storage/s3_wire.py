"""Calls to an S3 service: bounded in time and number, checked, and told in the words of `errors.py`.

Every call here may be repeated as a whole. It is tried at most three times and given ten seconds in all. The SDK has
no public way to put an object on a condition or to upload in parts of its caller's choosing; its own primitives for
both are used here, and nowhere else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, S3Error, ServerError

from repository.storage.errors import Busy, Conflict, Failed, Missing, OutOfSpace, StorageError

T = TypeVar("T")
_log = logging.getLogger(__name__)
_TRIES = 3
_SECONDS = 10.0
_CONNECT_SECONDS = 2.0
_PAGE = 1000
_CONNECTIONS = 64  # more than a worker has threads, so that none waits or throws a connection away
_ABSENT = frozenset({"NoSuchKey", "NoSuchUpload"})
_FULL = frozenset({"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"})
_EMPTY = "InvalidRange"  # an object of no bytes has no beginning
_PASSING = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
    }
)
_TWISTED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "InvalidDigest"})


class _DeadlinePool(urllib3.PoolManager):
    """Connections whose every wait ends with the deadline of the call being made on this thread."""

    def __init__(self) -> None:
        super().__init__(maxsize=_CONNECTIONS, retries=False)
        self.deadline = threading.local()

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        left = max(0.05, getattr(self.deadline, "at", time.monotonic() + _SECONDS) - time.monotonic())
        options["timeout"] = urllib3.Timeout(connect=min(_CONNECT_SECONDS, left), read=left)
        return super().urlopen(method, url, redirect, **options)


@dataclass(frozen=True, slots=True)
class Listed:
    """One object in a listing; `changed_at` in seconds since the epoch, by the service's clock."""

    key: str
    size: int
    changed_at: float


@dataclass(frozen=True, slots=True)
class Stat:
    """What a service tells of one object without its bytes."""

    size: int
    identity: str


class Wire:
    """One bucket of an S3 service."""

    def __init__(self, bucket: str, endpoint: str, access_key: str, secret_key: str, region: str = "") -> None:
        address = urlsplit(endpoint)
        if not bucket or address.scheme not in ("http", "https") or not address.netloc:
            raise ValueError("S3 storage needs s3://BUCKET and an endpoint such as https://HOST:PORT")
        self.bucket = bucket
        self._pool = _DeadlinePool()
        self._client = Minio(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region=region or None,
            http_client=self._pool,
        )

    def _call(self, doing: str, call: Callable[[], T]) -> T:
        end = time.monotonic() + _SECONDS
        for number in range(1, _TRIES + 1):
            self._pool.deadline.at = end
            try:
                return call()
            except (S3Error, ServerError, InvalidResponseError, urllib3.exceptions.HTTPError, OSError) as error:
                failure = _meaning(error, doing)
                pause = 0.1 * 3**number
                if not _worth_repeating(error) or number == _TRIES or time.monotonic() + pause > end:
                    raise failure from error
                _log.info("object store: %s, trying again", failure)
                time.sleep(pause)
            finally:
                del self._pool.deadline.at
        raise AssertionError("the loop above returns or raises")

    def put(self, key: str, data: bytes, *, only_if_absent: bool = False) -> None:
        """Put an object whole; raises Conflict when it must be absent and is not."""
        self._put("putting an object", key, data, {"If-None-Match": "*"} if only_if_absent else {}, {})

    def _put(self, doing: str, key: str, data: bytes, headers: dict[str, Any], query: dict[str, Any]) -> str:
        digest = hashlib.md5(data, usedforsecurity=False)
        headers["Content-MD5"] = base64.b64encode(digest.digest()).decode("ascii")
        headers["Content-Type"] = "application/octet-stream"
        result = self._call(doing, lambda: self._client._put_object(self.bucket, key, data, dict(headers), query))
        _require_kept(str(result.etag or ""), result.http_headers, digest.hexdigest())
        return str(result.etag)

    def get(self, key: str, most: int = 0) -> bytes:
        """A small object whole, or so many bytes from its beginning; raises Missing."""

        def whole() -> bytes:
            try:
                response = self._client.get_object(self.bucket, key, length=most)
            except S3Error as error:
                if error.code != _EMPTY:
                    raise
                return b""
            try:
                return bytes(response.read())
            finally:
                response.release_conn()

        return self._call("getting an object", whole)

    def open(self, key: str) -> urllib3.BaseHTTPResponse:
        """An object's response, its body unread; raises Missing."""
        return self._call("opening an object", lambda: self._client.get_object(self.bucket, key))

    def stat(self, key: str) -> Stat:
        """Size and identity of an object; raises Missing."""
        found = self._call("looking at an object", lambda: self._client.stat_object(self.bucket, key))
        return Stat(found.size or 0, identity_of(found.metadata or {}))

    def remove(self, key: str) -> None:
        """Remove an object; absent ones too."""
        self._call("removing an object", lambda: self._client.remove_object(self.bucket, key))

    def remove_many(self, keys: list[str]) -> None:
        """Remove objects in bulk; absent ones too."""
        wanted = [DeleteObject(key) for key in keys]
        for error in self._call(
            "removing objects", lambda: list(self._client.remove_objects(self.bucket, list(wanted)))
        ):
            raise Failed(f"the object store did not remove an object ({error.code})")

    def listed(self, prefix: str) -> Iterator[Listed]:
        """All objects under a prefix, a page at a time; a page that fails is asked for again as a whole."""
        after = ""
        while True:
            page = self._call("listing objects", functools.partial(self._page, prefix, after))
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].key

    def _page(self, prefix: str, after: str) -> list[Listed]:
        found = self._client.list_objects(self.bucket, prefix=prefix, recursive=True, start_after=after or None)
        return [
            Listed(str(item.object_name), item.size or 0, item.last_modified.timestamp() if item.last_modified else 0.0)
            for item in itertools.islice(found, _PAGE)
        ]

    def begin_parts(self, key: str) -> str:
        """Begin an upload in parts; its id."""
        return str(
            self._call("beginning an upload", lambda: self._client._create_multipart_upload(self.bucket, key, {}))
        )

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> str:
        """Put one part; its ETag."""
        return self._put("uploading a part", key, data, {}, {"partNumber": str(number), "uploadId": upload})

    def finish_parts(self, key: str, upload: str, etags: list[str], size: int) -> None:
        """Make the parts one object of `size` bytes. A finish whose answer was lost is found done by looking."""
        parts = [Part(number, etag) for number, etag in enumerate(etags, 1)]
        try:
            self._call(
                "finishing an upload",
                lambda: self._client._complete_multipart_upload(self.bucket, key, upload, parts),
            )
        except Missing:
            _log.info("object store: the upload was finished by an earlier try")
        try:
            kept = self.stat(key).size
        except Missing as error:
            raise Busy("the object store lost an upload in parts") from error
        if kept != size:
            raise Failed("the object store kept another number of bytes than it was given")

    def abort_parts(self, key: str, upload: str) -> None:
        """Throw away the parts of an upload; one that is gone already too."""
        try:
            self._call("aborting an upload", lambda: self._client._abort_multipart_upload(self.bucket, key, upload))
        except Missing:
            return

    def require_bucket(self) -> None:
        """Make the bucket if it is absent; raises Busy or Failed."""
        if not self._call("looking for the bucket", lambda: self._client.bucket_exists(self.bucket)):
            self._call("making the bucket", lambda: self._client.make_bucket(self.bucket))

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def identity_of(headers: Mapping[str, str]) -> str:
    """What changes when an object does: its ETag and its time, as the head of an answer has them."""
    return f"{headers.get('ETag', '')} {headers.get('Last-Modified', '')}"


def _require_kept(etag: str, headers: Any, md5: str) -> None:
    """Raise Failed when the service tells the MD5 of other bytes; where it encrypts, its ETag says nothing."""
    encrypted = any(str(name).lower().startswith("x-amz-server-side-encryption") for name in headers or ())
    if not encrypted and len(etag) == 32 and etag.lower() != md5:
        raise Failed("the object store kept other bytes than it was given")


def _worth_repeating(error: Exception) -> bool:
    if isinstance(error, S3Error):
        return error.code in _PASSING | _TWISTED or error.response.status >= 500
    return True


def _meaning(error: Exception, doing: str) -> StorageError:
    if isinstance(error, S3Error):
        return _meaning_of_code(str(error.code), error.response.status, doing)
    status = getattr(error, "status_code", getattr(error, "_code", 0))
    if status == 507:
        return OutOfSpace(f"the object store has no room while {doing}")
    return Busy(f"the object store does not answer while {doing} ({type(error).__name__})")


def _meaning_of_code(code: str, status: int, doing: str) -> StorageError:
    if code in _ABSENT:
        return Missing(f"nothing there while {doing} ({code})")
    if code == "PreconditionFailed" or status == 412:
        return Conflict(f"the object exists already ({code})")
    if code in _FULL or status == 507:
        return OutOfSpace(f"the object store has no room while {doing} ({code})")
    if code in _PASSING or status >= 500 or status == 429:
        return Busy(f"the object store is busy while {doing} ({code})")
    return Failed(f"the object store refuses while {doing} ({code})")
