"""Older versions of objects on versioned S3 buckets, and uploads that were never finished.

obstore sees neither, so boto3 is asked (the extra ``s3``); without it, or where the store is none of S3's
kind, there is nothing to see. Amazon S3 API: ListObjectVersions, DeleteObjects, ListMultipartUploads,
AbortMultipartUpload.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from lakehouse.errors import NotFoundError, StorageError
from lakehouse.storage.objects import Storage

_AT_ONCE: Final = 1000


class NoBotoError(StorageError):
    """The library that lists older versions of objects is not installed."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, or a mark that it was deleted.

    Args:
        path: Relative to the storage that was asked.
        id: The version's id.
        size: Bytes; 0 for a mark.
        modified: When it was made, by the store's clock.
        latest: Whether it is what the object is now.
        mark: Whether it is a mark of deletion.
    """

    path: str
    id: str
    size: int
    modified: datetime
    latest: bool
    mark: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that was begun and not finished.

    Args:
        path: Where the object would be, relative to the storage that was asked.
        id: The upload's id.
        started: When it was begun.
    """

    path: str
    id: str
    started: datetime


class ObjectVersions:
    """The older versions and unfinished uploads below one storage.

    Args:
        client: A boto3 client.
        bucket: The bucket.
        prefix: What comes before every path; empty, or with a slash at its end.
    """

    def __init__(self, client: Any, *, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def versioned(self) -> bool:
        """Whether the bucket keeps older versions, or has done so once."""
        answer = self._ask("get_bucket_versioning", Bucket=self._bucket)
        return answer.get("Status") in ("Enabled", "Suspended")

    def list(self, below: str = "") -> Iterator[ObjectVersion]:
        """All versions of all objects, and the marks of deleted ones.

        Args:
            below: Only objects in this folder.

        Raises:
            StorageError: The store does not tell.
        """
        for page in self._pages("list_object_versions", below=f"{below}/" if below else ""):
            for field, mark in (("Versions", False), ("DeleteMarkers", True)):
                for each in page.get(field, ()):
                    yield ObjectVersion(
                        path=each["Key"].removeprefix(self._prefix),
                        id=each["VersionId"],
                        size=each.get("Size", 0),
                        modified=each["LastModified"],
                        latest=each["IsLatest"],
                        mark=mark,
                    )

    def get(self, version: ObjectVersion) -> bytes:
        """The content of one version.

        Args:
            version: Which; a mark has none.

        Raises:
            NotFoundError: It is gone.
            StorageError: The store does not tell.
        """
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + version.path, VersionId=version.id
            )
            return bytes(answer["Body"].read())
        except _failures() as error:
            response = getattr(error, "response", None)
            code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
            if code in {"NoSuchKey", "NoSuchVersion"}:
                raise NotFoundError("an older version of an object is gone") from None
            raise _told("get_object", error) from None

    def delete(self, versions: Sequence[ObjectVersion]) -> None:
        """Deletes versions for good.

        Args:
            versions: Which; those that are gone already are fine.

        Raises:
            StorageError: The store refused one of them.
        """
        for at in range(0, len(versions), _AT_ONCE):
            named = [
                {"Key": self._prefix + each.path, "VersionId": each.id}
                for each in versions[at : at + _AT_ONCE]
            ]
            answer = self._ask(
                "delete_objects", Bucket=self._bucket, Delete={"Objects": named, "Quiet": True}
            )
            if answer.get("Errors"):
                raise StorageError(
                    f"{len(answer['Errors'])} older versions of objects could not be deleted "
                    f"({answer['Errors'][0].get('Code', 'unknown')})",
                    advice="the permission s3:DeleteObjectVersion is needed",
                )

    def uploads(self) -> Iterator[Upload]:
        """All unfinished uploads.

        Raises:
            StorageError: The store does not tell.
        """
        for page in self._pages("list_multipart_uploads"):
            for each in page.get("Uploads", ()):
                yield Upload(each["Key"].removeprefix(self._prefix), each["UploadId"], each["Initiated"])

    def abort(self, upload: Upload) -> None:
        """Ends an upload and takes away the parts that arrived.

        Raises:
            StorageError: The store refused.
        """
        self._ask(
            "abort_multipart_upload", Bucket=self._bucket, Key=self._prefix + upload.path, UploadId=upload.id
        )

    def _pages(self, operation: str, *, below: str = "") -> Iterator[Any]:
        pages = self._client.get_paginator(operation).paginate(
            Bucket=self._bucket, Prefix=self._prefix + below
        )
        iterator = iter(pages)
        while True:
            try:
                page = next(iterator)
            except StopIteration:
                return
            except _failures() as error:
                raise _told(operation, error) from None
            yield page

    def _ask(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(**arguments)
        except _failures() as error:
            raise _told(operation, error) from None


def object_versions(storage: Storage) -> ObjectVersions | None:
    """The older versions of a storage's objects.

    Args:
        storage: Any.

    Returns:
        What lists and deletes them; None for stores that are none of S3's kind.

    Raises:
        NoBotoError: boto3 is not installed.
    """
    if not storage.url.startswith("s3://"):
        return None
    try:
        boto3, config = import_module("boto3"), import_module("botocore.config")
    except ImportError:
        raise NoBotoError(
            "boto3 is not installed, so older versions of objects and unfinished uploads were not looked at",
            advice="install lakehouse[s3] if the bucket is versioned",
        ) from None
    given = storage.library_options()
    bucket, _, prefix = storage.url.removeprefix("s3://").partition("/")
    virtual = given.get("virtual_hosted_style_request") == "true"
    client = boto3.client(
        "s3",
        endpoint_url=given.get("endpoint_url") or None,
        region_name=given.get("region") or None,
        aws_access_key_id=given.get("access_key_id"),
        aws_secret_access_key=given.get("secret_access_key"),
        aws_session_token=given.get("session_token"),
        verify=given.get("allow_invalid_certificates") != "true" if _is_https(given) else None,
        config=config.Config(
            s3={
                "addressing_style": "virtual" if virtual else "path" if given.get("endpoint_url") else "auto"
            },
            retries={"max_attempts": 5},
            proxies={"http": given["proxy_url"], "https": given["proxy_url"]}
            if given.get("proxy_url")
            else None,
        ),
    )
    return ObjectVersions(client, bucket=bucket, prefix=f"{prefix}/" if prefix else "")


def _is_https(given: dict[str, str]) -> bool:
    return urlsplit(given.get("endpoint_url", "https://")).scheme == "https"


def _failures() -> tuple[type[Exception], ...]:
    errors = import_module("botocore.exceptions")
    return errors.BotoCoreError, errors.ClientError


def _told(operation: str, error: Exception) -> StorageError:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    # Only the code: the text of such an error can hold what was sent.
    return StorageError(
        f"the store did not answer {operation} ({code or type(error).__name__})",
        advice="versioned buckets need s3:ListBucketVersions, s3:DeleteObjectVersion, s3:GetBucketVersioning",
    )
