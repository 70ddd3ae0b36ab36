"""Cells under keys of people: ``shred:v1:<name>:<generation>:<base64 of nonce, ciphertext and tag>``.

AES-256-GCM (NIST SP 800-38D) under the person's key, with table and column as associated data. The nonce is
made of the value, by a keyed hash (BLAKE2b, RFC 7693) of table, column and value: the same value of one
person in one column is the same cell, and that is wanted, since a merge must know what did not change. Two
values would have to meet in 96 bits of it to share a nonce. The name says which key opens a cell, whatever
else the row holds by then.

Each person has a key of their own, so that nothing here can be done for many at once but what is around the
ciphers: cells are taken apart and put together by columns, and a cipher serves all cells of its person.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.errors import KeysError
from lakehouse.pii.shred.person_keys import PersonKey
from lakehouse.pii.shred.wrapping import Materials

HEAD: Final = "shred:v1:"
"""What every cell begins with."""

PART: Final = 50_000
"""So many rows are done at once, so that keys of as many people at most are in memory."""

_NONCE: Final = 12
_NONCE_TEXT: Final = 16
_PERSON: Final = b"lakehouse nonce"
_NAME: Final = 22
_CELL: Final = re.compile(
    r"shred:v1:([A-Za-z0-9_-]{22}):([1-9][0-9]{0,8}):([A-Za-z0-9+/]{16})([A-Za-z0-9+/]{22,}={0,2})"
)

Keys = Callable[[Collection[str]], Materials]
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
    cipher: AESGCM | None = None
    # A person's rows one after the other: a cipher takes longer to make than to use, and kilobytes to keep.
    for at in persons.arg_sort().to_list():
        todo = [each for each in work if each.values[at]]
        if not todo:
            continue
        person = people[at]
        key = keys[person]
        if person != last:
            last, cipher = person, None if key.material is None else AESGCM(key.material)
        for each in todo:
            each.seal(at, key, cipher)
    return [each.done() for each in work]


class _Column:
    """The cells of one column on their way."""

    def __init__(self, values: pl.Series, table: str) -> None:
        self._name = values.name
        self._about = _about(table, values.name)
        self.values: list[str | None] = values.to_list()
        self._heads: list[str | None] = [None] * len(values)
        self._nonces: list[bytes | None] = [None] * len(values)
        self._bodies: list[bytes | None] = [None] * len(values)

    def seal(self, at: int, key: PersonKey, cipher: AESGCM | None) -> None:
        value = self.values[at]
        if value is None or cipher is None or key.material is None:
            self.values[at] = None
        elif not (value.startswith(HEAD) and _is_ours(value, key, cipher, self._about)):
            plain = value.encode()
            made = blake2b(self._about + b"\0" + plain, digest_size=_NONCE, key=key.material, person=_PERSON)
            nonce = made.digest()
            self._heads[at] = f"{HEAD}{key.name}:{key.generation}:"
            self._nonces[at] = nonce
            self._bodies[at] = cipher.encrypt(nonce, plain, self._about)

    def done(self) -> pl.Series:
        kept = pl.Series(self._name, self.values, dtype=pl.String)
        heads = pl.Series(self._heads, dtype=pl.String)
        parts = [
            pl.Series(each, dtype=pl.Binary).bin.encode("base64") for each in (self._nonces, self._bodies)
        ]
        cells = pl.concat_str(pl.lit(heads), *map(pl.lit, parts))
        return pl.select(pl.coalesce(cells, pl.lit(kept)).alias(self._name)).to_series()


def opened(columns: Sequence[pl.Series], keys: Keys, *, table: str) -> list[pl.Series]:
    """Decrypts the cells of columns; together, so that each person's key is asked for and made ready once.

    Args:
        columns: Cells, under the columns' names; what is none, as an emptied one, stays as it is.
        keys: Gives the keys.
        table: The table.

    Returns:
        As many texts; null where the key was destroyed.

    Raises:
        KeysError: A key is lost, or is another one.
    """
    cells = _taken_apart(columns)
    if cells.is_empty():
        return list(columns)
    names = [each.name for each in columns]
    parts = [
        _opened(cells.slice(start, PART), keys, table=table, columns=names)
        for start in range(0, cells.height, PART)
    ]
    cells = cells.select("column", "row", pl.concat(parts).alias("clear"))
    done: list[pl.Series] = []
    for at, values in enumerate(columns):
        mine = cells.filter(pl.col("column") == at)
        places = np.full(len(values), -1)
        places[mine["row"].to_numpy()] = np.arange(mine.height)
        where = pl.Series(places)
        clear = mine["clear"].gather(where.set(where == -1, None))
        done.append(
            pl.select(pl.when(where == -1).then(values).otherwise(clear).alias(values.name)).to_series()
        )
    return done


def _taken_apart(columns: Sequence[pl.Series]) -> pl.DataFrame:
    """The cells of columns with their parts, those of a person one after the other."""
    parts = [
        values.alias("cell")
        .to_frame()
        .lazy()
        .select(pl.lit(at, dtype=pl.UInt32).alias("column"), pl.row_index("row"), "cell")
        .filter(pl.col("cell").str.starts_with(HEAD))
        for at, values in enumerate(columns)
    ]
    cells = pl.concat(parts).collect()
    short = len(HEAD) + _NAME + 2  # where the key's name ends with a generation of one digit, as nearly all
    text = pl.col("cell").str
    if cells.select((text.slice(short, 1) == ":").all()).item():
        key, body = text.slice(len(HEAD), _NAME + 2), text.slice(short + 1)
    else:
        fields = text.split_exact(":", 4).struct
        key = pl.concat_str(fields.field("field_2"), pl.lit(":"), fields.field("field_3"))
        body = fields.field("field_4")
    cells = cells.select(
        "column",
        "row",
        key.alias("key"),
        # A nonce is a whole number of threes of bytes.
        body.str.slice(0, _NONCE_TEXT).str.decode("base64", strict=False).alias("nonce"),
        body.str.slice(_NONCE_TEXT).str.decode("base64", strict=False).alias("body"),
    )
    # Those of a person one after the other; numbers are put in order four times as fast as texts.
    return cells.drop_nulls().sort(pl.col("key").hash())


def _opened(cells: pl.DataFrame, keys: Keys, *, table: str, columns: Sequence[str]) -> pl.Series:
    """Cells, those of a person one after the other."""
    about = [_about(table, name) for name in columns]
    # In order, so that keys that lie together in the database are asked for together.
    known = keys(cells["key"].str.slice(0, _NAME).unique().sort().to_list())
    find, there = known.keys.get, dict[str, int]()
    last, decrypt = "", None
    done: list[bytes | None] = []
    rows = [cells[each].to_list() for each in ("column", "key", "nonce", "body")]
    for at, key, nonce, body in zip(*rows, strict=True):
        if key != last:
            material = find(key)
            if material is None and key not in known.destroyed:
                there = there or known.generations()
                if _is_lost(key, there):
                    raise _lost(table, columns[at])
            last, decrypt = key, None if material is None else AESGCM(material).decrypt
        if decrypt is None:
            done.append(None)
            continue
        try:
            done.append(decrypt(nonce, body, about[at]))
        except (InvalidTag, ValueError):
            raise _foreign(table, columns[at]) from None
    return pl.Series(done, dtype=pl.Binary).cast(pl.String)


def _is_lost(key: str, there: Mapping[str, int]) -> bool:
    """Whether nobody says that a key was destroyed: there is none of its name, or only an older one."""
    name, _, generation = key.partition(":")
    return name not in there or not generation.isdecimal() or int(generation) > there[name]


def _about(table: str, column: str) -> bytes:
    return f"{table}.{column}".encode()


def _is_ours(value: str, key: PersonKey, cipher: AESGCM, about: bytes) -> bool:
    """Whether a value is a cell of this person and column: rows come out of archives as they were stored."""
    parts = _CELL.fullmatch(value)
    if parts is None or parts[1] != key.name or int(parts[2]) > key.generation:
        return False
    if int(parts[2]) < key.generation:
        return True  # under a key that was destroyed: there is nothing that could be stored in its place
    try:
        cipher.decrypt(b64decode(parts[3]), b64decode(parts[4]), about)
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
