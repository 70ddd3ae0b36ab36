"""Writes the answers that commands give now into the pages: ``python -m tests.docs.refresh PAGE...``.

Only answers that no longer agree are replaced; read the difference before it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.pages import ROOT, Block, blocks, text_of
from tests.docs.shell import Shell, agrees


def refreshed(page: str, folder: Path) -> str:
    """The page with the answers of now.

    Args:
        page: Its path below the checkout.
        folder: An empty folder to type its commands in.
    """
    shell = Shell(folder)
    lines = text_of(page).splitlines()
    answers: dict[int, str] = {}
    for block in blocks(page):
        if block.not_run is not None:
            continue
        if block.file is not None:
            shell.write(block.file, block.text)
        elif block.language in {"bash", "python"}:
            shown = _answer(block, shell)
            if block.expected is not None and shown is not None:
                answers[block.line] = shown
    for line, shown in sorted(answers.items(), reverse=True):
        start = lines.index("```text", line) + 1
        lines[start : lines.index("```", start)] = shown.splitlines()
    return "\n".join([*lines, ""])


def _answer(block: Block, shell: Shell) -> str | None:
    """What the block answers; None where the page says that already."""
    if block.language == "bash":
        answer = shell.bash(block.text)
    else:
        answer = shell.python(block.text, place=block.place)
    if agrees(block.expected or "", answer.out, answer.shown):
        return None
    return (answer.shown if answer.code else answer.out).replace(str(shell.home), "/home/you").strip("\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            new = refreshed(name, Path(made))
        (ROOT / name).write_text(new, encoding="utf-8")
