"""What a request needs to be kept: checked against the config, all mistakes at once, no value repeated."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from lakehouse.config import Config
from lakehouse.config.models import SubjectConfig
from lakehouse.config.nearest import nearest
from lakehouse.errors import DataError, LakehouseError, NotFoundError, UsageError
from lakehouse.protection.given import ensure_plain, pairs_of, text_of
from lakehouse.protection.subjects import ensure_known
from lakehouse.requests.identity import Person

KINDS: Final = ("erasure", "access")
_LONGEST_EXTERNAL: Final = 200
_FIELDS: Final = frozenset({"kind", "subject", "external_id"})
_SHOWN: Final = 20
_WHOLE: Final = frozenset({"byte", "short", "integer", "long"})
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request before it is kept.

    Args:
        kind: ``erasure`` or ``access``.
        person: Who it is about.
        external_id: The sender's own name for it.
    """

    kind: str
    person: Person = field(repr=False)
    external_id: str | None = None


def draft_of(
    config: Config,
    *,
    kind: object,
    subject: object,
    identifiers: Mapping[str, Any],
    external_id: object = None,
) -> Draft:
    """Checks one request.

    Args:
        config: The lake's config.
        kind: ``erasure`` or ``access``.
        subject: The kind of person.
        identifiers: Name to value, or values.
        external_id: The sender's own name for it.

    Raises:
        UsageError: Something can't be used.
        NotFoundError: The config has no such subject, or it no such identifier.
    """
    given = _given(config, kind=kind, subject=subject, identifiers=identifiers, external_id=external_id)
    if given.mistakes:
        raise given.mistakes[0]
    return given.draft()


@dataclass(slots=True)
class _Given:
    """What a request says, as far as it can be used, and all that can't."""

    kind: str = ""
    subject: str = ""
    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    external_id: str | None = None
    mistakes: list[LakehouseError] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Notes what is wrong, and goes on behind it."""
        try:
            yield
        except LakehouseError as error:
            self.mistakes.append(error)

    def draft(self) -> Draft:
        return Draft(kind=self.kind, person=Person(self.subject, self.pairs), external_id=self.external_id)


def _given(
    config: Config, *, kind: object, subject: object, identifiers: Mapping[str, Any], external_id: object
) -> _Given:
    found = _Given()
    with found.noting():
        found.kind = _kind(kind)
    with found.noting():
        found.subject = _subject(config, subject)
    section = config.subjects.get(found.subject)
    before = len(found.mistakes)
    for name, value in identifiers.items():
        with found.noting():
            pairs = pairs_of({name: value})
            if section is not None:
                ensure_known(section, pairs, name=found.subject)
                _ensure_numbers(config, section, pairs)
            found.pairs = tuple(dict.fromkeys((*found.pairs, *pairs)))
    if not found.pairs and len(found.mistakes) == before:
        known = "" if section is None else f" of {found.subject}: {', '.join(section.identifiers)}"
        found.mistakes.append(
            UsageError("a request needs to say who it is about", advice=f"give one of the identifiers{known}")
        )
    if external_id is not None:
        with found.noting():
            text = text_of(external_id, "the external id")
            found.external_id = ensure_plain(text, what="the external id", longest=_LONGEST_EXTERNAL)
    return found


def _kind(kind: object) -> str:
    what = text_of(kind, "the kind of a request")
    if what not in KINDS:
        near = nearest(what, KINDS)
        raise UsageError(
            f"there is no kind of request `{what}`" if what.isidentifier() else "that is no kind of request",
            advice=f"did you mean {near}?" if near else f"write {' or '.join(KINDS)}",
        )
    return what


def _subject(config: Config, subject: object) -> str:
    name = text_of(subject, "the subject")
    if name not in config.subjects:
        near = nearest(name, tuple(config.subjects))
        known = f"its subjects are: {', '.join(config.subjects)}" if config.subjects else "it has none"
        raise NotFoundError(
            f"the config has no subject {name}", advice=f"did you mean {near}?" if near else known
        )
    return name


def _ensure_numbers(config: Config, section: SubjectConfig, pairs: Sequence[tuple[str, str]]) -> None:
    """Refuses what can be nobody's: it would end in a certificate that nothing of the person was there."""
    for name, value in pairs:
        table, _, column = section.identifiers[name].partition(".")
        kind = ((config.tables[table].column_schema if table in config.tables else None) or {}).get(column)
        if str(kind) in _WHOLE and not _WHOLE_NUMBER.fullmatch(value.strip()):
            raise UsageError(
                f"the identifier {name} is a whole number, and what was given is none",
                advice=f"it is compared with {table}.{column}, which is {kind}",
            )


def drafts_of_file(config: Config, path: Path, *, kind: str | None, subject: str | None) -> list[Draft]:
    """Reads a file of requests: JSON Lines, or CSV with a head line. All of it can be used, or none.

    Args:
        config: The lake's config.
        path: The file; ``.csv``, or anything else for JSON Lines.
        kind: For lines that do not say it.
        subject: For lines that do not say it.

    Returns:
        The requests, in the order of the file.

    Raises:
        NotFoundError: The file is not there.
        DataError: Lines can't be used; all of them are named, by number and reason.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise DataError(f"the file {path} can't be read ({type(error).__name__})") from None
    drafts: list[Draft] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for line, record in _records(content, is_csv=path.suffix.lower() == ".csv"):
        if isinstance(record, str):
            problems.append(f"line {line}: {record}")
            continue
        given = {
            name: value for name, value in record.items() if name not in _FIELDS and value not in (None, "")
        }
        told = _given(
            config,
            kind=record.get("kind") or kind or "",
            subject=record.get("subject") or subject or "",
            identifiers=given,
            external_id=_text(record.get("external_id")),
        )
        if told.mistakes:
            problems.append(f"line {line}: {'; '.join(map(_said, told.mistakes))}")
            continue
        draft = told.draft()
        if draft.external_id is not None:
            first = seen.setdefault(draft.external_id, line)
            if first != line:
                problems.append(f"line {line}: its external id is that of line {first}")
                continue
        drafts.append(draft)
    if problems:
        more = len(problems) - _SHOWN
        shown = problems[:_SHOWN] + ([f"and {more:,} more"] if more > 0 else [])
        listed = "\n  ".join(shown)
        raise DataError(
            f"{len(problems):,} {'line' if len(problems) == 1 else 'lines'} of {path} can't be used; nothing "
            f"was submitted:\n  {listed}",
            advice="mend them and submit the file again: what has an external id is never submitted twice",
        )
    if not drafts:
        raise DataError(f"there is no request in {path}")
    return drafts


def _said(error: LakehouseError) -> str:
    meant = f" ({error.advice})" if error.advice and error.advice.startswith("did you mean") else ""
    return f"{error.message}{meant}"


def _text(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def _records(content: bytes, *, is_csv: bool) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Line numbers from 1 with the record, or with what is wrong."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield 1, "the file is not in UTF-8"
        return
    if is_csv:
        yield from _csv_records(text)
        return
    for line, each in enumerate(text.splitlines(), start=1):
        if not each.strip():
            continue
        try:
            record = orjson.loads(each)
        except orjson.JSONDecodeError:
            yield line, "it is no JSON"
            continue
        yield line, record if isinstance(record, dict) else "it is no JSON object"


def _csv_records(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    head = text.partition("\n")[0]
    # Spreadsheets of many countries write semicolons into what they call CSV.
    delimiter = next((each for each in (",", ";", "\t") if each in head), ",")
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    heads: Sequence[str] = reader.fieldnames or ()
    if not heads:
        return
    for row in reader:
        if None in row or None in row.values():
            yield reader.line_num, f"it has not as many fields as the head line ({len(heads)})"
        else:
            yield reader.line_num, {str(name).strip(): value for name, value in row.items()}
