"""Which paths a storage takes."""

from __future__ import annotations

from lakehouse.errors import UsageError

# What delta-rs can't open as (part of) a table's place, found by trying: it panics on some of them, and
# writes to another folder on others. Objects inside a table are free to have them.
UNOPENABLE_LOCAL = frozenset("[]\\^|")
UNOPENABLE_REMOTE = UNOPENABLE_LOCAL | frozenset("#?%")


def checked(path: str) -> str:
    """The path itself, if an object can be called that.

    Raises:
        UsageError: It is empty, absolute, or has empty, ``.``, ``..`` or unprintable parts.
    """
    if any(part in ("", ".", "..") for part in path.split("/")) or any(ord(sign) < 32 for sign in path):
        raise UsageError(
            f"{path!r} is no path of an object",
            advice="give a relative path with / between its parts, without empty parts, . and ..",
        )
    return path


def folder(path: str) -> str:
    """A folder's path without the slash at its end; empty means the storage itself."""
    stripped = path.removesuffix("/")
    return checked(stripped) if stripped else ""


def join(*parts: str) -> str:
    """Parts with slashes between, leaving out the empty ones."""
    return "/".join(part for part in parts if part)


def refuse_unopenable(place: str, *, local: bool) -> None:
    """Refuse a place of tables that delta-rs can't open, or would take for another.

    Raises:
        UsageError: The signs that can't be in it are named.
    """
    found = sorted((UNOPENABLE_LOCAL if local else UNOPENABLE_REMOTE) & set(place))
    if found:
        raise UsageError(
            f"the storage {place!r} has {' '.join(found)} in its name, which the Delta library can't open",
            advice="use another folder name",
        )
