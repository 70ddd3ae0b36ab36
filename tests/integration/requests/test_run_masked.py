"""Requests on tables that hold masks alone: found by what the person gives, and gone in every byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse, RefusedError

MAIL = "anna.canary-7e2@example.org"


def opened(root: Path, *, operator: str = "tokenize", **section: Any) -> Lakehouse:
    masked = {"pii": {"email": "EMAIL_ADDRESS"}, "mask_at": "merge"}
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": {
                "people": {"key": ["id"], "schema": {"id": "long", "email": "string"}, **masked},
                "letters": {"key": ["n"], "schema": {"n": "long", "email": "string"}, **masked},
                "notes": {"key": ["n"], "schema": {"n": "long", "of": "long", "text": "string"}},
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.email"},
                    "rows": [
                        {"table": "people", "where": {"id": "id"}, "do": "delete"},
                        {"table": "notes", "where": {"of": "id"}, "do": "delete"},
                        *section.pop("rows", ()),
                    ],
                }
            },
            "requests": section,
            "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": operator}}},
        }
    )
    for purpose in ("suppress", "requests", "sign", "mask"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


BY_MAIL = {"table": "letters", "where": {"email": "email"}, "do": "delete"}


def merge(lake: Lakehouse, *, email: str = MAIL, number: int = 1) -> None:
    lake.table("people").merge([{"id": 40 + number, "email": email}])
    lake.table("letters").merge([{"n": number, "email": email}])
    lake.table("notes").merge([{"n": number, "of": 40 + number, "text": "x"}])


def held_by(root: Path, *marks: str) -> list[Path]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return [path for path in files if any(mark.encode() in path.read_bytes() for mark in marks)]


def test_a_person_is_found_behind_masks_of_every_key_and_is_gone(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows=[BY_MAIL], max_values=2)
    merge(lake, email="bob@example.net", number=9)
    # More masks of one e-mail than one person has e-mails.
    for number in (1, 2, 3):
        merge(opened(tmp_path, rows=[BY_MAIL]), number=number if number < 3 else 1)
        lake.keys.rotate("mask")
    lake = opened(tmp_path, rows=[BY_MAIL], max_values=2)
    tokens = {*lake.table("people").read()["email"], *lake.table("letters").read()["email"]}
    mine = tokens - {lake.table("people").read(where="id = 49")["email"].item()}
    assert len(mine) == 2
    version = lake.table("letters").snapshot().version
    request = lake.requests.submit("erasure", subject="customer", email=MAIL)
    report = lake.requests.run()
    assert [(each.status, each.reason) for each in report.outcomes] == [("completed", "")]
    assert report.outcomes[0].rows == {"delete": 6}
    assert held_by(tmp_path / "lake", *mine) == []
    for name in ("people", "letters", "notes"):
        assert lake.table(name).read().height == 1
    assert lake.requests.certificate(request.id).certificate.tables
    # Nobody comes back: not by a merge, where she is clear, nor by going back, where she is masked.
    assert lake.table("letters").merge([{"n": 5, "email": MAIL}]).suppressed == 1
    assert version > 1


def test_masked_rows_of_an_erased_person_stay_away_when_a_table_goes_back(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows=[BY_MAIL], purge_after="30d")
    merge(lake)
    merge(lake, email="bob@example.net", number=2)
    version = lake.table("letters").snapshot().version
    lake.requests.submit("erasure", subject="customer", email=MAIL)
    assert lake.requests.run().outcomes[0].status == "purging"
    done = lake.table("letters").restore(version=version)
    assert done.rows_suppressed == 1
    assert lake.table("letters").read()["n"].to_list() == [2]


def test_masks_that_tell_nobody_apart_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    lake = opened(tmp_path, operator="redact", rows=[BY_MAIL])
    merge(lake)
    request = lake.requests.submit("erasure", subject="customer", email=MAIL)
    with pytest.raises(RefusedError, match="letters by email: its masks do not tell one from another"):
        lake.requests.run()
    assert lake.requests.show(request.id).status == "received"


def test_who_is_known_only_behind_such_masks_waits_and_the_others_go(tmp_path: Path) -> None:
    lake = opened(tmp_path, operator="redact")
    merge(lake)
    merge(lake, number=2)
    hidden = lake.requests.submit("erasure", subject="customer", email=MAIL)
    with pytest.raises(RefusedError, match=r"by email alone.*give id too"):
        lake.requests.run(allow_many=True)
    known = lake.requests.submit("erasure", subject="customer", id=42, email="other@example.net")
    found = {each.request: each for each in lake.requests.run().outcomes}
    assert found[known.id].status == "completed"
    assert found[hidden.id].status == "received"
    assert "by email alone" in found[hidden.id].reason
    assert lake.table("people").read()["id"].to_list() == [41]


def test_a_person_may_see_what_is_known_behind_masks(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows=[BY_MAIL])
    merge(lake)
    merge(lake, email="bob@example.net", number=2)
    request = lake.requests.submit("access", subject="customer", email=MAIL)
    done = lake.requests.answer(request.id, to=tmp_path / "answer.zip")
    assert {each.table: each.total for each in done.sources} == {"people": 1, "letters": 1, "notes": 1}
