"""The story of the demo, chapter by chapter."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lakehouse.cli.cells import size
from lakehouse.cli.grid import Grid
from lakehouse.demo.shop import Shop, make_shop
from lakehouse.demo.stage import ARRIVALS, CONFIG, POSTGRES, SHOP, config_text, set_stage
from lakehouse.demo.typed import Teller, command_name, quoted
from lakehouse.demo.unattended import unattended
from lakehouse.lake import Lakehouse

ALL_EVENTS: Final = "*.jsonl"
WITH_SCHEMAS: Final = "pg_schemas_enabled.jsonl"
"""In this file the events carry the schemas of their tables."""

HELD: Final = 138
"""A customer with orders that are done."""

LEAVING: Final = 14
"""A customer whose e-mail address has changed."""

BY_STATUS: Final = "SELECT status, count(*) AS orders FROM orders GROUP BY status"

POSTGRES_TABLES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("pg_copied", "s.big", ALL_EVENTS, "COPY: many rows at one position; then keys change"),
    ("pg_evolving", "s.evo", ALL_EVENTS, "columns come, go, are renamed, change their type"),
    ("pg_truncated", "s.pkt", ALL_EVENTS, "keys change, rows go, TRUNCATE, one row after it"),
    ("pg_large", "s.toast2", ALL_EVENTS, "an update leaves out the large values"),
    ("pg_keyless", "s.nopkfull", ALL_EVENTS, "no primary key: the config says what the key is"),
    ("pg_defaults", "s.nn", ALL_EVENTS, "a delete with invented values before it"),
    ("pg_pairs", "s.comp", WITH_SCHEMAS, "a key of two columns, and decimals"),
    ("pg_types", "s.alltypes", WITH_SCHEMAS, "31 columns, one of each PostgreSQL type"),
)
"""Table of the lake, table in PostgreSQL, its files, and what happens in it."""


def run(directory: Path, echo: Callable[[str], None]) -> None:
    """Makes a lake in a folder and shows on it what Lakehouse does. Running it again makes it anew.

    Args:
        directory: The folder; what it is called here is how the commands in the story name it.
        echo: Takes each piece of the story, one or more lines of text.

    Raises:
        RefusedError: The folder has something in it that is not a demo's.
        LakehouseError: A step of the demo did not go as it should.
    """
    started = time.perf_counter()
    teller = Teller(echo, config=directory / CONFIG)
    shop = make_shop()
    again = set_stage(directory, shop)
    called = f"{command_name()} -c {quoted(str(directory / CONFIG))}"
    if again:
        echo(f"{directory} has a demo in it: made anew.")
    echo(f"`lakehouse` below is short for `{called}`.")
    _config(teller, directory)
    _first_changes(teller, directory / SHOP)
    _bad_day(teller, directory / SHOP, shop)
    _back_in_time(teller, directory / SHOP)
    _mark_or_rewrite(teller, directory)
    _postgres(teller, directory)
    _let_go(teller)
    _forget(teller, directory)
    unattended(teller, arrivals=directory / ARRIVALS, config=directory / CONFIG)
    _all_well(teller)
    _your_turn(teller, directory, called, seconds=time.perf_counter() - started)


def _config(teller: Teller, directory: Path) -> None:
    teller.chapter("One config file makes the lake")
    teller.say(f"{directory / CONFIG}:", "")
    teller.show(*config_text().splitlines()[1:])
    teller.type("config", "check")
    teller.type("apply", "--yes")


def _first_changes(teller: Teller, files: Path) -> None:
    teller.chapter("Changes of a shop")
    teller.say("A first picture of two tables, then a day of changes.")
    teller.type("merge", "customers", str(files / "customers-1.jsonl"), "--source", "shop", "--offset", "1")
    teller.type("merge", "orders", str(files / "orders-1.jsonl"), "--source", "shop", "--offset", "1")
    teller.type("merge", "orders", str(files / "orders-2.jsonl"), "--source", "shop", "--offset", "2")
    teller.say(
        "Four customers have new e-mail addresses. The changes name nothing but that, and",
        "a column that the table does not have yet. What they leave out stays as it is.",
    )
    teller.type("merge", "customers", str(files / "customers-2.jsonl"), "--source", "shop", "--offset", "2")
    teller.type("read", "customers", "--where", "id IN (3, 4, 14)", "--order-by", "id")
    teller.type(
        "sql",
        "SELECT country, count(*) AS orders, sum(total) AS total FROM orders JOIN customers"
        " ON customer_id = id GROUP BY country ORDER BY total DESC",
    )


def _bad_day(teller: Teller, files: Path, shop: Shop) -> None:
    day = shop.third
    teller.chapter("Late, repeated, broken")
    teller.say(
        f"The next file has {day.fresh} good changes. Beside them: {day.repeated} that came yesterday,",
        f"{day.late} that are older than what the table knows (4 of them of orders that were deleted since),",
        f"and {day.broken} lines that can't be used. `changed_at` decides, not arrival; the good ones go in.",
    )
    third = ("merge", "orders", str(files / "orders-3.jsonl"), "--source", "shop", "--offset", "3")
    teller.type(*third, code=1)
    teller.say("The same command again, as after a crash. Offset 3 is in the table: nothing happens.")
    teller.type(*third)


def _back_in_time(teller: Teller, files: Path) -> None:
    teller.chapter("Back in time")
    teller.say("The state of now gets a name. Then somebody's script multiplies totals by a hundred.")
    teller.type("tag", "orders", "checked")
    teller.type("merge", "orders", str(files / "orders-mistake.jsonl"))
    teller.say("What has changed since the tag?")
    teller.type("diff", "orders", "checked", "--columns", "status,total")
    teller.say("Back to it. That makes a new version; the mistake stays readable in its own.")
    teller.type("restore", "orders", "--tag", "checked", "--yes")
    teller.type("read", "orders", "--where", "order_id = 101")
    teller.type("read", "orders", "--where", "order_id = 101", "--version", "4")
    teller.type("history", "orders")


def _mark_or_rewrite(teller: Teller, directory: Path) -> None:
    teller.chapter("Mark rows instead of rewriting files")
    files = directory / SHOP
    lake = Lakehouse.open(directory / CONFIG)
    plain = lake.table("orders_rewritten")
    plain.merge_files([files / "orders-1.jsonl"])
    rewritten = plain.merge_files([files / "orders-2.jsonl"])
    orders = next(entry for entry in lake.table("orders").history() if entry.version == 2)
    before = lake.table("orders").snapshot(version=1).files
    after = lake.table("orders").snapshot(version=2).files
    fresh = [add for path, add in after.items() if path not in before]
    marked = sum(
        add.deletion_vector.size_in_bytes
        for path, add in after.items()
        if add.deletion_vector is not None and path in before
    )
    changed = orders.counts["updated"] + orders.counts["deleted"]
    teller.say(
        f"The second file of orders changed {changed} of 20,000 rows.",
        "`orders` marks them in a deletion vector and adds a small file. `orders_rewritten` has",
        "`merge: on_write` and got the same changes:",
        "",
    )
    teller.grid(
        Grid(
            ["table", "files kept", "files rewritten", "deletion vectors", "bytes written"],
            [
                [
                    "orders",
                    len(before.keys() & after.keys()),
                    len(before.keys() - after.keys()),
                    sum(add.deletion_vector is not None for add in after.values()),
                    size(sum(add.size for add in fresh) + marked),
                ],
                [
                    "orders_rewritten",
                    0,
                    rewritten.files_removed,
                    rewritten.vectors_written,
                    size(rewritten.bytes_written),
                ],
            ],
        )
    )
    same = lake.table("orders").read(version=2).sort("order_id")
    teller.say(
        "Both hold the same rows: "
        + ("yes." if same.equals(plain.read().sort("order_id")) else "NO, which is a fault of Lakehouse.")
    )
    teller.say("Small files and marked rows are cleared away by `compact`; older versions stay readable.")
    teller.type("compact", "orders")


def _postgres(teller: Teller, directory: Path) -> None:
    teller.chapter("Events of a PostgreSQL database")
    folder = directory / POSTGRES
    teller.say(
        "Debezium reads PostgreSQL's log and writes one event per change. These were recorded from",
        "a real server; all tables lie together in one folder, as they came. One event, shortened:",
        "",
    )
    teller.show(*_shortened(folder / "pg_schema_evolution_online.jsonl", number=2))
    name, source, pattern, _ = POSTGRES_TABLES[0]
    teller.say("A table takes its own events from the stream; the others count as unchanged.")
    teller.type("merge", name, str(folder / pattern), "--source-table", source)
    teller.say("The same for seven more tables of that database:", "")
    lake = Lakehouse.open(directory / CONFIG)
    rows = [_merged(lake, folder, table) for table in POSTGRES_TABLES[1:]]
    teller.grid(Grid(["table", "what happens in it", "its events", "rejected", "rows now"], rows))
    teller.say(
        "The rejected event has a timestamp in 44 BC, which Delta tables can't hold. It is counted,",
        "named with its line, and kept out; the others go in. The table whose columns changed:",
    )
    teller.type("read", "pg_evolving", "--order-by", "id")


def _merged(lake: Lakehouse, folder: Path, told: tuple[str, str, str, str]) -> list[Any]:
    name, source, pattern, story = told
    table = lake.table(name)
    result = table.merge_files(sorted(folder.glob(pattern)), source_table=source)
    return [name, story, result.total - result.unchanged, result.rejected, table.read().height]


def _shortened(file: Path, *, number: int) -> list[str]:
    """The parts of a Debezium event that a merge looks at."""
    event = json.loads(file.read_bytes().splitlines()[number])
    value = event["value"]
    source = {name: value["source"][name] for name in ("schema", "table", "sequence")}
    return [
        f'{{"key": {json.dumps(event["key"])},',
        f' "value": {{"op": "{value["op"]}",',
        f'           "before": {json.dumps(value["before"])},',
        f'           "after": {json.dumps(value["after"])},',
        f'           "source": {json.dumps(source)[:-1]}, …}}, …}}, …}}',
    ]


def _let_go(teller: Teller) -> None:
    teller.chapter("Kept as long as it must be, and not longer")
    teller.say(
        "Orders that are done go into an archive after 90 days, says the config. One customer is in court:",
        "those rows are held, whatever any rule says.",
    )
    held = ("--table", "orders", "--where", f"customer_id = {HELD}", "--reason", "case 12/2026")
    teller.type("hold", "add", *held, "--author", "legal")
    teller.type("retention", "plan", "orders")
    teller.say("Each row was read back from the archive before it left the table:")
    teller.type("retention", "apply", "orders", "--yes")
    teller.type("retention", "archives", "orders")
    teller.say(
        "Older versions still have those rows. The config keeps the last two versions, tags and what is",
        "held; all other files go:",
    )
    teller.type("vacuum", "orders", "--grace", "0s", "--yes")
    teller.say("What was taken away, by which rule and when, is remembered:")
    teller.type("retention", "history")


def _forget(teller: Teller, directory: Path) -> None:
    teller.chapter("Somebody asks to be erased")
    lake = Lakehouse.open(directory / CONFIG)
    email = lake.table("customers").read(columns=["email"], where=f"id = {LEAVING}").item()
    teller.say(
        f"{email} is customer {LEAVING}, had another address before, and has orders in two tables and their",
        "old versions. Who asks is kept encrypted, and afterwards as a keyed hash alone.",
    )
    teller.type("keys", "create", "suppress", "requests", "sign")
    made = lake.requests.submit("erasure", subject="customer", email=email, external_id="ticket 118")
    teller.say(
        f"`lakehouse request submit erasure --subject customer --id email={email}` has made {made.id}.",
        "A plan counts what would go; then it is carried out, and all that is left is searched:",
    )
    teller.type("request", "run", made.id, "--yes")
    teller.say("One find, and there would be no certificate. What it says is signed:")
    teller.type("request", "certificate", made.id)
    teller.say("The same changes once more, as from a replay: who was erased stays out.")
    files = directory / SHOP
    teller.type("merge", "customers", str(files / "customers-2.jsonl"))


def _all_well(teller: Teller) -> None:
    teller.chapter("Is it all there?")
    teller.say("`verify` opens every file of every table and compares it with the log.")
    teller.type("verify")
    teller.type("status")


def _your_turn(teller: Teller, directory: Path, called: str, *, seconds: float) -> None:
    teller.chapter("Your turn")
    teller.say(f"That took {seconds:.1f} s. From this folder, type:", "")
    teller.show(
        f"{called} read orders --limit 5",
        f"{called} history orders",
        f"{called} diff orders 1 2 --limit 10",
        f"{called} show pg_types",
        f"{called} sql {quoted(BY_STATUS)}",
        f"{called} request list --all",
    )
    teller.say("In Python:", "")
    teller.show(
        "from lakehouse import Lakehouse",
        f'lake = Lakehouse.open("{directory / CONFIG}")',
        'lake.table("orders").read(where="status = \'shipped\'", version=2)',
    )
    teller.say(
        f"A lake of your own: `{called.partition(' -c ')[0]} init my-lake`. `{directory}` can be deleted."
    )
