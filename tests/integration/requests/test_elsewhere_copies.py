"""People in masked copies: their masks go too, from the newest version and from all that is older."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from lakehouse import Lakehouse
from lakehouse.pii.executor import Here
from lakehouse.requests.elsewhere.copies import FoundInCopy, find_in_copy
from lakehouse.requests.erase import erase
from lakehouse.requests.find import Found, find
from lakehouse.requests.identity import Person
from lakehouse.requests.needles import Needle
from lakehouse.requests.past import past_of
from lakehouse.requests.people import Place, people_of
from lakehouse.requests.rules import rules_of
from lakehouse.requests.search import lake_places, search

MAIL = "anna.canary-2b7@example.org"
COPY = "people_masked"
DELETE = {"table": "people", "where": {"id": "id"}, "do": "delete"}
EMPTY = {"table": "people", "where": {"id": "id"}, "do": "anonymize", "columns": ["email", "note"]}
TOKENS = {"operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}, "IBAN_CODE": {"operator": "tokenize"}}}
ANNA = people_of({"req-1": Person("customer", (("id", "a4711"),))})


def opened(root: Path, *, rows: dict[str, Any] = DELETE, **section: Any) -> Lakehouse:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": {
                "people": {
                    "key": ["id"],
                    "merge": "on_read",
                    "pii": {"id": "IBAN_CODE", "email": "EMAIL_ADDRESS"},
                    **section,
                }
            },
            "subjects": {"customer": {"identifiers": {"id": "people.id"}, "rows": [rows]}},
            "pii": {"nlp": {"engine": "none"}, **TOKENS},
        }
    )
    if not lake.keys.versions("mask"):
        lake.keys.create("mask")
    return lake


def fill(lake: Lakehouse) -> None:
    """She is in two versions of the copy; others have come and changed before and after."""
    people = lake.table("people")
    people.merge([{"id": f"a{n}", "email": f"other{n}@example.net", "note": "n"} for n in range(6)])
    lake.pii.mask("people", to=COPY)
    people.merge([{"id": "a4711", "email": MAIL, "note": "anna, canary-2b7"}, {"id": "a1", "note": "x"}])
    lake.pii.mask("people", to=COPY)
    people.merge([{"id": "a4711", "note": "later, canary-2b7"}, {"id": "a9"}])
    lake.pii.mask("people", to=COPY)
    people.merge([{"id": "a2", "note": "y"}])
    lake.pii.mask("people", to=COPY)


def found_in_source(lake: Lakehouse) -> Found:
    table = lake.table("people").opened
    place = Place(table.storage, past_of(table.storage, table.snapshot()))
    rules = rules_of(lake.config)["people"]
    return find("people", place, rules=rules, people=ANNA, protection=table.protection())


def found_in(lake: Lakehouse) -> FoundInCopy:
    found = find_in_copy(lake.pii.copies.following(COPY), found_in_source(lake))
    assert found is not None
    return found


def erased(lake: Lakehouse) -> FoundInCopy:
    source = lake.table("people").opened
    erase(source, found_in_source(lake), again=lambda: found_in_source(lake), sleep=lambda _: None)
    lake.pii.copies.following(COPY).run()
    found = found_in(lake)
    assert found.has == lake.table("people").snapshot().version
    erase(found.run.target, found.found, again=lambda: found_in(lake).found, sleep=lambda _: None)
    return found_in(lake)


def masks(lake: Lakehouse) -> list[str]:
    """What stands for her in the copy."""
    rows = lake.table(COPY).read()
    return rows.filter(pl.col("note").str.contains("canary"))["id"].to_list()


def left(lake: Lakehouse, *texts: str) -> set[str]:
    """The files of the copy in which the search finds any of the texts."""
    needles = [Needle("req-1", "id", text) for text in texts]
    places = lake_places(lake.storage, tables={"people": {}}, copies={COPY: "people"})
    report = search(places, needles, executor=Here())
    found = {hit.path for hit in report.hits if hit.table == COPY and hit.path.endswith(".parquet")}
    return {path.removeprefix(f"{COPY}/") for path in found}


@pytest.mark.parametrize("merge", ["on_read", "on_write"])
def test_her_masks_go_with_her(tmp_path: Path, merge: str) -> None:
    lake = opened(tmp_path, merge=merge)
    fill(lake)
    (mask,) = masks(lake)
    assert mask.startswith("tok_")
    found = erased(lake)
    assert found.exact
    assert lake.table(COPY).read().height == 7
    files = set(lake.table(COPY).snapshot().files)
    still = left(lake, mask, "canary-2b7")
    assert still
    assert not still & files
    assert {each.path for each in found.found.touched} == still
    # Older files of others alone are not touched.
    assert bool({each.path for each in found.found.past.files} - still - files) == (merge == "on_write")


def test_what_is_emptied_is_emptied_in_the_copy(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows=EMPTY)
    fill(lake)
    (mask,) = masks(lake)
    found = erased(lake)
    (row,) = lake.table(COPY).read().filter(pl.col("id") == mask).rows(named=True)
    assert (row["email"], row["note"]) == (None, None)
    files = set(lake.table(COPY).snapshot().files)
    assert not left(lake, "canary-2b7") & files
    assert {each.path for each in found.found.touched} >= left(lake, "canary-2b7")


def test_where_keys_were_masked_otherwise_all_that_is_older_counts(tmp_path: Path) -> None:
    fill(opened(tmp_path, pii={"email": "EMAIL_ADDRESS"}))
    lake = opened(tmp_path)
    lake.pii.mask("people", to=COPY)
    found = erased(lake)
    assert not found.exact
    files = set(lake.table(COPY).snapshot().files)
    assert {each.path for each in found.found.touched} == {
        each.path for each in found.found.past.files
    } - files
    assert not left(lake, "canary-2b7", "a4711") & files
    assert left(lake, "canary-2b7", "a4711") <= {each.path for each in found.found.touched}


def test_a_table_without_a_key_is_copied_anew(tmp_path: Path) -> None:
    lake = opened(tmp_path, key=[])
    path = tmp_path / "lake" / "people"
    write_deltalake(
        path, pl.DataFrame({"id": ["a1", "a4711"], "email": ["x", MAIL], "note": ["", "canary-2b7"]})
    )
    lake.pii.mask("people", to=COPY)
    (mask,) = masks(lake)
    found = erased(lake)
    assert not found.exact
    assert lake.table(COPY).read().height == 1
    assert {each.path for each in found.found.touched} == left(lake, mask)


def test_nobody_is_found_where_she_never_was(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("people").merge([{"id": "a1", "email": "b@example.net", "note": "n"}])
    lake.pii.mask("people", to=COPY)
    lake.table("people").merge([{"id": "a1", "note": "x"}])
    lake.pii.mask("people", to=COPY)
    found = found_in(lake)
    assert (found.exact, found.found.touched) == (True, ())


def test_rows_that_the_source_has_forgotten_are_found_by_their_key(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    fill(lake)
    (mask,) = masks(lake)
    people = lake.table("people")
    people.merge([{"_op": "delete", "id": "a4711"}])
    people.compact()
    lake.pii.copies.following(COPY).run()
    for each in found_in_source(lake).touched:
        people.storage.delete([each.path])
    assert found_in_source(lake).rows.is_empty()
    assert {each.path for each in found_in(lake).found.touched} == left(lake, mask) != set()
