"""What a run of a masked copy has to do, and why: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from lakehouse.copies import application
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.pii.mask.copy_shape import CopyShape, about_of, changed_marks, grows_only
from lakehouse.pii.mask.mark import marks_of
from lakehouse.pii.mask.port import MaskedPath
from lakehouse.pii.paths import column_of

CopyAction: TypeAlias = Literal["nothing", "follow", "anew"]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with a copy.

    Args:
        action: ``nothing``: it has the newest version; ``follow``: what changed is brought in; ``anew``: all
            rows are copied.
        why: For people; empty where it only follows.
        since: The version of the source that the copy has; None where it has none, or none that counts.
    """

    action: CopyAction
    why: str = ""
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """What a run of a masked copy did, or would do.

    Args:
        name: The copy.
        source: The table that it is a copy of.
        action: What was done: ``nothing``, ``follow`` (what changed was brought in) or ``anew``.
        why: Why all rows were copied, or nothing was done; empty where it only followed.
        source_version: The version of the source that the copy has afterwards.
        since: The one that it had before; None for the first time.
        columns: What is masked on the way.
        masked_before: Paths that are masked in the source already, and are taken as they are.
        inserted: Rows that came; for a dry run that would copy all, those that the source's log tells.
        updated: Rows that took another one's place.
        deleted: Rows that went; where all was copied, none is told.
        files: Files written.
        bytes: Their size in bytes.
        version: The version of the copy; None without one.
        notes: What else there is to know.
        dry_run: Whether it was only planned.
    """

    name: str
    source: str
    action: CopyAction
    why: str
    source_version: int
    since: int | None
    columns: tuple[MaskedPath, ...]
    masked_before: tuple[str, ...] = ()
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    files: int = 0
    bytes: int = 0
    version: int | None = None
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return self.action == "nothing"


def decide(
    name: str,
    source: Snapshot,
    copy: Snapshot | None,
    shape: CopyShape,
    *,
    anew: bool = False,
    others: bool = False,
) -> Step:
    """Decides what a run has to do.

    Args:
        name: The copy's name.
        source: The newest version of the source.
        copy: The newest version of the copy; None where it has not been made.
        shape: What it should look like.
        anew: Whether somebody asks for all rows to be copied.
        others: Whether somebody else wrote rows to the copy, who knows which.

    Raises:
        RefusedError: The table of that name is something else.
    """
    origin = shape.about.source
    if copy is None:
        return Step("anew", "it is made")
    since = _since(name, copy, shape)
    why = _why_anew(source, copy, shape, since=since, asked=anew, others=others)
    if since is None or why:
        return Step("anew", why, since)
    if since == source.version and _looks_right(copy, shape):
        return Step("nothing", f"it has version {since}, the newest of {origin}", since)
    if not shape.key:
        return Step("anew", f"{origin} has no key by which rows could be found again", since)
    return Step("follow", "", since)


def notes_of(copy: Snapshot | None, shape: CopyShape) -> tuple[str, ...]:
    """What there is to know of a run: what comes as it is without anybody having said so, and what stays.

    Args:
        copy: The newest version of the copy; None where it has not been made.
        shape: What it should look like.
    """
    if copy is None or about_of(copy.configuration) is None:
        return ()
    origin = shape.about.source
    names = shape.schema.names
    masked = {column_of(path, columns=names) for path in shape.marks}
    known = {item.name: item.type for item in copy.schema.fields}
    fresh = [
        item.name
        for item in shape.schema.fields
        if item.name not in masked and known.get(item.name) != item.type
    ]
    before = marks_of(copy.configuration)
    late = [
        path for path in shape.marks if path not in before and column_of(path, columns=names) in copy.schema
    ]
    notes: list[str] = []
    if fresh:
        notes.append(
            f"{', '.join(fresh)}: new in {origin} and not in its `pii`, so copied as it is; "
            f"`lakehouse pii scan {origin}` says whether it is personal"
        )
    if late:
        notes.append(
            f"{', '.join(late)}: older versions of the copy, up to {copy.version}, still have it as it was, "
            "until `lakehouse vacuum` takes them"
        )
    return tuple(notes)


def _since(name: str, copy: Snapshot, shape: CopyShape) -> int | None:
    """The version of the source that the copy has; None where its log does not say."""
    origin, about = shape.about.source, about_of(copy.configuration)
    if about is None or about.source != origin:
        what = "no masked copy" if about is None else f"a copy of {about.source}"
        raise RefusedError(
            f"{name} is {what}, so it can't be one of {origin}", advice="choose another name for the copy"
        )
    position = copy.transactions.get(application(origin))
    return None if position is None else position.version


def version_in(copy: Snapshot, shape: CopyShape) -> int | None:
    """The version of the source that a copy has.

    Args:
        copy: The copy.
        shape: What it should look like.

    Returns:
        None where it does not say, or has one of another table, as of one that was made anew since.
    """
    about = about_of(copy.configuration)
    position = copy.transactions.get(application(shape.about.source))
    same = about is not None and (about.source, about.table) == (shape.about.source, shape.about.table)
    return position.version if same and position is not None else None


def _why_anew(
    source: Snapshot, copy: Snapshot, shape: CopyShape, *, since: int | None, asked: bool, others: bool
) -> str:
    """Why rows that are in the copy can't stay; empty where they can."""
    about = about_of(copy.configuration)
    if since is None or about is None:
        return "its log does not say which version it has"
    if about.table != shape.about.table or since > source.version:
        return f"{shape.about.source} was made anew"
    changed = changed_marks(marks_of(copy.configuration), shape.marks)
    # A column that has just come has no values in the copy that could be masked in another way.
    changed = [path for path in changed if column_of(path, columns=copy.schema.names) in copy.schema]
    keys = shape.about.keys
    rotated = sorted(name for name, number in keys.items() if about.keys.get(name) != number)
    reasons = {
        "it was asked for": asked,
        "others wrote to the copy": others,
        f"masks changed: {', '.join(changed)}": bool(changed),
        f"another version of the key masks: {', '.join(rotated)}": bool(rotated),
        f"columns of {shape.about.source} changed their types, or went": not grows_only(copy, shape),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _looks_right(copy: Snapshot, shape: CopyShape) -> bool:
    same = copy.schema.names == shape.schema.names
    return same and not changed_marks(marks_of(copy.configuration), shape.marks)
