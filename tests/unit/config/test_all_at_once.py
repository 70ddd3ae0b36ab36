"""One mistake does not hide another, whatever part of the config it is in."""

from __future__ import annotations

import pytest

from lakehouse.config import load_config
from lakehouse.errors import ConfigError

from .conftest import Problems

_BROKEN = """\
version: 1
nmae: shop
storage:
  optoins: {}
  options:
    secret_access_key: hunter2
    session_token: ${NOT_SET}
state: postgresql://u:hunter3@h/d
tables:
  customers:
    key: [idd]
    schema: {id: lnog, email: string}
    changes: {format: debezim, sequence: emal}
    pii: {emial: EMAIL_ADDRESS}
    expect:
      - {nam: b, check: "1=1"}
    retention:
      - {name: old, column: emaill, keep: 1y, action: remove}
      - {name: old, column: email, keep: 1y, action: delete}
  Customers: {}
  _own: {}
  orders: 5
  x__quarantine: {partition_by: a, partition_by: b}
subjects:
  person:
    identifiers: {id: custmers.id, mail: customers.email}
    rows:
      - {table: orders, where: {id: idd}, do: delete}
roles:
  reader: {tables: [order], rows: {customers: "x"}}
jobs:
  retention: {do: retenton, tables: all}
  a: {do: vacuum, schedule: "0 3 30 2 *", tables: [custommers], after: [b]}
  b: {do: vacuum, after: [a, c]}
alerts:
  - {to: "slack://hunter4/b/c", on: [faild]}
"""


def test_everything_that_is_wrong_is_told_in_the_order_of_the_file(problems: Problems) -> None:
    found = [(each.line, each.column, each.path) for each in problems(_BROKEN)]
    assert found == [
        (2, 1, "nmae"),
        (4, 3, "storage.optoins"),
        (6, 24, "storage.options.secret_access_key"),
        (7, 20, "storage.options.session_token"),
        (8, 8, "state"),
        (11, 11, "tables.customers.key[0]"),
        (12, 18, "tables.customers.schema.id"),
        (13, 23, "tables.customers.changes.format"),
        (13, 42, "tables.customers.changes.sequence"),
        (14, 11, "tables.customers.pii.emial"),
        (16, 9, "tables.customers.expect[0]"),
        (16, 10, "tables.customers.expect[0].nam"),
        (18, 55, "tables.customers.retention[0].action"),
        (19, 29, "tables.customers.retention[1].column"),
        (20, 3, "tables.Customers"),
        (21, 3, "tables._own"),
        (22, 11, "tables.orders"),
        (23, 3, "tables.x__quarantine"),
        (23, 36, ""),
        (26, 23, "subjects.person.identifiers.id"),
        (28, 37, "subjects.person.rows[0].where.id"),
        (30, 21, "roles.reader.tables[0]"),
        (30, 36, "roles.reader.rows.customers"),
        (32, 19, "jobs.retention.do"),
        (33, 29, "jobs.a.schedule"),
        (33, 52, "jobs.a.tables[0]"),
        (33, 72, "jobs.a.after"),
        (34, 30, "jobs.b.after[1]"),
        (36, 10, "alerts[0].to"),
        (36, 38, "alerts[0].on[0]"),
    ]


def test_no_problem_shows_a_secret(problems: Problems) -> None:
    text = "\n".join(str(each) for each in problems(_BROKEN))
    assert "hunter" not in text


def test_names_in_wrong_parts_are_names_all_the_same(problems: Problems) -> None:
    # The table and the job are wrong, but they are there: nothing that points at them is told.
    found = problems(
        """
        version: 1
        tables:
          a: {kye: [id], key: 5}
          b: 7
        subjects:
          s: {identifiers: {id: b.id}, rows: [{table: a, where: {id: id}, do: delete}]}
        jobs:
          one: {do: vacum}
          two: {do: vacuum, tables: [a, b], after: [one]}
        """
    )
    assert [each.path for each in found] == ["tables.a.kye", "tables.a.key", "tables.b", "jobs.one.do"]


def test_places_stay_right_when_entries_before_are_wrong(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        tables:
          t:
            schema: {id: long, at: string}
            retention:
              - {name: a, versions: {last: x}}
              - 5
              - {name: b, column: at, keep: 1y, action: delete}
        """
    )
    assert [(each.line, each.path) for each in found] == [
        (7, "tables.t.retention[0].versions.last"),
        (8, "tables.t.retention[1]"),
        (9, "tables.t.retention[2].column"),
    ]


def test_the_error_lists_all_problems_and_says_wrong_usage() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"version": 1, "nmae": "x", "jobs": {"a": {"do": "x"}}})
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 2
    assert str(caught.value).count("\n") == 1
    assert caught.value.__cause__ is None
