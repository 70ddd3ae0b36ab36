"""Z85, the base-85 spelling of bytes in deletion vector descriptors (it needs no escaping in JSON).

Delta protocol, section "Deletion Vector Descriptor Schema", and ZeroMQ RFC 32. It differs from Python's
own ``b85`` only in its alphabet.
"""

from __future__ import annotations

import base64
from typing import Final

from lakehouse.errors import CorruptTableError

_Z85: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
# Characters that only b85 knows must not slip through as if they were Z85.
_TO_B85: Final = bytes.maketrans(_Z85, _B85)
_FROM_B85: Final = bytes.maketrans(_B85, _Z85)


def encode(data: bytes) -> str:
    """Spell bytes in Z85.

    Args:
        data: A multiple of four bytes.

    Returns:
        Five characters for each four bytes.

    Raises:
        ValueError: The length is no multiple of four.
    """
    if len(data) % 4:
        raise ValueError("Z85 spells multiples of four bytes")
    return base64.b85encode(data).translate(_FROM_B85).decode("ascii")


def decode(text: str) -> bytes:
    """Read Z85.

    Args:
        text: A multiple of five characters.

    Returns:
        Four bytes for each five characters.

    Raises:
        CorruptTableError: The text is not Z85.
    """
    try:
        raw = text.encode("ascii")
        if len(raw) % 5 or raw.translate(None, delete=_Z85):
            raise ValueError(text)
        return base64.b85decode(raw.translate(_TO_B85))
    except ValueError as error:
        raise CorruptTableError("a deletion vector's descriptor is not Z85 text") from error
