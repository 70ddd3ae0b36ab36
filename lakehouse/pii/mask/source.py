"""The masks of tables, as config and keys are now: the `lakehouse.pii.mask.port.MaskSource` of a lake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import polars as pl

from lakehouse.config.models import ColumnPii, Config, OperatorConfig
from lakehouse.config.models.operators import SETTINGS, plain_settings
from lakehouse.delta.schema import StructType
from lakehouse.pii.keys.ring import KeyRing, LateRing
from lakehouse.pii.mask.frames import Place, TableMasks
from lakehouse.pii.mask.leaves import InText
from lakehouse.pii.mask.mark import fingerprint
from lakehouse.pii.mask.plan import masks_of
from lakehouse.pii.mask.port import NOTHING, MaskedPath
from lakehouse.pii.mask.rekey import Rekeyed, rekeyed
from lakehouse.pii.paths import parse_path
from lakehouse.pii.spans import SpanFinder

Renamed: TypeAlias = frozenset[tuple[str, str]]
"""Columns by the names that the config knows, each with the one that it had in a version from before."""


@dataclass(frozen=True, slots=True)
class ReadyMasks:
    """Masks of a table, with what there is to say of them.

    Args:
        paths: What is masked; columns that the table does not have yet are left out.
        masks: What masks.
    """

    paths: tuple[MaskedPath, ...]
    masks: TableMasks

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Masks rows; see `lakehouse.pii.mask.port.Masks.apply`."""
        return self.masks.apply(frame)


@dataclass(frozen=True, slots=True)
class ConfigMasks:
    """Gives the masks of tables.

    Args:
        config: The lake's config.
        ring: Gives the keys of the lake; asked only where a mask has one.
        finder: Gives what finds personal data in texts; called only where texts are searched.
    """

    config: Config
    ring: Callable[[], KeyRing]
    finder: Callable[[], SpanFinder]

    def masks(
        self,
        table: str,
        schema: StructType,
        *,
        without: Collection[str] = (),
        known: Mapping[str, str] = NOTHING,
        renamed: Renamed = frozenset(),
    ) -> ReadyMasks:
        """See `lakehouse.pii.mask.port.MaskSource.masks`."""
        section = self.config.tables[table]
        named = {**_former(section.pii, renamed), **section.pii}
        wanted = {path: about for path, about in named.items() if path not in without}
        tables = {**self.config.tables, table: section.model_copy(update={"pii": wanted})}
        found = masks_of(
            table,
            config=self.config.model_copy(update={"tables": tables}),
            schema=schema,
            ring=LateRing(self.ring),
            finder=self.finder,
        )
        places = tuple(self._anew(place, wanted[place.written], known) for place in found.places)
        found = replace(found, places=places)
        paths = tuple(
            self._path(place, wanted[place.written])
            for place in found.places
            if place.path.column in schema and not _keeps(place)
        )
        return ReadyMasks(paths, found)

    def _anew(self, place: Place, about: ColumnPii, known: Mapping[str, str]) -> Place:
        mark = known.get(place.written)
        if mark is None:
            return place
        return rekeyed(place, about, mark, pii=self.config.pii, ring=LateRing(self.ring)) or place

    def ensure_ready(self, table: str, schema: StructType) -> None:
        """See `lakehouse.pii.mask.port.MaskSource.ensure_ready`."""
        searched = {
            entity
            for path, about in self.config.tables[table].pii.items()
            if about.is_text and parse_path(path, columns=schema.names).column in schema
            for entity in about.entities
        }
        if searched:
            self.finder().find(["-"], entities=sorted(searched))

    def fingerprints(self, table: str, schema: StructType) -> dict[str, str]:
        """See `lakehouse.pii.mask.port.MaskSource.fingerprints`."""
        return {
            path: fingerprint(about, self.config.pii)
            for path, about in self.config.tables[table].pii.items()
            if parse_path(path, columns=schema.names).column in schema
        }

    def key_versions(self, table: str, schema: StructType) -> dict[str, int]:
        """See `lakehouse.pii.mask.port.MaskSource.key_versions`."""
        section = self.config.tables[table]
        names = {
            name
            for path, about in section.pii.items()
            if parse_path(path, columns=schema.names).column in schema
            for name in self._keys(about)
        }
        ring = self.ring() if names else None
        versions = {name: ring.versions(name) for name in sorted(names)} if ring is not None else {}
        return {name: found[-1] for name, found in versions.items() if found}

    def _path(self, place: Place, about: ColumnPii) -> MaskedPath:
        operators = _operators(place)
        return MaskedPath(
            path=place.written,
            column=place.path.column,
            entities=tuple(about.entities),
            operators=tuple(dict.fromkeys(each.name for each in operators)),
            reversible=all(each.reversible for each in operators),
            in_part=len({each.reversible for each in operators}) > 1,
            fingerprint=fingerprint(about, self.config.pii),
            rekeyed=any(isinstance(each, Rekeyed) for each in operators),
        )

    def _keys(self, about: ColumnPii) -> Iterator[str]:
        """The keys that mask a column, in whichever version is the newest."""
        for entity in about.entities:
            name = self._key(entity)
            if name is not None:
                yield name

    def _key(self, entity: str) -> str | None:
        operators: Mapping[str, OperatorConfig] = self.config.pii.operators
        found = operators.get(entity) or operators.get("DEFAULT")
        model = SETTINGS.get(found.operator) if found is not None else None
        if found is None or model is None or "key" not in model.model_fields:
            return None
        settings: Any = model.model_validate(plain_settings(found.settings))
        # A version that is named in the config does not change with a rotation.
        return None if settings.version is not None else str(settings.key)


def _former(pii: Mapping[str, ColumnPii], renamed: Renamed) -> dict[str, ColumnPii]:
    """The paths into columns that had other names. Under their names of now others may be masked besides."""
    found: dict[str, ColumnPii] = {}
    for now, then in renamed:
        for path, about in pii.items():
            column = parse_path(path, columns=(now,)).column
            if column == now and path.startswith(now):
                found[then + path.removeprefix(now)] = about
    return found


def _operators(place: Place) -> list[Any]:
    leaf = place.leaf
    return list(leaf.operators.values()) if isinstance(leaf, InText) else [leaf.operator]


def _keeps(place: Place) -> bool:
    """Whether nothing is masked there after all."""
    return all(each.name == "keep" for each in _operators(place))
