"""Bounds that are read as text say what bounds that are read as JSON say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.delta import bounds_quick
from lakehouse.delta.actions import AddFile, DeletionVector
from lakehouse.delta.bounds import bounds_frame
from lakehouse.delta.schema import StructField, StructType
from lakehouse.delta.type_names import parse_type
from tests.unit.delta.made_tables import snapshot_of

NAMES = ("c", "minValues", "maxValues", "nullCount", 'q"c', "ü", "numRecords")
KINDS = ("timestamp", "timestamp_ntz", "date", "long", "integer")

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False),
    st.datetimes().map(lambda t: t.isoformat() + "Z"),
    st.datetimes().map(lambda t: t.isoformat(timespec="milliseconds") + "Z"),
    st.datetimes().map(lambda t: t.isoformat()),
    st.datetimes().map(lambda t: t.isoformat(timespec="milliseconds") + "+02:00"),
    st.dates().map(lambda d: d.isoformat()),
    st.sampled_from(
        [
            "",
            '"c":5',
            '","c":"2020-01-01',
            "}",
            "{",
            ",",
            "2020-01-01T00:00:00Z",
            '{"c":1}',
            "x" * 60,
            "ü",
            "\\",
        ]
    ),
)


def section(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


@st.composite
def stats(draw: st.DrawFn) -> str | None:
    content: dict[str, Any] = {
        "numRecords": draw(st.one_of(st.integers(0, 10), st.just("5"), st.none())),
        "minValues": draw(section(VALUES)),
        "maxValues": draw(section(VALUES)),
        "nullCount": draw(section(st.one_of(st.integers(0, 10), st.none(), st.just({"c": 3})))),
        "tightBounds": draw(st.booleans()),
    }
    for name in draw(st.sets(st.sampled_from(list(content)), max_size=2)):
        del content[name]
    if draw(st.booleans()):
        content = dict(draw(st.permutations(list(content.items()))))
    spaces = draw(st.booleans())
    text = json.dumps(content, separators=None if spaces else (",", ":"), ensure_ascii=draw(st.booleans()))
    return draw(st.sampled_from([text, text, text, text, text, None, "", "{", text[:-1]]))


@settings(deadline=None)
@given(
    texts=st.lists(stats(), min_size=1, max_size=8),
    kind=st.sampled_from(KINDS),
    column=st.sampled_from(NAMES),
    vectors=st.sets(st.integers(0, 7)),
)
def test_both_ways_agree(texts: list[str | None], kind: str, column: str, vectors: set[int]) -> None:
    schema = StructType(tuple(StructField(name, parse_type(kind)) for name in NAMES))
    here = snapshot_of(schema)
    vector = DeletionVector(storage_type="u", path_or_inline_dv="x", offset=1, size_in_bytes=1, cardinality=1)
    adds = [
        AddFile(path=f"{n}", partition_values={}, size=1, modification_time=0, stats=text)
        for n, text in enumerate(texts)
    ]
    adds = [replace(a, deletion_vector=vector) if n in vectors else a for n, a in enumerate(adds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds_quick, "_MANY", 1)
        quick = bounds_quick.quick_bounds(adds, column, snapshot=here)
    slow = bounds_frame(adds, [column], snapshot=here)
    assert quick.schema == slow.schema
    assert quick.rows() == slow.rows()
