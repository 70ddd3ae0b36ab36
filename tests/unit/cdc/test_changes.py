"""The normal form's own promises: counts that add up, records taken out whole."""

from __future__ import annotations

import polars as pl
import pytest

from lakehouse.cdc.changes import (
    DELETE,
    OP,
    ORDINAL,
    UPSERT,
    ChangeBatch,
    Misfit,
    Rejected,
    absence,
    empty_frame,
    is_control,
)
from lakehouse.cdc.records import Records
from lakehouse.errors import DataError


def frame(ordinals: list[int], ops: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": range(len(ordinals)), OP: ops, ORDINAL: ordinals},
        schema_overrides={OP: pl.Int8, ORDINAL: pl.Int64},
    )


def test_columns_are_the_tables_own() -> None:
    changes = frame([0], [UPSERT]).with_columns(
        pl.lit(None, dtype=pl.String).alias("name"), pl.lit(value=True).alias(absence("name"))
    )

    batch = ChangeBatch(frame=changes, key=("id",), total=1)

    assert batch.columns == ("id", "name")
    assert batch.absent == ("name",)


@pytest.mark.parametrize("name", [OP, ORDINAL, "__absent__name"])
def test_control_columns_are_known_by_name(name: str) -> None:
    assert is_control(name)
    assert not is_control("_sequence")


def test_a_rejected_record_is_described_with_line_and_raw_form() -> None:
    origin = Records([b'{"id":0}', b'{"id":1}'], lines=[3, 9])
    batch = ChangeBatch(frame=frame([0, 1], [UPSERT, UPSERT]), key=("id",), total=2, origin=origin)

    left = batch.reject({1: Misfit("wrong_type", "the column id does not fit")})

    assert left.frame[ORDINAL].to_list() == [0]
    assert left.rejected == (Rejected(1, 9, "wrong_type", "the column id does not fit", b'{"id":1}'),)
    assert left.total == 2


def test_both_rows_of_a_key_change_go_when_one_is_rejected() -> None:
    batch = ChangeBatch(frame=frame([0, 1, 1], [UPSERT, DELETE, UPSERT]), key=("id",), total=2, derived=1)

    left = batch.reject({1: Misfit("null_key", "")})

    assert left.frame.height == 1
    assert (left.total, left.derived, len(left.rejected)) == (2, 0, 1)


def test_rejections_are_ordered_by_position_and_unknown_ordinals_are_left_out() -> None:
    early = Rejected(0, None, "bad_json", "", None)
    late = Rejected(3, None, "bad_json", "", None)
    batch = ChangeBatch(frame=frame([1, 2], [0, 0]), key=("id",), total=4, rejected=(early, late))

    left = batch.reject({2: Misfit("x", ""), 99: Misfit("x", "")})

    assert [item.position for item in left.rejected] == [0, 2, 3]
    assert left.reject({}) is left


def test_counts_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(DataError, match="does not add up"):
        ChangeBatch(frame=frame([0], [UPSERT]), key=("id",), total=2)


def test_a_frame_without_its_columns_is_refused() -> None:
    with pytest.raises(DataError, match="lacks the columns other"):
        ChangeBatch(frame=frame([0], [UPSERT]), key=("other",), total=1)
    with pytest.raises(DataError, match="lacks the columns __op"):
        ChangeBatch(frame=frame([0], [UPSERT]).drop(OP), key=("id",), total=1)


def test_an_empty_frame_has_the_control_columns() -> None:
    batch = ChangeBatch(frame=empty_frame({"id": pl.Int64()}), key=("id",))

    assert batch.total == 0
    assert batch.columns == ("id",)
