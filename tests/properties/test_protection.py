"""No active hold is ever dropped on the way to the gate, whatever else is held and whatever the time is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config.models import SubjectConfig
from lakehouse.protection.conditions import fitting, matching
from lakehouse.protection.gate import judge
from lakehouse.protection.holds import Hold, protection_of
from lakehouse.protection.subjects import resolve_now

START = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = ("customers", "orders")
ROWS = pl.DataFrame({"id": [None, 0, 1, 2, 3], "email": ["a", "b'", None, "d", "e"]})
CONDITIONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "id = 1": lambda row: row["id"] == 1,
    "id >= 2 -- and more": lambda row: row["id"] is not None and row["id"] >= 2,
    "email = 'b'''": lambda row: row["email"] == "b'",
    "email IS NULL": lambda row: row["email"] is None,
    "gone = 3": lambda row: True,
}
SUBJECT = SubjectConfig.model_validate(
    {
        "identifiers": {"id": "customers.id", "email": "customers.email"},
        "rows": [{"table": "orders", "where": {"id": "id"}, "do": "delete"}],
    }
)
MOMENTS = st.integers(0, 20).map(lambda days: START + timedelta(days=days))


@st.composite
def holds(draw: st.DrawFn) -> Hold:
    kind = draw(st.sampled_from(["whole", "rows", "person"]))
    about: dict[str, object]
    if kind == "person":
        pairs = draw(st.lists(st.sampled_from([("id", "1"), ("id", "3"), ("email", "b'"), ("email", "zz")])))
        stored = draw(st.lists(st.tuples(st.sampled_from(TABLES), st.sampled_from(["id = 0", None]))))
        about = {"subject": "customer", "identifiers": tuple(pairs), "resolved": tuple(stored)}
    else:
        where = draw(st.sampled_from(sorted(CONDITIONS))) if kind == "rows" else None
        about = {"table": draw(st.sampled_from(TABLES)), "where": where}
    return Hold(
        id=f"hold-{draw(st.integers(0, 10**6))}",
        reason="r",
        author="a",
        placed=START,
        until=draw(st.none() | MOMENTS),
        released=draw(st.none() | MOMENTS),
        **about,  # type: ignore[arg-type]
    )


def must_stay(hold: Hold, table: str, row: dict[str, Any]) -> bool:
    """What a hold asks for, worked out as simply as can be."""
    if hold.subject is None:
        return hold.table == table and (hold.where is None or CONDITIONS[hold.where](row))
    if any(name == table and (where is None or row["id"] == 0) for name, where in hold.resolved):
        return True
    ids = {int(value) for name, value in hold.identifiers if name == "id"}
    emails = {value for name, value in hold.identifiers if name == "email"}
    if table == "orders":
        # Orders are found by id: without one, nobody knows which they are.
        return not ids or row["id"] in ids
    return row["id"] in ids or row["email"] in emails


@settings(deadline=None)
@given(st.lists(holds(), max_size=6), MOMENTS, st.sampled_from(TABLES))
def test_no_row_that_a_hold_asks_for_is_free(all_holds: list[Hold], now: datetime, table: str) -> None:
    columns = dict.fromkeys(TABLES, ROWS.schema)
    protection = protection_of(
        table,
        all_holds,
        now=now,
        resolve=lambda hold: resolve_now(SUBJECT, hold.identifiers, columns=columns.get),
    )
    verdict = judge("retention", protection, schema=ROWS.schema)
    free = ROWS if verdict.free is None else matching(ROWS.lazy(), verdict.free).collect()
    if not verdict.allowed:
        free = free.clear()
    active = [
        hold for hold in all_holds if hold.released is None and (hold.until is None or now < hold.until)
    ]
    expected = [
        row for row in ROWS.iter_rows(named=True) if not any(must_stay(each, table, row) for each in active)
    ]
    if verdict.allowed:
        assert free.to_dicts() == expected
    else:
        assert any(
            all(must_stay(each, table, row) for row in ROWS.iter_rows(named=True)) for each in active
        ), "the whole table is held and nobody asked for that"


@settings(deadline=None)
@given(st.lists(holds(), max_size=6), MOMENTS)
def test_every_active_hold_on_a_table_is_named(all_holds: list[Hold], now: datetime) -> None:
    for table in TABLES:
        protection = fitting(protection_of(table, all_holds, now=now), pl.Schema({"nothing": pl.Int64()}))
        asked = {hold.id for hold in all_holds if hold.table == table and hold.active(now)}
        assert asked <= {hold.id for hold in protection.whole}
