"""The masks whose every storage call is made to fail in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lakehouse.storage import Storage
from tests.unit.pii.mask_lakes import MaskLake, people

COPY: Final = "t_masked"

CASES: Final[dict[str, dict[str, Any]]] = {
    "first copy": {"merge": "on_read"},
    "follow": {"merge": "on_read"},
    "follow by rewriting": {"merge": "on_write"},
    "anew": {"merge": "on_read"},
    "in place": {"merge": "on_read", "mask_at": "merge", "key": ["email"], "changes": {"sequence": "n"}},
    "drop": {"merge": "on_read"},
}
BY_ID: Final = {"in place, by id": {"merge": "on_read", "mask_at": "merge"}}
MANY: Final = 400


def lake(root: Path, case: str, *, storage: Storage | None = None) -> MaskLake:
    return MaskLake(root, storage=storage, kept=False, **{**CASES, **BY_ID}[case])


def fill(root: Path, case: str) -> None:
    """A source with several files, vectors and remembered deletes; and a copy of an older version."""
    found = lake(root, case)
    found.t.merge(people(*range(4)))
    if case not in ("first copy", "in place"):
        do(found, "first copy")
    key = {"email": "u1@clear.example", "n": 900} if case == "in place" else {"id": 1}
    found.t.merge([*people(2, 8, n=801), {"_op": "delete", **key}])
    if case == "drop":
        do(found, "follow")
        found.lake.table(COPY).tag("kept")


def do(found: MaskLake, case: str) -> None:
    if case == "in place":
        found.pii.mask("t", in_place=True)
    elif case == "drop":
        found.pii.copies.drop(COPY)
    else:
        found.pii.mask("t", to=COPY, anew=case == "anew")


def fill_many(root: Path, case: str) -> None:
    """Many rows in a few files."""
    found = lake(root, case)
    for part in range(4):
        found.t.merge(people(*range(part * MANY // 4, (part + 1) * MANY // 4)))
