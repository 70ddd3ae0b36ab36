from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.pii.paths import ColumnPath, Step, column_of, format_path, parse_path

NAMES = st.text(min_size=1, max_size=8)
STEPS = st.lists(
    st.one_of(
        NAMES.map(lambda name: Step("field", name)),
        st.sampled_from([Step("item"), Step("value"), Step("key"), Step("json")]),
    ),
    max_size=4,
).map(tuple)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("email", ColumnPath("email")),
        ("address.street", ColumnPath("address", (Step("field", "street"),))),
        ("phones[]", ColumnPath("phones", (Step("item"),))),
        ("labels{}", ColumnPath("labels", (Step("value"),))),
        ("labels{key}", ColumnPath("labels", (Step("key"),))),
        (
            "payload$.user.emails[]",
            ColumnPath(
                "payload", (Step("json"), Step("field", "user"), Step("field", "emails"), Step("item"))
            ),
        ),
        ("`a.b`.`c``d`", ColumnPath("a.b", (Step("field", "c`d"),))),
        ("Straße und Nr.ort", ColumnPath("Straße und Nr", (Step("field", "ort"),))),
    ],
)
def test_a_path_is_read_and_written(text: str, path: ColumnPath) -> None:
    assert parse_path(text) == path
    assert str(path) == text


def test_a_column_called_like_a_path_is_meant_first() -> None:
    assert parse_path("address.street", columns=["address.street", "address"]) == ColumnPath("address.street")
    assert parse_path("cost$", columns=["cost$"]) == ColumnPath("cost$")
    assert column_of("address.street", columns=["address.street"]) == "address.street"
    assert column_of("address.street") == "address"
    assert column_of("[]") == "[]"


@pytest.mark.parametrize("text", ["", "a..b", "a[", "a[0]", "a{", "a{x}", ".a", "a.", "a]", "`a", "$.a"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no path"):
        parse_path(text)


@given(NAMES, STEPS)
def test_a_written_path_is_read_back(column: str, steps: tuple[Step, ...]) -> None:
    path = ColumnPath(column, steps)
    assert parse_path(format_path(path), columns=[] if steps else [column]) == path
