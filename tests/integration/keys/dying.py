"""Makes a key, and ends at a system call: ``python -m tests.integration.keys.dying FOLDER CALL``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lakehouse.pii.keys.file import FileKeys

CALLS = ("open", "fchmod", "fsync", "link", "unlink")


def dying(call: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def go(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)
        return call(*arguments, **more)

    return go


if __name__ == "__main__":
    at = [int(sys.argv[2])]
    for name in CALLS:
        setattr(os, name, dying(getattr(os, name), at))
    FileKeys(sys.argv[1]).make("mask", 1, now=datetime.now(UTC), author="a")
