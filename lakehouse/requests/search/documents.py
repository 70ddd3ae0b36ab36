"""Texts: commits, notes, tags and whatever else is no Parquet; packed ones (gzip) unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

import orjson

from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.walking import look_through

_GZIP: Final = b"\x1f\x8b"
_UNREADABLE: Final = {
    b"\x28\xb5\x2f\xfd": "it is packed (Zstandard)",
    b"BZh": "it is packed (bzip2)",
    b"\xfd7zXZ\x00": "it is packed (xz)",
    b"PK\x03\x04": "it is packed (ZIP, as office documents are)",
    b"7z\xbc\xaf\x27\x1c": "it is packed (7-Zip)",
    b"\x04\x22\x4d\x18": "it is packed (LZ4)",
    b"\xff\x06\x00\x00sNaPpY": "it is packed (Snappy)",
    b"Obj\x01": "it is Avro, of which blocks can be packed",
    b"ORC": "it is ORC, of which columns can be packed",
    b"%PDF-": "it is PDF, of which texts are packed",
}
"""How objects begin of which only the bytes can be searched, and why that can miss something."""
_PIECE: Final = 8 << 20
_OVERLAP: Final = 1 << 14
_WHOLE: Final = 64 << 20


def look_at_document(file: IO[bytes], tally: Tally) -> None:
    """Looks through an object that is no Parquet: as JSON (by lines or whole), as text, or as bytes.

    Args:
        file: The object, at its beginning.
        tally: Where finds are noted.
    """
    head = file.read(max(map(len, _UNREADABLE)))
    packed = head.startswith(_GZIP)
    for begin, reason in _UNREADABLE.items():
        if head.startswith(begin):
            tally.limit(f"{reason}: only its bytes as they lie there were searched")
    file.seek(0)
    rest = b""
    first = True
    for piece in _unpacked(file, tally) if packed else _pieces(file):
        data = rest + piece
        # Cut at a line's end, so that a line of JSON stays whole; a very long line is cut anywhere.
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) < _WHOLE:
            rest = data
            continue
        cut = cut or len(data)
        look_at_text(data[:cut], tally, place="", several=not first)
        rest, first = data[cut:] if cut < len(data) else data[-_OVERLAP:], False
    if rest:
        look_at_text(rest, tally, place="", several=not first)


def look_at_text(data: bytes, tally: Tally, *, place: str, several: bool = False) -> None:
    """Looks through some bytes: values of JSON, texts, or only bytes.

    Args:
        data: The bytes.
        tally: Where finds are noted.
        place: What to call it; empty for ways into the document.
        several: Whether it is a part of something larger.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        tally.note(tally.sought.in_bytes(data), place or "bytes")
        return
    before = tally.counts()
    documents, lines = _documents(data, several=several)
    tally.rows += lines
    look_through(documents, tally, place=place)
    # What the values have shown is not counted twice.
    shown = tally.counts() - before
    found = tally.sought.in_texts([data], binary=True)
    for number, count in found.whole.items():
        if number not in shown:
            tally.hit(number, place or "text", count)


def _documents(data: bytes, *, several: bool) -> tuple[list[Any], int]:
    lines = [line for line in data.split(b"\n") if line.strip()]
    try:
        return [orjson.loads(line) for line in lines], len(lines)
    except ValueError:
        pass
    if not several:
        try:
            return [orjson.loads(data)], len(lines)
        except ValueError:
            pass
    return [document for line in lines if (document := _parsed(line)) is not None], len(lines)


def _parsed(line: bytes) -> Any:
    """A line of JSON; another line as a text, whose percents are looked at."""
    try:
        return orjson.loads(line)
    except ValueError:
        return line.decode()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _unpacked(file: IO[bytes], tally: Tally) -> Iterator[bytes]:
    unpacker, begun = zlib.decompressobj(wbits=31), False
    for piece in _pieces(file):
        data = piece
        while data:
            begun = True
            try:
                yield unpacker.decompress(data, _PIECE)
            except zlib.error:
                tally.fail("what is packed can't be unpacked")
                yield data
                return
            data = unpacker.unconsumed_tail
            if unpacker.eof:
                data = unpacker.unused_data
                # Several packed texts can follow each other.
                unpacker, begun = zlib.decompressobj(wbits=31), False
                if data and not data.startswith(_GZIP):
                    yield data
                    data = b""
    if begun:
        tally.fail("what is packed ends too early")
