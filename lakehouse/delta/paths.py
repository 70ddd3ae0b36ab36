"""Where the files of a table lie: paths as the log writes them, and what they point at.

Delta protocol, section "Add File and Remove File": a path is a URI (RFC 2396), relative to the table's
root or absolute, and must be decoded to find the file.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
# Everything that RFC 2396 lets stand unescaped in a path; "=" keeps hive-style folders readable.
_SAFE = "/!$&'()*+,;=@:~-._"


def encode_path(path: str) -> str:
    """A relative object path as the log writes it.

    Args:
        path: Path below the table's root, not escaped.

    Returns:
        The same path, percent-encoded.
    """
    encoded = quote(path, safe=_SAFE)
    head, slash, rest = encoded.partition("/")
    # A colon before the first slash would make the whole look like a URI with a scheme.
    return head.replace(":", "%3A") + slash + rest


def decode_path(path: str) -> str:
    """What a relative path of the log names.

    Args:
        path: As in the log, percent-encoded.

    Returns:
        Path below the table's root.
    """
    return unquote(path)


def is_absolute(path: str) -> bool:
    """Whether a path of the log names a file by itself rather than below the table's root.

    Args:
        path: As in the log.

    Returns:
        True for ``/data/x.parquet``, ``file:///data/x.parquet``, ``s3://bucket/x.parquet``.
    """
    return path.startswith("/") or _SCHEME.match(path) is not None


def location(path: str, *, root: str) -> str:
    """The full place of a file.

    Args:
        path: As in the log: percent-encoded, relative or absolute.
        root: The table's root: an absolute local folder, or a URL such as ``s3://bucket/prefix``.

    Returns:
        An absolute local path or a URL, decoded.
    """
    if not is_absolute(path):
        return f"{root.rstrip('/')}/{unquote(path)}"
    if path.startswith("file:"):
        path = "/" + path.removeprefix("file:").removeprefix("//localhost").lstrip("/")
    # Spark writes s3a://; it is the same place as s3://.
    return unquote(re.sub(r"^s3[an]:", "s3:", path))


def relative(path: str, *, root: str) -> str | None:
    """The object path of a file below the table's root.

    Args:
        path: As in the log: percent-encoded, relative or absolute.
        root: The table's root: an absolute local folder, or a URL such as ``s3://bucket/prefix``.

    Returns:
        Decoded path below the root, or None for a file that lies elsewhere.
    """
    if not is_absolute(path):
        return unquote(path)
    prefix = location(root, root="") if root.startswith("file:") else re.sub(r"^s3[an]:", "s3:", root)
    prefix = prefix.rstrip("/") + "/"
    full = location(path, root=root)
    return full.removeprefix(prefix) if full.startswith(prefix) else None
