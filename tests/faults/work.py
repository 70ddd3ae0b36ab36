"""The pieces of work whose every storage call is made to fail in turn, and the child processes that race."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from lakehouse.storage import Storage
from lakehouse.table import Table
from tests.properties.tables import open_table

SCHEMA: Final = {"id": "long", "seq": "long", "v": "string"}
OFFSET: Final = 7

FIRST: Final = [{"id": key, "seq": 1, "v": "first"} for key in range(40)]
SECOND: Final = [{"id": key, "seq": 2, "v": "second"} for key in range(0, 40, 4)] + [
    {"id": key, "seq": 2, "_op": "delete"} for key in (1, 5, 9)
]
BATCH: Final = [
    *({"id": key, "seq": 3, "v": "third"} for key in range(12)),
    *({"id": key, "seq": 3, "_op": "delete"} for key in (20, 21, 999)),
    *({"id": key, "seq": 3, "v": "new"} for key in range(100, 105)),
    {"id": 30, "seq": 3},
    {"id": 9, "seq": 1, "v": "too late"},
]
"""Updates, deletes, inserts, a partial row, and a change that is late."""

BAD: Final = [{"id": None, "seq": 3, "v": "nobody"}, b'{"id": 7, "se', {"id": 8, "seq": "late", "v": "x"}]
"""Records that can't be merged."""

RIVAL: Final = [{"id": 2, "seq": 9, "v": "theirs"}, {"id": 33, "seq": 9, "_op": "delete"}]
"""Changes of somebody else, among the rows of the batch."""

ELSEWHERE: Final = [{"id": 5000, "seq": 1, "v": "theirs"}]
"""A row of somebody else that no change of the batch can be about."""

PARTED: Final[Mapping[str, Any]] = {"schema": {**SCHEMA, "part": "string"}, "partition_by": ["part"]}
"""The section of a table in two partitions, each of which a compaction takes for itself."""

AFTER_TRUNCATE: Final = [{"seq": 2, "_op": "truncate"}, *BATCH]


def table(root: Path, *, storage: Storage | None = None, **section: Any) -> Table:
    wanted: dict[str, Any] = {"schema": SCHEMA, "changes": {"sequence": "seq"}, **section}
    return open_table(root, storage=storage, **wanted)


def fill(root: Path, **section: Any) -> None:
    """A table with two files, vectors (or none), tombstones, and an offset of its source."""
    found = table(root, **section)
    found.merge(FIRST, source="shop", offset=1)
    found.merge(SECOND, source="shop", offset=2)


def fill_parts(root: Path, **section: Any) -> None:
    """A table in two partitions with three files each, and vectors on them."""
    found = table(root, **{**PARTED, **section})
    for number in range(3):
        found.merge([parted(key, 1) for key in range(number * 20, number * 20 + 20)])
    found.merge([{"id": key, "seq": 2, "_op": "delete"} for key in (3, 4, 21, 22, 44)])


def parted(key: int, seq: int, v: str | None = None) -> dict[str, Any]:
    """A row of such a table: even keys in one partition, odd ones in the other."""
    return {"id": key, "seq": seq, "v": v or f"{(key * 37) % 101:03}", "part": "ba"[key % 2]}


def merge(found: Table) -> Mapping[str, Any]:
    result = found.merge(BATCH, source="shop", offset=OFFSET)
    return {
        "counts": dict(result.counts),
        "committed": result.committed,
        "version": result.version,
        "attempts": result.attempts,
        "rebased": result.rebased,
        "compacted": result.files_compacted,
    }


def merge_truncate(found: Table) -> Mapping[str, Any]:
    result = found.merge(AFTER_TRUNCATE, source="shop", offset=OFFSET)
    return {"counts": dict(result.counts), "committed": result.committed, "version": result.version}


def merge_rejecting(found: Table) -> Mapping[str, Any]:
    result = found.merge([*BATCH, *BAD], source="shop", offset=OFFSET)
    return {"counts": dict(result.counts), "committed": result.committed, "version": result.version}


def merge_rejecting_unnamed(found: Table) -> Mapping[str, Any]:
    result = found.merge([*BATCH, *BAD])
    return {"counts": dict(result.counts), "committed": result.committed, "version": result.version}


def retry(found: Table) -> Mapping[str, Any]:
    return {"merged": found.quarantine.retry().merged}


def compact(found: Table) -> Mapping[str, Any]:
    done = found.compact()
    return {"version": done.version, "groups": len(done.groups), "added": done.files_added}


def restore(found: Table) -> Mapping[str, Any]:
    return {"version": found.restore(version=1).version}


def vacuum(found: Table) -> Mapping[str, Any]:
    return {"run": found.vacuum(grace="0s").run}


def create(found: Table) -> Mapping[str, Any]:
    found.create()
    return {"version": 0}


WORKS: Final[Mapping[str, Callable[[Table], Mapping[str, Any]]]] = {
    "merge": merge,
    "merge_truncate": merge_truncate,
    "merge_rejecting": merge_rejecting,
    "merge_rejecting_unnamed": merge_rejecting_unnamed,
    "retry": retry,
    "compact": compact,
    "restore": restore,
    "vacuum": vacuum,
    "create": create,
}

COMPANY: Final[Mapping[str, Callable[[Table], object]]] = {
    "elsewhere": lambda other: other.merge(ELSEWHERE),
    "rival": lambda other: other.merge(RIVAL),
    "compact": compact,
    "new_part": lambda other: other.merge([{**parted(5000, 1), "part": "c"}]),
    "even": lambda other: other.merge([parted(2, 9, "theirs"), {"id": 24, "seq": 9, "_op": "delete"}]),
    "most": lambda other: other.merge([parted(key, 9, "theirs") for key in range(0, 60, 2)]),
    "odd": lambda other: other.merge([parted(41, 9, "theirs"), parted(61, 9)]),
}
"""What others do meanwhile; done twice, each leaves the rows as once."""


def limit_file_size(size: int) -> None:
    """Lets this process write no file beyond some bytes: what a full disk does, in the middle of a file."""
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
