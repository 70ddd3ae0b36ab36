"""Reads Markdown pages as what a reader would do with them: files to write, commands to type, code to run.

- ```` ```yaml ```` and other data below a line that ends in ``` `NAME`: ``` is written to that file.
- ```` ```bash ```` is typed, ```` ```python ```` is run; ```` ```text ```` right below is what they answer.
- ``<!-- not run: why -->`` before a block leaves it out, ``<!-- exit code N -->`` says how it must end.
- In an answer, ``…`` stands for anything in a line, and a line ``…`` for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = frozenset({"docs/reference/cli.md", "docs/reference/config.md", "docs/reference/api.md"})

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\s*$")
_FILE = re.compile(r"`(?P<name>[\w./-]+\.\w+)`:$")
_NOT_RUN = re.compile(r"<!-- not run: (?P<why>.+) -->$")
_EXIT = re.compile(r"<!-- exit code (?P<code>\d+) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    before: str
    expected: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the block is to be written to."""
        found = _FILE.search(self.before)
        if found is None or self.language in {"bash", "text"}:
            return None
        return None if self.language == "python" and not found["name"].endswith(".py") else found["name"]

    @property
    def not_run(self) -> str | None:
        """Why the block is not run; None where it is."""
        found = _NOT_RUN.search(self.before)
        return found["why"] if found else None

    @property
    def exit_code(self) -> int:
        found = _EXIT.search(self.before)
        return int(found["code"]) if found else 0


def pages() -> list[str]:
    """All pages for users, as paths below the checkout."""
    tops = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md"]
    below = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
    return [*tops, *below]


def guides() -> list[str]:
    """The pages whose blocks are run."""
    return [
        page
        for page in pages()
        if page == "README.md"
        or (page.startswith("docs/") and page not in GENERATED and not page.startswith("docs/decisions/"))
    ]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, each with the answer that stands right below it."""
    found: list[Block] = []
    for block in _fenced(page):
        last = found[-1] if found else None
        if block.language == "text" and not block.before and last and last.language in {"bash", "python"}:
            found[-1] = replace(last, expected=block.text)
        else:
            found.append(block)
    return found


def _fenced(page: str) -> Iterator[Block]:
    inside: re.Match[str] | None = None
    start, lines, before = 0, [""][:0], ""
    for number, line in enumerate(text_of(page).splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence is not None:
            inside, start, lines = fence, number, []
        elif inside is not None and fence is not None and not fence["language"]:
            text = "\n".join(each.removeprefix(inside["indent"]) for each in lines)
            yield Block(page, start, inside["language"], text, before)
            inside, before = None, ""
        elif inside is not None:
            lines.append(line)
        elif line.strip():
            before = line.strip()
    assert inside is None, f"{page}:{start}: a block is not closed"
