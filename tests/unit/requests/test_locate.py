"""All people are found in one pass, in every file, hidden rows too."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakehouse.delta.actions import AddCdcFile
from lakehouse.delta.log_reading import commits
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.requests.locate import Condition, Located, candidates, rows_of
from tests.properties.tables import NAME, open_table

ROWS = pl.DataFrame(
    {
        "id": range(60),
        "email": [f"user{number}@example.com" for number in range(60)],
        "shop": [number % 3 for number in range(60)],
        "contacts": [
            [{"mail": f"c{number}@example.com", "kind": "home"}] * (number % 3) for number in range(60)
        ],
        "address": [{"street": f"Street {number}"} for number in range(60)],
    }
)


def located(root: Path, *conditions: Condition) -> Located:
    table = open_table(root)
    snapshot = table.snapshot()
    return rows_of(table.storage, snapshot, list(snapshot.files.values()), conditions)


def found(root: Path, *conditions: Condition, live: bool | None = None) -> list[int]:
    """The ids of the rows at the positions that were found."""
    result = located(root, *conditions)
    ids: list[int] = []
    for path, places in result.positions(live=live).items():
        ids += pl.read_parquet(root / NAME / path)["id"].gather(list(places)).to_list()
    return sorted(ids)


def emails(*numbers: int) -> Condition:
    return Condition(("email",), pl.DataFrame({"x": [f"user{number}@example.com" for number in numbers]}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    table = open_table(tmp_path)
    for part in range(3):
        table.merge(ROWS.slice(part * 20, 20))
    return tmp_path


def test_many_people_in_one_pass(root: Path) -> None:
    assert found(root, emails(3, 30, 59, 1000)) == [3, 30, 59]
    frame = located(root, emails(59, 1000, 3)).frame.sort("__value")
    assert frame["__value"].to_list() == [0, 2]
    assert frame["__live"].to_list() == [True, True]


def test_several_conditions_and_columns_together(root: Path) -> None:
    both = Condition(("id", "shop"), pl.DataFrame({"a": [4, 5, 6], "b": [1, 1, 0]}))
    assert found(root, emails(4, 7), both) == [4, 6, 7]
    numbers = located(root, emails(4, 7), both).frame.sort("__condition", "__value")
    assert numbers["__condition"].to_list() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("contacts[].mail", "c8@example.com", [8]),
        ("address.street", "Street 9", [9]),
        ("contacts[].kind", "no", []),
    ],
)
def test_in_lists_and_fields(root: Path, column: str, value: str, expected: list[int]) -> None:
    assert found(root, Condition((column,), pl.DataFrame({"x": [value]}))) == expected


def test_a_list_together_with_a_plain_column(root: Path) -> None:
    values = pl.DataFrame({"m": ["c8@example.com", "c11@example.com"], "i": [8, 8]})
    assert found(root, Condition(("contacts[].mail", "id"), values)) == [8]


def test_rows_that_are_marked_deleted_are_still_found(root: Path) -> None:
    open_table(root).merge(pl.DataFrame({"id": [3, 4], "_op": ["delete", "delete"]}))
    assert found(root, emails(3, 30)) == [3, 30]
    assert found(root, emails(3, 30), live=True) == [30]
    assert found(root, emails(3, 30), live=False) == [3]


def test_statistics_leave_files_out(root: Path) -> None:
    table = open_table(root)
    snapshot = table.snapshot()
    files = list(snapshot.files.values())
    condition = Condition(("id",), pl.DataFrame({"x": [25, 26]}))
    assert len(files) == 3
    assert len(candidates(snapshot, files, condition)) == 1
    assert located(root, condition).read == 1
    assert found(root, condition) == [25, 26]
    street = Condition(("address.street",), pl.DataFrame({"x": ["Street 59", "Zzz"]}))
    assert len(candidates(snapshot, files, street)) < 3


def test_values_of_another_type_are_in_no_row(root: Path) -> None:
    assert found(root, Condition(("id",), pl.DataFrame({"x": ["canary", "7", None]}))) == [7]
    assert found(root, Condition(("email",), pl.DataFrame({"x": [None]}, schema={"x": pl.String}))) == []
    assert found(root) == []


def test_partition_columns(tmp_path: Path) -> None:
    table = open_table(tmp_path, partition_by=["shop"])
    table.merge(ROWS)
    snapshot = table.snapshot()
    wanted = Condition(("shop", "id"), pl.DataFrame({"s": [0, 1], "i": [3, 3]}))
    result = rows_of(table.storage, snapshot, list(snapshot.files.values()), [wanted])
    assert result.frame.height == 1
    assert result.read == 2


def test_change_data_is_searched_too(tmp_path: Path) -> None:
    table = open_table(tmp_path, change_feed=True)
    table.merge(ROWS)
    table.merge(ROWS.head(5).with_columns(email=pl.lit("new@example.com")))
    fed = [
        action
        for commit in commits(table.storage)
        for action in commit.actions
        if isinstance(action, AddCdcFile)
    ]
    assert fed
    result = rows_of(table.storage, table.snapshot(), fed, [emails(2)])
    assert result.frame.height == 1


@pytest.mark.parametrize("column", ["absent", "contacts", "contacts[].absent", "email.x", "address[]"])
def test_what_is_no_column_of_plain_values_is_said(root: Path, column: str) -> None:
    with pytest.raises(UsageError):
        found(root, Condition((column,), pl.DataFrame({"x": ["canary"]})))


def test_no_value_is_ever_shown(root: Path) -> None:
    condition = emails(3)
    assert "user3" not in repr(condition)
    assert "user3" not in repr(located(root, condition))
    for data in (root / NAME).glob("*.parquet"):
        content = data.read_bytes()
        footer = int.from_bytes(content[-8:-4], "little") + 8
        data.write_bytes(b"PAR1" + bytes(len(content) - footer - 4) + content[-footer:])
    with pytest.raises(LakehouseError) as failed:
        located(root, condition, emails(33))
    assert "user3" not in str(failed.value)
