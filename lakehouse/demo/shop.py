"""The changes of a small shop, as a program would export them: JSON Lines, one row per change.

Generated from a fixed seed: the same bytes every time, and nobody in them is real.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

CUSTOMERS: Final = 300
ORDERS: Final = 20_000
OPENED: Final = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
"""When the first picture of both tables was taken."""

_FIRST: Final = ("Ada", "Alan", "Edith", "Emil", "Grace", "Ida", "Joan", "Karl", "Lea", "Max", "Nora", "Otto")
_LAST: Final = ("Adler", "Berg", "Costa", "Diaz", "Evans", "Fischer", "Green", "Haas", "Ivers", "Janssen")
_COUNTRIES: Final = ("DE", "DE", "FR", "NL", "ES", "IT")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Day:
    """What one batch of order changes is made of.

    Args:
        lines: The batch, one JSON document a line.
        fresh: Changes that are new and in order.
        repeated: Changes that the batch before had already.
        late: Changes older than what the table has by then.
        broken: Lines that can't be merged.
    """

    lines: tuple[bytes, ...]
    fresh: int
    repeated: int = 0
    late: int = 0
    broken: int = 0

    @property
    def data(self) -> bytes:
        """The file."""
        return b"\n".join(self.lines) + b"\n"


@dataclass(frozen=True, slots=True)
class Shop:
    """All files of the shop.

    Args:
        customers: The first picture of the customers.
        moved: Changes of customers: some e-mail addresses, stated alone, and a column that is new.
        orders: The first picture of the orders.
        second: A day of orders: new, shipped, cancelled.
        third: A day that arrives badly: late, repeated and broken lines among the good ones.
        mistake: A script that multiplied totals by a hundred.
    """

    customers: Day
    moved: Day
    orders: Day
    second: Day
    third: Day
    mistake: Day


def make_shop() -> Shop:
    """Generates the shop's files.

    Returns:
        The same files every time.
    """
    rng = random.Random(7)  # noqa: S311 -- made-up data
    orders = [_order(rng, number) for number in range(1, ORDERS + 1)]
    second, gone = _second_day(rng, orders)
    return Shop(
        customers=_day(_customer(rng, number) for number in range(1, CUSTOMERS + 1)),
        moved=_day(_moved(number) for number in (3, 14, 15, 92)),
        orders=_day(orders),
        second=_day(second),
        third=_third_day(orders, second, gone),
        mistake=_mistake(orders),
    )


def _at(*, days: int, minutes: int = 0) -> str:
    return (OPENED + timedelta(days=days, minutes=minutes)).isoformat().replace("+00:00", "Z")


def _customer(rng: random.Random, number: int) -> Row:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return {
        "id": number,
        "name": f"{first} {last}",
        "email": f"{first.lower()}.{last.lower()}{number}@mail.example",
        "country": rng.choice(_COUNTRIES),
        "changed_at": _at(days=0),
    }


def _moved(number: int) -> Row:
    """A change that states two columns only, one of which the table does not have yet."""
    return {"id": number, "email": f"new{number}@mail.example", "newsletter": True, "changed_at": _at(days=1)}


def _order(rng: random.Random, number: int, *, days: int = 0, minutes: int = 0) -> Row:
    return {
        "order_id": number,
        "customer_id": rng.randint(1, CUSTOMERS),
        "status": "placed",
        "total": rng.randint(500, 30_000) / 100,
        "changed_at": _at(days=days, minutes=minutes),
    }


def _second_day(rng: random.Random, orders: list[Row]) -> tuple[list[Row], list[Row]]:
    """New orders, shipped ones and cancelled ones, in the order of their time; and the cancelled ones."""
    touched = rng.sample(orders, 220)
    new = [_order(rng, ORDERS + number, days=1, minutes=number) for number in range(1, 61)]
    shipped = [
        {**row, "status": "shipped", "changed_at": _at(days=1, minutes=minute)}
        for minute, row in enumerate(touched[:200])
    ]
    gone: list[Row] = [
        {"_op": "delete", "order_id": row["order_id"], "changed_at": _at(days=1, minutes=300 + minute)}
        for minute, row in enumerate(touched[200:])
    ]
    return [*new, *shipped, *gone], gone


def _third_day(orders: list[Row], second: list[Row], gone: list[Row]) -> Day:
    """Good changes, and all that goes wrong on the way."""
    fresh: list[Row] = [
        {**row, "status": "delivered", "changed_at": _at(days=2, minutes=minute)}
        for minute, row in enumerate(row for row in second[60:130] if row.get("status") == "shipped")
    ]
    repeated = second[200:240]
    # What these orders were half an hour after the first picture: all of them have changed or gone since.
    overtaken = [orders[row["order_id"] - 1] for row in (*second[140:148], *gone[:4])]
    late: list[Row] = [{**row, "status": "paid", "changed_at": _at(days=0, minutes=30)} for row in overtaken]
    lines = [orjson.dumps(row) for row in (*late, *repeated, *fresh)]
    wrong = {**fresh[0], "order_id": 7, "total": "a lot", "changed_at": _at(days=2)}
    lines.insert(20, b'{"order_id": 8, "customer_id": 12, "sta')
    lines.insert(40, orjson.dumps(wrong))
    return Day(tuple(lines), fresh=len(fresh), repeated=len(repeated), late=len(late), broken=2)


def _mistake(orders: list[Row]) -> Day:
    return _day(
        {**row, "total": round(row["total"] * 100, 2), "changed_at": _at(days=3)} for row in orders[100:105]
    )


def _day(rows: Iterable[Row]) -> Day:
    lines = tuple(orjson.dumps(row) for row in rows)
    return Day(lines, fresh=len(lines))
