"""Alerts of a lake in a folder, sent by Apprise to real servers on loopback: well, refusing, silent, down."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.observability.alerts import pass_on
from lakehouse.observability.alerts.sending import SendError, send
from lakehouse.observability.alerts.words import Text
from lakehouse.state import open_state
from lakehouse.state.database import State
from lakehouse.state.rows import Request, RequestEvent
from tests.fixtures.receiver import Receiver, receiving

Open = Callable[..., Lakehouse]
WORK = "tests.integration.jobs.work"
JOBS = {"refused": {"do": f"{WORK}.refused"}, "note": {"do": f"{WORK}.note"}}
TEXT = Text(title="t", body="b", tone="info")


@pytest.fixture
def lake(tmp_path: Path) -> Open:
    def go(*alerts: dict[str, Any], jobs: dict[str, Any] | None = None) -> Lakehouse:
        return Lakehouse.open(
            {
                "version": 1,
                "name": "shop",
                "storage": {"root": str(tmp_path / "lake")},
                "tables": {"stock": {"key": ["item"], "changes": {"sequence": "n"}}},
                "jobs": {name: {"backoff": "0s", **job} for name, job in (jobs or JOBS).items()},
                "alerts": list(alerts),
            }
        )

    return go


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def state_of(lake: Lakehouse) -> State:
    return open_state(lake.config.state.get_secret_value())


def test_a_failure_is_told_once_and_so_is_that_it_is_over(lake: Open, receiver: Receiver) -> None:
    shop = lake({"to": receiver.address, "on": ["failed", "recovered"]})
    failed = shop.jobs.run("refused")
    (message,) = receiver.documents
    assert message["title"] == "[shop] job refused failed"
    assert message["message"] == f"- job refused failed: not like this (see the rules) (run {failed.id})"
    assert message["type"] == "failure"
    shop.jobs.run("refused")
    shop.alerts.pass_on()
    assert len(receiver.bodies) == 1, "it is known"
    assert [(each.key, each.times) for each in shop.alerts.problems()] == [("failed:refused", 2)]
    well = lake({"to": receiver.address, "on": ["failed", "recovered"]}, jobs={"refused": JOBS["note"]})
    well.jobs.run("refused")
    assert [each["title"] for each in receiver.documents[1:]] == ["[shop] job refused recovered"]
    assert well.alerts.problems() == []


def test_of_all_runs_of_a_call_there_is_one_message(lake: Open, receiver: Receiver) -> None:
    jobs = {f"job{n}": {"do": f"{WORK}.refused", "schedule": "every 1h"} for n in range(4)}
    shop = lake({"to": receiver.address}, jobs=jobs)
    assert [each.status for each in shop.jobs.run_due()] == ["failed"] * 4
    assert [each["title"] for each in receiver.documents] == ["[shop] 4 failed"]


def test_what_is_late_and_overdue_is_told_without_anybodys_name(lake: Open, receiver: Receiver) -> None:
    shop = lake({"to": receiver.address, "on": ["late", "overdue"], "remind": "30d"}, jobs={
        "load": {"do": f"{WORK}.note", "schedule": "every 1h"},
        "new": {"do": f"{WORK}.note", "schedule": "every 30d"},
        "rests": {"do": f"{WORK}.note", "schedule": "every 1h", "pause": True},
    })  # fmt: skip
    shop.jobs.run("load")
    state = state_of(shop)
    now = datetime.now(UTC)
    assert pass_on(shop.config, state, now=now).sent == ()
    assert pass_on(shop.config, state, now=now + timedelta(hours=2)).changed == 1
    assert receiver.documents[0]["title"] == "[shop] job load late"
    draft = Request(
        id="",
        kind="erasure",
        subject="customer",
        submitted=now,
        due=now,
        author="joan",
        digests=(),
        person="p",
    )
    ((request, _),) = state.requests.submit([(draft, {})], seal=lambda *_: "sealed")
    assert pass_on(shop.config, state, now=now + timedelta(days=2, hours=1)).changed == 1
    message = receiver.documents[1]
    assert message["title"] == f"[shop] request {request.id} overdue"
    assert message["message"] == f"- request {request.id} is overdue by 2 days"
    over = RequestEvent(request=request.id, number=2, event="completed", at=now, author="a", detail={})
    state.requests.append([over], forget=True)
    assert pass_on(shop.config, state, now=now + timedelta(days=2, hours=2)).changed == 1
    assert [each.key for each in shop.alerts.problems()] == ["late:load"]
    state.close()


@pytest.mark.parametrize("kind", ["refusing", "down", "hanging", "unknown"])
def test_who_can_not_be_reached_fails_nothing_and_keeps_nobody_waiting(
    lake: Open, receiver: Receiver, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(status=503, hangs=kind == "hanging") as bad:
        address = bad.address
        if kind == "down":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"json://127.0.0.1:{free.getsockname()[1]}/top-secret-token"
        elif kind == "unknown":
            address = "nothing://top-secret-token"
        shop = lake({"to": address, "timeout": "1s"}, {"to": receiver.address})
        assert shop.jobs.run("refused").reason.startswith("not like this")
        assert len(receiver.bodies) == 1
        broken, well = shop.alerts.list()
        assert (well.messages, well.failing) == (1, "")
        assert (broken.messages, broken.tries, broken.failures) == (0, 1, 1)
        assert broken.failing == {
            "refusing": "it answered with 503",
            "down": "it can't be reached, or did not answer",
            "unknown": "it is no address that Apprise knows",
        }.get(kind, broken.failing)
        assert "top-secret" not in caplog.text + repr(shop.alerts.list())
        assert f"alerts can't be sent to {broken.name}" in caplog.text
        # It is tried again later, not at once.
        shop.alerts.pass_on()
        assert shop.alerts.list()[0].tries == 1
        state = state_of(shop)
        bad.status, bad.hangs = 200, False
        later = pass_on(shop.config, state, now=datetime.now(UTC) + timedelta(minutes=2))
        state.close()
        if kind in {"refusing", "hanging"}:
            assert later.sent == (broken.name,)
            assert bad.documents[-1]["title"] == "[shop] job refused failed"
        else:
            assert list(later.failed) == [broken.name]
            assert shop.alerts.list()[0].tries == 2


def test_a_server_that_hangs_is_left_in_time() -> None:
    with receiving(hangs=True) as silent:
        begun = time.monotonic()
        with pytest.raises(SendError):
            send(silent.address, TEXT, timedelta(seconds=0.2))
        assert time.monotonic() - begun < 10


def test_several_daemons_send_one_message(lake: Open, receiver: Receiver) -> None:
    shop = lake({"to": receiver.address})
    lake().jobs.run("refused")
    states = [state_of(shop) for _ in range(5)]
    now = datetime.now(UTC)
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda each: pass_on(shop.config, each, now=now), states))
    for each in states:
        each.close()
    assert len(receiver.bodies) == 1
    assert sum(len(each.sent) for each in done) == 1


def test_a_message_that_nobody_said_was_sent_is_sent_again(lake: Open, receiver: Receiver) -> None:
    shop = lake({"to": receiver.address})
    lake().jobs.run("refused")
    state = state_of(shop)
    now = datetime.now(UTC)

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        pass_on(shop.config, state, now=now, send=killed)
    assert pass_on(shop.config, state, now=now).sent == (), "somebody could still be sending it"
    with state._database.writing() as connection:
        connection.exec_driver_sql("UPDATE lakehouse_alert_targets SET expires = '2000-01-01 00:00:00'")
    assert len(pass_on(shop.config, state, now=now).sent) == 1
    assert len(receiver.bodies) == 1
    state.close()


def test_a_test_says_who_can_be_reached(lake: Open, receiver: Receiver) -> None:
    with receiving(status=403) as bad:
        shop = lake({"to": receiver.address, "name": "ops"}, {"to": bad.address, "name": "night"})
        assert shop.alerts.test() == {"ops": "", "night": "it answered with 403"}
    assert receiver.documents[0]["title"] == "[shop] a test of alerts"


def test_without_the_extra_runs_go_on_and_the_reason_is_told(lake: Open, tmp_path: Path) -> None:
    code = f"""
import sys; sys.modules["apprise"] = None
from lakehouse import Lakehouse
lake = Lakehouse.open({{"version": 1, "storage": {{"root": {str(tmp_path / "lake")!r}}},
    "jobs": {{"refused": {{"do": "{WORK}.refused"}}}}, "alerts": [{{"to": "json://127.0.0.1:1"}}]}})
print(lake.jobs.run("refused").status, lake.alerts.list()[0].failing)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("failed alerts need Apprise")
    assert "lakehouse[daemon]" in done.stdout
