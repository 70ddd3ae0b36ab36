"""The config file that the product promises to read, word for word."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from lakehouse.config import as_dict, json_schema, load_config, render

from .conftest import Load, Problems

PROMISED = """\
version: 1
name: shop

storage:
  root: ./lake                  # a folder, or s3://bucket/prefix (gs://, az:// as the library allows)
  options: {}                   # endpoint_url, region, access_key_id, secret_access_key, allow_http, ...

state: sqlite:///./lake/_lakehouse/state.db      # the default; any SQLAlchemy URL, PostgreSQL for daemons on several hosts

keys: {provider: file, path: ./keys}             # file | env | AWS KMS (boto3) | HashiCorp Vault (hvac)

tables:
  customers:
    description: One row per customer            # business metadata
    owner: crm@shop.example                      # who answers for it
    tags: [gold]
    key: [id]
    partition_by: []
    schema: {id: long, email: string}            # optional: otherwise the first batch decides; the table is made by `apply` or the first merge
    changes:                                     # how change events for it look and behave
      format: rows                               # rows | debezium | dms | maxwell | snapshot
      sequence: updated_at                       # a column, a list of columns, or the format's own
      ignore_null_updates: false
      schema: evolve                             # evolve | freeze | discard_columns | quarantine
      tombstones: 7d                             # how long a delete defeats a late upsert
    history: none                                # none = current rows | full = every version (SCD 2) | {mode: full, track: [...]}
    change_feed: false                           # Delta change data feed
    merge: auto                                  # auto | on_read (deletion vectors) | on_write
    pii: {email: EMAIL_ADDRESS, name: PERSON, notes: [PERSON, PHONE_NUMBER]}
    expect:
      - {name: email_set, check: "email IS NOT NULL", on_fail: quarantine}   # warn | drop | quarantine | fail
      - {name: fresh, freshness: 1h}
    retention:
      - {name: inactive, column: last_seen, keep: 3y, action: anonymize}     # delete | archive | anonymize
      - {name: history, versions: {last: 20, hourly: 24, daily: 7, weekly: 4}}
  orders:
    key: [order_id]
    partition_by: [order_date]
    changes: {format: debezium}
    retention:
      - {name: old, column: order_date, keep: 400d, action: archive, to: archive/orders}

subjects:
  customer:
    identifiers: {id: customers.id, email: customers.email}
    rows:
      - {table: customers, where: {id: id}, do: delete}
      - {table: orders, where: {customer_id: id}, do: anonymize, columns: [ship_name, ship_address]}
      - {table: tickets, where: {email: email}, do: delete}

requests: {due: 30d, approval: none, purge_after: 0h, history: cut}    # approval: none | optional | required (by someone else); history: cut | redact

pii:
  language: en
  nlp: {engine: spacy, model: en_core_web_sm}    # engine: none = patterns only
  min_score: 0.5
  recognizers: [{name: EMPLOYEE_ID, regex: 'E-\\d{6}', score: 0.6, context: [employee]}]
  operators:
    DEFAULT: {operator: redact}
    EMAIL_ADDRESS: {operator: tokenize}
    PHONE_NUMBER: {operator: mask, keep_last: 4}

roles:
  analyst: {tables: [customers, orders], columns: masked, rows: {orders: "country = 'DE'"}}

jobs:
  retention: {do: retention, schedule: "0 3 * * *", tables: all}
  vacuum:    {do: vacuum, schedule: "0 4 * * 0", tables: all, after: [retention]}
  erasure:   {do: erase, schedule: every 15m}
  compact:   {do: compact, schedule: every 1h, tables: all}

alerts:
  - {to: "${ALERT_URL}", on: [failed, late, overdue]}       # any Apprise URL
"""
TICKETS = "tables:\n  tickets: {key: [ticket_id]}\n"
ENVIRON = {"ALERT_URL": "json://alerts.example"}

# Some of its comments are longer than a line of code may be.
# ruff: noqa: E501


def test_the_only_thing_wrong_is_the_table_that_it_leaves_out(problems: Problems) -> None:
    (problem,) = problems(PROMISED, environ=ENVIRON)
    assert problem.path == "subjects.customer.rows[2].table"
    assert PROMISED.splitlines()[problem.line - 1].lstrip().startswith("- {table: tickets")


@pytest.fixture
def promised() -> str:
    return PROMISED.replace("tables:\n", TICKETS, 1)


def test_it_is_read(load: Load, promised: str) -> None:
    config = load(promised, environ=ENVIRON)
    assert list(config.tables) == ["tickets", "customers", "orders"]
    assert config.tables["customers"].column_schema == {"id": "long", "email": "string"}
    assert config.tables["customers"].changes.tombstones.days == 7
    assert [rule.name for rule in config.tables["customers"].retention] == ["inactive", "history"]
    assert config.tables["orders"].changes.format == "debezium"
    assert config.requests.due.unit == "d"
    assert list(config.jobs) == ["retention", "vacuum", "erasure", "compact"]
    assert config.jobs["vacuum"].after == ("retention",)
    assert config.pii.recognizers[0].regex == r"E-\d{6}"
    assert config.alerts[0].to.get_secret_value() == "json://alerts.example"


def test_it_survives_being_shown(load: Load, promised: str) -> None:
    config = load(promised, environ=ENVIRON)
    shown = YAML(typ="safe", pure=True).load(render(config, secrets_masked=False))
    assert as_dict(load_config(shown, environ={})) == as_dict(config)


def test_editors_take_it(promised: str) -> None:
    data = YAML(typ="safe", pure=True).load(promised)
    assert [error.json_path for error in Draft202012Validator(json_schema()).iter_errors(data)] == []
