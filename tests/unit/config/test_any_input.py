"""Whatever is in a file or a mapping: a config, or a `ConfigError` with places; never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import load_config, reference_text
from lakehouse.config.generate import generated_schema
from lakehouse.config.markdown import keys_of_schema
from lakehouse.errors import ConfigError, Problem

_LINES = reference_text().splitlines()
_KEYS = sorted(
    {part.strip("[]<>") for key in keys_of_schema(generated_schema()) for part in key.path.split(".")}
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["7d", "all", "full", "rows", "debezium", "0 3 * * *", "${A}", "${B:-7d}", "long", "a.b"]
    )
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)
_CONFIGS = st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6).map(
    lambda data: {"version": 1, **data}
)


def _check(source: Any) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        load_config(source, environ={"A": "value"})
    except ConfigError as error:
        problems = error.problems
        if not problems:
            raise
    assert all(problem.message for problem in problems)


@settings(max_examples=150, deadline=None)
@given(_CONFIGS)
def test_any_mapping(data: dict[str, Any]) -> None:
    _check(data)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(_LINES) - 1), st.sampled_from(["drop", "indent", "double", "cut", "swap"])
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_damage_to_the_reference(damages: list[tuple[int, str]]) -> None:
    lines = list(_LINES)
    for at, kind in damages:
        line = lines[at % len(lines)]
        changed = {
            "drop": "",
            "indent": f"  {line}",
            "double": f"{line}\n{line}",
            "cut": line[: len(line) // 2],
            "swap": line.replace("e", "x", 1),
        }
        lines[at % len(lines)] = changed[kind]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_text("\n".join(lines), encoding="utf-8")
        _check(path)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=40)
    | st.text(alphabet="version: 1[]{}&*!|>'\"%@`#-?,\n\t", max_size=40).map(str.encode)
)
def test_any_bytes(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(data)
        _check(path)
