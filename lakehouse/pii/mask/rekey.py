"""Masks that are made anew under another version of a key: turned back, and masked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from lakehouse.config.models import ColumnPii, OperatorConfig, PiiConfig
from lakehouse.config.models.operators import SETTINGS
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.frames import Place
from lakehouse.pii.mask.leaves import Whole
from lakehouse.pii.mask.mark import fingerprint
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.registry import operator_for


class Rekeyed:
    """An `Operator` over masks of another one, which differs from it in the version of its key alone.

    Args:
        old: What made the masks that it gets.
        new: What makes those that it gives.
    """

    def __init__(self, old: Operator, new: Operator) -> None:
        self.name = new.name
        self.deterministic = new.deterministic
        self.injective = new.injective
        self.reversible = new.reversible
        self.per_person = new.per_person
        self.per_row = new.per_row
        self._old, self._new = old, new

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,
        row: pl.Series | None = None,
    ) -> pl.Series:
        """Turns masks back and masks what comes out; see `Operator.mask`."""
        clear = self._old.reveal(values, entity=entity, person=person)
        return self._new.mask(clear, entity=entity, person=person, row=row)

    def reveal(self, values: pl.Series, *, entity: str, person: pl.Series | None = None) -> pl.Series:
        """See `Operator.reveal`."""
        return self._new.reveal(values, entity=entity, person=person)

    def takes(self, kind: pl.DataType) -> bool:
        """See `Operator.takes`."""
        return self._new.takes(kind)


def rekeyed(place: Place, about: ColumnPii, mark: str, *, pii: PiiConfig, ring: KeyRing) -> Place | None:
    """What makes the masks at a place anew, where only the version of the key is another one.

    Args:
        place: What masks it now.
        about: What the config says of it.
        mark: What the table says of its masks: a fingerprint.
        pii: The lake's section on personal data.
        ring: The keys of the lake.

    Returns:
        None where the masks were made in another way besides, or can't be turned back. Nor are dates that
        were shifted by person: whose they are can be masked by now.

    Raises:
        KeysError: A key is not there.
    """
    leaf = place.leaf
    if not isinstance(leaf, Whole) or not leaf.operator.reversible or leaf.operator.per_person:
        return None
    for former in _former(pii.operators.get(leaf.entity) or pii.operators.get("DEFAULT"), ring):
        operators = {**pii.operators, **dict.fromkeys(about.entities, former)}
        if fingerprint(about, pii.model_copy(update={"operators": operators})) == mark:
            old = operator_for(former, ring=ring)
            return replace(place, leaf=Whole(leaf.entity, Rekeyed(old, leaf.operator)))
    return None


def _former(section: OperatorConfig | None, ring: KeyRing) -> Iterator[OperatorConfig]:
    """The same operator with each version of its key, and without one."""
    model = None if section is None else SETTINGS.get(section.operator)
    if section is None or model is None or "version" not in model.model_fields:
        return
    settings = {name: value for name, value in section.settings.items() if name != "version"}
    yield OperatorConfig.model_validate({"operator": section.operator, **settings})
    for version in ring.versions(str(settings.get("key", model.model_fields["key"].default))):
        yield OperatorConfig.model_validate({"operator": section.operator, **settings, "version": version})
