"""Opens a storage from a folder name or URL and one set of options."""

from __future__ import annotations

import os
import typing
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store, from_url

from lakehouse.errors import UsageError
from lakehouse.storage import failures, naming
from lakehouse.storage.local import LocalStorage
from lakehouse.storage.objects import Storage
from lakehouse.storage.options import StoreOptions, resolve_options
from lakehouse.storage.stores import Connection, ObjectStorage, Store

if typing.TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_SCHEMES = {"s3": "s3", "s3a": "s3", "gs": "gs", "az": "az", "file": "file", "memory": "memory"}


def open_storage(url: str | Path, *, options: Mapping[str, str] | None = None) -> Storage:
    """Open a folder of objects. Nothing is read, made or reached yet.

    Args:
        url: A folder (``~`` and relative ones are resolved; it need not exist), ``file://``,
            ``s3://bucket/prefix``, ``gs://``, ``az://container/prefix``, or ``memory://`` for a new, empty
            storage in this process.
        options: As in ``storage.options`` of the config; what isn't given comes from the usual
            environment variables (``AWS_ACCESS_KEY_ID`` and the like).

    Returns:
        The storage. For Google and Azure it is wired, but not tested against the real services.

    Raises:
        UsageError: An unknown scheme, option or value, a URL without a bucket, a file in the place of
            the folder, or a name that the Delta library can't open.
    """
    given = dict(options or {})
    text = str(url)
    scheme = _scheme(text)
    resolved = resolve_options(scheme, given)
    if scheme == "file":
        return _open_local(text, resolved, given)
    rest = text.partition("://")[2].rstrip("/")
    if scheme == "memory":
        name = naming.folder(rest.lstrip("/")) or "lake"
        return ObjectStorage(Connection(MemoryStore(), resolved), url=f"memory://{name}", prefix="")
    bucket, _, below = rest.partition("/")
    if not bucket:
        raise UsageError(f"{text!r} names no bucket", advice=f"write {scheme}://bucket/prefix")
    prefix = naming.folder(below)
    naming.refuse_unopenable(prefix, local=False)
    connection = Connection(
        _open_bucket(scheme, bucket, resolved), resolved, _endpoint(resolved), open_storage, given
    )
    return ObjectStorage(connection, url=naming.join(f"{scheme}://{bucket}", prefix), prefix=prefix)


def _scheme(text: str) -> str:
    name, separator, _ = text.partition("://")
    if not separator:
        return "file"
    scheme = _SCHEMES.get(name.lower())
    if scheme is None:
        known = ", ".join(f"{known}://" for known in _SCHEMES)
        raise UsageError(f"unknown kind of storage {name}://", advice=f"use a folder or one of {known}")
    return scheme


def _open_local(text: str, options: StoreOptions, given: dict[str, str]) -> Storage:
    if text.lower().startswith("file://"):
        text = urllib.parse.unquote(text[len("file://") :])
        if not text.startswith("/"):
            raise UsageError("a file:// URL must have an absolute path", advice="write file:///folder")
    if not text:
        raise UsageError("the storage has no name", advice="give a folder or a URL")
    folder = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 (keeps symbolic links as they are)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"the storage {folder} is a file", advice="give a folder")
    naming.refuse_unopenable(str(folder), local=True)
    # Rooted at /, since a store rooted at the folder would need the folder to exist.
    connection = Connection(LocalStore(), options, "", open_storage, given, bucket_seen=True)
    return LocalStorage(connection, url=str(folder), prefix=naming.folder(str(folder).lstrip("/")))


def _open_bucket(scheme: str, bucket: str, options: StoreOptions) -> Store:
    client = typing.cast("ClientConfig", dict(options.client))
    retry = typing.cast("RetryConfig", dict(options.retry))
    try:
        if scheme == "s3":
            config = typing.cast("S3Config", dict(options.store))
            return S3Store(bucket, config=config, client_options=client, retry_config=retry)
        store = from_url(
            f"{scheme}://{bucket}",
            config=typing.cast("S3Config", dict(options.store)),
            client_options=client,
            retry_config=retry,
        )
    except (BaseError, ValueError) as error:
        detail = failures.read_symptoms(error, options.secrets).detail
        raise UsageError(
            f"the options of storage {scheme}://{bucket} don't fit: {detail}", advice="check storage.options"
        ) from None
    return typing.cast("Store", store)


def _endpoint(options: StoreOptions) -> str:
    """Host and port of the endpoint, without a user name or password that may be in it."""
    parts = urllib.parse.urlsplit(options.store.get("endpoint", ""))
    return parts.netloc.rpartition("@")[2]
