"""Operators by their names in the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl

from lakehouse.config.models import OperatorConfig
from lakehouse.config.models.operators import SETTINGS, plain_settings, setting_problems
from lakehouse.errors import UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.constant import Keep, Nullify, Redact, Replace
from lakehouse.pii.operators.dates import DateShift
from lakehouse.pii.operators.encryption import Encrypt
from lakehouse.pii.operators.fake import Fake
from lakehouse.pii.operators.fpe import Fpe
from lakehouse.pii.operators.generalize import Generalize
from lakehouse.pii.operators.hashing import Hash
from lakehouse.pii.operators.masking import Mask
from lakehouse.pii.operators.presidio import PresidioOperator
from lakehouse.pii.operators.tokens import Tokenize

_Make = Callable[[Any], Operator]
_MakeKeyed = Callable[..., Operator]

_PLAIN: Final[Mapping[str, _Make]] = {
    "redact": lambda _: Redact(),
    "nullify": lambda _: Nullify(),
    "keep": lambda _: Keep(),
    "replace": Replace,
    "mask": Mask,
    "generalize": Generalize,
}
_KEYED: Final[Mapping[str, _MakeKeyed]] = {
    "hash": Hash,
    "tokenize": Tokenize,
    "encrypt": Encrypt,
    "fpe": Fpe,
    "date_shift": DateShift,
    "fake": Fake,
}


def operator_for(config: OperatorConfig, *, ring: KeyRing, pinned: bool = False) -> Operator:
    """The operator that a section of ``pii.operators`` describes.

    Args:
        config: The section.
        ring: The keys of the lake; asked only by operators that have one.
        pinned: Whether rows are matched by what it masks: it then keeps the first version of its key, so that
            a rotation does not part the rows that are there from their changes.

    Raises:
        UsageError: There is no such operator, or its settings are wrong.
        KeysError: Its key is not there.
    """
    name, settings = config.operator, plain_settings(config.settings)
    for setting, message in setting_problems(name, settings):
        where = f"operator {name}, `{setting}`" if setting else f"operator {name}"
        raise UsageError(f"{where}: {message}", advice="see docs/how-to/masking-operators.md")
    if name in _PLAIN:
        return _PLAIN[name](SETTINGS[name].model_validate(settings))
    if name in _KEYED:
        return _KEYED[name](SETTINGS[name].model_validate(settings), ring=ring, pinned=pinned)
    return PresidioOperator(name, settings)


def fitting(kind: pl.DataType) -> tuple[str, ...]:
    """The operators that can mask values of a type, at least with the right settings.

    Args:
        kind: The type of a column.
    """
    return tuple(name for name, fits in _FITS.items() if fits(kind))


_FITS: Final[Mapping[str, Callable[[pl.DataType], bool]]] = {
    "redact": lambda _: True,
    "nullify": lambda _: True,
    "replace": lambda kind: not kind.is_nested(),
    "mask": lambda kind: kind == pl.String,
    "hash": lambda kind: kind in {pl.String, pl.Binary, pl.Int64},
    "tokenize": lambda kind: kind == pl.String,
    "encrypt": lambda kind: kind == pl.String,
    "fpe": lambda kind: kind in {pl.String, pl.Int64, pl.Int32},
    "date_shift": lambda kind: kind in {pl.String, pl.Date} or isinstance(kind, pl.Datetime),
    "generalize": lambda kind: kind == pl.String or kind.is_numeric() or kind.is_temporal(),
    "fake": lambda kind: kind == pl.String,
    "keep": lambda _: True,
}
