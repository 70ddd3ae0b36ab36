"""A worker and what it says: without a daemon, in this process."""

from __future__ import annotations

import base64
import os
import pickle
import queue
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.config import load_config
from lakehouse.daemon.messages import heard, of_run, said
from lakehouse.daemon.worker import _Out, _Worker
from lakehouse.jobs import RunView
from lakehouse.jobs.verbs import Jobs
from lakehouse.state.job_rows import End, Policy, Wanted
from tests.integration.daemon.conftest import Site

NOW = datetime.now(UTC)


class Watcher:
    """Hears of runs, and looks at the database when it does."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.told: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def began(self, run: RunView, tables: tuple[str, ...]) -> None:
        self.told.put(("began", run.status))

    def ended(self, run: RunView, tables: tuple[str, ...]) -> None:
        self.told.put(("ended", self.site.lake.jobs.show(run.id).status))


class Talk:
    def __init__(self) -> None:
        (there, to), (back, out) = os.pipe(), os.pipe()
        self._streams = [os.fdopen(each, mode) for each, mode in ((to, "wb"), (back, "rb"))]
        self._theirs = [os.fdopen(each, mode) for each, mode in ((there, "rb"), (out, "wb"))]
        self.answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.left = threading.Event()
        worker = _Worker(self._theirs[0], _Out(self._theirs[1]), leave=lambda _: self.left.set())
        self.thread = threading.Thread(target=worker.serve, daemon=True)
        self.thread.start()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for each in heard(self._streams[1]):
            self.answers.put(each)

    def close(self) -> None:
        self._streams[0].close()
        assert self.left.wait(60), "a worker whose daemon is gone ends"
        for each in (*self._theirs, *self._streams):
            each.close()

    def say(self, **message: Any) -> None:
        self._streams[0].write(said(**message))
        self._streams[0].flush()

    def hear(self, told: str) -> dict[str, Any]:
        while (found := self.answers.get(timeout=60))["told"] != told:
            pass
        return found


@pytest.fixture
def talk() -> Iterator[Talk]:
    found = Talk()
    yield found
    found.say(ask="end")
    found.thread.join(timeout=60)
    found.close()


def test_who_hears_of_runs_hears_when_it_is_written_down(
    site: Site, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(site.config(note={"do": "note"}))
    watcher = Watcher(site)
    made = Jobs.__init__

    def watched(self: Jobs, *words: Any, **more: Any) -> None:
        made(self, *words, **{**more, "observers": lambda _: (watcher,)})

    monkeypatch.setattr(Jobs, "__init__", watched)
    talk.say(
        config=base64.b64encode(pickle.dumps(config)).decode(), owner="me", author="me", lease=60, grace=5,
        path=sys.path,
    )  # fmt: skip
    assert talk.hear("ready")["watched"] is True
    state = site.lake._control.made(now=NOW)
    more: dict[str, Any] = {
        "policies": {"note": Policy(skip=False, losses=1)}, "owner": "me", "author": "me",
        "lease": timedelta(minutes=1), "now": NOW,
    }  # fmt: skip
    wanted = [Wanted("note", NOW + timedelta(minutes=n), "note") for n in range(2)]
    (claimed,) = state.queue.work(wanted, most=1, **more).claimed
    talk.say(ask="run", run=of_run(claimed.run), token=claimed.token)
    ended = talk.hear("ended")
    assert watcher.told.get(timeout=60) == ("began", "running")
    assert watcher.told.empty(), "the end is not written down yet"
    end = End(claimed.run.id, claimed.token, ended["event"], ended["detail"], ended["log"])
    (following,) = state.queue.work([], most=1, ends=[end], **more).claimed
    talk.say(ask="written", runs=[claimed.run.id])
    assert watcher.told.get(timeout=60) == ("ended", "succeeded")
    talk.hear("free")
    state.leases.give_back(following.run.id, following.token, reason="enough")
