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

AFTER_TRUNCATE: Final = [{"seq": 2, "_op": "truncate"}, *BATCH]


def table(root: Path, *, storage: Storage | None = None, **section: Any) -> Table:
    wanted: dict[str, Any] = {"schema": SCHEMA, "changes": {"sequence": "seq"}, **section}
    return open_table(root, storage=storage, **wanted)


def fill(root: Path, **section: Any) -> None:
    """A table with two files, vectors (or none), tombstones, and an offset of its source."""
    found = table(root, **section)
    found.merge(FIRST, source="shop", offset=1)
    found.merge(SECOND, source="shop", offset=2)


def merge(found: Table) -> Mapping[str, Any]:
    result = found.merge(BATCH, source="shop", offset=OFFSET)
    return {"counts": dict(result.counts), "committed": result.committed, "version": result.version}


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
    return {"version": found.compact().version}


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


def limit_file_size(size: int) -> None:
    """Lets this process write no file beyond some bytes: what a full disk does, in the middle of a file."""
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
