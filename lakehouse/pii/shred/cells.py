"""Cells under keys of people: ``shred:v1:<name>:<generation>:<base64 of the ciphertext and its tag>``.

AES-256-GCM-SIV (RFC 8452) under the person's key, always with the same nonce, and with table and column as
associated data: what that mode tells of a nonce that is used again is which values are equal, and that is
wanted, since a merge must know what did not change. The same value of one person in one column is the same
cell; in another column, or of another person, it is another one. The name says which key opens a cell,
whatever else the row holds by then.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from lakehouse.errors import KeysError
from lakehouse.pii.shred.person_keys import PersonKey

HEAD: Final = "shred:v1:"
"""What every cell begins with."""

PART: Final = 50_000
"""So many rows are done at once, so that keys of as many people at most are in memory."""

_NONCE: Final = bytes(12)
_FORM: Final = r"^shred:v1:([A-Za-z0-9_-]{22}):([1-9][0-9]{0,8}):([A-Za-z0-9+/]{22,}={0,2})$"
_CELL: Final = re.compile(_FORM)
_NAME: Final = r"^shred:v1:([A-Za-z0-9_-]{22}):"

Keys = Callable[[Collection[str]], Mapping[str, PersonKey]]
"""Gives the keys of people by their names; those that nobody knows are missing."""


def sealed(
    columns: Sequence[pl.Series], persons: pl.Series, keys: Mapping[str, PersonKey], *, table: str
) -> list[pl.Series]:
    """Encrypts the cells of rows.

    Args:
        columns: Texts. Null stays null, and an empty text stays empty.
        persons: As many values of the person's identifier; never null where a value is to be encrypted.
        keys: By that value.
        table: The table.

    Returns:
        As many columns and cells; null where the person's key was destroyed. A cell that is one already,
        under the key that it names, stays as it is.
    """
    people = persons.to_list()
    work = [_Column(values, table) for values in columns]
    last: str | None = None
    cipher: AESGCMSIV | None = None
    # A person's rows one after the other: a cipher takes longer to make than to use, and kilobytes to keep.
    for at in persons.arg_sort().to_list():
        todo = [each for each in work if each.values[at]]
        if not todo:
            continue
        person = people[at]
        key = keys[person]
        if person != last:
            last, cipher = person, None if key.material is None else AESGCMSIV(key.material)
        for each in todo:
            each.seal(at, key, cipher)
    return [each.done() for each in work]


class _Column:
    """The cells of one column on their way."""

    def __init__(self, values: pl.Series, table: str) -> None:
        self._name = values.name
        self._about = f"{table}.{values.name}".encode()
        self.values: list[str | None] = values.to_list()
        self._heads: list[str | None] = [None] * len(values)
        self._bodies: list[bytes | None] = [None] * len(values)

    def seal(self, at: int, key: PersonKey, cipher: AESGCMSIV | None) -> None:
        value = self.values[at]
        if value is None or cipher is None:
            self.values[at] = None
        elif not (value.startswith(HEAD) and _is_ours(value, key, cipher, self._about)):
            self._heads[at] = f"{HEAD}{key.name}:{key.generation}:"
            self._bodies[at] = cipher.encrypt(_NONCE, value.encode(), self._about)

    def done(self) -> pl.Series:
        kept = pl.Series(self._name, self.values, dtype=pl.String)
        heads = pl.Series(self._heads, dtype=pl.String)
        bodies = pl.Series(self._bodies, dtype=pl.Binary).bin.encode("base64")
        cells = pl.concat_str(pl.lit(heads), pl.lit(bodies))
        return pl.select(pl.coalesce(cells, pl.lit(kept)).alias(self._name)).to_series()


def opened(values: pl.Series, keys: Keys, *, table: str) -> pl.Series:
    """Decrypts the cells of a column.

    Args:
        values: Cells; what is none, as an emptied one, stays as it is.
        keys: Gives the keys.
        table: The table.

    Returns:
        As many texts; null where the key was destroyed.

    Raises:
        KeysError: A key is lost, or is another one.
    """
    # Each cell once. In order, so that those of a person are one after the other, and keys that lie together
    # in the database are asked for together.
    cells = values.filter(values.str.contains(_FORM)).unique().sort()
    if cells.is_empty():
        return values
    parts = [_opened(cells.slice(start, PART), keys, table) for start in range(0, len(cells), PART)]
    clear = pl.DataFrame({"cell": cells, "clear": pl.concat(parts), "is": True})
    rows = values.alias("cell").to_frame().join(clear, on="cell", how="left", maintain_order="left")
    back = pl.when(pl.col("is")).then("clear").otherwise("cell")
    return rows.select(back.alias(values.name)).to_series()


def _opened(cells: pl.Series, keys: Keys, table: str) -> pl.Series:
    """Cells, each once and in order."""
    known = keys(cells.str.extract(_NAME, 1).unique(maintain_order=True).to_list())
    found = cells.str.extract_groups(_FORM).struct.unnest()
    names, generations, bodies = (found[name] for name in found.columns)
    about = f"{table}.{cells.name}".encode()
    last, cipher = "", None
    done: list[str | None] = []
    for name, generation, body in zip(
        names.to_list(),
        generations.cast(pl.Int64).to_list(),
        bodies.str.decode("base64", strict=False).to_list(),
        strict=True,
    ):
        key = known.get(name)
        if key is None or generation > key.generation:
            raise _lost(table, cells.name)
        if key.material is None or generation < key.generation:
            done.append(None)
            continue
        if name != last or cipher is None:
            last, cipher = name, AESGCMSIV(key.material)
        try:
            done.append(cipher.decrypt(_NONCE, body or b"", about).decode())
        except InvalidTag:
            raise _foreign(table, cells.name) from None
    return pl.Series(done, dtype=pl.String)


def _is_ours(value: str, key: PersonKey, cipher: AESGCMSIV, about: bytes) -> bool:
    """Whether a value is a cell of this person and column: rows come out of archives as they were stored."""
    parts = _CELL.fullmatch(value)
    if parts is None or parts[1] != key.name or int(parts[2]) > key.generation:
        return False
    if int(parts[2]) < key.generation:
        return True  # under a key that was destroyed: there is nothing that could be stored in its place
    try:
        cipher.decrypt(_NONCE, b64decode(parts[3]), about)
    except (InvalidTag, ValueError):
        return False
    return True


def _lost(table: str, column: str) -> KeysError:
    return KeysError(
        f"table {table}, column {column}: keys of people are not in the state database, and none says that "
        "they were destroyed",
        advice="see whether `state` names the right database, or bring it back from a backup; other columns "
        "can be read (`columns=`)",
    )


def _foreign(table: str, column: str) -> KeysError:
    return KeysError(
        f"table {table}, column {column}: a cell does not open with the key that it names: it was changed, "
        "or moved here from another column or table",
        advice="`lakehouse verify` says whether files were changed",
    )
