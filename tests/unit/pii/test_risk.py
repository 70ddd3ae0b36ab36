"""k-anonymity, uniqueness and l-diversity, on tables small enough to count by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse import Lakehouse, NotFoundError, UsageError
from lakehouse.pii.risk import risk_of
from lakehouse.table import Table

# Three of one group, two of another, one alone.
ROWS: list[dict[str, Any]] = [
    {"id": 1, "zip": "10115", "born": 1980, "illness": "flu"},
    {"id": 2, "zip": "10115", "born": 1980, "illness": "flu"},
    {"id": 3, "zip": "10115", "born": 1980, "illness": "gout"},
    {"id": 4, "zip": "20095", "born": 1990, "illness": "flu"},
    {"id": 5, "zip": "20095", "born": 1990, "illness": "flu"},
    {"id": 6, "zip": None, "born": 1990, "illness": "gout"},
]
SCHEMA = {"id": "long", "zip": "string", "born": "long", "illness": "string"}


def table_of(root: Path, rows: list[dict[str, Any]]) -> Table:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "tables": {"people": {"key": ["id"], "schema": SCHEMA}},
        }
    )
    lake.apply()
    table = lake.table("people")
    if rows:
        table.merge(rows)
    return table


def test_groups_are_counted_and_never_shown(tmp_path: Path) -> None:
    found = risk_of(table_of(tmp_path, ROWS), quasi=["zip", "born"], sensitive=["illness"])
    assert (found.rows, found.groups, found.k, found.unique) == (6, 3, 1, 1)
    assert found.uniqueness == pytest.approx(1 / 6)
    assert found.average_risk == pytest.approx(3 / 6)
    assert [(each.smallest, each.groups, each.rows) for each in found.sizes] == [
        (1, 1, 1), (2, 2, 5), (5, 0, 0), (10, 0, 0), (50, 0, 0),
    ]  # fmt: skip
    assert "10115" not in repr(found)
    assert "gout" not in repr(found)


def test_a_group_without_variety_gives_its_value_away(tmp_path: Path) -> None:
    (illness,) = risk_of(table_of(tmp_path, ROWS), quasi=["zip", "born"], sensitive=["illness"]).diversity
    # Nobody tells 4 from 5, and everybody knows what they have. 6 is alone, which `unique` says already.
    assert (illness.smallest, illness.certain_rows) == (1, 2)


def test_it_says_which_column_to_leave_out(tmp_path: Path) -> None:
    found = risk_of(table_of(tmp_path, ROWS), quasi=["zip", "born"])
    assert [(each.column, each.k, each.unique) for each in found.without] == [("zip", 3, 0), ("born", 1, 1)]
    assert risk_of(table_of(tmp_path / "b", ROWS), quasi=["born"]).without == ()


def test_an_older_version_can_be_weighed(tmp_path: Path) -> None:
    table = table_of(tmp_path, ROWS)
    before = table.snapshot().version
    table.merge([{**ROWS[5], "zip": "20095"}])
    assert risk_of(table, quasi=["zip", "born"]).k == 3
    assert risk_of(table, quasi=["zip", "born"], version=before).k == 1


def test_no_rows_no_risk(tmp_path: Path) -> None:
    found = risk_of(table_of(tmp_path, []), quasi=["zip"], sensitive=["illness"])
    assert (found.rows, found.k, found.uniqueness, found.average_risk) == (0, None, 0.0, 0.0)


@pytest.mark.parametrize(
    ("quasi", "sensitive", "message"),
    [
        ([], [], "missing"),
        (["zip", "zip"], [], "zip: named twice"),
        (["zip"], ["zip"], "zip: named twice"),
        (["post"], [], "no column post"),
        ("zip", [], "list of names"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, quasi: Any, sensitive: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        risk_of(table_of(tmp_path, ROWS), quasi=quasi, sensitive=sensitive)


def test_a_table_that_was_not_made_is_not_found(tmp_path: Path) -> None:
    lake = Lakehouse.open(
        {"version": 1, "storage": {"root": str(tmp_path)}, "tables": {"people": {"schema": SCHEMA}}}
    )
    with pytest.raises(NotFoundError):
        risk_of(lake.table("people"), quasi=["zip"])


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 2), st.sampled_from(["x", "y"])),
        max_size=30,
    )
)
def test_the_numbers_are_those_of_a_simple_count(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, int, str]]
) -> None:
    table = table_of(
        tmp_path_factory.mktemp("t"),
        [{"id": at, "zip": a, "born": b, "illness": c} for at, (a, b, c) in enumerate(rows)],
    )
    groups: dict[tuple[str | None, int], list[str]] = {}
    for a, b, c in rows:
        groups.setdefault((a, b), []).append(c)
    sizes = [len(group) for group in groups.values()]
    found = risk_of(table, quasi=["zip", "born"], sensitive=["illness"])
    assert (found.k, found.unique, found.groups) == (min(sizes, default=None), sizes.count(1), len(sizes))
    assert found.diversity[0].smallest == min((len(set(group)) for group in groups.values()), default=None)
