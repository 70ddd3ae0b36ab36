"""JSON documents: read exactly, and written from whatever Python has."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

import orjson

_LONG_NUMBER: Final = re.compile(rb"[:,\[]\s*-?[0-9]{20}")
_DIGITS: Final = b"0" * 20
_ONLY_DIGITS: Final = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))

Json: TypeAlias = object
"""What JSON reads as in Python: dict, list, str, int, float, bool or None."""


class Broken:
    """Stands where a record's JSON can't be read."""

    __slots__ = ()


BROKEN: Final = Broken()


def as_document(item: object) -> bytes | str | None:
    """A record that is JSON yet to be read.

    Args:
        item: A record.

    Returns:
        The document, or None where the record is an object already.
    """
    if isinstance(item, (str, bytes)):
        return item
    return bytes(item) if isinstance(item, (bytearray, memoryview)) else None


def parse_json(texts: Sequence[bytes | str]) -> list[Json | Broken]:
    """Reads JSON documents, numbers exactly.

    Args:
        texts: One document each.

    Returns:
        Their values, `BROKEN` where one is no JSON. Whole numbers keep all their digits; ``NaN`` and
        ``Infinity``, which Python writes and JSON does not have, are understood.
    """
    suspects = _with_long_numbers(texts)
    parsed: list[Json | Broken] = []
    for index, text in enumerate(texts):
        if index in suspects:
            parsed.append(_parse_exactly(text))
            continue
        try:
            parsed.append(orjson.loads(text))
        except orjson.JSONDecodeError:
            parsed.append(_parse_exactly(text))
    return parsed


def dump(value: object) -> bytes:
    """A value as compact JSON, whatever Python types are inside.

    Args:
        value: Any value.

    Returns:
        JSON; whole numbers exact, bytes in base64, and what else JSON does not know as Python shows it.
        What is nested too deep to be written is null.
    """
    try:
        return orjson.dumps(value, default=as_text, option=orjson.OPT_NON_STR_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        pass
    try:
        text = json.dumps(value, default=as_text, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return b"null"
    return text.encode("utf-8", errors="replace")


def dump_exactly(value: object) -> bytes:
    """A value as `dump` writes it, but with ``NaN`` and ``Infinity``, which `parse_json` understands.

    Args:
        value: Any value.

    Returns:
        JSON, apart from these two words: for records that are read again.
    """
    written = dump(value)
    if b"null" not in written or not _has_odd_float(value):
        return written
    text = json.dumps(value, default=_as_dumped, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", errors="replace")


def _has_odd_float(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and any(map(_has_odd_float, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_odd_float, value))


def _as_dumped(value: object) -> object:
    return orjson.loads(dump(value))


def as_text(value: object) -> str:
    """A value that JSON does not know, as text.

    Args:
        value: Any value.

    Returns:
        Bytes in base64, as binary columns are written in JSON; everything else as Python shows it.
    """
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def is_text(value: object) -> bool:
    """Whether all text inside a value can be stored.

    Args:
        value: Any value.

    Returns:
        False where there is half a character (a lone surrogate), which UTF-8 does not have.
    """
    try:
        json.dumps(value, default=as_text, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except (TypeError, ValueError, RecursionError):
        return True
    return True


def _with_long_numbers(texts: Sequence[bytes | str]) -> frozenset[int]:
    """Documents with numbers of 20 digits or more: orjson reads them as floating numbers."""
    data = [text.encode("utf-8", errors="surrogatepass") if isinstance(text, str) else text for text in texts]
    if _DIGITS not in b"\n".join(data).translate(_ONLY_DIGITS):
        return frozenset()
    return frozenset(index for index, text in enumerate(data) if _LONG_NUMBER.search(text))


def _parse_exactly(text: bytes | str) -> Json | Broken:
    try:
        value: Json = json.loads(text, parse_float=_finite)
    except (ValueError, RecursionError):
        return BROKEN
    return value if is_text(value) else BROKEN


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number
