"""What is known of somebody by the identifiers of the request alone: however tables write or mask them."""

from __future__ import annotations

from pathlib import Path

from lakehouse import Lakehouse

ANN = "ann-canary-88@shop.example"


def test_masks_and_spellings_of_what_is_given_are_found_and_nothing_else(tmp_path: Path) -> None:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(tmp_path / "lake")},
            "keys": {"path": str(tmp_path / "keys")},
            "tables": {
                "people": {"key": ["id"]},
                "contacts": {"key": ["nr"], "pii": {"email": "EMAIL_ADDRESS"}, "mask_at": "merge"},
                "letters": {"key": ["nr"]},
                "orders": {"key": ["nr"]},
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.email"},
                    "rows": [
                        {"table": "people", "where": {"email": "email"}, "do": "delete"},
                        {"table": "contacts", "where": {"email": "email"}, "do": "delete"},
                        {"table": "letters", "where": {"to": "email"}, "do": "delete"},
                        {"table": "orders", "where": {"who": "id"}, "do": "delete"},
                    ],
                }
            },
            "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}},
        }
    )
    for purpose in ("mask", "suppress", "requests", "sign"):
        lake.keys.create(purpose)
    lake.table("people").merge([{"id": 1, "email": ANN}, {"id": 2, "email": "bob@shop.example"}])
    lake.table("contacts").merge([{"nr": 1, "email": ANN}, {"nr": 2, "email": "bob@shop.example"}])
    lake.table("letters").merge([{"nr": 1, "to": f" {ANN.title()}"}, {"nr": 2, "to": "bob@shop.example"}])
    lake.table("orders").merge([{"nr": 1, "who": 1}])
    found = {}
    for how in ("given", "checked"):
        made = lake.requests.submit("access", subject="customer", email=ANN.upper())
        bundle = lake.requests.answer(made.id, to=tmp_path / f"{how}.zip", identified=how)
        found[how] = {each.table: each.total for each in bundle.sources if each.total}
    assert found["given"] == {"people": 1, "contacts": 1, "letters": 1}
    assert found["checked"] == {**found["given"], "orders": 1}
