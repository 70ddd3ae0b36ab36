from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from lakehouse.config import load_config
from lakehouse.config.amend import with_pii

NEW = {"customers": {"email": ["EMAIL_ADDRESS"], "notes": ["PERSON", "PHONE_NUMBER"]}}
BLOCK = """\
# the shop
version: 1
name: "shop"   # quoted
tables:
  customers:   # people
    key:
    - id
    description: >
      One row
      per customer

  # orders come later
  orders: {key: [id]}  # short

jobs: {}
"""


def _change(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in lines if line[0] in "+-"]


def test_a_block_gets_lines_and_nothing_else_changes() -> None:
    done = with_pii(BLOCK, NEW)
    assert _change(BLOCK, done.text) == [
        "+     pii:\n",
        "+       email: EMAIL_ADDRESS\n",
        "+       notes: [PERSON, PHONE_NUMBER]\n",
    ]
    assert done.text.index("per customer\n    pii:") < done.text.index("# orders come later")
    assert done.added == NEW
    assert not done.skipped


def test_a_section_in_braces_gets_pairs() -> None:
    notes = {"entity": "EMAIL_ADDRESS", "text": True}
    done = with_pii(BLOCK, {"orders": {"ship to": ["PERSON"], "phones[]": ["PHONE_NUMBER"], "notes": notes}})
    assert _change(BLOCK, done.text) == [
        "-   orders: {key: [id]}  # short\n",
        (
            '+   orders: {key: [id], pii: {"ship to": PERSON, "phones[]": PHONE_NUMBER, '
            "notes: {entity: EMAIL_ADDRESS, text: true}}}  # short\n"
        ),
    ]


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ("  customers:\n    pii:\n      id: PERSON  # by hand\n    key: [id]\n",
         "  customers:\n    pii:\n      id: PERSON  # by hand\n      email: EMAIL_ADDRESS\n    key: [id]\n"),
        ("  customers:\n    pii: {}\n", "  customers:\n    pii: {email: EMAIL_ADDRESS}\n"),
        ("  customers:\n    pii: {id: PERSON,}  # by hand\n",
         "  customers:\n    pii: {id: PERSON, email: EMAIL_ADDRESS,}  # by hand\n"),
        ("  customers:\n    pii: {\n      id: PERSON  # by hand\n    }\n",
         "  customers:\n    pii: {\n      id: PERSON, email: EMAIL_ADDRESS  # by hand\n    }\n"),
        ("  customers:\n    pii:\n    key: [id]\n",
         "  customers:\n    pii:\n      email: EMAIL_ADDRESS\n    key: [id]\n"),
        ("  customers:   # nothing yet\n  orders: {}\n",
         "  customers:   # nothing yet\n    pii:\n      email: EMAIL_ADDRESS\n  orders: {}\n"),
        ("  customers: {}\n", "  customers: {pii: {email: EMAIL_ADDRESS}}\n"),
        ("  customers:\n    key: [id]", "  customers:\n    key: [id]\n    pii:\n      email: EMAIL_ADDRESS"),
        ("  customers:\n    key: &key [id]\n  orders: {key: *key}\n",
         "  customers:\n    key: &key [id]\n    pii:\n      email: EMAIL_ADDRESS\n  orders: {key: *key}\n"),
        ("  orders: {key: &k [id]}\n  customers:\n    key: *k  # a\n",
         "  orders: {key: &k [id]}\n  customers:\n    key: *k  # a\n    pii:\n      email: EMAIL_ADDRESS\n"),
        ("  base: &base {key: [id]}\n  customers:\n    <<: *base\n",
         "  base: &base {key: [id]}\n  customers:\n    <<: *base\n    pii:\n      email: EMAIL_ADDRESS\n"),
    ],
)  # fmt: skip
def test_every_style_is_added_to_in_its_own_way(section: str, wanted: str) -> None:
    done = with_pii(f"version: 1\ntables:\n{section}", {"customers": {"email": ["EMAIL_ADDRESS"]}})
    assert done.text == f"version: 1\ntables:\n{wanted}"


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("  orders: &one {key: [id]}\n  customers: *one\n", "alias of another"),
        ("  customers: &one\n    key: [id]\n  orders: *one\n", "shares parts"),
        ("  orders: {pii: &one {id: PERSON}}\n  customers: {pii: *one}\n", "alias of another"),
        ("  base: &base {pii: {id: PERSON}}\n  customers:\n    <<: *base\n", "comes in by `<<`"),
    ],
)
def test_what_is_shared_with_others_is_left_alone(section: str, why: str) -> None:
    text = f"version: 1\ntables:\n{section}"
    done = with_pii(text, {"customers": {"email": ["EMAIL_ADDRESS"]}})
    assert done.text == text
    assert why in done.skipped["customers"]
    assert not done.added


def test_what_is_said_stays() -> None:
    text = "version: 1\ntables:\n  customers: {pii: {email: PERSON}}\n"
    done = with_pii(text, {"customers": {"email": ["EMAIL_ADDRESS"]}})
    assert (done.text, dict(done.added)) == (text, {})


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    text = BLOCK.replace("\n", "\r\n")
    done = with_pii(text, NEW)
    assert done.text.count("\n") == done.text.count("\r\n") == BLOCK.count("\n") + 3
    assert done.text.replace("\r\n", "\n") == with_pii(BLOCK, NEW).text


@pytest.mark.parametrize(
    "path", ["on", "null", "a: b", "x # y", "`a.b`.c", "payload$.user.email", "labels{}", "ü", "-a"]
)
def test_any_path_is_read_back(tmp_path: Path, path: str) -> None:
    for section in ("customers: {}", "customers:\n    key: [id]"):
        done = with_pii(f"version: 1\ntables:\n  {section}\n", {"customers": {path: ["PERSON"]}})
        (tmp_path / "lakehouse.yaml").write_text(done.text, encoding="utf-8")
        config = load_config(tmp_path / "lakehouse.yaml")
        assert dict(config.tables["customers"].pii)[path].entities == ("PERSON",)
