"""The text of a key file: readable, and so that damage shows."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lakehouse.pii.keys.provider import SIZE

LONGEST: Final = 4096
"""Bytes that a key file may have."""

_FORMAT: Final = "1"
_NAMES: Final = ("lakehouse-key", "purpose", "version", "created", "key", "checksum")
_HEAD: Final = """\
# A key of a lake. Whoever reads this file can turn masks back, so let nobody. Without it, what was masked
# with it stays masked for good: keep a copy in a safe place.
"""


class DamagedKeyFileError(ValueError):
    """The text is no key file, or not the whole of one. Says what is wrong, and nothing of the key."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What stands in a key file.

    Args:
        purpose: What the key is for.
        version: Which.
        created: When it was made (timezone-aware).
        material: The key, 32 bytes.
    """

    purpose: str
    version: int
    created: datetime
    material: bytes = field(repr=False)


def write_key_file(content: KeyFile) -> str:
    """Writes the text of a key file.

    Args:
        content: What stands in it.

    Returns:
        Lines of ASCII: comments, a header, the key in base64, and a checksum over all but the comments.
    """
    values = (
        _FORMAT,
        content.purpose,
        str(content.version),
        content.created.isoformat(timespec="seconds"),
        base64.b64encode(content.material).decode(),
    )
    lines = [f"{name}: {value}" for name, value in zip(_NAMES, values, strict=False)]
    return _HEAD + "\n".join([*lines, f"{_NAMES[-1]}: {_checksum(lines)}"]) + "\n"


def read_key_file(data: bytes) -> KeyFile:
    """Reads the text of a key file.

    Args:
        data: The file.

    Returns:
        What stands in it.

    Raises:
        DamagedKeyFileError: A part is missing, unreadable or changed.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise DamagedKeyFileError("it is no text") from None
    if not text.strip():
        raise DamagedKeyFileError("it is empty")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pairs = [line.partition(": ")[::2] for line in lines]
    if [name for name, _ in pairs[:1]] != [_NAMES[0]]:
        raise DamagedKeyFileError("it is no key file")
    if pairs[0][1] != _FORMAT:
        raise DamagedKeyFileError("it is of a form that a newer release writes")
    if tuple(name for name, _ in pairs) != _NAMES:
        raise DamagedKeyFileError("a part of it is missing")
    # In constant time out of habit: the one who waits here can read the file.
    if not hmac.compare_digest(_checksum(lines[:-1]), pairs[-1][1]):
        raise DamagedKeyFileError("its checksum is not that of its content")
    _, purpose, version, created, key, _ = (value for _, value in pairs)
    try:
        return KeyFile(purpose, int(version), datetime.fromisoformat(created), _material(key))
    except ValueError:
        raise DamagedKeyFileError("a part of it can't be read") from None


def _material(text: str) -> bytes:
    try:
        material = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
    if len(material) != SIZE:
        raise ValueError("another length")
    return material


def _checksum(lines: list[str]) -> str:
    # Over 32 random bytes among others: it tells nobody what they are.
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:32]}"
