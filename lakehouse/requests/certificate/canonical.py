"""One sequence of bytes for one document: what is signed and hashed.

JSON as RFC 8785 (JSON Canonicalization Scheme) writes it: UTF-8, members sorted by their names, no spaces,
and only what must be escaped is. Numbers are whole and below 2^53, so that no writer of numbers can differ;
the names of members are ASCII, so that all orders are the same. ``jq -cjS`` writes the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lakehouse.errors import DataError

_LARGEST: Final = 2**53 - 1
_DEEPEST: Final = 50


def canonical(document: Any) -> bytes:
    """A document's canonical bytes.

    Args:
        document: Dicts, lists, texts, whole numbers, truths and None.

    Raises:
        DataError: There is something else in it.
    """
    _check(document, 0)
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def joined(members: Mapping[str, bytes]) -> bytes:
    """The canonical bytes of an object, from those of its members.

    Args:
        members: By name their canonical bytes; the names are ASCII, and need no escapes.
    """
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), members[name]) for name in sorted(members)) + b"}"


def digest(document: Any) -> str:
    """The SHA-256 of a document's canonical bytes, in hexadecimal.

    Args:
        document: As for `canonical`.
    """
    return hashlib.sha256(canonical(document)).hexdigest()


def read(data: bytes | str) -> Any:
    """Reads JSON that says one thing only.

    Args:
        data: The text.

    Raises:
        DataError: It is no JSON, names a member twice, or has numbers that are not whole.
    """
    try:
        document = json.loads(data, object_pairs_hook=_once, parse_float=_refused, parse_constant=_refused)
        _check(document, 0)
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise DataError("that is no JSON, or none that says one thing only") from None
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member is named twice")
    return dict(pairs)


def _refused(_: str) -> Any:
    raise ValueError("a number is not whole")


def _check(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise DataError("the document is too deep")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        if not all(isinstance(name, str) and name.isascii() for name in value):
            raise DataError("a member's name is not ASCII")
        _check_all(value.values(), depth + 1)
    elif isinstance(value, list):
        _check_all(value, depth + 1)
    elif isinstance(value, bool) or value is None:
        return
    elif not isinstance(value, int) or abs(value) > _LARGEST:
        raise DataError("a number is not whole, or too large")


def _check_all(values: Iterable[Any], depth: int) -> None:
    for each in values:
        # What most of them are, at once.
        if type(each) is str and each.isascii() and depth <= _DEEPEST:
            continue
        _check(each, depth)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError("a text is not Unicode") from None
