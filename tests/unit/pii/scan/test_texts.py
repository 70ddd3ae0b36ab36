from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from lakehouse.errors import MissingPackageError
from lakehouse.pii.scan.asking import Asking
from lakehouse.pii.scan.facts import TextEntity
from lakehouse.pii.scan.texts import MOST_CHARS, MOST_TEXTS, text_facts
from lakehouse.pii.spans import Span
from tests.unit.pii.scan.made import ToldFinder


def _facts(
    texts: list[str], finder: ToldFinder | None = None, *, of_things: bool = False
) -> dict[str, TextEntity]:
    counts = pl.Series([1] * len(texts))
    found = text_facts(pl.Series(texts), counts, finder=finder, of_things=of_things, min_score=0.5, seed=0)
    return {each.entity: each for each in found}


def test_patterns_are_searched_in_all_texts() -> None:
    texts = [f"please write to anna{at}@example.org, thank you, number {at}" for at in range(300)]
    texts += [f"nothing to see in this text, number {at}" for at in range(700)]
    found = _facts(texts)["EMAIL_ADDRESS"]
    assert (found.share, found.by_model, found.corroborated) == (0.3, False, 0.3)


def test_numbers_in_texts_need_their_check_digits() -> None:
    right = [f"paid with card 4111 1111 1111 1111 on day {at}" for at in range(20)]
    wrong = [f"reference 4111 1111 1111 {1112 + at} was closed" for at in range(200)]
    assert "CREDIT_CARD" in _facts(right)
    assert "CREDIT_CARD" not in _facts(wrong)
    assert set(_facts(["to DE89370400440532013000 or DE00370400440532013000, please"] * 2)) == {"IBAN_CODE"}


@pytest.mark.parametrize(
    ("text", "seen", "agreed"),
    [
        ("we met Anna Schmidt in the hall today", "Anna Schmidt", True),
        ("we met Qxvara Zzyl in the hall today", "Qxvara Zzyl", False),
        ("we met Mrs. Zzyl in the hall today", "Zzyl", True),
        ("the Victoria Lamp 230 is on sale again", "Victoria Lamp", False),
        ("the Victoria Lamp 230 is on sale again", "Victoria Lamp 230", False),
        ("the Victoria is a sponge that we like", "Victoria", False),
    ],
)
def test_what_a_model_sees_needs_agreement(text: str, seen: str, agreed: bool) -> None:
    found = _facts([text], ToldFinder({seen: "PERSON"}))["PERSON"]
    assert found.by_model
    assert (found.corroborated > 0) is agreed


def test_in_texts_about_things_a_first_name_alone_is_no_person() -> None:
    finder = ToldFinder({"Victoria Lamp": "PERSON"})
    text = ["the Victoria Lamp is on sale again"]
    assert _facts(text, finder)["PERSON"].corroborated == 1
    assert _facts(text, finder, of_things=True)["PERSON"].corroborated == 0


@pytest.mark.parametrize(
    ("text", "seen", "entity"),
    [
        ("order 415-555-0132 was sent yesterday", "415-555-0132", "PHONE_NUMBER"),
        ("please install 1.2.3.4 today, it is fixed", "1.2.3.4", "IP_ADDRESS"),
    ],
)
def test_numbers_of_things_do_not_count(text: str, seen: str, entity: str) -> None:
    assert _facts([text], ToldFinder({seen: entity})) == {}


def test_the_finder_gets_few_texts_and_of_each_the_beginning() -> None:
    finder = ToldFinder()
    _facts([f"{at} " + "word " * 1000 for at in range(500)], finder)
    assert len(finder.asked) == MOST_TEXTS
    assert max(len(text) for text in finder.asked) == MOST_CHARS


class TestAsking:
    def test_the_finder_is_made_once_and_only_if_it_is_needed(self) -> None:
        made: list[ToldFinder] = []

        def make() -> ToldFinder:
            made.append(ToldFinder({"Anna": "PERSON"}))
            return made[-1]

        asking = Asking(make)
        assert asking.find([], entities=["PERSON"]) == []
        assert not made
        assert [len(each) for each in asking.find(["Anna", "x"], entities=["PERSON"])] == [1, 0]
        asking.find(["Anna"], entities=["PERSON"])
        assert len(made) == 1

    def test_it_is_asked_only_for_what_it_knows(self) -> None:
        class Patterns(ToldFinder):
            def entities(self) -> tuple[str, ...]:
                return ("PHONE_NUMBER",)

            def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
                assert list(entities) == ["PHONE_NUMBER"]
                return super().find(texts, entities=entities)

        asking = Asking(lambda: Patterns({"555": "PHONE_NUMBER"}))
        assert [len(each) for each in asking.find(["call 555"], entities=["PERSON", "PHONE_NUMBER"])] == [1]
        assert asking.find(["call 555"], entities=["PERSON"]) == [()]

    def test_what_is_not_installed_is_told_and_stops_nothing(self) -> None:
        class Missing(ToldFinder):
            def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
                raise MissingPackageError("the model is not installed", advice="install it")

        asking = Asking(Missing)
        assert asking.find(["a", "b"], entities=["PERSON"]) == [(), ()]
        assert asking.missing == "the model is not installed (install it)"
