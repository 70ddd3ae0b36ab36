from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.columns import PRIMITIVES, canonical_type
from lakehouse.delta.type_names import parse_type, type_string

_DECIMALS = st.integers(1, 38).flatmap(
    lambda precision: st.integers(0, precision).map(lambda scale: f"decimal({precision},{scale})")
)
_TYPES = st.recursive(
    st.sampled_from(PRIMITIVES) | _DECIMALS,
    lambda inner: (
        inner.map("array<{}>".format)
        | st.tuples(inner, inner).map(lambda pair: f"map<{pair[0]},{pair[1]}>")
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda types: f"struct<{','.join(f'f{at}:{each}' for at, each in enumerate(types))}>"
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("long", "long"),
        ("BIGINT", "long"),
        ("int", "integer"),
        ("TinyInt", "byte"),
        ("smallint", "short"),
        ("real", "float"),
        ("bool", "boolean"),
        ("text", "string"),
        ("timestamp_ntz", "timestamp_ntz"),
        ("decimal(12,4)", "decimal(12,4)"),
        ("NUMERIC ( 12 )", "decimal(12,0)"),
        ("array<int>", "array<integer>"),
        ("map<string, array<long>>", "map<string,array<long>>"),
        ("struct<a: int, B: struct<c:date>>", "struct<a:integer,B:struct<c:date>>"),
        ("struct<`a b`:int>", "struct<`a b`:integer>"),
    ],
)
def test_types(text: str, canonical: str) -> None:
    assert canonical_type(text) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends too early"),
        ("lnog", "unknown type `lnog`; did you mean `long`\\?"),
        ("strng", "did you mean `string`"),
        ("timestmap", "did you mean `timestamp`"),
        ("varchar", "did you mean `string`"),
        ("int64", "did you mean `long`"),
        ("datetime", "did you mean `timestamp`"),
        ("number", "did you mean `decimal\\(38,9\\)`"),
        ("zzzzzz", "types: `string`, `long`"),
        ("array<lnog>", "unknown type `lnog` in `array<lnog>`"),
        ("decimal", "needs its digits"),
        ("decimal(39,1)", "digits that can't be"),
        ("decimal(4,5)", "digits that can't be"),
        ("decimal(0)", "digits that can't be"),
        ("decimal(a,b)", "whole numbers"),
        ("decimal(1,2", "lacks a `\\)`"),
        ("array", "lacks a `<`"),
        ("array<>", "unknown type `>`"),
        ("array<int", "lacks a `>`"),
        ("map<string>", "lacks a `,`"),
        ("struct<>", "lacks the name of a field"),
        ("struct<a>", "lacks a `:`"),
        ("struct<a int>", "lacks a `:`"),
        ("struct<a:int,>", "lacks the name of a field"),
        ("struct<a:int,A:int>", "two fields named `A`"),
        ("long not null", "goes on after its end"),
        ("long>", "goes on after its end"),
        ("`long", "is no type"),
        ("array<" * 50 + "int" + ">" * 50, "nests too deeply"),
    ],
)
def test_what_is_no_type(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        canonical_type(text)


@given(_TYPES)
def test_a_canonical_type_stays_and_is_understood_by_the_delta_room(text: str) -> None:
    assert canonical_type(text) == text
    assert type_string(parse_type(text)) == text


@given(st.text(alphabet="abint<>(),:` 0123456789structmapdecl", max_size=30))
def test_any_text_is_a_type_or_a_clear_error(text: str) -> None:
    try:
        canonical = canonical_type(text)
    except ValueError:
        return
    assert canonical_type(canonical) == canonical
