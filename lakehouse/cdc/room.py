"""Whether a batch fits into memory: refused with advice before the machine thrashes or the process is killed.

A merge holds its batch several times over for a moment: as it came, in the table's types, in order, and as
the rows that it writes. The factors are measured (a million changes of eleven columns take 4.5 times their
size); they are meant to catch a batch that is far too large, not to foretell the last megabyte.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lakehouse.errors import RefusedError

OVERRIDE: Final = "LAKEHOUSE_ANY_BATCH"
"""The environment variable that, set to anything, turns the check off."""

TIMES_ROWS: Final = 4
"""Bytes that a merge needs for each byte of its rows in memory."""

TIMES_FILES: Final = 6
"""Bytes that it needs for each byte of files that are yet to be read, the reading included."""

SMALL: Final = 64 * 1024 * 1024
"""A batch of fewer bytes is not asked for."""

_CGROUP: Final = Path("/sys/fs/cgroup")
_MEMINFO: Final = Path("/proc/meminfo")


def ensure_room(size: int, *, times: int, table: str, free: int | None) -> None:
    """Refuses a batch for which there is not enough memory.

    Args:
        size: Bytes of the batch.
        times: How many bytes a merge needs for each of them.
        table: The table's name, for the error.
        free: Bytes that are free; None where that is not known.

    Raises:
        RefusedError: It does not fit.
    """
    needed = size * times
    if size < SMALL or free is None or needed <= free or os.environ.get(OVERRIDE):
        return
    raise RefusedError(
        f"the batch for table {table} has {_mb(size)} and would need about {_mb(needed)} of memory; "
        f"{_mb(free)} are free",
        advice="merge it in parts: where changes have a sequence, any parts in any order give the same "
        f"table; or set {OVERRIDE}=1 to try all the same",
    )


def size_of(files: Sequence[str | Path]) -> int:
    """How large files are, in bytes; what is no file (standard input, a missing one) counts nothing."""
    total = 0
    for file in files:
        with suppress(OSError):
            total += Path(file).stat().st_size
    return total


def free_memory() -> int | None:
    """How much memory this process can still take, in bytes; None where the system does not say.

    What the machine has available, or what is left below the limit of the container, whichever is less.
    """
    found: list[int] = []
    with suppress(OSError, ValueError, IndexError):
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        cache = _cache()
        found.append(max(0, limit - used + cache))
    return min(found, default=None)


def _cache() -> int:
    """The part of the container's memory that the kernel gives back when asked."""
    for line in (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
