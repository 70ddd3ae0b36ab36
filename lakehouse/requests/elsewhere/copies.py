"""People in the masked copies of a table: a mask stands for somebody, so it goes with the rest.

A copy follows its source: once it is brought up to date after an erasure, its newest version is as it should
be. What is left is what is not alive: rows marked as deleted, and older files. Among them, a person's rows
are those with the masked keys of the source's rows. Where masks do not tell (no key, or keys that were masked
in another way before), everything that is not alive counts as theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lakehouse.copies import application
from lakehouse.delta.actions import Metadata
from lakehouse.delta.data import read_rows_at, read_vectors
from lakehouse.delta.log import commits, earliest_commit
from lakehouse.delta.schema import to_polars
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.pii.mask.copy import CopyRun
from lakehouse.pii.mask.mark import marks_of
from lakehouse.pii.paths import parse_path
from lakehouse.requests.find import RULE, SCHEMA, Found, held_rows
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import FILE, LIVE, POSITION, VALUE, Condition, rows_of
from lakehouse.requests.past import Past, past_of
from lakehouse.requests.people import Place
from lakehouse.requests.rules import RowRule


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInCopy:
    """What is left of people in a masked copy.

    Args:
        run: The run that brings the copy up to date.
        found: Rows that are not alive any more, with rules that delete them.
        exact: Whether these are the people's rows alone; else they stand for all that is not alive, so that
            nothing can be emptied in place.
        has: The version of the source that the copy has; None where its log does not say.
    """

    run: CopyRun
    found: Found
    exact: bool
    has: int | None


def find_in_copy(run: CopyRun, source: Found) -> FoundInCopy | None:
    """Finds what a copy holds of people beside its newest rows.

    Args:
        run: The run that brings the copy up to date (`MaskedCopies.following`): it knows how the copy looks,
            and how it is masked.
        source: What was found of them in the table that it is a copy of.

    Returns:
        What is there; None where the copy has not been made.

    Raises:
        CorruptTableError: A file or the log can't be read.
        KeysError: A key that masks is not there.
    """
    target = run.target
    newest = target.find()
    if newest is None:
        return None
    past = past_of(target.storage, newest)
    place = Place(target.storage, past)
    subjects = dict(source.people.known.select("request", "subject").unique().rows())
    rules = {
        subject: RowRule(subject=subject, table=target.name, where=(), do="delete")
        for subject in dict.fromkeys(subjects.values())
    }
    numbers = {subject: number for number, subject in enumerate(rules)}
    keys = _keys(run, source) if _tells(run, past) else None
    rows = _all_dead(place, sorted(set(source.going[REQUEST]))) if keys is None else _dead(place, keys)
    rows = rows.with_columns(
        pl.col(REQUEST)
        .replace_strict({request: numbers[name] for request, name in subjects.items()}, default=0)
        .cast(pl.Int32)
        .alias(RULE)
    ).select(*SCHEMA)
    position = newest.transactions.get(application(run.source.name))
    protection = target.protection()
    held = held_rows(place, rows, tuple(rules.values()), protection)
    found = Found(
        table=target.name,
        past=past,
        rules=tuple(rules.values()),
        rows=rows,
        people=source.people,
        held=held.requests,
        held_files=held.files,
        protection=protection,
    )
    return FoundInCopy(
        run=run, found=found, exact=keys is not None, has=None if position is None else position.version
    )


def _tells(run: CopyRun, past: Past) -> bool:
    """Whether rows of any version are found by masked keys: those were always masked as they are now."""
    key = run.source.config.key
    if not run.shape.key or not key:
        return False
    storage = run.target.storage
    versions = [load_snapshot(storage, version=past.first).metadata, past.newest.metadata]
    versions += [
        action
        for each in commits(storage, start=earliest_commit(storage))
        for action in each.actions
        if isinstance(action, Metadata)
    ]
    wanted = _of_key(run.shape.marks, key)
    return all(_of_key(marks_of(each.configuration), key) == wanted for each in versions)


def _of_key(marks: Mapping[str, str], key: Sequence[str]) -> dict[str, str]:
    return {path: mark for path, mark in marks.items() if parse_path(path, columns=key).column in key}


def _keys(run: CopyRun, source: Found) -> pl.DataFrame | None:
    """The masked keys of people's rows, and their requests; None where a row has no key."""
    key = list(run.source.config.key)
    parts = [*_known_keys(run, source, key)]
    for (number,), rows in source.going.partition_by(FILE, as_dict=True).items():
        positions = np.unique(rows[POSITION].to_numpy()).astype(np.uint64)
        plain = read_rows_at(
            run.source.storage,
            source.past.newest,
            source.past.files[number].add,
            positions,
            columns=list(run.shape.schema.names),
            row_index=POSITION,
        )
        masked = run.masker.mask(plain.drop(POSITION)).select(key).with_columns(plain[POSITION])
        parts.append(rows.select(POSITION, REQUEST).join(masked, on=POSITION).select(*key, REQUEST))
    found = pl.concat(parts).unique() if parts else pl.DataFrame(schema=_empty(run, key))
    return None if any(found[name].null_count() for name in key) else found


def _known_keys(run: CopyRun, source: Found, key: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Keys that are known without any row: of rows that are in the copy's old files alone."""
    types = to_polars(source.past.newest.schema)
    for rule in source.rules:
        if set(rule.key) == set(key) and rule.do != "keep" and not run.masker.computed:
            keys = source.people.keys(subject=rule.subject, where=rule.where, types=types)
            if keys.height:
                yield run.masker.mask(keys.select(key)).with_columns(keys[REQUEST])


def _empty(run: CopyRun, key: Sequence[str]) -> dict[str, pl.DataType]:
    types = to_polars(run.shape.schema)
    return {**{name: types[name] for name in key}, REQUEST: pl.String()}


def _dead(place: Place, keys: pl.DataFrame) -> pl.DataFrame:
    """Rows with these keys that are not alive: in older files, or marked as deleted."""
    past = place.past
    names = tuple(name for name in keys.columns if name != REQUEST)
    wanted = Condition(names, keys.select(names))
    located = rows_of(place.storage, past.newest, past.adds, [wanted]).frame
    alive = pl.col(LIVE) & pl.col(FILE).is_in(_current(past))
    request = keys[REQUEST].gather(located[VALUE]).alias(REQUEST)
    return located.select(FILE, POSITION, request, alive).filter(~pl.col(LIVE))


def _current(past: Past) -> list[int]:
    """The files that the newest version has."""
    return [number for number, each in enumerate(past.files) if each.add.path in past.newest.files]


def _all_dead(place: Place, requests: Sequence[str]) -> pl.DataFrame:
    """One row for each file in which something is not alive, and each request."""
    past = place.past
    current = set(_current(past))
    vectors = read_vectors(place.storage, past.adds) if requests else {}
    dead = [
        (number, int(vectors[number].min()) if number in current else 0)
        for number in range(len(past.files))
        if number not in current or vectors.get(number)
    ]
    return pl.DataFrame(
        [(*each, request, False) for each in dead for request in requests],
        schema={name: SCHEMA[name] for name in (FILE, POSITION, REQUEST, LIVE)},
        orient="row",
    )
