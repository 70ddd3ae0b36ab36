"""What an archive says of itself: which rows of which table it has, by which rule, and how to check them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from lakehouse.cdc.generations import PROPERTY, Generations, generations_of
from lakehouse.delta.schema import StructType, parse_schema
from lakehouse.errors import CorruptTableError, LakehouseError
from lakehouse.storage import Storage

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
PENDING: Final = "pending.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """One Parquet file of an archive.

    Args:
        path: Below the archive's folder.
        rows: Its rows.
        size: Bytes.
        sha256: Of the bytes, in hexadecimal.
    """

    path: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An archive's manifest. No value of a row is in it but the oldest and newest date.

    Args:
        id: The archive's id, which is the name of its folder.
        lake: The lake's name.
        table: The table.
        table_id: Its id in the log, so that a table of the same name that was made later is told apart.
        rule: The rule.
        column: The rule's column.
        cutoff: Rows before it were taken (UTC, ISO 8601).
        created: When it was written (UTC, ISO 8601).
        rows: Its rows.
        oldest: The oldest date in it, as ISO 8601 or a number.
        newest: The newest.
        files: Its files.
        schema: The table's schema, as Delta writes it.
        columns: Since when its columns counted: the table's property `lakehouse.columns`; empty without it.
        read_version: The version that the rows were taken from.
        run: The ``txnId`` of the commit that takes them out of the table.
        number: The number of that commit among those that archive, as its transaction tells.
        version: The version that it made; None as long as that is not known to have happened.
        replaced: Files in its folder that are no part of it any more, since others took their places: whoever
            finds them deletes them.
    """

    id: str
    lake: str
    table: str
    table_id: str
    rule: str
    column: str
    cutoff: str
    created: str
    rows: int
    oldest: str | int | float | None
    newest: str | int | float | None
    files: tuple[ArchivedFile, ...]
    schema: Mapping[str, Any]
    read_version: int
    run: str
    number: int
    version: int | None = None
    columns: str = ""
    replaced: tuple[str, ...] = ()

    def generations(self) -> Generations:
        """Since when the table's columns counted."""
        return generations_of({PROPERTY: self.columns} if self.columns else {})

    def parsed_schema(self) -> StructType:
        """The table's schema as it was."""
        return parse_schema(json.dumps(self.schema))

    def done(self, version: int) -> Manifest:
        """The same, once the rows are out of the table.

        Args:
            version: The version that took them out.
        """
        return replace(self, version=version)

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode()


def read_manifest(place: Storage, path: str) -> Manifest:
    """Reads a manifest.

    Args:
        place: Where archives are.
        path: The manifest.

    Raises:
        NotFoundError: It is not there (any more).
        CorruptTableError: It can't be read, or was written by another release.
    """
    try:
        content = json.loads(place.get(path))
        if content.pop("format") != FORMAT:
            raise ValueError("format")
        files = tuple(ArchivedFile(**each) for each in content.pop("files"))
        replaced = tuple(content.pop("replaced", ()))
        return Manifest(**content, files=files, replaced=replaced)
    except LakehouseError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptTableError(
            f"the manifest {path} of {place.url} can't be read",
            advice="it was changed, or written by another release; the Parquet files beside it can be read",
        ) from error
