"""Merges that are overtaken, in the scenarios of Delta Lake's own suites, with delta-rs as the other writer.

After delta-io/delta: ``FeatureEnablementConcurrencySuite`` (features and properties that are switched on or
off meanwhile), ``OptimizeConflictSuite``, ``TypeWideningMergeIntoSchemaEvolutionSuite`` and
``IdentityColumnConflictSuite``; after delta-io/delta-rs: the tests of ``conflict_checker.rs`` and the
concurrent ones of ``command_merge.rs``. Delta refuses some of these commits; a merge of ours knows its rows
by key and works them out anew on what the table has become.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import write_deltalake

from lakehouse.delta.log import commits
from tests.fixtures.overtaken import (
    BATCH,
    DONE,
    Plain,
    append,
    frame,
    made_by_delta_rs,
    overtaken,
    plain,
)
from tests.properties.tables import delta, open_table, ours, records


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.merge.run.pause", lambda _: 0.0)


def deletes(root: Path) -> object:
    return delta(root).delete("id = 0")


def deletes_ours(root: Path) -> object:
    return delta(root).delete("id in (1, 2)")


def deletes_a_file(root: Path) -> object:
    return delta(root).delete("id < 4")


def deletes_a_part(root: Path) -> object:
    return delta(root).delete("p = 'b'")


def updates_ours(root: Path) -> object:
    return delta(root).update(predicate="id < 3", updates={"v": "99"})


def updates_elsewhere(root: Path) -> object:
    return delta(root).update(predicate="id >= 4", updates={"v": "99"})


def appends_ours(root: Path) -> None:
    append(root, frame([100], v=5))


def appends_elsewhere(root: Path) -> None:
    append(root, frame([9000], p="b"))


def overwrites_a_part(root: Path) -> object:
    return write_deltalake(delta(root), frame([1, 3], v=7, p="a"), mode="overwrite", predicate="p = 'a'")


def merges(root: Path) -> object:
    source = frame([1, 3, 200], v=50)
    merger = delta(root).merge(source, "s.id = t.id", source_alias="s", target_alias="t")
    return merger.when_matched_update_all().when_not_matched_insert_all().execute()


def optimizes(root: Path) -> object:
    return delta(root).optimize.compact()


def orders(root: Path) -> object:
    return delta(root).optimize.z_order(["v"])


def vacuums(root: Path) -> None:
    deletes(root)
    delta(root).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


THEIRS: dict[Callable[[Path], object], Plain] = {
    deletes: {key: value for key, value in DONE.items() if key != 0},
    deletes_ours: DONE,
    deletes_a_file: {1: 10, 4: 0, 5: 0, 6: 0, 7: 0, 100: 10},
    deletes_a_part: {0: 0, 1: 10, 3: 0, 100: 10},
    updates_ours: {**DONE, 0: 99},
    updates_elsewhere: {**DONE, 4: 99, 5: 99, 6: 99, 7: 99},
    appends_ours: DONE,
    appends_elsewhere: {**DONE, 9000: 0},
    overwrites_a_part: {1: 10, 3: 7, 4: 0, 5: 0, 6: 0, 7: 0, 100: 10},
    merges: {**DONE, 3: 50, 200: 50},
    optimizes: DONE,
    orders: DONE,
    vacuums: {key: value for key, value in DONE.items() if key != 0},
}


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize("deed", THEIRS, ids=lambda deed: deed.__name__)
def test_rows_of_others(tmp_path: Path, mode: str, deed: Callable[[Path], object], *, parts: bool) -> None:
    made_by_delta_rs(tmp_path, parts=parts)
    table = overtaken(tmp_path, mode, deed)
    result = table.merge(BATCH, source="shop", offset=1)
    # Each partition has a single file, so there is nothing to put together.
    idle = deed is optimizes and parts
    assert (result.total, result.attempts) == (3, 1 if idle else 2)
    assert plain(table, tmp_path) == THEIRS[deed]
    assert table.verify().ok
    assert table.merge(BATCH, source="shop", offset=1).duplicate == 3


def test_what_others_do_elsewhere_leaves_the_plan_as_it_was(tmp_path: Path, mode: str) -> None:
    made_by_delta_rs(tmp_path, parts=True)
    table = overtaken(tmp_path, mode, updates_elsewhere, deletes_a_part)
    result = table.merge([{"id": 1, "p": "a", "v": 10}])
    assert (result.attempts, result.rebased) == (3, 2)
    assert plain(table, tmp_path) == {0: 0, 1: 10, 2: 0, 3: 0}


@pytest.mark.parametrize("deed", [deletes, updates_ours, merges, optimizes], ids=lambda deed: deed.__name__)
def test_what_our_vectors_hide_stays_hidden(tmp_path: Path, deed: Callable[[Path], object]) -> None:
    """``MergeIntoDVsSuite``: the files have vectors before, and the others rewrite them."""
    made_by_delta_rs(tmp_path)
    open_table(tmp_path, merge="on_read").merge([{"id": 3, "_op": "delete"}, {"id": 7, "_op": "delete"}])
    table = overtaken(tmp_path, "on_read", deed)
    assert table.merge(BATCH).attempts == 2
    wanted = {key: value for key, value in THEIRS[deed].items() if key not in (3, 7)}
    assert plain(table, tmp_path) == (wanted | {3: 50} if deed is merges else wanted)


@pytest.mark.parametrize(
    "deed", [deletes, deletes_ours, updates_ours, merges], ids=lambda deed: deed.__name__
)
def test_a_compaction_never_brings_back_what_others_took(
    tmp_path: Path, deed: Callable[[Path], object]
) -> None:
    """``OptimizeConflictSuite``: there the compaction fails; ours hides the rows in the new file too."""
    made_by_delta_rs(tmp_path)
    open_table(tmp_path, merge="on_read").merge([{"id": 3, "_op": "delete"}])
    table = overtaken(tmp_path, "on_read", deed)
    table.compact()
    rows = plain(table, tmp_path)
    assert rows == {row["id"]: row["v"] for row in records(ours(table, version=3))}
    (newest,) = commits(table.storage, start=4, end=4)
    assert newest.info is not None
    assert newest.info.operation == "OPTIMIZE"
    assert len(table.snapshot().files) <= 2
