"""Which columns of a table are masked in it: its property ``lakehouse.masks``.

A table that masks at merge, that was masked in place, or that is a masked copy carries it. For each path of
`pii` it has a fingerprint of what masks it (operator and settings, never a key or a value), so that a change
of the config is seen. Where rows of before and after such a change lie side by side, it has both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import combinations
from typing import Final

from pydantic import ValidationError

from lakehouse.config.models import ColumnPii, OperatorConfig, PiiConfig
from lakehouse.config.models.operators import SETTINGS, plain_settings
from lakehouse.delta.column_mapping import MASKS, masks_in

PROPERTY: Final = MASKS

_BESIDE: Final = "+"

VERSIONLESS: Final = frozenset({"fpe", "date_shift"})
"""Operators whose masks do not say which version of the key made them: the first, unless one is named."""


_FEW: Final = 8
"""Kinds of data of one column of which every choice is looked at."""


def fingerprint(about: ColumnPii, pii: PiiConfig) -> str:
    """Names the way in which a column is masked; the same way has the same name.

    Args:
        about: The column's entry in ``pii``.
        pii: The lake's section on personal data, for the operators.

    Returns:
        16 hexadecimal digits. Secret settings are not part of it.
    """
    ways = {
        entity: _way(pii.operators.get(entity) or pii.operators.get("DEFAULT")) for entity in about.entities
    }
    text = json.dumps([ways, about.model_dump(mode="json")], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def beside(before: str | None, way: str) -> str:
    """The mark of a path after rows came that are masked in some way.

    Args:
        before: Its mark; None where it has none.
        way: The fingerprint of what masks the rows that come.
    """
    return way if before is None else _BESIDE.join(sorted({*ways_of(before), way}))


def ways_of(mark: str) -> tuple[str, ...]:
    """The fingerprints in a mark: several where rows were masked in one way and then in another.

    Args:
        mark: What a table says of a path.
    """
    return tuple(mark.split(_BESIDE))


def stored_masked(
    marks: Mapping[str, str], columns: Mapping[str, ColumnPii], pii: PiiConfig
) -> frozenset[str]:
    """The paths whose values are stored masked, so that they need no mask when they are read.

    Args:
        marks: What the table says of its masks.
        columns: The table's ``pii``, as it is now.
        pii: The lake's section on personal data.

    Returns:
        The marked paths without those that were kept as they are, and without texts that were searched for
        something else: since the config was changed, there are clear values in both.
    """

    def clear(path: str, mark: str) -> bool:
        about = columns.get(path)
        if about is None or mark == fingerprint(about, pii):
            return False
        return about.is_text or any(says_less(way, about, pii) for way in ways_of(mark))

    return frozenset(path for path, mark in marks.items() if not clear(path, mark))


def says_less(mark: str, about: ColumnPii, pii: PiiConfig) -> bool:
    """Whether a mark is of the same masks, but with some kinds of data kept, or not looked for.

    Args:
        mark: What a table says of a path.
        about: The column's entry in ``pii``, as it is now.
        pii: The lake's section on personal data, as it is now.
    """
    kinds = about.entities
    keep = OperatorConfig(operator="keep")
    sizes = range(len(kinds)) if len(kinds) <= _FEW else (0, len(kinds) - 1)
    for number in sizes:
        for some in combinations(kinds, number):
            left = {kind: keep for kind in kinds if kind not in some}
            kept = pii.model_copy(update={"operators": {**pii.operators, **left}})
            fewer = about.model_copy(update={"entities": some})
            if mark == fingerprint(about, kept) or (some and mark == fingerprint(fewer, pii)):
                return True
    return False


def _way(operator: OperatorConfig | None) -> object:
    """The operator and its settings. What is not said counts as if it were: to say it changes nothing."""
    if operator is None:
        return ["redact", {}]
    settings = plain_settings(operator.settings)
    model = SETTINGS.get(operator.operator)
    if model is None:
        # An operator of Presidio: secrets come out covered.
        return [operator.operator, {name: str(value) for name, value in sorted(operator.settings.items())}]
    with suppress(ValidationError):
        settings = model.model_validate(settings).model_dump(mode="json")
    if operator.operator in VERSIONLESS and settings.get("version") is None:
        settings["version"] = 1
    return [operator.operator, {name: str(value) for name, value in sorted(settings.items())}]


def marked(masked: Mapping[str, str]) -> dict[str, str]:
    """The property of a table.

    Args:
        masked: Path in the table to the fingerprint of what masks it.

    Returns:
        The property by its name; nothing where nothing is masked.
    """
    return {PROPERTY: json.dumps(dict(sorted(masked.items())), separators=(",", ":"))} if masked else {}


def marks_of(configuration: Mapping[str, str]) -> dict[str, str]:
    """What a table says of its masks.

    Args:
        configuration: The table's properties.

    Returns:
        Path to fingerprint, or to several; see `ways_of`.
    """
    return masks_in(configuration)
