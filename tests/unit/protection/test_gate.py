from __future__ import annotations

import typing

import polars as pl
import pytest

from lakehouse.errors import ProtectedError
from lakehouse.protection.gate import Verb, judge
from lakehouse.protection.holds import Protection, TableHold

VERBS: tuple[Verb, ...] = typing.get_args(Verb)
WHOLE = TableHold(id="hold-whole1", reason="case 1")
ROWS = TableHold(id="hold-rows22", reason="case 2", where="name = 'canary'")
SCHEMA = pl.Schema({"name": pl.String()})


@pytest.mark.parametrize("verb", VERBS)
def test_without_holds_everything_may_go_on(verb: Verb) -> None:
    verdict = judge(verb, Protection("orders"), schema=SCHEMA).ensure()
    assert verdict.allowed
    assert verdict.keep is verdict.free is None
    assert verdict.reasons == ()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("holds", [(WHOLE,), (ROWS, WHOLE)])
def test_a_table_that_is_held_is_left_alone(verb: Verb, holds: tuple[TableHold, ...]) -> None:
    verdict = judge(verb, Protection("orders", holds))
    assert not verdict.allowed
    with pytest.raises(ProtectedError, match=r"table orders is held by .*hold-whole1 \(case 1\)") as caught:
        verdict.ensure()
    assert caught.value.exit_code == 3
    assert "hold release" in caught.value.advice
    assert "canary" not in f"{caught.value} {verdict!r} {verdict.reasons}"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in {"quarantine", "drop"}])
def test_held_rows_are_kept_and_named_in_the_reasons(verb: Verb) -> None:
    verdict = judge(verb, Protection("orders", (ROWS,)), schema=SCHEMA).ensure()
    assert verdict.keep == "(name = 'canary'\n)"
    assert verdict.free == f"NOT COALESCE({verdict.keep}, FALSE)"
    assert verdict.reasons == ("hold hold-rows22 (case 2) holds rows of it",)


def test_a_condition_that_does_not_fit_the_version_forbids_all_of_it() -> None:
    with pytest.raises(ProtectedError, match=r"hold-rows22 \(case 2; .*does not fit"):
        judge("vacuum", Protection("orders", (ROWS,)), schema=pl.Schema({"other": pl.Int64()})).ensure()


def test_records_are_not_thrown_away_where_rows_are_held() -> None:
    with pytest.raises(ProtectedError, match="hold-rows22"):
        judge("quarantine", Protection("orders", (ROWS,))).ensure()
