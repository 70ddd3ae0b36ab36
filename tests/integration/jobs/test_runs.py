"""Jobs on a lake in a folder: what becomes of runs, and what is left of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.errors import ConflictError, NotFoundError, RefusedError, StorageError, UsageError
from lakehouse.jobs.runner import Runner
from lakehouse.jobs.verbs import Jobs
from lakehouse.state.leases import SqlLeases

Open = Callable[..., Lakehouse]
WORK = "tests.integration.jobs.work"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Open:
    def go(**jobs: dict[str, Any]) -> Lakehouse:
        return Lakehouse.open(
            {
                "version": 1,
                "name": "shop",
                "storage": {"root": str(tmp_path / "lake")},
                "tables": {"stock": {"key": ["item"], "changes": {"sequence": "n"}}},
                "jobs": {name: {"backoff": "0s", **job} for name, job in jobs.items()},
            }
        )

    return go


def notes(folder: Path) -> list[str]:
    file = folder / "notes.txt"
    return file.read_text().splitlines() if file.exists() else []


def test_a_moment_is_run_once(lake: Open, tmp_path: Path) -> None:
    shop = lake(note={"do": f"{WORK}.note"})
    first, again = (shop.jobs.run("note", fire_time=NOON) for _ in range(2))
    assert (first.status, first.counts, first.attempts) == ("succeeded", {"notes": 1}, 1)
    assert again == first
    assert notes(tmp_path) == [NOON.isoformat()]


def test_what_can_pass_is_tried_again_and_nothing_else(lake: Open, tmp_path: Path) -> None:
    shop = lake(conflict={"do": f"{WORK}.conflict"}, refused={"do": f"{WORK}.refused"})
    done = shop.jobs.run("conflict")
    assert (done.status, done.attempts, done.counts, done.versions, done.notes) == (
        "succeeded", 3, {"rows": 3}, {"stock": 7}, ("well",),
    )  # fmt: skip
    assert [each.event for each in done.events] == ["queued", "started", "retrying", "retrying", "succeeded"]
    (tmp_path / "notes.txt").unlink()
    failed = shop.jobs.run("refused")
    assert (failed.status, failed.error, failed.exit_code) == ("failed", "RefusedError", 3)
    assert failed.reason == "not like this (see the rules)"
    assert len(notes(tmp_path)) == 1
    impatient = lake(conflict={"do": f"{WORK}.conflict", "retries": 0})
    assert impatient.jobs.run("conflict").status == "failed"


def test_no_value_of_an_error_is_kept(lake: Open) -> None:
    shop = lake(broken={"do": f"{WORK}.broken"}, nonsense={"do": f"{WORK}.nonsense"})
    found = shop.jobs.run("broken")
    assert found.reason.startswith("ValueError at work.py:")
    assert "joan" not in repr(found) + shop.jobs.log(found.id)
    assert "returned dict" in shop.jobs.run("nonsense").reason


def test_a_function_that_is_not_there_is_told_before_a_run_is_made(lake: Open) -> None:
    shop = lake(gone={"do": "nowhere.at_all"}, other={"do": f"{WORK}.nothing"})
    for name in ("gone", "other"):
        with pytest.raises(UsageError):
            shop.jobs.run(name)
    with pytest.raises(NotFoundError, match="no job gome") as caught:
        shop.jobs.run("gome")
    assert "gone" in caught.value.advice
    assert shop.jobs.history() == []


@pytest.mark.parametrize(("kind", "late"), [("slowly", False), ("never", True)])
def test_a_run_that_takes_too_long_is_ended(lake: Open, tmp_path: Path, kind: str, late: bool) -> None:
    shop = lake(long={"do": f"{WORK}.{kind}", "timeout": "1s"})
    runner = Runner(
        lake=shop, state=shop._control.made(now=NOON), author="a", grace=timedelta(milliseconds=300)
    )
    begun = time.monotonic()
    done = runner.run("long", fire_time=NOON, cause="manual")
    assert time.monotonic() - begun < 10
    assert (done.status, done.error) == ("failed", "TimeoutError")
    assert done.reason.startswith("it took longer than its timeout (1s)")
    assert ("did not end" in done.reason) == late
    (tmp_path / "go").touch()


@pytest.mark.slow
def test_of_a_hundred_megabytes_the_tail_is_kept(lake: Open) -> None:
    shop = lake(talk={"do": f"{WORK}.talk"})
    log = shop.jobs.log(shop.jobs.run("talk").id).splitlines()
    assert len(log) == 200
    assert all(len(line) == 500 for line in log)


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_run_that_comes_while_one_goes_on(lake: Open, tmp_path: Path, overlap: str) -> None:
    shop = lake(slow={"do": f"{WORK}.slowly", "overlap": overlap})
    first = threading.Thread(target=shop.jobs.run, args=("slow",), kwargs={"fire_time": NOON})
    first.start()
    while not notes(tmp_path):
        time.sleep(0.01)
    later = threading.Timer(0.5, (tmp_path / "go").touch)
    if overlap == "queue":
        later.start()
    second = shop.jobs.run("slow", fire_time=NOON + timedelta(hours=1))
    (tmp_path / "go").touch()
    first.join()
    later.join() if overlap == "queue" else None
    assert second.status == ("skipped" if overlap == "skip" else "succeeded")
    assert [each.status for each in shop.jobs.history()] == [second.status, "succeeded"]


def test_a_run_is_stopped_from_elsewhere_and_done_again(lake: Open, tmp_path: Path) -> None:
    shop = lake(slow={"do": f"{WORK}.slowly"})
    jobs = Jobs(shop, control=shop._control, lease=timedelta(seconds=1))
    going = threading.Thread(target=jobs.run, args=("slow",), kwargs={"fire_time": NOON})
    going.start()
    while not notes(tmp_path):
        time.sleep(0.01)
    (run,) = shop.jobs.history()
    with pytest.raises(RefusedError, match="is running"):
        shop.jobs.retry(run.id)
    assert shop.jobs.cancel(run.id).status == "running"
    going.join(timeout=60)
    assert [each.event for each in shop.jobs.show(run.id).events] == [
        "queued", "started", "stopping", "cancelled",
    ]  # fmt: skip
    (tmp_path / "go").touch()
    again = shop.jobs.retry(run.id)
    assert (again.status, again.attempts, again.id) == ("succeeded", 2, run.id)
    assert len(notes(tmp_path)) == 2


def test_tables_are_not_taken_by_two(lake: Open) -> None:
    shop = lake(one={"do": f"{WORK}.alone"})
    with shop.jobs.alone("stock"):
        pass
    shop._control.made(now=NOON)
    with (
        shop.jobs.alone("stock"),
        pytest.raises(ConflictError, match="another command works on stock"),
        shop.jobs.alone("stock", wait=timedelta(0)),
    ):
        raise AssertionError
    assert shop.jobs.run("one").status == "succeeded"


def test_what_is_due_runs_and_what_waits_for_it_runs_after_it(lake: Open) -> None:
    shop = lake(
        last={"do": f"{WORK}.note", "after": ["second"]},
        second={"do": f"{WORK}.note", "after": ["first"]},
        first={"do": f"{WORK}.note", "schedule": "every 1h"},
        called={"do": f"{WORK}.note"},
        resting={"do": f"{WORK}.note", "schedule": "every 1h", "pause": True},
    )
    now = NOON + timedelta(minutes=5)
    jobs = Jobs(shop, control=shop._control, clock=lambda: now)
    assert [(each.job, each.fire_time) for each in jobs.run_due()] == [
        (name, NOON) for name in ("first", "second", "last")
    ]
    assert jobs.run_due() == []
    by_hand = NOON + timedelta(hours=1)
    jobs.run("first", fire_time=by_hand)
    now = by_hand + timedelta(minutes=1)
    assert [each.job for each in jobs.run_due()] == ["second", "last"], "the moment of `first` has its run"
    assert jobs.run_due() == []
    jobs.pause("first", reason="audit")
    now = NOON + timedelta(hours=3, minutes=5)
    assert jobs.run_due() == []
    assert jobs.list()[2].paused == "audit"
    jobs.resume("first")
    assert {each.fire_time for each in jobs.run_due("first")} == {NOON + timedelta(hours=3)}


def test_nothing_follows_a_run_that_failed(lake: Open) -> None:
    shop = lake(
        first={"do": f"{WORK}.refused", "schedule": "every 1h"},
        second={"do": f"{WORK}.note", "after": ["first"]},
    )
    assert [each.job for each in shop.jobs.run_due()] == ["first"]


def test_a_window_is_filled_once(lake: Open, tmp_path: Path) -> None:
    shop = lake(note={"do": f"{WORK}.note", "schedule": "30 2 * * *", "timezone": "Europe/Berlin"})
    start, end = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
    assert len(shop.jobs.missing("note", start=start, end=end)) == 3
    assert {each.cause for each in shop.jobs.backfill("note", start=start, end=end)} == {"backfill"}
    assert shop.jobs.backfill("note", start=start, end=end) == []
    assert notes(tmp_path) == [f"2026-03-{each}:30:00+00:00" for each in ("28T01", "29T01", "30T00")]


def test_the_kinds_do_what_their_verbs_do(lake: Open) -> None:
    shop = lake(
        **{kind: {"do": kind} for kind in ("compact", "vacuum", "retention", "verify", "freshness", "erase")}
    )
    for number in range(3):
        shop.table("stock").merge([{"item": number, "n": 1}])
    done = {name: shop.jobs.run(name) for name in shop.config.jobs}
    assert {each.status for each in done.values()} == {"succeeded"}, [each.reason for each in done.values()]
    assert done["compact"].counts["files_removed"] == 3
    assert done["compact"].versions == {"stock": 4}
    assert done["verify"].counts == {"files": 1, "rows_read": 3, "findings": 0}
    for file in Path(shop.storage.url.removeprefix("file://")).glob("stock/*.parquet"):
        file.unlink()
    broken = shop.jobs.run("verify")
    assert (broken.status, broken.exit_code, broken.counts["findings"]) == ("failed", 5, 1)


def arrivals(folder: Path, **more: Any) -> dict[str, Any]:
    return {"do": "merge", "from": {"path": str(folder), "files": "*.json*", "settle": "0s", **more}}


def test_files_that_appear_are_merged_once_each(lake: Open, tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    shop = lake(move=arrivals(inbox, done="move"))
    assert shop.jobs.run("move").counts["files"] == 0
    inbox.mkdir()
    (inbox / "a.jsonl").write_text('{"item": 1, "n": 1}\n{"item": 2, "n": 1}\nno json\n')
    (inbox / "b.json.gz").write_bytes(b"no gzip")
    (inbox / "_unfinished.jsonl").write_text('{"item": 9, "n": 1}\n')
    done = shop.jobs.run("move")
    assert (done.status, done.exit_code) == ("failed", 5)
    assert "b.json.gz" in done.reason
    assert {name: done.counts[name] for name in ("files", "refused", "inserted", "rejected")} == {
        "files": 1, "refused": 1, "inserted": 2, "rejected": 1,
    }  # fmt: skip
    assert sorted(str(each.relative_to(inbox)) for each in inbox.rglob("*.*")) == [
        "_done/000001-a.jsonl", "_refused/000002-b.json.gz", "_unfinished.jsonl",
    ]  # fmt: skip
    (inbox / "a.jsonl").write_text('{"item": 1, "n": 2}\n')
    again = shop.jobs.run("move")
    assert (again.status, again.counts["updated"]) == ("succeeded", 1)
    assert shop.jobs.run("move").counts["files"] == 0
    assert shop.table("stock").quarantine.count() == 1


def test_a_kill_between_the_commit_and_the_word_of_it_merges_nothing_twice(
    lake: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "a.jsonl").write_text('{"item": 1, "n": 1}\n')
    shop = lake(keep=arrivals(inbox))
    state = shop._control.made(now=NOON)
    with monkeypatch.context() as patched:
        patched.setattr(state.job_files, "done", lambda *_, **__: (_ for _ in ()).throw(ValueError))
        assert shop.jobs.run("keep").status == "failed"
    version = shop.table("stock").snapshot().version
    done = shop.jobs.run("keep")
    assert (done.status, done.counts["files"], done.counts["inserted"]) == ("succeeded", 1, 0)
    assert shop.table("stock").snapshot().version == version
    assert (inbox / "a.jsonl").exists()
    assert shop.jobs.run("keep").counts["files"] == 0


def test_the_end_of_a_run_waits_for_the_database(lake: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = lake(note={"do": f"{WORK}.note"})
    real = SqlLeases.end
    failed: list[int] = []

    def flaky(self: SqlLeases, *words: Any, **more: Any) -> bool:
        if len(failed) < 2:
            failed.append(1)
            raise StorageError("gone")
        return real(self, *words, **more)

    monkeypatch.setattr(SqlLeases, "end", flaky)
    assert shop.jobs.run("note").status == "succeeded"
    assert len(failed) == 2
