"""Where a person is beside the rows that rules speak of: rejected records, and copies of what stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lakehouse import Lakehouse
from tests.integration.requests.test_run import ANN, anywhere, config

PURPOSES = ("suppress", "requests", "sign", "mask")


def opened(root: Path, **tables: Any) -> Lakehouse:
    setting = config(root)
    setting["tables"]["visits"] = {"key": ["v"], "schema": {"v": "long", "text": "string"}}
    for name, more in tables.items():
        setting["tables"][name] |= more
    setting["pii"] = {"nlp": {"engine": "none"}, "operators": {"PERSON": {"operator": "redact"}}}
    lake = Lakehouse.open(setting)
    for purpose in PURPOSES:
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


def filled(lake: Lakehouse) -> None:
    lake.apply()
    lake.table("customers").merge(
        [{"id": n, "email": ANN if n == 7 else f"c{n}@shop.example"} for n in (1, 7)]
    )
    lake.table("invoices").merge([{"number": n, "customer_id": 7} for n in (1, 2)])


def test_rejected_records_go_also_where_no_rule_speaks_of_the_table(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    filled(lake)
    lake.table("visits").merge([{"v": "?", "text": f"mail to {ANN}"}, {"v": "!", "text": "x"}])
    lake.requests.submit("erasure", subject="customer", email=ANN)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.reason) == ("completed", "")
    assert outcome.rows == {"delete": 2, "keep": 2}
    assert lake.table("visits").quarantine.count() == 1
    assert not anywhere(tmp_path / "lake", ANN)


def test_what_is_kept_on_a_ground_stays_in_quarantine_and_copies(tmp_path: Path) -> None:
    schema = {"number": "long", "customer_id": "long", "who": "string"}
    lake = opened(tmp_path, invoices={"schema": schema, "pii": {"who": "PERSON"}})
    filled(lake)
    lake.table("invoices").merge([{"number": "?", "customer_id": 7, "who": ANN}])
    lake.table("invoices").merge([{"number": 3, "customer_id": 7, "who": "Ann"}])
    lake.pii.mask("invoices", to="invoices_masked")
    lake.requests.submit("erasure", subject="customer", email=ANN)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.reason) == ("completed", "")
    assert lake.table("invoices").quarantine.count() == 1
    assert lake.table("invoices_masked").read()["customer_id"].to_list() == [7, 7, 7]


def test_a_column_that_stays_may_stay_in_a_masked_copy(tmp_path: Path) -> None:
    lake = opened(tmp_path, orders={"pii": {"ship_name": "PERSON"}})
    filled(lake)
    lake.table("orders").merge(
        [{"oid": n, "customer_id": 7, "ship_name": "Ann", "total": 1.0} for n in (1, 2)]
    )
    lake.pii.mask("orders", to="orders_masked")
    lake.requests.submit("erasure", subject="customer", email=ANN)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.reason) == ("completed", "")
    assert lake.table("orders_masked").read()["customer_id"].to_list() == [7, 7]


def test_a_copy_whose_table_left_the_config_is_told(tmp_path: Path) -> None:
    lake = opened(tmp_path, visits={"pii": {"text": "PERSON"}})
    filled(lake)
    lake.table("visits").merge([{"v": 1, "text": "Ann"}])
    lake.pii.mask("visits", to="visits_masked")
    setting = config(tmp_path)
    lake = Lakehouse.open(setting)
    request = lake.requests.submit("erasure", subject="customer", email=ANN)
    report = lake.requests.run()
    assert [each.status for each in report.outcomes] == ["completed"]
    assert any("visits_masked" in note for note in report.notes)
    missing = [each.what for each in lake.requests.certificate(request.id).certificate.not_covered]
    assert "masks in the copy visits_masked" in missing
