"""After requests were carried out, other engines read every version that is left, and the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse import Lakehouse
from tests.fixtures.sail import Sail

MAIL = "zz-canary-anna@example.org"
SCHEMA = {"id": "long", "email": "string", "city": "string"}
TABLES: dict[str, dict[str, Any]] = {
    "marked": {"merge": "on_read", "change_feed": True},
    "written": {"merge": "on_write", "partition_by": ["city"]},
}
Read = Callable[[Path, int], pl.DataFrame]


def opened(root: Path, history: str) -> Lakehouse:
    rows = [{"table": name, "where": {"id": "id"}, "do": "delete"} for name in TABLES]
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake"), "options": {"fsync": "false"}},
            "keys": {"path": str(root / "keys")},
            "tables": {
                name: {"key": ["id"], "schema": SCHEMA, **section} for name, section in TABLES.items()
            },
            "subjects": {
                "customer": {"identifiers": {"id": "marked.id", "email": "marked.email"}, "rows": rows}
            },
            "requests": {"history": history},
        }
    )
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    return lake


def filled(lake: Lakehouse, name: str) -> None:
    """Versions with the person before, in and behind a checkpoint, marked as deleted and back again."""
    table = lake.table(name)
    table.merge([{"id": n, "email": f"o{n}@x.example", "city": "Ulm"} for n in range(6)])
    for number in range(10):
        rows: list[dict[str, Any]] = [{"id": 4711, "email": MAIL, "city": "Ulm" if number % 2 else "Bonn"}]
        table.merge(
            [*rows, {"id": 1, "email": f"{number}@x.example", "city": "Ulm"}, {"_op": "delete", "id": 5}]
        )
    table.merge([{"_op": "delete", "id": 4711}, {"id": 9, "email": "o9@x.example", "city": "Bonn"}])


def by_delta_rs(path: Path, version: int) -> pl.DataFrame:
    table = DeltaTable(path, version=version)
    return pl.DataFrame(QueryBuilder().register("t", table).execute("select * from t").read_all())


def by_polars(path: Path, version: int) -> pl.DataFrame:
    return pl.scan_delta(str(path), version=version).collect()


def ordered(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return rows.select("id", "email", "city").sort("id", "email", "city").rows()


@pytest.mark.server
@pytest.mark.xdist_group("sail")
@pytest.mark.parametrize("history", ["cut", "redact"])
def test_every_version_that_is_left_is_read_by_all(tmp_path: Path, history: str, sail: Sail) -> None:
    def by_sail(path: Path, version: int) -> pl.DataFrame:
        return pl.DataFrame(sail.read(path, version=version))

    lake = opened(tmp_path, history)
    before: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
    can: dict[str, list[Read]] = {}
    for name in TABLES:
        filled(lake, name)
        table, path = lake.table(name), tmp_path / "lake" / name
        for version in range(1, table.snapshot().version + 1):
            before[name, version] = ordered(table.read(version=version).filter(pl.col("id") != 4711))
            can[f"{name} {version}"] = [
                by_delta_rs,
                by_polars,
                *([by_sail] if reads(by_sail, path, version) else []),
            ]
    lake.requests.submit("erasure", subject="customer", email=MAIL)
    assert lake.requests.run().outcomes[0].status == "completed"
    for name in TABLES:
        lake.table(name).merge([{"id": 20, "email": "later@x.example", "city": "Ulm"}])
    for name in TABLES:
        table, path = lake.table(name), tmp_path / "lake" / name
        versions = sorted(entry.version for entry in table.history() if entry.readable)
        newest = table.snapshot().version
        assert versions[-1] == newest
        # Where history was cut, what is left begins with the erasure.
        assert versions[0] == (0 if history == "redact" else newest - 1)
        for version in versions[1 if history == "redact" else 0 :]:
            wanted = ordered(table.read(version=version))
            if (name, version) in before:
                assert [row for row in wanted if row[0] is not None] == before[name, version], version
            for read in can.get(f"{name} {version}", [by_delta_rs, by_polars, by_sail]):
                assert ordered(read(path, version)) == wanted, (name, version, read)


def reads(read: Read, path: Path, version: int) -> bool:
    """Whether a reader can read a version at all: Sail can't read all that are older than a checkpoint."""
    try:
        read(path, version)
    except Exception:  # noqa: BLE001 - whatever it says
        return False
    return True
