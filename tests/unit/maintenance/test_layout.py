"""Which files a compaction takes: decided from the log alone."""

from __future__ import annotations

from lakehouse.delta.actions import AddFile, DeletionVector
from lakehouse.maintenance.layout import AFTER_MERGE_BYTES, Bounds, Group, Policy, plan_groups

MB = 1024 * 1024
TARGET = 100 * MB


def made(name: str, size: int, *, rows: int = 100, hidden: int = 0, partition: str | None = None) -> AddFile:
    vector = None
    if hidden:
        vector = DeletionVector(storage_type="u", path_or_inline_dv="x", size_in_bytes=1, cardinality=hidden)
    return AddFile(
        path=name,
        partition_values={} if partition is None else {"p": partition},
        size=size,
        modification_time=0,
        data_change=True,
        stats=f'{{"numRecords":{rows}}}',
        deletion_vector=vector,
    )


def planned(*files: tuple[AddFile, Bounds], policy: Policy | None = None) -> list[tuple[list[str], int]]:
    groups = plan_groups(
        [add for add, _ in files],
        policy=policy or Policy.thorough(TARGET),
        bounds=[span for _, span in files],
    )
    return [named(group) for group in groups]


def named(group: Group) -> tuple[list[str], int]:
    return [add.path for add in group.files], group.parts


def test_neighbours_go_together_up_to_the_target() -> None:
    found = planned(
        (made("c", 40 * MB), (21, 30)), (made("a", 40 * MB), (0, 10)), (made("b", 40 * MB), (11, 20))
    )
    assert found == [(["a", "b"], 1)]


def test_files_that_overlap_stay_together_and_are_cut_anew() -> None:
    wide = made("new", 10 * MB), (0, 1000)
    bases = [(made(f"base{n}", 70 * MB), (n * 100, n * 100 + 99)) for n in range(10)]
    ((names, parts),) = planned(*bases, wide)
    assert len(names) == 11
    assert parts == 7


def test_what_is_large_and_alive_is_left_alone() -> None:
    assert planned((made("big", 90 * MB), (0, 10)), (made("small", MB), (0, 10))) == []


def test_a_worn_file_is_written_anew_even_alone() -> None:
    assert planned((made("worn", 90 * MB, hidden=6), (0, 10))) == [(["worn"], 1)]
    assert planned((made("fresh", 90 * MB, hidden=5), (0, 10))) == []


def test_partitions_are_kept_apart() -> None:
    files = [(made(f"{p}{n}", MB, partition=p), None) for p in "xy" for n in (1, 2)]
    assert planned(*files) == [(["x1", "x2"], 1), (["y1", "y2"], 1)]


def test_files_without_statistics_go_together_in_their_order() -> None:
    files = [(made(name, 40 * MB), None) for name in "cab"]
    assert planned(*files) == [(["c", "a"], 1)]


def test_after_a_merge_few_small_files_are_left_alone() -> None:
    policy = Policy.after_merge(TARGET, after=3)
    three = [(made(f"f{n}", MB), (0, 10)) for n in range(3)]
    assert planned(*three, policy=policy) == []
    four = [*three, (made("f3", MB), (0, 10))]
    assert planned(*four, policy=policy) == [(["f0", "f1", "f2", "f3"], 1)]


def test_after_a_merge_worn_and_larger_files_are_left_to_the_command() -> None:
    policy = Policy.after_merge(TARGET, after=1)
    files = [
        (made("worn", 90 * MB, hidden=50), (0, 10)),
        (made("middle", AFTER_MERGE_BYTES // 4), (0, 10)),
        (made("s1", MB), (0, 10)),
        (made("s2", MB), (0, 10)),
    ]
    assert planned(*files, policy=policy) == [(["s1", "s2"], 1)]


def test_after_a_merge_no_more_is_read_than_the_bound() -> None:
    policy = Policy.after_merge(TARGET, after=2)
    files = [
        (made(f"{partition}{n}", 7 * MB, partition=partition), None)
        for partition, count in (("x", 3), ("y", 9))
        for n in range(count)
    ]
    groups = plan_groups([add for add, _ in files], policy=policy)
    assert sum(group.size for group in groups) <= AFTER_MERGE_BYTES
    assert all(add.partition_values == {"p": "y"} for group in groups for add in group.files)
