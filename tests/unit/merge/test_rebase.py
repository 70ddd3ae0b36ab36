"""Merges in company: what somebody else commits in the last moment, and what of the merge's work stands."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.errors import ConflictError
from lakehouse.merge.commit import write as write_commit
from lakehouse.merge.company import gave_up, pause
from lakehouse.merge.finder import Finder
from lakehouse.merge.locate import locate
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.fixtures.meanwhile import Deed, Meanwhile
from tests.properties.tables import NAME, delta, everywhere, files_below, open_table, records

BY_SEQUENCE = {"sequence": "seq"}
SECTION: dict[str, Any] = {
    "changes": BY_SEQUENCE,
    "schema": {"id": "long", "seq": "long", "v": "string", "w": "long"},
}


def row(key: int, seq: int, v: str = "a", **more: object) -> dict[str, object]:
    return {"id": key, "seq": seq, "v": v, "w": 0, **more}


def gone(key: int, seq: int) -> dict[str, object]:
    return {"id": key, "seq": seq, "_op": "delete"}


def filled(root: Path, *, files: int = 4, rows: int = 20, **section: Any) -> Table:
    table = open_table(root, **{**SECTION, **section})
    for number in range(files):
        table.merge([row(key, 1) for key in range(number * rows, (number + 1) * rows)])
    return table


def in_company(root: Path, *deeds: Deed, **section: Any) -> Table:
    storage = Meanwhile(open_storage(root, options={"fsync": "false"}), deeds)
    return open_table(root, storage=storage, **{**SECTION, **section})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.merge.run.pause", lambda _: 0.0)


@pytest.fixture
def located(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files each reading of key columns looked at."""
    counts: list[int] = []

    def counting(storage: Any, snapshot: Any, files: Sequence[Any], **options: Any) -> Any:
        counts.append(len(files))
        return locate(storage, snapshot, files, **options)

    monkeypatch.setattr("lakehouse.merge.finder.locate", counting)
    return counts


def test_a_plan_that_nobody_touched_is_committed_as_it_is(
    tmp_path: Path, mode: str, located: list[int]
) -> None:
    other = filled(tmp_path, merge=mode)
    located.clear()
    ours = in_company(
        tmp_path, lambda: other.merge([row(70, 2, "theirs")]), lambda: other.merge([row(71, 2)]), merge=mode
    )
    before = set(files_below(tmp_path / NAME))
    result = ours.merge([row(3, 2, "ours"), row(4, 2, "ours")])
    assert (result.updated, result.attempts, result.rebased) == (2, 3, 2)
    # Ours once, theirs once each.
    assert located == [1, 1, 1]
    assert ours.outcomes == {"committed": 1, "conflicted": 2, "unknown": 0}
    rows = {item["id"]: item["v"] for item in everywhere(ours, tmp_path)}
    assert (len(rows), rows[3], rows[4], rows[70]) == (80, "ours", "ours", "theirs")
    new = set(files_below(tmp_path / NAME)) - before
    assert len([path for path in new if path.endswith(".parquet")]) == (3 if mode != "on_write" else 6)


def test_only_the_files_of_the_winner_are_read_again(tmp_path: Path, mode: str, located: list[int]) -> None:
    other = filled(tmp_path, merge=mode)
    located.clear()
    ours = in_company(tmp_path, lambda: other.merge([row(3, 2, "theirs"), row(100, 2)]), merge=mode)
    result = ours.merge([row(key, 3, "ours") for key in (3, 4, 30, 50, 70, 100)])
    assert (result.updated, result.attempts, result.rebased) == (6, 2, 0)
    again = located[-1]
    # With vectors only the file that came; else also the rewritten one, in place of the old.
    assert (located[0], again) == (4, 1 if mode != "on_write" else 2)
    rows = {item["id"]: item["v"] for item in everywhere(ours, tmp_path)}
    assert {rows[key] for key in (3, 4, 30, 50, 70, 100)} == {"ours"}
    assert len(rows) == 81


def test_what_is_still_right_is_not_written_again(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = filled(tmp_path, merge=mode)
    tries: list[set[str]] = []

    def noting(*arguments: Any, **options: Any) -> Any:
        done = write_commit(*arguments, **options)
        tries.append(set(done.total.written))
        return done

    monkeypatch.setattr("lakehouse.merge.run.write", noting)
    ours = in_company(tmp_path, lambda: other.merge([gone(3, 2)]), merge=mode)
    result = ours.merge([row(key, 3, "ours") for key in (4, 30, 50, 70)])
    assert (result.updated, result.attempts) == (4, 2)
    first, _, second = tries
    kept = first & second
    assert any(path.endswith(".parquet") for path in kept)
    if mode == "on_write":
        assert len(kept) == 4
    # What was written in vain is gone, and all that the table needs is there.
    there = set(files_below(tmp_path / NAME))
    assert not (first - second) & there
    assert second <= there
    assert ours.verify().ok
    assert len(everywhere(ours, tmp_path)) == 79


def test_somebody_elses_row_with_our_key_is_found(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, merge=mode)
    appended = pl.DataFrame({"id": [200], "seq": [1], "v": ["appended"], "w": [0]})
    ours = in_company(tmp_path, lambda: write_deltalake(delta(tmp_path), appended, mode="append"), merge=mode)
    result = ours.merge([row(200, 2, "ours")])
    assert (result.inserted, result.updated, result.attempts) == (0, 1, 2)
    newer = in_company(tmp_path, lambda: other.merge([row(201, 9, "newer")]), merge=mode)
    late = newer.merge([row(201, 8, "late")])
    assert (late.stale, late.committed) == (1, False)
    rows = {item["id"]: item["v"] for item in everywhere(other, tmp_path)}
    assert (rows[200], rows[201], len(rows)) == ("ours", "newer", 82)


def test_a_delete_that_found_nothing_still_beats_a_late_insert(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, merge=mode)
    ours = in_company(tmp_path, lambda: other.merge([gone(300, 5)]), merge=mode)
    result = ours.merge([row(300, 4, "late")])
    assert (result.stale, result.inserted) == (1, 0)
    both = in_company(tmp_path, lambda: other.merge([gone(301, 5)]), merge=mode)
    both.merge([gone(302, 5), row(303, 5)])
    later = other.merge([row(key, 4, "late") for key in (300, 301, 302)])
    assert later.stale == 3


def test_the_same_source_twice_at_once(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, merge=mode)
    batch = [row(1, 2, "once"), row(500, 2, "once")]
    ours = in_company(tmp_path, lambda: other.merge(batch, source="shop", offset=7), merge=mode)
    before = set(files_below(tmp_path / NAME))
    result = ours.merge(batch, source="shop", offset=7)
    assert (result.duplicate, result.committed) == (2, False)
    assert len(everywhere(ours, tmp_path)) == 81
    names = [name for name in set(files_below(tmp_path / NAME)) - before if name.endswith(".parquet")]
    assert len(names) == (2 if mode == "on_write" else 1)


def test_a_new_column_in_the_last_moment(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, merge=mode)
    ours = in_company(tmp_path, lambda: other.merge([row(1, 2, "theirs", x="new")]), merge=mode)
    result = ours.merge([row(2, 2, "ours"), row(3, 2, "ours", y=1)])
    assert (result.updated, result.attempts, result.rebased) == (2, 2, 0)
    rows = {item["id"]: item for item in everywhere(ours, tmp_path)}
    assert (rows[1]["x"], rows[1]["y"], rows[3]["y"], rows[2]["x"]) == ("new", None, 1, None)


def test_a_truncate_takes_also_what_came_in_the_last_moment(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, merge=mode)
    ours = in_company(tmp_path, lambda: other.merge([row(900, 2, "theirs")]), merge=mode)
    result = ours.merge([{"seq": 5, "_op": "truncate"}, row(901, 6)])
    assert result.attempts == 2
    assert [item["id"] for item in everywhere(ours, tmp_path)] == [901]


def test_a_compaction_in_the_last_moment(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, merge=mode)
    ours = in_company(tmp_path, other.compact, lambda: other.merge([row(5, 2, "theirs")]), merge=mode)
    result = ours.merge([row(3, 3, "ours"), gone(4, 3), row(400, 3)])
    assert (result.updated, result.deleted, result.inserted, result.attempts) == (1, 1, 1, 3)
    rows = {item["id"]: item["v"] for item in everywhere(ours, tmp_path)}
    assert (len(rows), rows[3], rows[5]) == (80, "ours", "theirs")


def test_a_restore_that_brings_rows_back(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, files=2, merge=mode)
    other.merge([gone(key, 2) for key in range(5)])
    version = other.snapshot().version
    ours = in_company(tmp_path, lambda: other.restore(version=version - 1), merge=mode)
    result = ours.merge([row(key, 3, "ours") for key in range(8)])
    assert (result.updated, result.inserted) == (8, 0)
    assert len(everywhere(ours, tmp_path)) == 40


def test_giving_up_names_the_winner_and_leaves_nothing_behind(tmp_path: Path, mode: str) -> None:
    other = filled(tmp_path, files=1, merge=mode)
    seqs = iter(range(10, 1000))
    deeds: list[Deed] = [lambda: other.merge([row(1, next(seqs), "theirs")])] * 60
    ours = in_company(tmp_path, *deeds, merge=mode)
    with pytest.raises(ConflictError) as caught:
        ours.merge([row(1, 2000, "ours"), row(2, 2000, "ours")])
    version = other.snapshot().version
    assert f"version {version}, MERGE by lakehouse/" in caught.value.message
    assert "in each of 50 tries" in caught.value.message
    assert "fewer writers" in caught.value.advice
    assert "theirs" not in str(caught.value)
    needed = {path for v in range(version + 1) for path in other.snapshot(version=v).files}
    there = {path for path in files_below(tmp_path / NAME) if path.endswith(".parquet") and "_" not in path}
    assert there <= needed
    assert ours.outcomes == {"committed": 0, "conflicted": 50, "unknown": 0}


def test_a_table_that_was_overwritten_is_looked_at_again(tmp_path: Path, mode: str) -> None:
    filled(tmp_path, merge=mode)

    def overwrite() -> None:
        rows = pl.DataFrame({"id": [1], "seq": [1], "v": ["a"], "w": [0]})
        write_deltalake(delta(tmp_path), rows, mode="overwrite")

    result = in_company(tmp_path, overwrite, merge=mode).merge([row(1, 2, "ours"), row(2, 2)])
    assert (result.updated, result.inserted, result.attempts) == (1, 1, 2)


def test_a_table_that_was_made_anew_is_not_written_to(tmp_path: Path, mode: str) -> None:
    before = filled(tmp_path, merge=mode).snapshot()

    def replace() -> None:
        schema = delta(tmp_path).schema()
        DeltaTable.create(str(tmp_path / NAME), schema, mode="overwrite")

    ours = in_company(tmp_path, replace, merge=mode)
    with pytest.raises(ConflictError, match="replaced by another one"):
        ours.merge([row(1, 2, "ours")])
    assert ours.snapshot().version == before.version + 1


def test_pauses_are_random_and_bounded() -> None:
    assert all(0 <= pause(number) <= 2.0 for number in range(1, 60) for _ in range(5))
    assert len({pause(5) for _ in range(10)}) > 1
    assert "unnamed" not in str(gave_up("t", tries=3, winner=None))


def test_a_finder_used_on_another_table_state_finds_the_same_as_a_new_one(tmp_path: Path) -> None:
    table = filled(tmp_path)
    first = table.snapshot()
    table.merge([row(3, 2), gone(25, 2), row(300, 2)])
    table.compact()
    table.merge([row(4, 3), row(300, 3)])
    keys = pl.DataFrame({"id": [3, 4, 25, 60, 300, 999]})
    finder = Finder()
    for snapshot in (first, *(table.snapshot(version=v) for v in range(1, table.snapshot().version + 1))):
        found = finder.candidates(snapshot, keys=keys)
        again = finder.locate(table.storage, snapshot, found, changes=keys, key=["id"], sequence=())
        fresh = Finder().locate(table.storage, snapshot, found, changes=keys, key=["id"], sequence=())
        order = ["__change", "__file", "__position"]
        assert again.frame.sort(order).equals(fresh.frame.sort(order))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("history", ["none", "full"])
def test_any_company_gives_what_one_after_the_other_gives(tmp_path: Path, seed: int, history: str) -> None:
    dice = random.Random(seed)
    modes = ["on_read", "on_write"]
    section = {"merge": dice.choice(modes), "history": history}
    theirs = {"merge": dice.choice(modes), "history": history}
    first = [batch(dice, 1) for _ in range(3)]
    deeds = [deed(dice) for _ in range(dice.randint(1, 3))]
    last = batch(dice, 3)
    together, apart = tmp_path / "together", tmp_path / "apart"
    for root in (together, apart):
        root.mkdir()
        start = open_table(root, **{**SECTION, **section})
        for part in first:
            start.merge(part)
    there = open_table(apart, **{**SECTION, **theirs})
    for act in deeds:
        act(there, apart)
    expected = open_table(apart, **{**SECTION, **section}).merge(last)
    rival = open_table(together, **{**SECTION, **theirs})
    ours = in_company(together, *[lambda act=act: act(rival, together) for act in deeds], **section)
    result = ours.merge(last)
    assert result.counts == expected.counts
    assert seen(ours) == seen(open_table(apart, **{**SECTION, **section}))
    assert ours.verify().ok


def batch(dice: random.Random, seq: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for key in dice.sample(range(60), dice.randint(1, 25)):
        at = seq + dice.choice([0, 0, 1, 2])
        kind = dice.random()
        if kind < 0.2:
            found.append(gone(key, at))
        elif kind < 0.4:
            found.append({"id": key, "seq": at, "w": dice.randint(0, 9)})
        else:
            found.append(row(key, at, dice.choice("abc")))
    if dice.random() < 0.1:
        found.insert(0, {"seq": seq, "_op": "truncate"})
    return found


def deed(dice: random.Random) -> Callable[[Table, Path], object]:
    kind = dice.random()
    if kind < 0.6:
        theirs = batch(dice, dice.choice([2, 3, 4]))
        return lambda table, _: table.merge(theirs)
    if kind < 0.8:
        return lambda table, _: table.compact()
    key = dice.randint(100, 120)
    return lambda table, _: table.merge([row(key, 1, "new")])


def seen(table: Table) -> list[dict[str, Any]]:
    return records(table.read())
