"""The verbs of a table's life in any order, on a real lake: nothing held is lost, nothing kept changes."""

from __future__ import annotations

import logging
import os
import random
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse import Lakehouse
from lakehouse.errors import LakehouseError, ProtectedError, VersionNotFoundError
from lakehouse.table import Table

CANARY = "canary-5e1f"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
RUNS = int(os.environ.get("LIFECYCLE_RUNS", "6"))
STEPS = 14
CONTROL = ("_sequence", "_cells", "_generation", "_events")

Row = tuple[tuple[str, Any], ...]


def rows_of(frame: pl.DataFrame) -> frozenset[Row]:
    """Rows as they compare, whatever columns a version has: nulls are left out."""
    return frozenset(
        tuple(sorted((name, str(value)) for name, value in row.items() if value is not None))
        for row in frame.to_dicts()
    )


@dataclass
class Life:
    """A lake with one table, and what is known of it from outside.

    Args:
        root: Its folder.
        choose: Where all chance comes from.
        config: The lake's config.
        seen: By version, the rows that it had when it was made.
        tags: Names, and their versions.
        held: By the hold's id, the key that it holds.
        kept: By the hold's id, every state of its rows that could be read while it stood.
        done: What happened, to be told where a check fails.
    """

    root: Path
    choose: random.Random
    config: dict[str, Any]
    seen: dict[int, frozenset[Row]] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    kept: dict[str, set[Row]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    sequence: int = 0

    @property
    def lake(self) -> Lakehouse:
        return Lakehouse.open(self.config)

    @property
    def table(self) -> Table:
        return self.lake.table("people")

    def merge(self) -> None:
        self.sequence += 1
        batch: dict[int, dict[str, Any]] = {}
        for _ in range(self.choose.randint(1, 4)):
            key = self.choose.randint(1, 6)
            late = self.choose.random() < 0.3
            row: dict[str, Any] = {"id": key, "seq": max(1, self.sequence - 3) if late else self.sequence}
            if self.choose.random() < 0.2:
                row["_op"] = "delete"
            else:
                row["at"] = NOW - timedelta(days=self.choose.choice([1, 5, 50, 500]))
                row["name"] = f"{CANARY}-{key}-{self.choose.randint(0, 9)}"
                row["place"] = self.choose.choice(["Bonn", "Riga", None])
                if self.choose.random() < 0.2:
                    row[self.choose.choice(["more", "extra"])] = self.choose.randint(0, 9)
            batch[key] = row
        self.table.merge(list(batch.values()))

    def merge_bad(self) -> None:
        self.table.merge([{"id": CANARY, "seq": self.sequence, "name": "x"}])

    def compact(self) -> None:
        before = rows_of(self.table.read())
        self.table.compact()
        assert rows_of(self.table.read()) == before

    def retain(self) -> None:
        retention = self.lake.retention
        plan = retention.plan(now=NOW, max_fraction=1.0, allow_empty=True)
        assert CANARY not in f"{plan!r}{plan.to_dict()}"
        before = self.rows_held()
        if self.choose.random() < 0.3:
            self.hold()
            before = self.rows_held()
        done = retention.apply(plan, strict=False)
        assert not any(CANARY in f"{error}{error.__cause__}" for error in done.errors)
        assert self.rows_held() == before, "retention changed a held row"

    def bring_back(self) -> None:
        if self.lake.retention.archives("people"):
            self.lake.retention.restore_archive("people")

    def hold(self) -> None:
        key = self.choose.randint(1, 6)
        if self.choose.random() < 0.5:
            hold = self.lake.holds.add(table="people", where=f"id = {key}", reason="case")
        else:
            hold = self.lake.holds.add(subject="person", identifiers={"id": key}, reason="case")
        self.held[hold.id] = key
        self.kept[hold.id] = self.states(key)

    def release(self) -> None:
        if self.held:
            chosen = self.choose.choice(sorted(self.held))
            self.lake.holds.release(chosen)
            del self.held[chosen], self.kept[chosen]

    def tag(self) -> None:
        name = f"t{len(self.done)}"
        version = self.choose.choice(sorted(self.seen))
        try:
            self.table.tag(name, version=version)
        except VersionNotFoundError:
            return
        self.tags[name] = version

    def untag(self) -> None:
        if self.tags:
            name = self.choose.choice(sorted(self.tags))
            self.table.untag(name)
            del self.tags[name]

    def restore(self) -> None:
        version = self.choose.choice(sorted(self.seen))
        before = self.rows_held()
        try:
            self.table.restore(version=version)
        except (VersionNotFoundError, ProtectedError):
            return
        assert rows_of(self.table.read()) == self.seen[version]
        assert before <= self.rows_held(), "a restore lost a held row"

    def vacuum(self) -> None:
        plan = self.table.vacuum(dry_run=True, grace="0s")
        if self.choose.random() < 0.3:
            self.hold()
        done = self.table.vacuum(plan=plan, grace="0s")
        assert CANARY not in f"{done!r}"
        for each in done.versions:
            if each.keep:
                assert rows_of(self.table.read(version=each.version)) == self.seen[each.version]

    def rows_held(self) -> frozenset[Row]:
        keys = {str(key) for key in self.held.values()}
        return frozenset(row for row in rows_of(self.table.read()) if dict(row)["id"] in keys)

    def states(self, key: int) -> set[Row]:
        """The rows of a key in all versions that can be read."""
        found: set[Row] = set()
        for version in range(self.table.snapshot().version + 1):
            try:
                rows = rows_of(self.table.read(version=version))
            except LakehouseError:
                continue
            found |= {row for row in rows if dict(row)["id"] == str(key)}
        return found

    def look(self) -> None:
        """What must be so after any verb."""
        newest = self.table.snapshot().version
        for version in range(max(self.seen, default=-1) + 1, newest + 1):
            self.seen[version] = rows_of(self.table.read(version=version))
        assert rows_of(self.table.read()) == self.seen[newest], "rows changed without a version"
        there = DeltaTable(self.root / "lake" / "people")
        frame = pl.DataFrame(QueryBuilder().register("t", there).execute("select * from t").read_all())
        other = frame.drop(CONTROL, strict=False)
        assert rows_of(other.cast({"at": pl.Datetime("us", "UTC")})) == self.seen[newest]
        for version in self.tags.values():
            assert rows_of(self.table.read(version=version)) == self.seen[version], "a tag lost rows"
        for hold, key in self.held.items():
            now = self.states(key)
            assert self.kept[hold] <= now, f"a held row of {key} was lost"
            self.kept[hold] |= now
        report = self.table.verify(full=True)
        assert report.ok, report

    def ensure_silent(self) -> None:
        """No person in what is kept beside rows: commits' own notes, state, records."""
        for entry in self.table.history():
            assert CANARY not in repr(entry)
        assert CANARY not in repr(self.lake.retention.history())
        for path in (self.root / "lake" / "_lakehouse").rglob("*"):
            assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path.name


VERBS = (
    *[Life.merge] * 5,
    Life.merge_bad,
    *[Life.compact] * 2,
    *[Life.retain] * 2,
    *[Life.bring_back] * 2,
    *[Life.hold] * 2,
    Life.release,
    Life.tag,
    Life.untag,
    Life.restore,
    *[Life.vacuum] * 3,
)


def config_of(root: Path, choose: random.Random) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": "old", "column": "at", "keep": "100d", "max_fraction": 1.0}
    rule["action"] = choose.choice(["delete", "anonymize", "archive"])
    if rule["action"] == "anonymize":
        rule["columns"] = ["name"]
    if rule["action"] == "archive":
        rule["to"] = "archive"
    versions = {"name": "few", "versions": {"last": choose.randint(1, 3)}}
    table: dict[str, Any] = {
        "key": ["id"],
        "schema": {"id": "long", "seq": "long", "at": "timestamp", "name": "string", "place": "string"},
        "changes": {"sequence": "seq"},
        "merge": choose.choice(["on_read", "on_write"]),
        "change_feed": choose.random() < 0.5,
        "retention": [rule],
        **choose.choice([{}, {"partition_by": ["place"]}, {"history": "full"}]),
    }
    everywhere = choose.random() < 0.5
    if not everywhere:
        table["retention"].append(versions)
    return {
        "version": 1,
        "name": "life",
        "storage": {"root": str(root / "lake")},
        "retention": [versions] if everywhere else [],
        "tables": {"people": table},
        "subjects": {"person": {"identifiers": {"id": "people.id"}, "rows": []}},
    }


@pytest.mark.parametrize("seed", range(RUNS))
def test_any_order_of_verbs_loses_nothing_that_is_held_or_kept(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lakehouse")
    choose = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), choose, config_of(Path(folder), choose))
        life.lake.apply()
        life.look()
        for _ in range(STEPS):
            verb = choose.choice(VERBS)
            life.done.append(verb.__name__)
            try:
                verb(life)
                life.look()
            except (AssertionError, LakehouseError) as error:
                raise AssertionError(f"after {', '.join(life.done)} of {life.config}") from error
        life.ensure_silent()
    assert CANARY not in caplog.text
