"""What the JSON schema refuses in an editor, the models refuse too."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from lakehouse.config import json_schema, load_config
from lakehouse.errors import ConfigError

from .test_promised_file import ENVIRON, PROMISED, TICKETS

GOOD = YAML(typ="safe", pure=True).load(PROMISED.replace("tables:\n", TICKETS, 1))
VALIDATOR = Draft202012Validator(json_schema())
Way = tuple[str | int, ...]


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    if way:
        yield way
    for step, each in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from ways(each, (*way, step))


WAYS = list(ways(GOOD))
# Of the wrong kind nearly everywhere. Not null: for the models a key without a value is as if it were not
# there, which a schema need not praise.
ODD: list[Any] = [
    True,
    -1,
    2.5,
    "",
    "7d",
    "nonsense",
    [],
    ["x", "x"],
    {},
    {"nope": 1},
    [[1]],
    {"a": {"b": 1}},
]


def changed(at: int, value: Any, *, drop: bool) -> tuple[Way, dict[str, Any]]:
    data: Any = copy.deepcopy(GOOD)
    *outer, last = WAYS[at]
    here = data
    for step in outer:
        here = here[step]
    if drop:
        del here[last]
    else:
        here[last] = value
    return WAYS[at], data


def taken_by_models(data: dict[str, Any]) -> bool:
    try:
        load_config(data, environ=ENVIRON)
    except ConfigError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WAYS) - 1), st.sampled_from(ODD), st.booleans())
def test_what_the_schema_refuses_the_models_refuse(at: int, value: Any, drop: bool) -> None:
    way, data = changed(at, value, drop=drop)
    if not VALIDATOR.is_valid(data):
        assert not taken_by_models(data), (way, value, drop)
