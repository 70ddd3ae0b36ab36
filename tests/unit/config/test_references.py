"""Names that point at other parts of the config."""

from __future__ import annotations

import pytest

from lakehouse.config.references.work import cycles

from .conftest import Load, Problems

_SCHEMA = (
    "schema: {id: long, name: string, day: date, at: timestamp, n: long, d: double, tree: array<string>}"
)
_MASK = "{name: r, column: at, keep: 1y, action: anonymize"


def _table(rest: str, *, schema: str = _SCHEMA) -> str:
    return f"version: 1\ntables:\n  t:\n    {schema}\n    {rest}\n"


@pytest.mark.parametrize(
    ("rest", "path", "message"),
    [
        ("key: [idd]", "tables.t.key[0]", "`idd` is not in the `schema` of `t`; did you mean `id`?"),
        ("key: [ID]", "tables.t.key[0]", "did you mean `id`?"),
        ("key: [other]", "tables.t.key[0]", "columns: `id`, `name`"),
        ("key: [tree]", "tables.t.key[0]", "of the type `array<string>`, which can't stand in `key`"),
        ("partition_by: dya", "tables.t.partition_by", "did you mean `day`?"),
        ("partition_by: [tree]", "tables.t.partition_by[0]", "can't stand in `partition_by`"),
        ("changes: {sequence: [at, naem]}", "tables.t.changes.sequence[1]", "did you mean `name`?"),
        (
            "changes: {schema: freeze, sequence: lsn}",
            "tables.t.changes.sequence",
            "`lsn` is not in the `schema`",
        ),
        ("changes: {encodings: {dayy: iso}}", "tables.t.changes.encodings.dayy", "did you mean `day`?"),
        ("pii: {nmae: PERSON}", "tables.t.pii.nmae", "did you mean `name`?"),
        ("pii: {name: {entity: PERSON, shred: who}}", "tables.t.pii.name.shred", "there is no subject `who`"),
        ("history: full", "tables.t.history", "needs a `key`"),
        ("key: id\n    history: {mode: full, track: [nmae]}", "tables.t.history.track[0]", "`name`?"),
        (
            "key: id\n    history: {mode: full, track_except: nmae}",
            "tables.t.history.track_except",
            "`name`?",
        ),
        (
            "retention: [{name: r, column: dayy, keep: 1y, action: delete}]",
            "tables.t.retention[0].column",
            "did you mean `day`?",
        ),
        (
            "retention: [{name: r, column: name, keep: 1y, action: delete}]",
            "tables.t.retention[0].column",
            "an age needs a date, a timestamp or a number",
        ),
        (
            "retention: [{name: r, column: n, keep: 1y, action: delete}]",
            "tables.t.retention[0].column",
            "say in `unit` what it counts since 1970",
        ),
        (
            "retention: [{name: r, column: at, unit: days, keep: 1y, action: delete}]",
            "tables.t.retention[0].unit",
            "`unit` is for numbers",
        ),
        (
            "retention: [{name: r, column: at, keep: 1y, action: anonymize}]",
            "tables.t.retention[0].action",
            "nothing to anonymize",
        ),
        (
            "retention: [{name: r, column: at, keep: 1y, action: anonymize, columns: [nmae]}]",
            "tables.t.retention[0].columns[0]",
            "did you mean `name`?",
        ),
        (
            f"key: [id]\n    retention: [{_MASK}, columns: [name, id]}}]",
            "tables.t.retention[0].columns[1]",
            "`id` can't be anonymized, since it is part of the key",
        ),
        (
            f"partition_by: [day]\n    retention: [{_MASK}, columns: [day]}}]",
            "tables.t.retention[0].columns[0]",
            "`day` can't be anonymized, since it says in which folder a row is",
        ),
        (
            f"changes: {{sequence: n}}\n    pii: {{n: ID}}\n    retention: [{_MASK}}}]",
            "tables.t.retention[0].action",
            "`n` can't be anonymized, since it orders the changes of a row: say in `columns` which can",
        ),
        (
            "retention: [{name: r, orphans: 23h}]",
            "tables.t.retention[0].orphans",
            "at least `1d`",
        ),
        (
            "retention: [{name: r, column: at, keep: 1y, action: archive, to: ./t/old}]",
            "tables.t.retention[0].to",
            "inside the table `t`",
        ),
        (
            "retention: [{name: a, versions: {last: 1}}, {name: b, versions: {last: 2}}]",
            "tables.t.retention[1].versions",
            "a second rule for versions",
        ),
        (
            "retention: [{name: a, versions: {last: 1}}, {name: a, orphans: 7d}]",
            "tables.t.retention[1].name",
            "the name `a` is there twice, first in entry 1",
        ),
        ("expect: [{name: a, check: x}, {name: a, check: y}]", "tables.t.expect[1].name", "is there twice"),
    ],
)
def test_columns_of_a_table(problems: Problems, rest: str, path: str, message: str) -> None:
    (problem,) = problems(_table(rest))
    assert problem.path == path
    assert message in problem.message
    assert problem.line > 4


@pytest.mark.parametrize(
    "rest",
    [
        "changes: {sequence: updated_later}",
        "changes: {sequence: _sequence}",
        "changes: {schema: freeze, sequence: [_sequence]}",
        "pii: {comes_later: PERSON}",
        "pii: {tree.leaf: PERSON}",
        "retention: [{name: r, column: seen_later, keep: 1y, action: delete}]",
        "retention: [{name: r, column: n, unit: millis, keep: 1y, action: delete}]",
        "retention: [{name: r, column: d, unit: seconds, keep: 1y, action: delete}]",
        "retention: [{name: r, column: at, keep: 1y, action: archive, to: archive/t}]",
        "retention: [{name: r, column: at, keep: 1y, action: archive, to: 's3://cold/t'}]",
        "retention: [{name: r, column: at, keep: 1y, action: archive, to: /cold/t}]",
    ],
)
def test_columns_that_may_still_come_are_fine_where_the_schema_evolves(load: Load, rest: str) -> None:
    assert load(_table(rest)).tables["t"].column_schema is not None


def test_without_a_schema_any_column_will_do(load: Load) -> None:
    text = _table(
        "key: a\n    partition_by: b\n    changes: {schema: freeze, sequence: c}", schema="owner: x"
    )
    assert load(text).tables["t"].key == ("a",)


def test_all_columns_as_partitions(problems: Problems) -> None:
    (problem,) = problems(_table("partition_by: [a, b]", schema="schema: {a: long, b: long}"))
    assert "a file needs at least one of its own" in problem.message


@pytest.mark.parametrize(
    ("schema", "rest", "path", "message"),
    [
        ("{id: long, Id: long}", "", "Id", "differs from the column `id` only in case"),
        ("{id: long, __op: long}", "", "__op", "begin with `__`"),
        ("{id: long, _op: string}", "", "_op", "`format: rows` uses the name"),
        (
            "{id: long, _valid_from: date}",
            "key: id\n    history: full",
            "_valid_from",
            "`history: full` uses",
        ),
        ("{id: long, _change_type: date}", "change_feed: true", "_change_type", "the change feed uses"),
        ('{id: long, "a b": date}', "", '"a b"', "no blanks, tabs"),
        ('{id: long, "a,b": date}', "", '"a,b"', "no blanks, tabs"),
    ],
)
def test_names_of_columns(problems: Problems, schema: str, rest: str, path: str, message: str) -> None:
    (problem,) = problems(_table(rest, schema=f"schema: {schema}"))
    assert problem.path == f"tables.t.schema.{path}"
    assert message in problem.message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("_delta_log", "begin with `_`"),
        ("orders__quarantine", "end in `__quarantine`"),
        ("ORDERS", "differs from the table `orders` only in case"),
        ("a/b", "can't name a table"),
        ("a.b", "can't name a table"),
        ("..", "can't name a table"),
        ('""', "can't name a table"),
        ('"a b"', "can't name a table"),
        ("x" * 129, "at most 128"),
    ],
)
def test_names_of_tables(problems: Problems, name: str, message: str) -> None:
    (problem,) = problems(f"version: 1\ntables:\n  orders: {{}}\n  {name}: {{}}\n")
    assert (problem.line, problem.column) == (4, 3)
    assert message in problem.message


@pytest.mark.parametrize("name", ["orders", "Orders_2", "2026", "order-lines", "größen", "a"])
def test_good_names_of_tables(load: Load, name: str) -> None:
    assert list(load(f"version: 1\ntables: {{{name}: {{}}}}\n").tables) == [name]


def test_subjects(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        tables:
          customers: {schema: {id: long, email: string}}
          orders: {schema: {id: long, customer_id: long, ship_name: string}, changes: {schema: freeze}}
        subjects:
          customer:
            identifiers: {id: customer.id, email: customers.emial}
            rows:
              - {table: customers, where: {idd: id}, do: delete}
              - {table: orders, where: {customer_id: idd}, do: anonymize, columns: [ship_nam]}
              - {table: tickets, where: {email: email}, do: delete}
        """
    )
    assert [(each.line, each.path) for each in found] == [
        (8, "subjects.customer.identifiers.id"),
        (8, "subjects.customer.identifiers.email"),
        (10, "subjects.customer.rows[0].where.idd"),
        (11, "subjects.customer.rows[1].where.customer_id"),
        (11, "subjects.customer.rows[1].columns[0]"),
        (12, "subjects.customer.rows[2].table"),
    ]
    assert found[0].message == "there is no table `customer`; did you mean `customers`?"
    assert "did you mean `email`?" in found[1].message
    assert "did you mean `id`?" in found[2].message
    assert "there is no identifier `idd`; did you mean `id`?" in found[3].message
    assert "did you mean `ship_name`?" in found[4].message
    assert "tables: `customers`, `orders`" in found[5].message


def test_roles(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        tables: {customers: {}, orders: {}}
        roles:
          a: {tables: [customers, order]}
          b: {tables: customers, rows: {orders: "x = 1"}}
          c: {rows: {custmers: "x = 1"}}
        """
    )
    assert [(each.line, each.path) for each in found] == [
        (5, "roles.a.tables[1]"),
        (6, "roles.b.rows.orders"),
        (7, "roles.c.rows.custmers"),
    ]
    assert "may not read the table `orders`" in found[1].message


def test_jobs_that_wait_for_each_other(problems: Problems) -> None:
    found = problems(
        """
        version: 1
        jobs:
          a: {do: vacuum, after: [c]}
          b: {do: vacuum, after: [a]}
          c: {do: vacuum, after: [b]}
          d: {do: vacuum, after: [a, e]}
          f: {do: vacuum, after: f}
        """
    )
    assert [(each.line, each.path) for each in found] == [
        (4, "jobs.a.after"),
        (7, "jobs.d.after[1]"),
        (8, "jobs.f.after"),
    ]
    assert found[0].message == "these jobs wait for each other: `a` → `c` → `b` → `a`"
    assert found[1].message.startswith("there is no job `e`; ")
    assert found[2].message == "the job `f` waits for itself"


def test_cycles_are_found_once_each() -> None:
    assert cycles({}) == []
    assert cycles({"a": ("b",), "b": (), "c": ("a", "b")}) == []
    assert cycles({"a": ("b",), "b": ("a",), "c": ("d",), "d": ("c",)}) == [("a", "b"), ("c", "d")]
    # A diamond is no cycle.
    assert cycles({"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}) == []


def test_python_functions_are_jobs(load: Load) -> None:
    config = load("version: 1\njobs: {a: {do: shop.jobs.refresh}, b: {do: 'shop.jobs:refresh'}}\n")
    assert [job.do for job in config.jobs.values()] == ["shop.jobs.refresh", "shop.jobs:refresh"]


def test_a_name_from_the_environment_is_not_shown(problems: Problems) -> None:
    (problem,) = problems(_table("key: ['${COLUMN}']"), environ={"COLUMN": "very_private"})
    assert problem.message.startswith("`${COLUMN}` is not in the `schema` of `t`")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("secret_acess_key", "secret_access_key"),
        ("endpoint", "endpoint_url"),
        ("AWS_ENDPOINT", "endpoint_url"),
        ("AWS_REGION", "region"),
        ("allow_htp", "allow_http"),
    ],
)
def test_an_option_that_no_store_has(problems: Problems, name: str, meant: str) -> None:
    (problem,) = problems(f'version: 1\nstorage:\n  options:\n    {name}: "${{V}}"\n', environ={"V": "v"})
    assert (problem.line, problem.column, problem.path) == (4, 5, f"storage.options.{name}")
    assert problem.message == f"unknown option `{name}`; did you mean `{meant}`?"


def test_files_that_arrive_are_for_one_table_and_for_merges(problems: Problems) -> None:
    found = problems(
        """\
        version: 1
        tables: {a: {key: id}, b: {key: id}}
        jobs:
          all: {do: merge, from: {path: ./in}}
          one: {do: merge, tables: [b], from: {path: ./in}}
        """
    )
    assert [(each.path, each.message) for each in found] == [
        ("jobs.all.from", "its files go into one table, and `tables` names 2")
    ]
    found = problems("version: 1\njobs: {a: {do: vacuum, from: {path: ./in}}}\n")
    assert [(each.path, each.message) for each in found] == [
        ("jobs.a.from", "is for `do: merge`; this job does vacuum")
    ]
