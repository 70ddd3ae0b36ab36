"""Presidio's own operators, by name: whatever ``presidio_anonymizer`` has and is not built in here.

Where a name is taken by an operator of our own, ``presidio_`` before it means Presidio's: ``presidio_hash``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from lakehouse.errors import UsageError
from lakehouse.pii.operators.common import Basic, each_text
from lakehouse.pii.operators.packages import needed

_PREFIX: Final = "presidio_"
_MISSING: Final = re.compile(r"^Expected parameter (\w+)$")
_STEADY: Final = frozenset({"redact", "replace", "mask", "keep"})


class PresidioOperator(Basic):
    """An operator of Presidio, called once for each distinct value.

    Args:
        name: Its name there.
        settings: Its parameters, as Presidio calls them; Presidio checks them.

    Raises:
        UsageError: There is no such operator, or it does not take these settings.
        MissingPackageError: Presidio is not installed.
    """

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.name = name
        self._settings = dict(settings)
        bare = name.removeprefix(_PREFIX)
        # What other operators do can't be known, and a hash without a salt has one by chance.
        self.deterministic = bare in _STEADY or (bare == "hash" and "salt" in settings)
        self.injective = self.deterministic and bare in {"hash", "keep"}
        # Presidio itself is made anew where it is needed, so that this pickles.
        _made(name, self._settings)

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Calls the operator."""
        operator = _made(self.name, self._settings)
        parameters = {**self._settings, "entity_type": entity}
        return each_text(values, lambda text: str(operator.operate(text=text, params=dict(parameters))))


def _made(name: str, settings: Mapping[str, Any]) -> Any:
    wrong = needed("presidio_anonymizer.entities", operator=name).InvalidParamError
    operators = needed("presidio_anonymizer.operators", operator=name)
    factory = operators.OperatorsFactory()
    try:
        operator = factory.create_operator_class(name.removeprefix(_PREFIX), operators.OperatorType.Anonymize)
    except wrong:
        known = ", ".join(sorted(factory.get_anonymizers()))
        raise UsageError(
            f"there is no operator `{name}`, neither here nor in Presidio", advice=f"Presidio has {known}"
        ) from None
    try:
        operator.validate(params={**settings, "entity_type": ""})
    except (wrong, TypeError, ValueError, AttributeError) as error:
        # Without its cause, which can show the settings.
        raise UsageError(
            f"Presidio's operator `{name}` does not take these settings{_which(str(error), settings)}",
            advice="see Presidio's pages on it",
        ) from None
    return operator


def _which(told: str, settings: Mapping[str, Any]) -> str:
    """The name of the setting that Presidio complains of, and nothing else of what it says."""
    missing = _MISSING.search(told)
    if missing is not None:
        return f": it needs `{missing[1]}`"
    return next(
        (f": `{name}` is wrong" for name in settings if re.search(rf"\b{re.escape(name)}\b", told)), ""
    )
