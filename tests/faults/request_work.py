"""Requests whose every write, to the store and to the state database, is made the last one in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from lakehouse import Lakehouse
from lakehouse.state import database
from lakehouse.storage import Storage, open_storage
from tests.fixtures.faults import WRITES, FaultyStorage, Moment, Plan

MAIL: Final = "zz-canary-anna@example.org"
NAME: Final = "Annabella Zz-Canary"
ID: Final = 4711
DATABASE: Final = "database"
"""What a write to the state database is called among the calls."""
COLUMNS: Final = {"id": "long", "email": "string", "name": "string", "at": "timestamp"}
ARCHIVING: Final = {
    "name": "cold", "column": "at", "keep": "30d", "action": "archive", "to": "archive", "max_fraction": 1,
}  # fmt: skip
TABLES: Final[Mapping[str, dict[str, Any]]] = {
    "people": {
        "merge": "on_read",
        "change_feed": True,
        "pii": {"email": "EMAIL_ADDRESS", "name": {"entity": "PERSON", "shred": "customer"}},
        "retention": [ARCHIVING],
    },
    "visits": {"history": "full"},
    "orders": {"schema": {"id": "long", "customer": "long", "ship_name": "string"}},
}
DONE: Final = {
    "people": (1, 0), "visits": (2, 0), "orders": (0, 2), "people__quarantine": (1, 0),
}  # fmt: skip
"""By table how many rows of the person are to be deleted, and how many emptied."""


def lake(root: Path, history: str, *, storage: Storage | None = None, **requests: Any) -> Lakehouse:
    """A lake that holds people in every way: history, vectors, change data, rejects, archives, copies."""
    found = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake"), "options": {"fsync": "false"}},
            "keys": {"path": str(root / "keys")},
            "tables": {
                name: {"key": ["id"], "schema": COLUMNS, **section} for name, section in TABLES.items()
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.email"},
                    "rows": [
                        {"table": "people", "where": {"id": "id"}, "do": "delete"},
                        {"table": "visits", "where": {"email": "email"}, "do": "delete"},
                        {
                            "table": "orders",
                            "where": {"customer": "id"},
                            "do": "anonymize",
                            "columns": ["customer", "ship_name"],
                        },
                    ],
                }
            },
            "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}},
            "requests": {"history": history, **requests},
        }
    )
    if storage is not None:
        found._storage = storage
        found._control._lake = storage
    return found


def fill(root: Path, history: str) -> str:
    """Others and the person, who asks to be erased. Gives her token in the masked copy."""
    found = lake(root, history)
    for purpose in ("suppress", "requests", "sign", "mask", "shred"):
        found.keys.create(purpose)
    now = datetime.now(UTC)
    at, old = now - timedelta(days=1), now - timedelta(days=90)
    people = found.table("people")
    people.merge([other(n, at) for n in range(6)])
    people.merge([person(old), other(7, old)])
    found.pii.mask("people", to="masked")
    found.retention.apply()
    people.merge([person(at), {"id": "4711x", "email": MAIL}, {"id": "?"}])
    people.merge([person(at, name=f"{NAME} 2"), {"_op": "delete", "id": 5}, other(8, at)])
    found.pii.mask("people", to="masked")
    for city in ("Ulm", "Bonn"):
        found.table("visits").merge([person(at, id=1, name=city), other(2, at)])
    found.table("orders").merge(
        [{"id": n, "customer": ID if n < 2 else n, "ship_name": NAME if n < 2 else "B"} for n in range(5)]
    )
    found.requests.submit("erasure", subject="customer", email=MAIL)
    token: str = found.table("masked").read().filter(pl.col("id") == ID)["email"].item()
    return token


def person(at: datetime, **more: Any) -> dict[str, Any]:
    return {"id": ID, "email": MAIL, "name": NAME, "at": at, **more}


def other(number: int, at: datetime) -> dict[str, Any]:
    return {"id": number, "email": f"o{number}@example.net", "name": f"Name {number}", "at": at}


def die(*, root: str, history: str, at: int | None, when: Moment = "after", report: str | None = None) -> int:
    """Carries requests out, and ends the process at one of the writes.

    A process that is killed leaves what it has written: reads in between make no difference.

    Args:
        root: Where the lake is.
        history: What becomes of older versions.
        at: Number of the write, from 1; None to do it all.
        when: During or after that write; of a transaction: when all is said but the end, or after that.
        report: Where the writes are written to, as (method, path).
    """
    plan = Plan(at=at, when=when, how="exit", operations={*WRITES, DATABASE})
    inner = open_storage(Path(root, "lake"), options={"fsync": "false"})
    with dying_database(plan):
        lake(Path(root), history, storage=FaultyStorage(inner, plan=plan)).requests.run()
    if report is not None:
        Path(report).write_text(json.dumps(plan.log))
    return 0


@contextmanager
def dying_database(plan: Plan) -> Iterator[None]:
    """Counts the transactions that write to the state database among the calls of a plan."""
    real = database._writing

    @contextmanager
    def writing(engine: Engine) -> Iterator[Connection]:
        with real(engine) as connection:
            yield connection
            struck = plan.strikes(DATABASE, "")
            if struck and plan.when != "after":
                plan.fail(DATABASE, "")
        if struck:
            plan.fail(DATABASE, "")

    database._writing = writing
    try:
        yield
    finally:
        database._writing = real
