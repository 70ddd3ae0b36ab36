"""A certificate that was touched anywhere does not pass; one that was not does, with openssl too."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import DataError, KeysError, RefusedError, UsageError
from lakehouse.pii.executor import Here
from lakehouse.requests.certificate import (
    as_document,
    issue,
    page,
    public_bytes,
    public_pem,
    search_part,
    verify_certificate,
    verify_chain,
)
from lakehouse.requests.certificate.canonical import canonical, digest, read
from lakehouse.requests.needles import Needle
from lakehouse.requests.search import Folder, search
from lakehouse.storage import open_storage
from tests.unit.pii.rings import Ring
from tests.unit.requests.certificate.samples import NOW, RING, Chain, content, issued

Way = tuple[str | int, ...]
KEY = public_bytes(RING.current("sign"))
SIGNED = issued(3)
DOCUMENTS = [as_document(each) for each in SIGNED]


def leaves(value: Any, way: Way = ()) -> Iterator[Way]:
    """The ways to all members of a document, its parts too."""
    if way:
        yield way
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*way, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from leaves(each, (*way, at))


def changed(document: Any, way: Way, value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    place = copy
    for part in way[:-1]:
        place = place[part]
    place[way[-1]] = value
    return copy


def at(document: Any, way: Way) -> Any:
    for part in way:
        document = document[part]
    return document


def test_a_certificate_that_nobody_touched_passes() -> None:
    for source in (DOCUMENTS[1], json.dumps(DOCUMENTS[1], indent=2), canonical(DOCUMENTS[1])):
        verdict = verify_certificate(source, public_key=KEY, ring=RING, previous=DOCUMENTS[0])
        assert verdict.valid
        assert {check.name: check.passed for check in verdict.checks} == {
            "document": True,
            "schema": True,
            "key": True,
            "signature": True,
            "chain": True,
            "search": True,
        }


@pytest.mark.parametrize("way", list(leaves(DOCUMENTS[1])), ids=lambda way: ".".join(map(str, way)))
def test_every_member_that_is_left_out_is_noticed(way: Way) -> None:
    copy = json.loads(json.dumps(DOCUMENTS[1]))
    del at(copy, way[:-1])[way[-1]]
    assert not verify_certificate(copy, ring=RING).valid


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_every_member_that_is_changed_is_noticed(data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(list(leaves(DOCUMENTS[1]))))
    before = at(DOCUMENTS[1], way)
    near: list[st.SearchStrategy[Any]] = [values]
    if isinstance(before, str) and before:
        near += [st.just(before + " "), st.just(before.swapcase()), st.just(before[:-1])]
        near.append(
            st.builds(
                lambda place, sign: before[:place] + sign + before[place + 1 :],
                st.integers(0, len(before) - 1),
                st.sampled_from("0aA9+/=Z"),
            )
        )
    elif isinstance(before, int):
        near += [st.just(before + 1), st.just(float(before)), st.just(str(before))]
    value = data.draw(st.one_of(near))
    if type(value) is not type(before) or value != before:
        assert not verify_certificate(changed(DOCUMENTS[1], way, value), ring=RING).valid


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["", "certificate", "key", "certificate.search"]), st.text(min_size=1, max_size=5), values
)
def test_a_member_that_was_added_is_noticed(place: str, name: str, value: Any) -> None:
    copy = json.loads(json.dumps(DOCUMENTS[1]))
    part = at(copy, tuple(place.split(".")) if place else ())
    if name not in part:
        part[name] = value
        assert not verify_certificate(copy, ring=RING).valid


def test_a_member_that_is_there_twice_is_noticed() -> None:
    text = json.dumps(DOCUMENTS[0])
    twice = text.replace('"lake": "shop"', '"lake": "other", "lake": "shop"')
    assert text != twice
    assert verify_certificate(twice, ring=RING).checks[0].passed is False
    for bad in ("", "{", "[]", "{}", "1.5", "null", '{"certificate": NaN}', "[" * 100_000, b"\xff"):
        assert not verify_certificate(bad, ring=RING).valid


def test_somebody_elses_key_does_not_pass() -> None:
    class Other(Ring):
        def version(self, purpose: str, version: int) -> Any:
            return replace(super().version(purpose, version), material=b"x" * 32)

    forged = as_document(issued(1, ring=Other(purposes=("sign",)))[0])
    for verdict in (
        verify_certificate(forged, ring=Ring(purposes=("sign",))),
        verify_certificate(forged, public_key=KEY),
    ):
        assert verdict.check("signature").passed
        assert verdict.check("key").passed is False
        assert not verdict.valid
    with pytest.raises(UsageError, match="public key"):
        verify_certificate(forged)


def test_a_certificate_passes_after_its_key_was_rotated() -> None:
    old = as_document(issued(1)[0])
    assert verify_certificate(old, ring=RING.rotated()).valid
    lost = Ring(newest=3, purposes=("sign",), oldest=3)
    assert verify_certificate(old, ring=lost).check("key").passed is False


def test_without_the_one_before_the_chain_is_told_as_not_checked() -> None:
    verdict = verify_certificate(DOCUMENTS[1], ring=RING)
    assert verdict.valid
    assert verdict.check("chain").passed is None


@pytest.mark.parametrize("order", [[1], [0, 2], [0, 2, 1], [1, 0], [0, 1, 1], [0, 0], [2]], ids=str)
def test_a_chain_in_which_one_is_missing_or_out_of_order_does_not_pass(order: list[int]) -> None:
    assert all(verdict.valid for verdict in verify_chain(DOCUMENTS, ring=RING))
    assert not all(verdict.valid for verdict in verify_chain([DOCUMENTS[at] for at in order], ring=RING))


def test_a_certificate_that_was_signed_anew_breaks_the_chain() -> None:
    # By somebody who has the key: the one after it still names the old one.
    (again,) = issue([content("r1", part_of_longer=7)], lake="shop", ring=RING, store=Chain(), now=NOW)
    verdicts = verify_chain([as_document(again), *DOCUMENTS[1:]], ring=RING)
    assert [verdict.valid for verdict in verdicts] == [True, False, True]


def test_a_request_has_one_certificate_and_none_if_the_person_was_found() -> None:
    chain = Chain()
    first = issue([content("r1")], lake="shop", ring=RING, store=chain, now=NOW)
    assert issue([content("r1")], lake="shop", ring=RING, store=chain, now=NOW) == first
    assert len(chain.records) == 1
    with pytest.raises(RefusedError, match="found 3 times"):
        issue([content("r2", hits=3)], lake="shop", ring=RING, store=chain, now=NOW)
    with pytest.raises(KeysError):
        issue([content("r3")], lake="shop", ring=Ring(purposes=()), store=chain, now=NOW)


def test_openssl_and_jq_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(as_document(SIGNED[1]), indent=2, ensure_ascii=False))
    signed = subprocess.run(
        ["jq", "-cjS", "{certificate, key}", str(file)], check=True, capture_output=True
    ).stdout
    (tmp_path / "signed").write_bytes(signed)
    (tmp_path / "signature").write_bytes(base64.b64decode(SIGNED[1].signature))
    (tmp_path / "key.pem").write_text(public_pem(KEY))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "signed"]
    command += ["-sigfile", "signature"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "signed").write_bytes(signed.replace(b"shop", b"shoe"))
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode != 0
    whole = subprocess.run(["jq", "-cjS", ".", str(file)], check=True, capture_output=True).stdout
    assert digest(json.loads(whole)) == as_document(SIGNED[2])["certificate"]["previous"]


class Reader(HTMLParser):
    """What a browser sees: the tags, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_all_of_it_and_runs_nothing() -> None:
    html = page(SIGNED[1])
    reader = Reader()
    reader.feed(html)
    assert not reader.tags & {"script", "img", "link", "iframe", "a", "form", "object"}
    assert reader.attributes <= {"lang", "charset", "http-equiv", "content", "class"}
    assert not re.search(r"https?://|url\(|@import", html)
    for text in ("people <b>& co", 'tax law § 147 <script>"', "people/a", "ab" * 32, "cd" * 32, "r1", "1, 2"):
        assert text in reader.text
    assert digest(DOCUMENTS[1]) in reader.text
    assert digest(DOCUMENTS[0]) in reader.text


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_whatever_a_ground_says_is_text(ground: str) -> None:
    certificate = SIGNED[0].certificate
    kept = certificate.kept[0].model_copy(update={"ground": f"<{ground}>&\"'"})
    html = page(
        SIGNED[0].model_copy(update={"certificate": certificate.model_copy(update={"kept": (kept,)})})
    )
    reader = Reader()
    reader.feed(html)
    assert f"<{ground}>&\"'" in reader.text
    assert "script" not in reader.tags


def test_what_a_search_found_goes_into_the_certificate_without_a_value(tmp_path: Path) -> None:
    mail, other = "canary.person@example.org", "other@example.org"
    (tmp_path / f"email={mail}").mkdir()
    (tmp_path / f"email={mail}" / "a.txt").write_text(f"{mail} {other}")
    (tmp_path / "b.parquet").write_bytes(mail.encode())
    needles = [Needle("r1", "email", mail), Needle("r2", "email", other)]
    report = search([Folder(storage=open_storage(tmp_path))], needles, executor=Here())
    part = search_part(report, request="r1", needles=1, anywhere=1)
    assert part.hits == 3
    assert [each.reason for each in part.not_searched] == ["the file has no Parquet footer"]
    assert search_part(report, request="r2", needles=1, anywhere=1).hits == 1
    for text in (repr(report), part.model_dump_json()):
        assert "canary" not in text
        assert "other@" not in text


def test_a_value_can_not_stand_where_a_hash_should() -> None:
    document = changed(DOCUMENTS[0], ("certificate", "request", "identifiers", 0, "hash"), "a@example.org")
    assert verify_certificate(document, ring=RING).check("schema").passed is False


@pytest.mark.parametrize("bad", [1.0, {"é": 1}, 2**53, "\ud800", {1: 2}, b"x"], ids=repr)
def test_what_has_no_single_form_is_refused(bad: Any) -> None:
    with pytest.raises(DataError):
        canonical({"a": bad})


def test_the_canonical_form_is_that_of_the_standard() -> None:
    # RFC 8785, section 3.2.2, without the numbers that are not whole.
    text = (
        '{"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}'
    )
    expected = '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical(read(text)).decode() == expected


def test_the_page_tells_in_short_what_went_what_stays_and_what_no_find_is() -> None:
    reader = Reader()
    reader.feed(page(SIGNED[0]))
    for text in (
        "that was done, but for what has to stay",
        "2 rows deleted, 1 row emptied as the lake's rules say, 1 old file taken away",
        "3 rows of invoices (tax law",
        "all that was left, but for 1 thing told below, was opened, 3 objects",
        "What remained, but for what is named below",
        "What the lake's rules leave is no find",
    ):
        assert text in reader.text
    certificate = SIGNED[0].certificate
    search = certificate.search.model_copy(update={"not_searched": (), "part_of_longer": 0})
    nothing = certificate.model_copy(update={"tables": (), "kept": (), "search": search})
    reader = Reader()
    reader.feed(page(SIGNED[0].model_copy(update={"certificate": nothing})))
    assert "nothing of this person was here" in reader.text
    assert "Everything that remained was opened" in reader.text
    assert "part of a longer" not in reader.text
    assert "is no find" not in reader.text
