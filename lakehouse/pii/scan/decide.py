"""From the facts of a path to its verdict: pure.

Two rules stand above the others. What a model takes a value for never decides alone, since models see
people in product names; nor does a column's name, since names promise what is not there. Something else has
to agree: a pattern that says enough, a checksum, a list of names, a range of dates, the rules for phone
numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lakehouse.pii.scan.decide_inside import inside_values, of_texts
from lakehouse.pii.scan.facts import Match, PathFacts
from lakehouse.pii.scan.findings import EntityFinding, Evidence
from lakehouse.pii.scan.patterns import CLEAR
from lakehouse.pii.scan.saying import WORDS, percent

# A checksum of one digit lets one random number in ten pass, so a column of numbers has to pass nearly whole.
_MOST: Final = 0.8
_ALL: Final = 0.95
_ENOUGH: Final = 10
# Of what nothing else looks like, a few values in a column of other things are personal all the same.
_FEW: Final = 0.02


def decide(facts: PathFacts, *, min_score: float) -> tuple[EntityFinding, ...]:
    """Says what personal data there is at a path.

    Args:
        facts: What is known of its values.
        min_score: Less sure findings are left out.

    Returns:
        The kinds, that of most values first; none where there is no personal data.
    """
    if not facts.filled:
        return ()
    found: dict[str, EntityFinding] = {}
    rules = of_texts(facts) if facts.is_text else _of_values(facts)
    for each in (*_own(facts), *rules):
        known = found.get(each.entity)
        if each.score >= min_score and (known is None or known.score < each.score):
            found[each.entity] = each
    ordered = sorted(found.values(), key=lambda each: (-round(each.share, 2), -each.score, each.entity))
    return tuple(ordered if facts.is_text else _compatible(ordered))


def wants_model(facts: PathFacts) -> bool:
    """Whether a model's opinion could change the verdict on values that are no free texts.

    Args:
        facts: What is known without it.
    """
    words = facts.words
    if facts.kind != "text" or facts.is_text or words.shape < 0.5 or words.technical > 0.1:
        return False
    if any(each.score >= 0.85 for each in (*_person(facts), *_location(facts))):
        return False
    named = facts.name.says("PERSON") or facts.name.says("LOCATION")
    return not facts.name.thing and (named or words.person >= 0.3 or words.place >= 0.3)


def _compatible(found: Iterable[EntityFinding]) -> Iterator[EntityFinding]:
    """Leaves out what explains the same values a second time, less well."""
    rest = 1.05
    for each in found:
        if each.share <= rest + 0.1:
            rest -= each.share
            yield each


def _of_values(facts: PathFacts) -> Iterator[EntityFinding]:
    for rule in (
        _clear,
        inside_values,
        _checked,
        _likely,
        _weak,
        _phone,
        _birth,
        _person,
        _location,
        _group,
        _page,
    ):
        yield from rule(facts)


def _clear(facts: PathFacts) -> Iterator[EntityFinding]:
    for match in _matches(facts, "clear"):
        named = facts.name.says(match.entity)
        whole = match.share >= 0.5
        few = match.distinct >= 3 and (match.share >= _FEW or match.entity in CLEAR)
        if whole or few:
            score = 0.9 if whole else 0.7
            yield _of_match(facts, match, score=score + (0.08 if named else 0), named=named)


def _checked(facts: PathFacts) -> Iterator[EntityFinding]:
    for match in _matches(facts, "checked"):
        named = facts.name.says(match.entity)
        if named and match.share >= 0.5:
            yield _of_match(facts, match, score=0.97, named=True)
            continue
        if facts.name.numbered or facts.name.moment or facts.dates.share > 0.9:
            continue
        needed = _MOST if match.entity == "CREDIT_CARD" else _ALL
        # Almost as many as look like it have to pass, not only many of the column.
        if match.share >= max(needed, 0.9 * match.looks) and match.distinct >= _ENOUGH:
            yield _of_match(facts, match, score=0.85, named=False)


def _likely(facts: PathFacts) -> Iterator[EntityFinding]:
    for match in _matches(facts, "likely"):
        named = facts.name.says(match.entity)
        # Versions have four parts too, but small ones.
        if match.entity == "IP_ADDRESS" and not named and facts.small_parts > 0.5:
            continue
        if named and match.share >= 0.5:
            yield _of_match(facts, match, score=0.95, named=True)
        elif (
            match.share >= _ALL
            and match.distinct >= _ENOUGH
            and not (facts.name.numbered or facts.name.thing)
        ):
            yield _of_match(facts, match, score=0.75, named=False)


def _weak(facts: PathFacts) -> Iterator[EntityFinding]:
    for match in _matches(facts, "weak"):
        if match.entity == "URL" or not facts.name.says(match.entity):
            continue
        if match.share >= 0.8 and facts.words.technical < 0.5:
            yield _of_match(facts, match, score=0.7, named=True)


def _phone(facts: PathFacts) -> Iterator[EntityFinding]:
    phones, named = facts.phones, facts.name.says("PHONE_NUMBER")
    valid = phones.international + phones.national
    if phones.behind >= 0.5 and not (facts.name.numbered or facts.name.moment or facts.name.thing):
        # Whose it is stands in front of it.
        yield _finding(facts, "PHONE_NUMBER", phones.behind, 0.75, ("pattern", "library"))
    if phones.looks < 0.3:
        return
    if named and phones.looks >= 0.5:
        evidence: tuple[Evidence, ...] = ("pattern", "name") + (("library",) if valid >= 0.2 else ())
        yield _finding(facts, "PHONE_NUMBER", phones.looks, 0.9 if valid >= 0.2 else 0.75, evidence)
    elif facts.name.numbered or facts.name.moment:
        return
    elif phones.international >= 0.3 or phones.national >= 0.9:
        score = 0.85 if phones.international >= 0.3 else 0.65
        yield _finding(facts, "PHONE_NUMBER", phones.looks, score, ("pattern", "library"))


def _birth(facts: PathFacts) -> Iterator[EntityFinding]:
    dates = facts.dates
    if not facts.name.says("DATE_TIME") or dates.share < 0.8 or dates.past < 0.95:
        return
    # What happens today was not born: people in a table differ in age.
    if dates.median_age >= 8 and (dates.spread >= 3 or facts.distinct < _ENOUGH):
        yield _finding(facts, "DATE_TIME", dates.share, 0.9, ("name", "range"))


def _person(facts: PathFacts) -> Iterator[EntityFinding]:
    words, name = facts.words, facts.name
    model = (facts.model or {}).get("PERSON", 0.0)
    if facts.kind != "text" or name.thing or words.technical > 0.1 or words.words > 6:
        return
    if name.says("PERSON") and not (name.bare and (name.among_things or not name.people) and not name.sure):
        if words.person >= 0.1 and words.shape + words.person >= 0.5:
            yield _finding(facts, "PERSON", max(words.person, words.shape), 0.88, ("name", "dictionary"))
        elif model >= 0.3 and words.shape >= 0.5 and (name.sure or _varied(facts)):
            yield _finding(facts, "PERSON", max(model, words.shape), 0.8, ("name", "model"))
        elif words.shape >= 0.8 and (name.sure or (name.bare and _varied(facts))) and facts.distinct >= 6:
            yield _finding(facts, "PERSON", words.shape, 0.7, ("name", "pattern"))
        return
    if name.among_things if name.bare else name.entities:
        return
    if words.full >= 0.4 and words.person >= 0.6 and words.shape >= 0.6 and _varied(facts):
        with_model = model >= 0.3
        evidence: tuple[Evidence, ...] = ("dictionary", "pattern") + (("model",) if with_model else ())
        if with_model or words.full >= 0.6:
            yield _finding(facts, "PERSON", words.person, 0.8 if with_model else 0.65, evidence)
    elif words.person >= 0.7 and model >= 0.3 and words.place < words.person and _varied(facts):
        yield _finding(facts, "PERSON", words.person, 0.65, ("dictionary", "model"))


def _location(facts: PathFacts) -> Iterator[EntityFinding]:
    words, name = facts.words, facts.name
    model = (facts.model or {}).get("LOCATION", 0.0)
    if (name.latitude or name.longitude) and facts.in_degrees >= 0.8 and not name.among_things:
        yield _finding(facts, "LOCATION", facts.in_degrees, 0.75, ("name", "range"))
    if name.among_things and not name.people:
        return
    if words.street >= 0.4 and words.address >= 0.5:
        named = name.says("LOCATION")
        evidence: tuple[Evidence, ...] = ("pattern", "dictionary") + (("name",) if named else ())
        share = max(words.street, words.address)
        if named or (words.street >= 0.6 and not name.thing):
            yield _finding(facts, "LOCATION", share, 0.92 if named else 0.7, evidence)
        return
    if name.thing:
        return
    agreed = model >= 0.4 and words.place >= max(0.4, words.person) and facts.distinct >= 5
    if name.says("LOCATION"):
        yield from _named_place(facts, model)
    elif agreed and not name.entities:
        yield _finding(facts, "LOCATION", words.place, 0.6, ("dictionary", "model"))


def _named_place(facts: PathFacts, model: float) -> Iterator[EntityFinding]:
    words = facts.words
    if words.address >= 0.5:
        yield _finding(facts, "LOCATION", words.address, 0.85, ("name", "pattern"))
    elif words.postcode >= 0.8 and facts.name.postal and not facts.name.numbered:
        yield _finding(facts, "LOCATION", words.postcode, 0.75, ("name", "pattern"))
    elif words.place >= 0.05 and words.shape >= 0.5:
        yield _finding(facts, "LOCATION", max(words.place, words.shape), 0.8, ("name", "dictionary"))
    elif model >= 0.2 and words.shape >= 0.5:
        yield _finding(facts, "LOCATION", max(model, words.shape), 0.75, ("name", "model"))
    elif words.shape >= 0.9 and facts.distinct >= 20:
        yield _finding(facts, "LOCATION", words.shape, 0.6, ("name", "pattern"))


def _group(facts: PathFacts) -> Iterator[EntityFinding]:
    if facts.kind == "text" and facts.name.says("NRP") and facts.words.group >= 0.3:
        yield _finding(facts, "NRP", facts.words.group, 0.85, ("name", "dictionary"))


def _page(facts: PathFacts) -> Iterator[EntityFinding]:
    for match in facts.matches:
        named = facts.name.says("URL") and not facts.name.thing and not facts.name.among_things
        if match.entity == "URL" and named and match.share >= 0.5:
            yield _of_match(facts, match, score=0.7, named=True)


def _own(facts: PathFacts) -> Iterator[EntityFinding]:
    for match in facts.own:
        if match.share >= 0.5 or (match.share >= _FEW and match.score >= 0.6):
            score = min(1.0, match.score + (0.35 if match.context else 0.1 if match.share >= _MOST else 0))
            evidence: tuple[Evidence, ...] = ("recognizer", "context") if match.context else ("recognizer",)
            reason = f"{percent(match.share)} of the values are found by the recognizer of the config"
            yield EntityFinding(
                entity=match.entity, share=match.share, score=score, evidence=evidence, reason=reason
            )


def _matches(facts: PathFacts, strength: str) -> Iterator[Match]:
    return (match for match in facts.matches if match.strength == strength and match.share > 0)


def _of_match(facts: PathFacts, match: Match, *, score: float, named: bool) -> EntityFinding:
    evidence: tuple[Evidence, ...] = ("pattern",)
    evidence += ("checksum",) if match.checksum else ()
    return _finding(facts, match.entity, match.share, score, evidence + (("name",) if named else ()))


def _finding(
    facts: PathFacts, entity: str, share: float, score: float, evidence: tuple[Evidence, ...]
) -> EntityFinding:
    said = [_SAID[each] for each in evidence if each in _SAID]
    what = WORDS.get(entity, entity)
    reason = f"{percent(share)} of the values look like {what}" + (f"; {', '.join(said)}" if said else "")
    if facts.name.says(entity) and "name" not in evidence:
        evidence, reason = (*evidence, "name"), f"{reason}, the name says so"
    return EntityFinding(
        entity=entity, share=min(share, 1.0), score=min(score, 0.99), evidence=evidence, reason=reason
    )


_SAID: Final[dict[Evidence, str]] = {
    "checksum": "their checksums are right",
    "name": "the name says so",
    "dictionary": "their words are in lists of such",
    "model": "a model agrees",
    "library": "valid by the rules of their countries",
    "range": "they are in the range",
}


def _varied(facts: PathFacts) -> bool:
    """Not one of a handful of labels."""
    return facts.distinct >= 15 or facts.distinct >= 0.5 * facts.filled
