"""What a storage is: the interface that every room above speaks, and what a listing tells of an object."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store tells of one object.

    Args:
        path: Relative to the storage that was asked, with ``/`` between its parts.
        size: Bytes.
        modified: When it was last written, by the store's clock (UTC, aware).
        etag: The store's mark of this content, where it has one.
        version: The object's version on a versioned bucket, where the store tells it.
    """

    path: str
    size: int
    modified: datetime
    etag: str | None = None
    version: str | None = None


class Storage(typing.Protocol):
    """A folder of objects. Every path is relative to it and uses ``/``; ``..`` and empty parts are refused.

    Objects are whole or absent: a reader never sees half of a ``put``. All methods can be called from
    many threads at once. Every method raises ``StorageError`` where the store fails (unreachable, no
    space, no permission, wrong credentials, missing bucket) and ``UsageError`` for an impossible path.
    """

    @property
    def url(self) -> str:
        """Where it is: an absolute local folder, ``s3://bucket/prefix`` or the like; no slash at the end."""

    def uri(self, path: str = "") -> str:
        """What polars and deltalake are given to find an object or folder of this storage.

        Args:
            path: Relative to this storage; empty means the storage itself.

        Returns:
            The plain path or URL. Nothing in it is percent-encoded: polars takes it literally, so turn
            its globbing off (``glob=False``) for names with ``*``, ``?`` or ``[``.
        """

    def child(self, prefix: str) -> Storage:
        """The storage of a folder below this one; it shares this one's connections.

        Args:
            prefix: The folder, relative to this storage. It need not exist.

        Raises:
            UsageError: The name holds a character that the Delta library can't address.
        """

    def get(self, path: str) -> bytes:
        """The whole content of an object.

        Raises:
            NotFoundError: No such object.
        """

    def get_range(self, path: str, *, start: int, length: int) -> bytes:
        """A part of an object.

        Args:
            path: The object.
            start: Bytes to skip, from 0.
            length: Bytes wanted.

        Returns:
            ``length`` bytes, or fewer (down to none) where the object ends before.

        Raises:
            NotFoundError: No such object.
        """

    def head(self, path: str) -> ObjectInfo:
        """What the store knows of an object, without its content.

        Raises:
            NotFoundError: No such object.
        """

    def exists(self, path: str) -> bool:
        """Whether there is an object at the path (a folder is none)."""

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write an object, over what was there.

        On S3 large data goes in several parts; the object appears when all of them have arrived.
        """

    def put_file(self, path: str, source: Path) -> None:
        """Write an object from a local file, over what was there, without holding it in memory.

        Raises:
            NotFoundError: The local file isn't there.
        """

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Write an object only where none is: of all who try, at most one writes.

        Returns:
            True: we wrote it. False: an object was there. **It can be our own**: where an answer is lost
            on the way back (connection dropped, or a 5xx after the write), the request is repeated, and
            the repetition meets the object of the first try. Whoever must know looks into the object.

        Raises:
            StorageError: Unknown: it may or may not have been written, or may still be (a timeout is
                not repeated). Look before trying again.
            StoreRefusedError: The store has no such operation.
        """

    def list(self, prefix: str = "", *, after: str | None = None) -> list[ObjectInfo]:
        """All objects below a folder, also in its subfolders, sorted by path.

        Args:
            prefix: The folder (``log`` has ``log/a``, not ``log-old/a``); empty means all.
            after: Only paths that sort after this one (by code point), relative to this storage as
                all paths. Object stores skip the earlier ones themselves, so asking costs nothing.

        Returns:
            The objects; none where the folder doesn't exist. Objects that come or go meanwhile may or
            may not be there. Staging files of unfinished local writes are not.
        """

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects. Those that are absent are fine."""

    def library_options(self) -> dict[str, str]:
        """The ``storage_options`` with which deltalake and polars reach this storage; {} for a local one."""
