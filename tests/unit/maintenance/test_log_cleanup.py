"""Which files of a log go, for logs of every shape: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.delta.log_files import sort_files
from lakehouse.maintenance.vacuum.log_cleanup import LogPlan, LogRules, plan_log
from lakehouse.storage import ObjectInfo

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)
UUID = "80a083e8-7026-4e79-81be-64bd76c43a11"


def item(name: str, age: timedelta = 100 * DAY) -> ObjectInfo:
    return ObjectInfo(f"_delta_log/{name}", 10, NOW - age)


def commit(version: int, age: timedelta = 100 * DAY) -> ObjectInfo:
    return item(f"{version:020d}.json", age)


def classic(version: int, age: timedelta = 100 * DAY) -> ObjectInfo:
    return item(f"{version:020d}.checkpoint.parquet", age)


def planned(
    objects: Sequence[ObjectInfo],
    kept: Sequence[int],
    *,
    sidecars: Mapping[str, Collection[str]] | None = None,
    hint: int | None = None,
    retention: timedelta = 30 * DAY,
) -> LogPlan:
    rules = LogRules(now=NOW, retention=retention, leftovers=7 * DAY, interval=10)
    return plan_log(objects, sort_files(objects), kept=kept, sidecars=sidecars or {}, hint=hint, rules=rules)


def names(plan: LogPlan) -> set[str]:
    return {each.path.removeprefix("_delta_log/") for each in plan.going}


def test_no_kept_version_loses_a_commit_or_its_checkpoint() -> None:
    objects = [*map(commit, range(25)), classic(10), classic(20)]
    plan = planned(objects, [19, 24])
    assert plan.before == 10
    assert names(plan) == {f"{version:020d}.json" for version in range(10)}


def test_young_commits_stay_and_so_does_all_after_them() -> None:
    objects = [commit(v, 100 * DAY if v < 15 else DAY) for v in range(25)] + [classic(10), classic(20)]
    assert planned(objects, [24]).before == 10
    assert planned(objects, [24], retention=200 * DAY).before is None
    old_again = [commit(v, DAY if v == 3 else 100 * DAY) for v in range(25)] + [classic(10)]
    assert planned(old_again, [24]).before is None


def test_a_checkpoint_pays_from_ten_commits_on() -> None:
    assert planned(list(map(commit, range(9))), [8]).checkpoint_at is None
    assert planned(list(map(commit, range(12))), [11]).checkpoint_at == 11
    assert planned([*map(commit, range(12)), classic(10)], [11]).checkpoint_at is None
    assert planned(list(map(commit, range(40))), [35, 39]).checkpoint_at == 35


def test_sidecars_go_with_the_last_checkpoint_that_has_them() -> None:
    v2 = [item(f"{version:020d}.checkpoint.{UUID}.parquet") for version in (5, 10)]
    sides = [item(f"_sidecars/{name}.parquet") for name in ("only-5", "both", "only-10", "nobody")]
    young = item("_sidecars/young.parquet", timedelta(hours=3))
    paths = [each.path for each in sides]
    owned = {v2[0].path: paths[:2], v2[1].path: paths[1:3]}
    plan = planned([*map(commit, range(15)), *v2, *sides, young], [14], sidecars=owned, hint=10)
    assert plan.before == 10
    assert {name for name in names(plan) if "sidecars" in name} == {
        "_sidecars/only-5.parquet",
        "_sidecars/nobody.parquet",
    }


def test_what_the_hint_points_at_stays() -> None:
    objects = [*map(commit, range(31)), classic(10), classic(20), classic(30)]
    assert names(planned(objects, [0, 30])) == {classic(v).path.removeprefix("_delta_log/") for v in (10, 20)}
    assert classic(20).path.removeprefix("_delta_log/") not in names(planned(objects, [0, 30], hint=20))


def test_what_is_not_known_stays() -> None:
    strange = [
        item(name)
        for name in ("_last_checkpoint", "notes.txt", "_commits/00000000000000000001.x.json", "a.crc")
    ]
    assert names(planned([*map(commit, range(12)), classic(10), *strange], [11])) == {
        f"{version:020d}.json" for version in range(10)
    }


@given(
    count=st.integers(1, 40),
    checkpoints=st.sets(st.integers(0, 39)),
    ages=st.lists(st.integers(0, 60), min_size=40, max_size=40),
    kept=st.sets(st.integers(0, 39)),
)
def test_every_kept_version_can_still_be_worked_out(
    count: int, checkpoints: set[int], ages: list[int], kept: set[int]
) -> None:
    objects = [commit(version, ages[version] * DAY) for version in range(count)]
    objects += [classic(version, ages[version] * DAY) for version in checkpoints if version < count]
    stay = sorted({version for version in kept if version < count} | {count - 1})
    plan = planned(objects, stay)
    gone = {each.path for each in plan.going}
    left = sort_files([each for each in objects if each.path not in gone])
    for version in stay:
        assert any(first <= version <= last for first, last in left.readable()), plan
        assert version in left.commits
    assert len(left.readable()) == 1
    young = {
        each.path for each in objects if NOW - each.modified <= 30 * DAY and ".checkpoint" not in each.path
    }
    assert not young & gone
