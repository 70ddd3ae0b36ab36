"""Tables that were there once and are not any more: whoever is in them would not be found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from lakehouse.config import Config
from lakehouse.errors import RefusedError
from lakehouse.requests.graph import home_of
from lakehouse.requests.past import LOG, data_files
from lakehouse.requests.run.target import RunTarget
from lakehouse.storage import Storage


def ensure_there(target: RunTarget, *, subjects: Collection[str], there: Callable[[str], bool]) -> None:
    """Refuses to look for people where a table is missing; one that was never made has nobody.

    Args:
        target: The lake.
        subjects: The kinds of people.
        there: Whether there is a table of a name.

    Raises:
        RefusedError: Tables are missing; all of them are named.
    """
    missing = [name for name in _tables(target.config, subjects) if not there(name)]
    if not missing:
        return
    begun = _begun(target)
    reasons = {name: _was_there(target, name, begun) for name in missing}
    lines = [f"table {name}: {why}" for name, why in reasons.items() if why]
    if lines:
        shown = f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)
        raise RefusedError(
            f"people can't be looked for everywhere, and nothing was done:{shown}",
            advice="put it back where it was, or take it out of `subjects`",
        )


def _tables(config: Config, subjects: Collection[str]) -> Iterator[str]:
    names: dict[str, None] = {}
    for subject in subjects:
        about = config.subjects[subject]
        names |= dict.fromkeys(home_of(place).table for place in about.identifiers.values())
        names |= dict.fromkeys(rows.table for rows in about.rows)
    yield from names


def _begun(target: RunTarget) -> set[str]:
    """The tables that were there when requests were begun."""
    return {
        table
        for mine in target.state.requests.events().values()
        for event in mine
        if event.event == "started"
        for table in event.detail.get("versions", ())
    }


def _was_there(target: RunTarget, name: str, begun: Collection[str]) -> str:
    if _left_over(target.table(name).storage):
        return "its data files are there, and no log that names them: it was moved or damaged"
    if name in begun:
        return "earlier requests were carried out on it, and now it is gone"
    done = target.state.records.list(table=name, limit=1)
    if done:
        return f"something was done to it on {done[0].at:%Y-%m-%d}, and now it is gone"
    if target.config.tables[name].column_schema is not None:
        # Made by `apply`, it is empty for sure; until then nobody can tell it from one that was moved.
        return "it is not there: bring it back if it was moved, else `lakehouse apply` makes it"
    return ""


def _left_over(storage: Storage) -> bool:
    return any(True for _ in data_files(storage)) or any(True for _ in storage.list(LOG))
