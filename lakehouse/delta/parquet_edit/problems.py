"""Why a file can't be changed in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from lakehouse.errors import CorruptTableError, RefusedError


class CantEditError(RefusedError):
    """A Parquet file can't be changed at its size and place; whoever asked has to do without the file.

    Args:
        reason: Why, in words that follow "since"; never with a value of a row.
        file: Which file, where that is known.
    """

    def __init__(self, reason: str, file: str = "") -> None:
        super().__init__(
            f"{file or 'a Parquet file'} can't be changed in place, since {reason}",
            advice="end the versions that need the file instead (`history: cut`)",
        )
        self.reason = reason
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.reason, self.file)

    def of(self, file: str) -> CantEditError:
        """The same error, with the name of the file.

        Args:
            file: Its place.
        """
        return type(self)(self.reason, file)


class NoRoomError(CantEditError):
    """What is left does not fit into the old size, with any codec that all readers know."""


def no_room(*, needed: int, size: int) -> NoRoomError:
    """The error for a file that came out too large.

    Args:
        needed: Bytes that it would have.
        size: Bytes that it may have.
    """
    return NoRoomError(f"it would need {needed} bytes where it has {size}")


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Around all that reads a file: what a damaged one makes Python or Arrow say can show values of rows.

    Raises:
        CorruptTableError: In the place of any error that is none of ours. The cause is not kept.
    """
    try:
        yield
    except (
        pa.ArrowException,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        NotImplementedError,
        OSError,
        TypeError,
        ValueError,
    ) as error:
        raise CorruptTableError(
            f"a Parquet file can't be read to its end ({type(error).__name__})",
            advice="`lakehouse verify` shows what is wrong with it",
        ) from None
