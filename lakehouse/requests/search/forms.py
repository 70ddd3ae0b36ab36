"""The forms in which a value can lie in bytes, and whether what was found is the value itself.

A value is written in its text as it is, in other cases, composed or decomposed (Unicode NFC and NFD), as a
JSON string writes it (once and twice over), in percents as URLs and object names write it, and in UTF-16.
What is found is a hit unless it is part of a longer word: ``anna@example.com`` is not in
``johanna@example.com``. That is counted apart.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, quote_plus

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "uuid"]

# Characters that some JSON writers escape although they need not, and how.
_CAREFUL: Final = {sign: f"\\u{ord(sign):04x}" for sign in "\"&'<>+`="}
# Scripts that put no spaces between words: there a neighbour says nothing.
_NO_SPACES: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_LONGER_ADDRESS: Final = re.compile(r"[^\W_][._+-]+$")
_LONGER_DOMAIN: Final = re.compile(r"[.-]+[^\W_]")
_ESCAPES: Final = re.compile(r"(?:\\+u([0-9a-fA-F]{4})|%([0-9a-fA-F]{2})|\\+[nrtbf])$")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a value.

    Args:
        needle: The number of the needle.
        encoding: How the text becomes bytes.
        text: The text as it is compared; see `plain`.
        data: The bytes.
    """

    needle: int
    encoding: Encoding
    text: str = field(repr=False)
    data: bytes = field(repr=False)


def plain(text: str) -> str:
    """A text without what two spellings of the same may differ in: case and composition (NFC)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def forms_of(value: str, *, needle: int) -> Iterator[Form]:
    """The forms of a value, each once for each sequence of bytes that differs in more than ASCII's case.

    Args:
        value: The value.
        needle: Its number.
    """
    written = dict.fromkeys(_spellings(value))
    seen: set[bytes] = set()
    for text in dict.fromkeys(each for spelling in written for each in _escaped(spelling)):
        data = text.encode("utf-8", "surrogatepass")
        if data.lower() not in seen:
            seen.add(data.lower())
            yield Form(needle, "utf-8", plain(text), data)
    for spelling in written:
        for encoding in ("utf-16-le", "utf-16-be"):
            data = spelling.encode(encoding, "surrogatepass")
            if data.lower() not in seen:
                seen.add(data.lower())
                yield Form(needle, encoding, plain(spelling), data)
    if _UUID.fullmatch(value):
        yield Form(needle, "uuid", "", uuid.UUID(value).bytes)


def _spellings(value: str) -> Iterator[str]:
    if value.isascii():
        # The case of these letters is no matter in the search itself.
        yield value
        return
    for case in (value, value.lower(), value.upper(), value.title(), value.casefold()):
        yield unicodedata.normalize("NFC", case)
        yield unicodedata.normalize("NFD", case)


def _escaped(text: str) -> Iterator[str]:
    yield text
    if text.isascii() and text.isalnum():
        # Nobody escapes these.
        return
    inside = json.dumps(text)[1:-1]
    careful = "".join(_CAREFUL.get(sign, sign) for sign in text)
    ways = (
        inside,
        inside if text.isascii() else json.dumps(text, ensure_ascii=False)[1:-1],
        inside.replace("/", "\\/"),
        "".join(sign if ord(sign) < 128 else json.dumps(sign)[1:-1] for sign in careful),
    )
    for once in dict.fromkeys(ways):
        yield once
        yield json.dumps(once)[1:-1]
    yield quote(text, safe="")
    yield quote(text, safe="/@:+")
    yield quote(text, safe="/@:")
    yield quote_plus(text)
    # Object names of Delta tables are written in percents twice: in the folder, and again in the log.
    yield quote(quote(text, safe=""), safe="")


def confirmed(form: Form, found: bytes) -> bool:
    """Whether bytes that were found by their likeness are the form.

    Args:
        form: What was looked for.
        found: As many bytes as it has.
    """
    if form.encoding == "uuid":
        return found == form.data
    try:
        return plain(found.decode(form.encoding)) == form.text
    except UnicodeDecodeError:
        return False


def whole_word(form: Form, *, before: bytes, after: bytes) -> bool:
    """Whether what was found in a text stands for itself, and is no part of a longer word or number.

    Args:
        form: What was found; forms that are no UTF-8 always stand for themselves.
        before: Some bytes before it, down to none at the text's beginning.
        after: Some bytes after it.
    """
    if form.encoding != "utf-8" or not form.text:
        return True
    left, right = _unescaped(before.decode("utf-8", "ignore")), after.decode("utf-8", "ignore")
    text = form.text
    if text.isdigit():
        return not left.rstrip("0")[-1:].isdigit() and not right[:1].isdigit()
    if _joined(left[-1:], text[0]) or _joined(text[-1], right[:1]):
        return False
    if "@" in text or "%40" in text:
        return not _LONGER_ADDRESS.search(left) and not _LONGER_DOMAIN.match(right)
    return True


def _joined(one: str, other: str) -> bool:
    if not (one.isalnum() and other.isalnum()):
        return False
    return not _NO_SPACES.match(one) and not _NO_SPACES.match(other)


def _unescaped(left: str) -> str:
    """The text before, with the escape at its end, if there is one, as what it stands for."""
    found = _ESCAPES.search(left)
    if found is None:
        return left
    code = found.group(1) or found.group(2)
    # In percents, a byte of a letter beyond ASCII.
    sign = " " if code is None else chr(int(code, 16))
    return left[: found.start()] + (sign if ord(sign) < 128 or found.group(1) else "ä")
