"""The storage on obstore: S3 and its like, Google, Azure, and memory."""

from __future__ import annotations

import builtins
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from lakehouse.errors import LakehouseError, NotFoundError, StorageError, StoreRefusedError, UsageError
from lakehouse.storage import failures, naming
from lakehouse.storage.objects import ObjectInfo, Storage
from lakehouse.storage.options import StoreOptions

Store = S3Store | GCSStore | AzureStore | LocalStore | MemoryStore

# What obstore raises, besides its own: FileNotFoundError, and ValueError for paths it can't take.
FAILURES = (BaseError, OSError, NotImplementedError, ValueError)

_CREATE_TRIES = 5
_CREATE_PAUSE_SECONDS = 0.05
_LIST_CHUNK = 1000


@dataclass(slots=True)
class Connection:
    """What a storage and its children share.

    Args:
        store: obstore's store, without a prefix.
        options: As resolved.
        reached_by: Host and port, where an endpoint was given; for messages.
        reopen: ``open_storage``, where another process can open the same storage again.
        given: The options as the caller gave them, for that.
        bucket_seen: Whether the store has shown that the bucket exists.
        process: The process that it was opened in.
    """

    store: Store
    options: StoreOptions
    reached_by: str = ""
    reopen: Callable[..., Storage] | None = None
    given: dict[str, str] = field(default_factory=dict, repr=False)
    bucket_seen: bool = False
    process: int = field(default_factory=os.getpid)


class ObjectStorage(Storage):
    """A storage on obstore. Its methods are described at ``Storage``.

    Args:
        connection: Shared with all other storages on that bucket.
        url: Where it is, without a slash at the end.
        prefix: What comes before every path in the bucket; empty, or without slashes around it.
    """

    is_local: ClassVar[bool] = False

    def __init__(self, connection: Connection, *, url: str, prefix: str) -> None:
        self._connection = connection
        self._url = url
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._connection.reopen is None:
            raise TypeError(f"the storage {self._url} is in this process's memory and can't leave it")
        return _open_again, (self._connection.reopen, self._url, self._connection.given)

    @property
    def url(self) -> str:
        """See ``Storage.url``."""
        return self._url

    def uri(self, path: str = "") -> str:
        """See ``Storage.uri``."""
        return naming.join(self._url, naming.folder(path))

    def child(self, prefix: str) -> Storage:
        """See ``Storage.child``."""
        below = naming.folder(prefix)
        naming.refuse_unopenable(below, local=self.is_local)
        url = naming.join(self._url, below)
        return type(self)(self._connection, url=url, prefix=naming.join(self._prefix, below))

    def get(self, path: str) -> bytes:
        """See ``Storage.get``."""
        with self._reading(path):
            return bytes(obstore.get(self._store, self._key(path)).bytes())

    def get_range(self, path: str, *, start: int, length: int) -> bytes:
        """See ``Storage.get_range``."""
        if start < 0 or length < 0:
            raise UsageError(f"a range of {path!r} can't start at {start} nor be {length} bytes long")
        if length == 0:
            self.head(path)
            return b""
        with self._reading(path):
            try:
                return bytes(obstore.get_range(self._store, self._key(path), start=start, length=length))
            except BaseError as error:
                if failures.read_symptoms(error).beyond_end:
                    return b""
                raise

    def head(self, path: str) -> ObjectInfo:
        """See ``Storage.head``."""
        with self._reading(path):
            return self._info(obstore.head(self._store, self._key(path)))

    def exists(self, path: str) -> bool:
        """See ``Storage.exists``."""
        try:
            self.head(path)
        except NotFoundError:
            return False
        return True

    def put(self, path: str, data: bytes | memoryview) -> None:
        """See ``Storage.put``."""
        content = data.cast("B") if isinstance(data, memoryview) else data
        with self._doing(f"write {path!r}"):
            obstore.put(self._store, self._key(path), content)

    def put_file(self, path: str, source: Path) -> None:
        """See ``Storage.put_file``."""
        need_file(source)
        with self._doing(f"write {path!r}"):
            obstore.put(self._store, self._key(path), source)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """See ``Storage.put_if_absent``."""
        key, action = self._key(path), f"create {path!r}"
        for attempt in range(_CREATE_TRIES):
            if attempt:
                time.sleep(_CREATE_PAUSE_SECONDS * 2**attempt)
            try:
                obstore.put(self._store, key, data, mode="create")
            except AlreadyExistsError as error:
                if not failures.is_busy(failures.read_symptoms(error)):
                    return False
            except FAILURES as error:
                raise self._failure(error, action, creating=True) from None
            else:
                return True
        raise StorageError(
            f"can't {action} in {self._url}: other requests for it were under way each time",
            advice="run it again",
        )

    def list(self, prefix: str = "", *, after: str | None = None) -> builtins.list[ObjectInfo]:
        """See ``Storage.list``."""
        below = naming.folder(prefix)
        key = naming.join(self._prefix, below) or None
        offset = naming.join(self._prefix, after) if after else None
        with self._doing(f"list {below!r}" if below else "list the objects"):
            chunks = obstore.list(self._store, key, offset=offset, chunk_size=_LIST_CHUNK)
            found = [self._info(meta) for chunk in chunks for meta in chunk]
        self._connection.bucket_seen = True
        later = [info for info in found if after is None or info.path > after]
        return sorted(later, key=lambda info: info.path)

    def delete(self, paths: Sequence[str]) -> None:
        """See ``Storage.delete``."""
        keys = [self._key(path) for path in paths]
        with self._doing(f"delete {len(keys)} objects"):
            try:
                if keys:
                    obstore.delete(self._store, keys)
            except FileNotFoundError as error:
                if failures.is_bucket_missing(failures.read_symptoms(error)):
                    raise
                # Google and Azure stop at the first absent object.
                for key in keys:
                    with contextlib.suppress(FileNotFoundError):
                        obstore.delete(self._store, key)

    def library_options(self) -> dict[str, str]:
        """See ``Storage.library_options``."""
        return dict(self._connection.options.library)

    @property
    def _store(self) -> Store:
        # obstore's threads do not live on in a forked process: every call there would wait for ever.
        if os.getpid() != self._connection.process:
            raise UsageError(
                f"the storage {self._url} was opened before this process was forked",
                advice="start processes with the spawn method, or open it anew in one of those",
            )
        return self._connection.store

    def _key(self, path: str) -> str:
        return naming.join(self._prefix, naming.checked(path))

    def _info(self, meta: obstore.ObjectMeta) -> ObjectInfo:
        start = len(self._prefix) + 1 if self._prefix else 0
        return ObjectInfo(
            path=meta["path"][start:],
            size=meta["size"],
            modified=meta["last_modified"],
            etag=meta["e_tag"],
            version=meta["version"],
        )

    @contextlib.contextmanager
    def _doing(self, action: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise self._failure(error, action) from None

    @contextlib.contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            symptoms = failures.read_symptoms(error)
            if not symptoms.absent or failures.is_bucket_missing(symptoms):
                raise self._failure(error, f"read {path!r}") from None
            if symptoms.code is None:
                self._need_bucket()
            raise NotFoundError(f"there is no {path!r} in {self._url}") from None

    def _need_bucket(self) -> None:
        """Tell an absent bucket from an absent object: the answer to HEAD has no text that would."""
        if self._connection.bucket_seen:
            return
        with self._doing("list the objects"):
            next(iter(obstore.list(self._store, self._prefix or None, chunk_size=1)), None)
        self._connection.bucket_seen = True

    def _failure(self, error: Exception, action: str, *, creating: bool = False) -> LakehouseError:
        symptoms = failures.read_symptoms(error, self._connection.options.secrets)
        failure = failures.explain(
            symptoms, action=action, place=self._url, reached_by=self._connection.reached_by
        )
        if creating and failures.is_unsupported(symptoms):
            return refused(failure.message)
        return failure


def refused(what: str) -> StoreRefusedError:
    """The error for a store without an atomic put-if-absent, with the advice that belongs to it."""
    return StoreRefusedError(
        f"{what}: the store has no atomic put-if-absent, so commits could overwrite each other",
        advice="use a folder, or a store that honours If-None-Match on PUT (AWS S3, SeaweedFS, MinIO, R2)",
    )


def need_file(source: Path) -> None:
    """Check that a local file is there before it is sent.

    Raises:
        NotFoundError: It isn't.
    """
    if not source.is_file():
        raise NotFoundError(f"there is no file {source}")


def _open_again(reopen: Callable[..., Storage], url: str, options: dict[str, str]) -> Storage:
    return reopen(url, options=options)
