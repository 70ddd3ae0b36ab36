"""Any history of a table, vacuumed by any rules: what is kept reads as before, by us and by others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, QueryBuilder
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakehouse.errors import LakehouseError, VersionNotFoundError
from lakehouse.maintenance.vacuum import VacuumPlan
from lakehouse.protection import Protection, TableHold
from lakehouse.table import Table
from tests.fixtures.held import under
from tests.properties.tables import NAME, Row, open_table, ours, records

START = datetime(2026, 3, 27, 20, tzinfo=UTC)
KEYS = st.integers(1, 5)


@dataclass
class World:
    """A table whose clock is the test's: the files of its log are as old as it says."""

    root: Path
    section: dict[str, Any]
    now: datetime = START
    last_seen: int = -1
    rows: dict[int, list[Row]] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        return open_table(self.root, clock=lambda: self.now, **self.section)

    def seen(self) -> None:
        """Dates the new commits, and remembers what the new versions hold."""
        newest = self.table.snapshot().version
        for version in range(self.last_seen + 1, newest + 1):
            path = self.root / NAME / "_delta_log" / f"{version:020d}.json"
            os.utime(path, (self.now.timestamp(), self.now.timestamp()))
            self.rows[version] = records(ours(self.table, version=version))
        self.last_seen = newest


def by_delta_rs(root: Path, version: int) -> list[Row]:
    there = DeltaTable(root / NAME, version=version)
    found = QueryBuilder().register("t", there).execute("select * from t").read_all()
    return records(pl.DataFrame(found))


Deed = Callable[[World], None]


@st.composite
def merges(draw: st.DrawFn) -> Deed:
    changes = draw(st.lists(st.tuples(KEYS, st.booleans(), st.integers(0, 9)), min_size=2, max_size=5))

    def deed(world: World) -> None:
        sequence = world.last_seen + 2
        batch: dict[int, Row] = {
            key: {"id": key, "seq": sequence, "v": v, **({"_op": "delete"} if gone else {})}
            for key, gone, v in changes
        }
        world.table.merge(list(batch.values()))

    return deed


@st.composite
def restores(draw: st.DrawFn) -> Deed:
    back = draw(st.integers(1, 6))

    def deed(world: World) -> None:
        target = max(0, world.last_seen - back)
        try:
            world.table.restore(version=target)
        except VersionNotFoundError:
            pass
        else:
            # What comes back is what was there, or it would have been refused.
            assert records(ours(world.table)) == world.rows[target]

    return deed


@st.composite
def tags(draw: st.DrawFn) -> Deed:
    back, name = draw(st.integers(0, 6)), draw(st.sampled_from("abc"))

    def deed(world: World) -> None:
        version = max(0, world.last_seen - back)
        if name in world.tags:
            world.table.untag(name)
            del world.tags[name]
        try:
            world.table.tag(name, version=version)
        except VersionNotFoundError:
            return
        world.tags[name] = version

    return deed


def compact(world: World) -> None:
    world.table.compact()


@st.composite
def passing(draw: st.DrawFn) -> Deed:
    hours = draw(st.sampled_from([0, 1, 5, 24, 24 * 6, 24 * 8, 24 * 40, -3]))

    def deed(world: World) -> None:
        world.now += timedelta(hours=hours)

    return deed


HOLDS = st.one_of(st.none(), KEYS.map(lambda key: f"id = {key}"), st.just(""))


@st.composite
def vacuums(draw: st.DrawFn) -> Deed:
    held = draw(HOLDS)

    def deed(world: World) -> None:
        holds = () if held is None else (TableHold(id="h", reason="case", where=held or None),)
        check_vacuum(world, Protection(NAME, holds))

    return deed


def check_vacuum(world: World, protection: Protection) -> None:
    before = files(world.root)
    bearers = readable(world) if protection.conditions else {}
    plan = under(world.table, lambda: protection).vacuum(dry_run=True, grace="0s")
    assert files(world.root) == before, "a dry run does nothing"
    done = under(world.table, lambda: protection).vacuum(plan=plan, grace="0s")
    assert {each.path for each in done.files} == {each.path for each in plan.files}
    assert before - files(world.root) == {each.path for each in done.files}
    check_kept(world, done)
    if protection.whole:
        assert done.changes_nothing
    if protection.conditions:
        check_held(world, bearers, protection)
    again = under(world.table, lambda: protection).vacuum(grace="0s")
    assert again.changes_nothing, again.files


def check_kept(world: World, plan: VacuumPlan) -> None:
    kept = {each.version for each in plan.versions if each.keep}
    newest = world.table.snapshot().version
    if not plan.holds or plan.versions:
        assert newest in kept
        assert set(world.tags.values()) <= kept
    for version in kept | {newest} | set(world.tags.values()):
        assert records(ours(world.table, version=version)) == world.rows[version]
        assert by_delta_rs(world.root, version) == world.rows[version]
    lost = {number for first, last in plan.pruned for number in range(first, last + 1)}
    assert not lost & kept
    told = {entry.version: entry.readable for entry in world.table.history()}
    for version, can in told.items():
        if can:
            assert records(ours(world.table, version=version)) == world.rows[version]
        else:
            try:
                found = records(ours(world.table, version=version))
            except VersionNotFoundError:
                continue
            # Some files are gone, and none that this read needed; then at least nothing of it is wrong.
            assert found == world.rows[version]
    assert world.table.verify().ok


def readable(world: World) -> dict[int, list[Row]]:
    found = {}
    for version in range(world.last_seen + 1):
        try:
            found[version] = records(ours(world.table, version=version))
        except LakehouseError:
            continue
    return found


def check_held(world: World, before: dict[int, list[Row]], protection: Protection) -> None:
    """Every held row, in each state that could be read, can still be read in some version."""
    key = int(str(protection.condition).strip("()").rpartition("=")[2])

    def states(versions: dict[int, list[Row]]) -> set[str]:
        return {repr(row) for rows in versions.values() for row in rows if row["id"] == key}

    assert states(readable(world)) == states(before)


def files(root: Path) -> set[str]:
    place = root / NAME
    return {
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file() and not path.relative_to(place).as_posix().startswith("_lakehouse/vacuum/")
    }


SOME = (
    st.fixed_dictionaries(
        {"last": st.integers(0, 2), "hourly": st.integers(0, 2), "daily": st.integers(0, 2)}
    )
    .filter(lambda keep: any(keep.values()))
    .map(lambda keep: [{"name": "v", "versions": keep, "timezone": "Europe/Berlin"}])
)
RULES: st.SearchStrategy[list[Any]] = st.one_of(st.just([]), SOME, SOME)
SECTIONS = st.fixed_dictionaries(
    {
        "retention": RULES,
        "merge": st.sampled_from(["on_read", "on_write"]),
        "change_feed": st.booleans(),
    }
)
DEEDS = st.lists(
    st.one_of(merges(), merges(), merges(), restores(), tags(), st.just(compact), passing(), vacuums()),
    min_size=6,
    max_size=16,
)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
EXAMPLES = int(os.environ.get("VACUUM_EXAMPLES", "16"))


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(section=SECTIONS, deeds=DEEDS, held=HOLDS)
def test_no_file_of_a_kept_version_is_ever_lost(
    section: dict[str, Any], deeds: list[Deed], held: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        schema = {"id": "long", "seq": "long", "v": "long"}
        world = World(Path(folder), {"schema": schema, "changes": {"sequence": "seq"}, **section})
        world.table.create()
        world.seen()
        holds = () if held is None else (TableHold(id="h", reason="case", where=held or None),)
        for deed in deeds:
            deed(world)
            world.seen()
        check_vacuum(world, Protection(NAME, holds))
