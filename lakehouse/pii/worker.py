"""A process that does what its parent sends; `Processes` alone starts it."""

from __future__ import annotations

import os
import pickle
import signal
import sys

from lakehouse.errors import LakehouseError


def serve() -> None:
    """Answers until the parent closes its end.

    Each message is a pickled function and item, each answer a pickled (failed, result or error).
    """
    # What a library prints must not get between the answers; an interrupt is the parent's to answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    messages = sys.stdin.buffer
    while True:
        try:
            function, item = pickle.load(messages)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        answers.write(_answer(function, item))
        answers.flush()


def _answer(function: object, item: object) -> bytes:
    try:
        return pickle.dumps((False, function(item)), protocol=pickle.HIGHEST_PROTOCOL)  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - all of them belong to the parent
        try:
            return pickle.dumps((True, error), protocol=pickle.HIGHEST_PROTOCOL)
        except Exception:  # noqa: BLE001 - an error with something in it that can't be sent
            return pickle.dumps((True, LakehouseError(f"a worker failed: {type(error).__name__}")))


if __name__ == "__main__":
    serve()
