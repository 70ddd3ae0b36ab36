"""Rules, holds and tables as they come, against a model that looks at every row by itself."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.config.durations import Period
from tests.unit.retention.lakes import Lake

KINDS = ("timestamp", "timestamp_ntz", "date", "seconds", "millis", "days", "double")
TYPES: Mapping[str, pl.DataType] = {
    "timestamp": pl.Datetime("us", "UTC"),
    "timestamp_ntz": pl.Datetime("us"),
    "date": pl.Date(),
    "seconds": pl.Int64(),
    "millis": pl.Int64(),
    "days": pl.Int32(),
    "double": pl.Float64(),
}
UNITS = {"seconds": "seconds", "millis": "millis", "days": "days", "double": "seconds"}
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A row: when it is from (None: nobody knows), and something to choose by."""

    id: int
    moment: datetime | None
    group: int


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(1, 3))):
        action = draw(st.sampled_from(["delete", "delete", "archive", "anonymize"]))
        rule: dict[str, Any] = {
            "name": f"r{number}",
            "column": "at",
            "keep": draw(st.sampled_from(["1h", "30h", "1d", "10d", "2w", "1mo", "6mo", "1y"])),
            "action": action,
            "timezone": draw(st.sampled_from(ZONES)),
            "max_fraction": 1.0,
        }
        if action == "archive":
            rule["to"] = f"archive{number}"
        if action == "anonymize":
            rule["columns"] = ["name"]
        where = draw(st.sampled_from([None, "grp < 3", "grp = 1 OR id > 8"]))
        if where:
            rule["where"] = where
        found.append(rule)
    return found


CONDITIONS: Mapping[str, Callable[[Row], bool]] = {
    "grp < 3": lambda row: row.group < 3,
    "grp = 1 OR id > 8": lambda row: row.group == 1 or row.id > 8,
    "grp = 2": lambda row: row.group == 2,
    "id IN (1, 4, 9)": lambda row: row.id in {1, 4, 9},
    "name LIKE '%7%'": lambda row: "7" in str(row.id),
}

# Around days, months, leap days, and the nights in which clocks are set.
NOWS = st.sampled_from(
    [
        datetime(2024, 3, 1, 0, 30, tzinfo=UTC),
        datetime(2024, 2, 29, 12, tzinfo=UTC),
        datetime(2026, 3, 31, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]
)
AGES = st.one_of(
    st.none(),
    st.integers(-5, 400).map(lambda n: timedelta(days=n)),
    st.integers(-180, 180).map(lambda n: timedelta(hours=n)),
    st.integers(-7200, 7200).map(lambda n: timedelta(days=1, seconds=n)),
    st.sampled_from([timedelta(days=10), timedelta(days=14), timedelta(hours=1), timedelta(hours=30)]),
)


def stored(moment: datetime | None, kind: str) -> Any:
    """What a column of a kind holds for a moment; times without a zone are Berlin's."""
    if moment is None:
        return None
    match kind:
        case "timestamp":
            return moment
        case "timestamp_ntz":
            return moment.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None, fold=0)
        case "date":
            return moment.date()
        case "days":
            return (moment.date() - EPOCH.date()).days
        case "double":
            return (moment - EPOCH).total_seconds()
        case "millis":
            return (moment - EPOCH) // timedelta(milliseconds=1)
        case _:
            return (moment - EPOCH) // timedelta(seconds=1)


def is_past(value: Any, kind: str, rule: Mapping[str, Any], now: datetime) -> bool:
    """Whether one value is past its time, worked out the slow way: is its latest meaning too old?"""
    if value is None:
        return False
    zone = ZoneInfo(rule["timezone"])
    cutoff = min(
        (Period.parse(rule["keep"]).before(now.astimezone(zone)).replace(fold=fold) for fold in (0, 1)),
        key=lambda moment: moment.astimezone(UTC),
    ).astimezone(UTC)
    match kind:
        case "timestamp":
            return bool(value < cutoff)
        case "timestamp_ntz":
            return bool(max(value.replace(tzinfo=zone, fold=f).astimezone(UTC) for f in (0, 1)) < cutoff)
        case "date" | "days":
            day = value if isinstance(value, date) else EPOCH.date() + timedelta(days=value)
            return bool(day < cutoff.astimezone(zone).date())
        case "millis":
            return EPOCH + timedelta(milliseconds=value) < cutoff
        case _:
            return EPOCH + timedelta(seconds=value) < cutoff


def outcome(
    rows: Sequence[Row],
    kind: str,
    asked: Sequence[Mapping[str, Any]],
    holds: Sequence[str | None],
    now: datetime,
) -> dict[int, str | None]:
    """By id, the name of the rule that takes the row; None where it stays."""
    found: dict[int, str | None] = {}
    for row in rows:
        hits = [
            rule
            for rule in asked
            if is_past(stored(row.moment, kind), kind, rule, now)
            and (rule.get("where") is None or CONDITIONS[rule["where"]](row))
        ]
        held = any(where is None or CONDITIONS[where](row) for where in holds)
        taking = [rule for rule in hits if rule["action"] != "anonymize"]
        masking = [rule for rule in hits if rule["action"] == "anonymize"]
        every = [rule for rule in asked if rule["action"] != "anonymize"]
        first = next((n for n, rule in enumerate(every) if rule["action"] == "archive"), len(every))
        before = [rule for rule in taking if every.index(rule) < first]
        rest = [rule for rule in taking if rule not in before]
        chosen = [*before, *masking, *rest]
        found[row.id] = None if held or not chosen else chosen[0]["name"]
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ages=st.lists(AGES, min_size=1, max_size=24),
    kind=st.sampled_from(KINDS),
    asked=rules(),
    holds=st.lists(st.sampled_from([None, "grp = 2", "id IN (1, 4, 9)", "name LIKE '%7%'"]), max_size=2),
    now=NOWS,
    cuts=st.lists(st.integers(1, 23), max_size=3),
    mode=st.sampled_from(["on_read", "on_write"]),
    touched=st.sets(st.integers(0, 23), max_size=5),
)
def test_exactly_the_right_rows_go_and_no_held_one(
    ages: list[timedelta | None],
    kind: str,
    asked: list[dict[str, Any]],
    holds: list[str | None],
    now: datetime,
    cuts: list[int],
    mode: str,
    touched: set[int],
) -> None:
    rows = [Row(n, None if age is None else now - age, n % 5) for n, age in enumerate(ages)]
    if kind == "timestamp_ntz":
        asked = [{**rule, "timezone": "Europe/Berlin"} for rule in asked]
    if kind in UNITS:
        asked = [{**rule, "unit": UNITS[kind]} for rule in asked]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        section = {"key": ["id"], "merge": mode, "retention": asked, "change_feed": True}
        lake = Lake(root, {"t": section}, now=now)
        table = lake.table("t")
        edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
        for low, high in itertools.pairwise(edges):
            table.merge(frame(rows[low:high], kind))
        # Rows that are written again leave hidden ones behind.
        again = [row for row in rows if row.id in touched]
        if again:
            table.merge(frame(again, kind))
        for number, where in enumerate(holds):
            lake.hold("t", where, id=f"h{number}")
        check(lake, rows, kind, asked, holds, now)


def frame(rows: Sequence[Row], kind: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [row.id for row in rows],
            "at": pl.Series([stored(row.moment, kind) for row in rows], dtype=TYPES[kind]),
            "grp": [row.group for row in rows],
            "name": [f"person {row.id}" for row in rows],
        }
    )


def check(
    lake: Lake,
    rows: Sequence[Row],
    kind: str,
    asked: Sequence[Mapping[str, Any]],
    holds: Sequence[str | None],
    now: datetime,
) -> None:
    expected = outcome(rows, kind, asked, holds, now)
    actions = {rule["name"]: rule["action"] for rule in asked}
    plan = lake.retention.plan(allow_empty=True).tables[0]
    planned = {rule.rule: rule.rows for rule in plan.rules}
    assert planned == {name: list(expected.values()).count(name) for name in actions}
    for rule in plan.rules:
        assert rule.undated <= sum(1 for row in rows if row.moment is None)
    before = lake.table("t").read(columns=["id", "name"])
    if any(brake.kind == "contradiction" for brake in plan.brakes):
        return
    assert plan.brakes == ()
    (done,) = lake.retention.apply(allow_empty=True).tables
    gone = {n for n, rule in expected.items() if rule is not None and actions[rule] != "anonymize"}
    masked = {n for n, rule in expected.items() if rule is not None and actions[rule] == "anonymize"}
    assert lake.ids() == sorted(expected.keys() - gone)
    names = dict(lake.table("t").read(columns=["id", "name"]).rows())
    assert {n for n, name in names.items() if name is None} == masked
    assert (done.rows_deleted, done.rows_anonymized) == (len(gone), len(masked))
    for name, action in actions.items():
        if action == "archive":
            number = name.removeprefix("r")
            parts = [pl.read_parquet(p) for p in sorted(lake.root.glob(f"archive{number}/t/*/*.parquet"))]
            found = sorted(n for part in parts for n in part["id"])
            assert found == sorted(n for n, rule in expected.items() if rule == name)
    assert lake.table("t").verify().findings == ()
    assert before.height == len(rows)
