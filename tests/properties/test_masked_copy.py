"""A copy is the mask of its source, whatever happened to that, whenever the copy is brought up to date."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.pii.mask_lakes import MaskLake

IDS = st.integers(0, 5)
VALUES = st.one_of(st.none(), st.sampled_from(["clear-a", "clear-b", "", "Ünïcode-clear 😀"]))
ROWS = st.fixed_dictionaries({"id": IDS, "email": VALUES, "name": VALUES, "n": st.integers(0, 3)})
CHANGES = st.one_of(
    ROWS,
    st.fixed_dictionaries({"_op": st.just("delete"), "id": IDS}),
    st.fixed_dictionaries({"id": IDS, "email": VALUES, "city": VALUES}),
)
STEPS: st.SearchStrategy[tuple[str, list[dict[str, Any]]]] = st.one_of(
    st.tuples(st.just("merge"), st.lists(CHANGES, min_size=1, max_size=4)),
    st.tuples(
        st.sampled_from(["compact", "restore", "copy", "copy", "compact the copy", "anew"]), st.just([])
    ),
)
SECTIONS: list[dict[str, Any]] = [
    {"merge": "on_read"},
    {"merge": "on_write", "partition_by": ["name"]},
    {"history": "full"},
    {"key": ["email"], "history": "none"},
]
OPERATORS = {
    "EMAIL_ADDRESS": {"operator": "tokenize"},
    "PERSON": {"operator": "mask", "keep_last": 1},
}


def step(lake: MaskLake, name: str, changes: list[dict[str, Any]]) -> None:
    copies = {entry.name for entry in lake.lake.copies}
    deeds: dict[str, Callable[[], object]] = {
        "merge": lambda: lake.t.merge([keyed(lake, change) for change in changes]),
        "compact": lake.t.compact,
        "restore": lambda: lake.t.restore(version=max(lake.t.snapshot().version - 2, 1)),
        "copy": lambda: lake.pii.mask("t", to="t_masked"),
        "anew": lambda: lake.pii.mask("t", to="t_masked", anew=True),
        "compact the copy": lambda: "t_masked" in copies and lake.lake.table("t_masked").compact(),
    }
    deeds[name]()


def keyed(lake: MaskLake, change: dict[str, Any]) -> dict[str, Any]:
    """A change with a key, where that is the e-mail."""
    if lake.t.config.key == ("email",):
        email = change.get("email") or f"clear-{change['id']}"
        return {**change, "email": email}
    return change


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(section=st.sampled_from(SECTIONS), steps=st.lists(STEPS, max_size=8))
def test_a_copy_is_the_mask_of_its_source(
    section: dict[str, Any], steps: list[tuple[str, list[dict[str, Any]]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pii = {"email": "EMAIL_ADDRESS", "name": "PERSON", "city": "PERSON"}
        lake = MaskLake(Path(folder), pii=pii, operators=OPERATORS, **section)
        lake.t.merge([{"id": 0, "email": "clear-0", "name": "clear-name", "n": 1}])
        for name, changes in [*steps, ("copy", [])]:
            step(lake, name, changes)
            if name in ("copy", "anew"):
                assert lake.copied() == lake.expected(), (section, steps)
        assert lake.pii.mask("t", to="t_masked").changes_nothing
        assert lake.lake.table("t_masked").verify().findings == ()
