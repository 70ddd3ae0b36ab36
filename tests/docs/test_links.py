"""Links lead somewhere, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages, text_of

_FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: str) -> list[str]:
    return _LINK.findall(_FENCED.sub("", text_of(page)))


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    names = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {name.replace(" ", "-") for name in names}


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: str) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.is_relative_to(ROOT), f"{page}: {link} leads out of the project"
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page}: {link} names no heading"


def test_the_index_leads_to_every_page() -> None:
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links("docs/index.md")}
    missing = [page for page in pages() if page != "docs/index.md" and (ROOT / page) not in linked]
    assert missing == []
