from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest

from lakehouse.delta.datatypes import STRING, ArrayType, MapType, StructField, StructType
from lakehouse.pii.scan.flatten import MOST_ELEMENTS, flatten
from lakehouse.pii.scan.values import MOST_CHARS, PathValues


def _paths(found: Iterable[PathValues]) -> dict[str, list[Any]]:
    return {str(each.path): each.values.to_list() for each in found}


def test_parts_of_columns_have_paths() -> None:
    street = pl.Series("address", [{"street": "a", "geo": {"lat": 1.5}}, None, {"street": None, "geo": None}])
    assert _paths(flatten("address", street)) == {"address.street": ["a"], "address.geo.lat": [1.5]}
    phones = pl.Series("phones", [["1", "2"], [], None, ["1", None]])
    (found,) = flatten("phones", phones)
    assert (str(found.path), found.values.to_list(), found.counts.to_list()) == (
        "phones[]",
        ["1", "2"],
        [2, 1],
    )
    pairs = pl.List(pl.Struct({"key": pl.String, "value": pl.Int64}))
    labels = pl.Series([[{"key": "a", "value": 1}], None, []], dtype=pairs).cast(pl.Map(pl.String, pl.Int64))
    assert _paths(flatten("labels", labels)) == {"labels{key}": ["a"], "labels{}": [1]}


def test_json_in_texts_has_paths() -> None:
    texts = [
        json.dumps(
            {"user": {"email": f"u{at}@example.org", "age": at}, "tags": ["x", at], "ok": True, "none": None}
        )
        for at in range(3)
    ]
    found = _paths(flatten("payload", pl.Series(texts)))
    assert found == {
        "payload$.user.email": ["u0@example.org", "u1@example.org", "u2@example.org"],
        "payload$.user.age": [0, 1, 2],
        "payload$.tags[]": ["0", "1", "2", "x"],
    }


def test_json_in_json_is_read_too() -> None:
    inner = json.dumps({"email": "a@example.org"})
    found = _paths(flatten("event", pl.Series([json.dumps({"body": inner})] * 2)))
    assert found == {"event$.body$.email": ["a@example.org"]}


@pytest.mark.parametrize(
    "names",
    [
        [f"user{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(60)],
        ["ada@example.org", "bob@example.org"],
        ["4915112345678"],
        ["3f2504e04f8941d39a0c0305e82c3301"],
    ],
)
def test_members_that_are_data_are_keys_and_in_no_path(names: list[str]) -> None:
    found = _paths(flatten("seen", pl.Series([json.dumps({name: "x"}) for name in names])))
    assert found == {"seen${key}": sorted(names), "seen${}": ["x"]}


def test_texts_that_only_begin_like_json_stay_texts() -> None:
    texts = pl.Series(["[urgent] call back", "{broken", "plain"])
    assert _paths(flatten("note", texts)) == {"note": ["[urgent] call back", "plain", "{broken"]}


def test_bytes_that_are_text_are_looked_at_and_others_are_named() -> None:
    (found,) = flatten("raw", pl.Series([b"ada@example.org", b"bob@example.org", None]))
    assert found.values.to_list() == ["ada@example.org", "bob@example.org"]
    assert found.note == "binary that holds text"
    for blob in (b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n"):
        (found,) = flatten("raw", pl.Series([blob, blob]))
        assert (found.filled, found.note) == (0, "binary, no text")


def test_huge_texts_are_cut_and_counted() -> None:
    (found,) = flatten("body", pl.Series(["x" * 50_000, "short", "é" * (MOST_CHARS + 1)]))
    assert found.cut == 2
    assert max(len(text) for text in found.values.to_list()) == MOST_CHARS


def test_long_lists_give_their_beginning() -> None:
    (found,) = flatten("many", pl.Series([list(range(1000))]))
    assert found.filled == MOST_ELEMENTS


def test_nothing_is_nothing() -> None:
    for empty in (
        pl.Series([None, None], dtype=pl.String),
        pl.Series([], dtype=pl.Int64),
        pl.Series(["", "  "]),
        pl.Series([None], dtype=pl.Null),
        pl.Series([float("nan"), float("inf")]),
        pl.Series([[]], dtype=pl.List(pl.String)),
    ):
        assert [each.filled for each in flatten("c", empty)] == [0]


def test_maps_that_are_read_as_lists_of_pairs_are_maps() -> None:
    entries = pl.Series([{"at": [{"key": "a", "value": ["x"]}]}, {"at": None}])
    kind = StructType((StructField("at", MapType(STRING, ArrayType(STRING))),))
    assert _paths(flatten("seen", entries, kind=kind)) == {"seen.at{key}": ["a"], "seen.at{}[]": ["x"]}
