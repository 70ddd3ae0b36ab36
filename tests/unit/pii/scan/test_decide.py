from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.pii.paths import ColumnPath
from lakehouse.pii.scan.decide import decide, wants_model
from lakehouse.pii.scan.facts import (
    DateFacts,
    Match,
    PathFacts,
    PhoneFacts,
    TextEntity,
    WordFacts,
)
from lakehouse.pii.scan.names import NameFacts
from lakehouse.pii.scan.patterns import PATTERNS

BASE = PathFacts(
    path=ColumnPath("c"), kind="text", rows=1000, filled=1000, distinct=900, name=NameFacts(words=("c",))
)
NAMES = WordFacts(shape=1.0, words=2.0, chars=12.0)
ENTITIES = sorted(
    {each.entity for each in PATTERNS} | {"PERSON", "LOCATION", "NRP", "DATE_TIME", "PHONE_NUMBER"}
)
SHARES = st.floats(0, 1)
NAME_FACTS = st.builds(
    NameFacts,
    entities=st.lists(st.sampled_from(ENTITIES), max_size=3).map(tuple),
    sure=st.booleans(),
    thing=st.booleans(),
    among_things=st.booleans(),
    numbered=st.booleans(),
    moment=st.booleans(),
    people=st.booleans(),
    bare=st.booleans(),
    postal=st.booleans(),
    latitude=st.booleans(),
    longitude=st.booleans(),
)
MODEL = st.fixed_dictionaries({"PERSON": SHARES, "LOCATION": SHARES})


@given(NAME_FACTS, MODEL)
def test_neither_a_name_nor_a_model_nor_both_in_empty_agreement_decide(
    name: NameFacts, model: dict[str, float]
) -> None:
    # Values that look like nothing at all: what the name and the model say finds no agreement in them.
    facts = replace(BASE, name=name, model=model, words=WordFacts(words=1.0, chars=8.0))
    assert decide(facts, min_score=0.0) == ()


@given(MODEL, st.floats(0.5, 1))
def test_a_model_alone_never_decides(model: dict[str, float], shape: float) -> None:
    facts = replace(BASE, model=model, words=replace(NAMES, shape=shape))
    assert decide(facts, min_score=0.0) == ()


@given(
    NAME_FACTS,
    MODEL,
    st.builds(WordFacts, shape=SHARES, person=SHARES, full=SHARES, place=SHARES, group=SHARES,
              street=SHARES, address=SHARES, postcode=SHARES, words=st.floats(1, 3)),
    st.builds(PhoneFacts, looks=SHARES, international=SHARES, national=SHARES),
    st.builds(DateFacts, share=SHARES, past=SHARES, median_age=st.floats(0, 90), spread=st.floats(0, 90)),
    st.lists(
        st.builds(
            Match,
            entity=st.sampled_from(ENTITIES),
            strength=st.sampled_from(["clear", "checked", "likely", "weak"]),
            looks=SHARES,
            share=SHARES,
            distinct=st.integers(0, 500),
            checksum=st.booleans(),
        ),
        max_size=4,
    ).map(tuple),
)  # fmt: skip
def test_every_verdict_rests_on_more_than_a_name_or_a_model(
    name: NameFacts,
    model: dict[str, float],
    words: WordFacts,
    phones: PhoneFacts,
    dates: DateFacts,
    matches: tuple[Match, ...],
) -> None:
    facts = replace(
        BASE, name=name, model=model, words=words, phones=phones, dates=dates, matches=matches, in_degrees=0.9
    )
    found = decide(facts, min_score=0.0)
    for each in found:
        assert set(each.evidence) not in ({"name"}, {"model"}), each
        assert 0 < each.share <= 1
        assert 0 < each.score < 1
        assert each.reason
    assert len({each.entity for each in found}) == len(found)
    assert found == decide(facts, min_score=0.0)


def test_what_is_not_sure_enough_is_left_out() -> None:
    name = NameFacts(entities=("PERSON",), sure=True)
    facts = replace(BASE, name=name, words=NAMES)
    (found,) = decide(facts, min_score=0.5)
    assert (found.entity, found.evidence) == ("PERSON", ("name", "pattern"))
    assert decide(facts, min_score=found.score + 0.01) == ()


def test_nothing_is_decided_of_no_values() -> None:
    name = NameFacts(entities=("EMAIL_ADDRESS",))
    assert decide(replace(BASE, filled=0, distinct=0, name=name), min_score=0.0) == ()


def test_two_kinds_in_one_column_are_both_told_but_one_value_is_not_explained_twice() -> None:
    def match(entity: str, share: float) -> Match:
        return Match(entity=entity, strength="clear", looks=share, share=share, distinct=400, checksum=False)

    both = replace(BASE, matches=(match("EMAIL_ADDRESS", 0.6), match("IBAN_CODE", 0.4)))
    assert [each.entity for each in decide(both, min_score=0.5)] == ["EMAIL_ADDRESS", "IBAN_CODE"]
    twice = replace(BASE, matches=(match("EMAIL_ADDRESS", 1.0), match("IBAN_CODE", 0.9)))
    assert [each.entity for each in decide(twice, min_score=0.5)] == ["EMAIL_ADDRESS"]


def test_in_texts_a_model_needs_agreement() -> None:
    def inside(corroborated: float) -> PathFacts:
        person = TextEntity(entity="PERSON", share=0.6, texts=20, by_model=True, corroborated=corroborated)
        return replace(BASE, texts=(person,), words=WordFacts(long=1.0, chars=80.0, words=12.0))

    assert [each.entity for each in decide(inside(0.3), min_score=0.5)] == ["PERSON"]
    assert decide(inside(0.0), min_score=0.5) == ()


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (replace(BASE, words=NAMES, name=NameFacts(entities=("PERSON",))), True),
        (replace(BASE, words=replace(NAMES, person=0.5)), True),
        (replace(BASE, words=replace(NAMES, person=0.9), name=NameFacts(entities=("PERSON",))), False),
        (replace(BASE, words=NAMES), False),
        (replace(BASE, words=NAMES, name=NameFacts(entities=("PERSON",), thing=True)), False),
        (replace(BASE, words=replace(NAMES, technical=1.0), name=NameFacts(entities=("PERSON",))), False),
        (replace(BASE, kind="number", name=NameFacts(entities=("PERSON",))), False),
    ],
)
def test_a_model_is_asked_only_where_it_can_matter(facts: PathFacts, wanted: bool) -> None:
    assert wants_model(facts) is wanted
