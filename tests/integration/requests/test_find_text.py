"""People in free text: the words go, the rest stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import Lakehouse
from lakehouse.merge.tombstones import load_manifest
from lakehouse.pii.executor import Here
from lakehouse.requests.needles import Needle
from lakehouse.requests.search import Folder, search
from tests.fixtures.people import erased, found_in, people

ANN = "ann-canary-7e2@shop.example"


def desk(root: Path, rule: dict[str, Any], *, ordered: bool = False) -> Lakehouse:
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "tables": {
                "customers": {"key": ["id"], "schema": {"id": "long", "email": "string", "name": "string"}},
                "tickets": {
                    "key": ["no"],
                    "schema": {
                        "no": "long",
                        "subject": "string",
                        "body": "string",
                        "agent": "string",
                        "notes": "array<struct<text:string>>",
                        **({"seq": "long"} if ordered else {}),
                    },
                    "changes": {"sequence": "seq"} if ordered else {},
                },
            },
            "subjects": {
                "customer": {
                    "identifiers": {
                        "id": "customers.id",
                        "email": "customers.email",
                        "name": "customers.name",
                    },
                    "rows": [{"table": "tickets", **rule}],
                }
            },
        }
    )


def filled(lake: Lakehouse) -> None:
    lake.table("customers").merge([{"id": 1, "email": ANN, "name": "Änne Größe"}])
    lake.table("tickets").merge(
        [
            {
                "no": 1,
                "subject": f"from {ANN.upper()}",
                "body": f"<{ANN}> wrote. Reply to {ANN}!",
                "agent": "x",
            },
            {"no": 2, "subject": "hello", "body": f"hi joh{ANN}, it is 1", "agent": "y"},
            {"no": 3, "subject": "Dear ÄNNE GRÖSSE,", "body": None, "agent": "z"},
            {
                "no": 4,
                "subject": "a",
                "body": "b",
                "notes": [{"text": "n"}, {"text": f"ask {ANN}"}, {"text": None}],
            },
        ]
    )


def texts(lake: Lakehouse, *columns: str) -> list[tuple[Any, ...]]:
    return lake.table("tickets").read().sort("no").select(columns).rows()


def test_words_are_taken_out_of_texts(tmp_path: Path) -> None:
    lake = desk(tmp_path, {"text": ["subject", "body"], "do": "anonymize"})
    filled(lake)
    who = people(lake, r={"email": ANN})
    assert found_in(lake, "tickets", who).counts.get("r", {}) == {"anonymize": 2}
    assert erased(lake, "tickets", who).anonymized == 2
    assert texts(lake, "subject", "body")[:3] == [
        ("from [erased]", "<[erased]> wrote. Reply to [erased]!"),
        ("hello", f"hi joh{ANN}, it is 1"),
        ("Dear [erased],", None),
    ]
    assert not erased(lake, "tickets", who).committed


def test_what_the_search_would_find_is_what_goes(tmp_path: Path) -> None:
    lake = desk(tmp_path, {"text": ["subject", "body", "notes[].text"], "do": "anonymize"})
    filled(lake)
    lake.table("tickets").merge([{"no": 2, "body": "hello"}])
    # As other writers leave them in texts.
    coded = ANN.replace("@", "%40")
    lake.table("tickets").merge([{"no": 5, "subject": f"/u?m={coded}", "body": f'{{"m": "{ANN}"}}'}])
    erased(lake, "tickets", people(lake, r={"email": ANN}))
    table = lake.table("tickets")
    assert texts(lake, "notes")[3] == ([{"text": "n"}, {"text": "ask [erased]"}, {"text": None}],)
    newest = set(table.snapshot().files)
    report = search(
        [Folder(storage=table.storage, table="tickets")],
        [Needle("r", "email", ANN), Needle("r", "name", "Änne Größe")],
        executor=Here(),
    )
    assert report.hits
    assert [hit for hit in report.hits if hit.path in newest] == []


def test_rows_with_such_a_text_can_go_and_other_columns_be_emptied(tmp_path: Path) -> None:
    lake = desk(tmp_path, {"text": "body", "do": "delete"})
    filled(lake)
    assert erased(lake, "tickets", people(lake, r={"id": 1})).deleted == 1
    assert [number for (number,) in texts(lake, "no")] == [2, 3, 4]


def test_other_columns_of_such_rows_can_be_emptied(tmp_path: Path) -> None:
    lake = desk(tmp_path, {"text": "body", "columns": "agent", "do": "anonymize"})
    filled(lake)
    erased(lake, "tickets", people(lake, r={"id": 1}))
    assert texts(lake, "body", "agent")[:2] == [
        ("<[erased]> wrote. Reply to [erased]!", None),
        (f"hi joh{ANN}, it is 1", "y"),
    ]


def test_texts_of_old_versions_are_found(tmp_path: Path) -> None:
    lake = desk(tmp_path, {"text": "body", "do": "anonymize"})
    filled(lake)
    lake.table("tickets").merge([{"no": 1, "body": "gone"}])
    found = found_in(lake, "tickets", people(lake, r={"email": ANN}))
    assert found.counts.get("r", {}) == {}
    assert len(found.touched) == 1
    assert found.rules[0].columns == ("body",)


@pytest.mark.parametrize("rule", [{"text": "body"}, {"where": {"notes[].text": "email"}}])
def test_the_memory_of_deletes_forgets_rows_found_in_texts(tmp_path: Path, rule: dict[str, Any]) -> None:
    lake = desk(tmp_path, {**rule, "do": "delete"}, ordered=True)
    tickets = lake.table("tickets")
    texts = {2: "hi", 4: f"from {ANN}"}
    tickets.merge(
        [
            {"no": no, "body": text, "notes": [{"text": text[-len(ANN) :]}], "seq": 1}
            for no, text in texts.items()
        ]
    )
    tickets.merge([{"_op": "delete", "no": no, "seq": 2} for no in texts])
    erased(lake, "tickets", people(lake, r={"email": ANN}))
    memory = load_manifest(tickets.storage, tickets.snapshot())
    left = [pl.read_parquet(tickets.storage.get(file.path)) for file in memory.files]
    assert [number for part in left for number in part["no"]] == [2]


@pytest.mark.parametrize("who", [{"id": 1}, {"email": "nobody@else.example"}])
def test_short_identifiers_and_strangers_are_in_no_text(tmp_path: Path, who: dict[str, Any]) -> None:
    lake = desk(tmp_path, {"text": "body", "do": "delete"})
    lake.table("tickets").merge([{"no": 1, "body": "1 and only 1"}])
    assert not erased(lake, "tickets", people(lake, r=who)).committed
