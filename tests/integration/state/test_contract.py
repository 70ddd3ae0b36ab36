"""What the state database promises, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from lakehouse.errors import ConflictError, LakehouseError, NotFoundError, RefusedError, StorageError
from lakehouse.requests.certificate import issue, verify_chain
from lakehouse.state import ActionRecord, CertificateRecord, Hold, ScanRecord, WrappedKey, open_state
from lakehouse.state.database import State
from lakehouse.state.migrate import settings
from lakehouse.state.tables import HEAD, KNOWN, VERSION_TABLE, metadata
from tests.unit.requests.certificate.samples import RING, content

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
CANARY = "zoë.o'connor@shop.example"

A_HOLD = Hold(
    id="",
    reason="case 12/2026 — „Ünïcode“ 🙂",
    author="Ärzte",
    placed=NOW,
    table="orders",
    where=f"email = '{CANARY.replace(chr(39), chr(39) * 2)}' -- %s :x ; DROP TABLE lakehouse_holds",
    columns=("email",),
)
A_PERSON = Hold(
    id="",
    reason="r",
    author="a",
    placed=NOW,
    subject="customer",
    identifiers=(("email", CANARY), ("id", "7")),
    resolved=(("customers", "id = 7"), ("orders", None)),
)
A_KEY = WrappedKey(
    purpose="mask",
    version=1,
    created=NOW,
    author="Ärzte",
    provider="vault",
    lake="Läden 🙂",
    wrapping_key="transit/lakehouse",
    wrapped="vault:v1:AAAA",
)


def test_a_hold_comes_back_as_it_was_placed(state: State) -> None:
    placed = [state.holds.place(each) for each in (A_HOLD, A_PERSON, replace(A_HOLD, where=None, columns=()))]
    assert [replace(each, id="") for each in placed] == [
        A_HOLD,
        A_PERSON,
        replace(A_HOLD, where=None, columns=()),
    ]
    assert state.holds.list() == state.holds.standing() == placed
    assert [state.holds.get(each.id) for each in placed] == placed
    assert len({each.id for each in placed}) == 3
    assert all(each.id.startswith("hold-") and len(each.id) == 11 for each in placed)


def test_another_connection_sees_it_and_the_database_keeps_its_name(url: str, state: State) -> None:
    placed = state.holds.place(A_HOLD)
    other = open_state(url)
    assert other.holds.list() == [placed]
    assert other.id == state.id


def test_a_time_is_the_same_moment_in_whatever_zone_it_was_given(state: State) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # 02:30 comes twice on that night; this is the second one.
    twice = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin)
    ends = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    placed = state.holds.place(replace(A_HOLD, placed=twice, until=ends))
    assert placed.placed == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert placed.placed.utcoffset() == timedelta(0)
    assert placed.until == ends
    early = state.holds.place(replace(A_HOLD, placed=datetime(1, 1, 2, tzinfo=UTC)))
    assert state.holds.get(early.id).placed == datetime(1, 1, 2, tzinfo=UTC)


def test_a_time_without_a_zone_is_not_kept(state: State) -> None:
    with pytest.raises(LakehouseError):
        state.holds.place(replace(A_HOLD, placed=datetime(2026, 1, 1)))
    assert not state.exists() or state.holds.list() == []


def test_released_is_released_and_what_it_was_about_is_forgotten(
    state: State, ask: Callable[..., Any]
) -> None:
    hold, person, stays = (state.holds.place(each) for each in (A_HOLD, A_PERSON, A_HOLD))
    later = NOW + timedelta(days=1)
    done = state.holds.release(hold.id, author="judge", now=later, reason="closed")
    state.holds.release(person.id, author="judge", now=later)
    assert done == replace(hold, where=None, released=later, released_by="judge", release_reason="closed")
    assert done.status(later) == "released"
    assert state.holds.get(person.id).identifiers == state.holds.get(person.id).resolved == ()
    assert state.holds.standing() == [stays]
    assert [each.id for each in state.holds.list()] == [hold.id, person.id, stays.id]
    assert ask("SELECT hold_id FROM lakehouse_hold_contents") == [(stays.id,)]


def test_nothing_is_released_twice(state: State) -> None:
    hold = state.holds.place(A_HOLD)
    state.holds.release(hold.id, author="a", now=NOW)
    with pytest.raises(RefusedError, match="released already"):
        state.holds.release(hold.id, author="b", now=NOW + timedelta(days=1))
    assert state.holds.get(hold.id).released_by == "a"


def test_of_many_who_release_at_once_one_does(url: str, state: State) -> None:
    hold = state.holds.place(A_HOLD)
    outcomes: list[str] = []

    def release() -> None:
        try:
            open_state(url).holds.release(hold.id, author="x", now=NOW)
            outcomes.append("done")
        except RefusedError:
            outcomes.append("refused")

    together(release, 8)
    assert sorted(outcomes) == ["done"] + ["refused"] * 7


def test_threads_share_one_state(state: State) -> None:
    def place() -> None:
        for _ in range(5):
            state.holds.place(A_HOLD)
            state.holds.list()

    together(place, 8)
    assert len({hold.id for hold in state.holds.list()}) == 40


def test_an_unknown_id_is_not_found(state: State) -> None:
    state.make()
    for find in (
        lambda: state.holds.get("hold-zzzzzz"),
        lambda: state.holds.release("hold-zzzzzz", author="a", now=NOW),
        lambda: state.plans.get("plan-zzzzzz"),
    ):
        with pytest.raises(NotFoundError) as caught:
            find()
        assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    "table", ["about", "claims", "holds", "hold_events", "plans", "records", "keys", "scans"]
)
@pytest.mark.parametrize("change", ["DELETE FROM lakehouse_{}", "UPDATE lakehouse_{} SET {} = {}"])
def test_what_happened_can_not_be_changed(
    state: State, ask: Callable[..., Any], table: str, change: str
) -> None:
    hold = state.holds.place(replace(A_HOLD, where=None))
    plan = state.plans.add(kind="k", author="a", versions={}, digest="d", document={}, now=NOW)
    state.records.add([ActionRecord(kind="k", action="x", table="t", at=NOW, author="a", plan=plan.id)])
    state.keys.add(A_KEY)
    state.scans.add([ScanRecord(table="t", version=0, at=NOW, author="a", document={})])
    assert state.claim("a") == state.claim("b") == "a"
    column = {"about": "id", "claims": "lake"}.get(table, "reason" if "hold" in table else "author")
    with pytest.raises(StorageError):
        ask(change.format(table, column, "'changed'"))
    assert state.holds.list() == [hold]
    assert state.plans.list() == [plan]
    assert len(state.records.list()) == len(state.scans.list()) == 1
    assert state.keys.list() == [A_KEY]


def test_a_hold_whose_condition_was_lost_is_an_error_and_not_a_hold_on_nothing(
    state: State, ask: Callable[..., Any]
) -> None:
    state.holds.place(A_HOLD)
    ask("DELETE FROM lakehouse_hold_contents")
    with pytest.raises(StorageError, match="a part of it is missing"):
        state.holds.standing()


def test_plans_come_back_newest_first(state: State) -> None:
    plans = [
        state.plans.add(
            kind=kind,
            author="ü",
            versions={"orders": 2**40, "ünï": 0},
            digest=f"sha256:{number}",
            document={"rules": [{"rows": number, "half": 0.5, "none": None, "text": "ü'\"\\"}]},
            now=NOW + timedelta(hours=number),
        )
        for number, kind in enumerate(["retention", "vacuum", "retention"])
    ]
    assert state.plans.list() == plans[::-1]
    assert state.plans.list(kind="retention") == [plans[2], plans[0]]
    assert state.plans.list(limit=1) == [plans[2]]
    assert state.plans.get(plans[1].id) == plans[1]
    assert plans[0].versions == {"orders": 2**40, "ünï": 0}


def test_records_come_back_newest_first_and_all_or_none_are_kept(state: State) -> None:
    plan = state.plans.add(kind="retention", author="a", versions={}, digest="d", document={}, now=NOW)
    zone = timezone(timedelta(hours=-5))
    first = ActionRecord(
        kind="retention", action="delete", table="orders", at=NOW.astimezone(zone), author="a", plan=plan.id,
        rule="old", version_before=3, version_after=4, rows=2**40, files=7, bytes=2**50, held_back=12,
        detail={"oldest": "2020-01-01"},
    )  # fmt: skip
    second = ActionRecord(kind="vacuum", action="delete", table="customers", at=NOW, author="b")
    state.records.add([first, second])
    assert state.records.list() == [second, first]
    assert state.records.list(table="orders") == state.records.list(plan=plan.id) == [first]
    assert state.records.list(limit=1) == [second]
    assert state.records.list(kinds=["vacuum"]) == [second]
    assert state.records.list(kinds=["vacuum", "retention", "keys"]) == [second, first]
    assert state.records.list(kinds=["vacuum"], table="orders") == state.records.list(kinds=[]) == []
    with pytest.raises(LakehouseError):
        state.records.add([second, replace(second, plan="plan-zzzzzz")])
    assert state.records.list() == [second, first], "one of two was kept"


def test_keys_come_back_by_purpose_and_version(state: State) -> None:
    tenth, second, other = (
        replace(A_KEY, version=10),
        replace(A_KEY, version=2, wrapped="x" * 5000),
        replace(A_KEY, purpose="sign"),
    )
    for each in (tenth, other, A_KEY, second):
        state.keys.add(each)
    assert state.keys.list() == [A_KEY, second, tenth, other]
    assert state.keys.list(purpose="sign") == [other]
    assert state.keys.list(purpose="shred") == []
    assert "vault:v1" not in repr(A_KEY)


def test_a_version_of_a_key_is_kept_once_and_never_written_over(url: str, state: State) -> None:
    state.keys.add(A_KEY)
    with pytest.raises(ConflictError, match="version 1 of the key `mask` is there already"):
        state.keys.add(replace(A_KEY, wrapped="another", provider="aws_kms"))
    assert state.keys.list() == [A_KEY]
    outcomes: list[str] = []

    def add() -> None:
        text = f"{threading.get_ident()}"
        try:
            open_state(url).keys.add(replace(A_KEY, version=2, wrapped=text))
            outcomes.append(text)
        except ConflictError:
            pass

    together(add, 8)
    assert [each.wrapped for each in state.keys.list()] == ["vault:v1:AAAA", *outcomes]
    assert len(outcomes) == 1


def test_scans_come_back_newest_first(state: State) -> None:
    document = {"columns": [{"path": "payload$.`ü`", "entities": [{"entity": "PERSON", "share": 0.25}]}]}
    scans = [
        ScanRecord(
            table=table, version=2**40 + at, at=NOW + timedelta(hours=at), author="ü", document=document
        )
        for at, table in enumerate(["customers", "orders", "customers"])
    ]
    state.scans.add(scans[:2])
    state.scans.add(scans[2:])
    assert state.scans.list() == scans[::-1]
    assert state.scans.list(table="customers") == [scans[2], scans[0]]
    assert state.scans.list(table="customers", limit=1) == [scans[2]]
    assert state.scans.list(table="nothing") == []


def test_many_holds_keep_their_order(state: State) -> None:
    placed = [state.holds.place(replace(A_HOLD, placed=NOW - timedelta(days=n))).id for n in range(60)]
    assert [each.id for each in state.holds.list()] == placed


def test_looking_makes_nothing(state: State) -> None:
    assert not state.exists()
    for look in (
        state.holds.list,
        state.holds.standing,
        state.plans.list,
        state.records.list,
        state.keys.list,
        state.scans.list,
    ):
        with pytest.raises(StorageError, match="there is no state"):
            look()
    assert not state.exists()


def test_a_database_of_a_newer_release_is_left_alone(url: str, state: State, ask: Callable[..., Any]) -> None:
    hold = state.holds.place(A_HOLD)
    ask("UPDATE lakehouse_revision SET version_num = '9999'")
    newer = open_state(url)
    for use in (newer.holds.list, newer.make, lambda: newer.holds.place(A_HOLD), lambda: newer.id):
        with pytest.raises(StorageError, match="newer release") as caught:
            use()
        assert "upgrade" in caught.value.advice
    assert newer.exists()
    assert state.holds.list() == [hold]


def test_the_migrations_make_what_the_code_expects(state: State) -> None:
    scripts = ScriptDirectory.from_config(settings())
    assert scripts.get_heads() == [HEAD]
    assert {each.revision for each in scripts.walk_revisions()} == KNOWN
    state.make()
    with state._database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def together(work: Callable[[], None], times: int) -> None:
    """Runs something in several threads at once; what one of them raises is raised."""
    barrier = threading.Barrier(times)
    failed: list[BaseException] = []

    def go() -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=go) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def certificate(sequence: int, previous: str | None, digest: str) -> CertificateRecord:
    return CertificateRecord(
        sequence=sequence,
        previous=previous,
        digest=digest * 64,
        request=f"request-{sequence}-{digest}",
        at=NOW,
        document='{"ä":1}',
    )


def test_certificates_are_a_chain(state: State) -> None:
    first, second = certificate(1, None, "a"), certificate(2, "a" * 64, "b")
    with pytest.raises(ConflictError, match="not the next"):
        state.certificates.add([second])
    assert (state.certificates.last(), state.certificates.list()) == (None, [])
    state.certificates.add([first])
    for wrong in (
        certificate(1, None, "c"),
        certificate(3, "a" * 64, "c"),
        certificate(2, "c" * 64, "c"),
        replace(second, request=first.request),
        replace(second, digest=first.digest),
    ):
        with pytest.raises(ConflictError, match="not the next"):
            state.certificates.add([wrong])
    state.certificates.add([second])
    assert state.certificates.list() == [first, second]
    assert state.certificates.last() == second
    assert state.certificates.of_requests([first.request, "none"]) == {first.request: first}


def test_of_many_certificates_at_once_each_gets_its_own_number(url: str, state: State) -> None:
    state.make()

    def go(number: int) -> None:
        other = open_state(url)
        for turn in range(3):
            issue([content(f"r{number}-{turn}")], lake="shop", ring=RING, store=other.certificates, now=NOW)
        other.close()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(go, range(5)))
    found = state.certificates.list()
    assert [each.sequence for each in found] == list(range(1, 16))
    assert all(verdict.valid for verdict in verify_chain([each.document for each in found], ring=RING))


@pytest.mark.parametrize(
    "verb", ["UPDATE lakehouse_certificates SET at = at", "DELETE FROM lakehouse_certificates"]
)
def test_certificates_can_not_be_changed(state: State, ask: Callable[..., Any], verb: str) -> None:
    state.certificates.add([certificate(1, None, "a")])
    with pytest.raises(StorageError):
        ask(verb)
    assert len(state.certificates.list()) == 1
