"""What is known of the values of one path: all that its verdict is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.pii.paths import ColumnPath
from lakehouse.pii.scan.names import NameFacts
from lakehouse.pii.scan.patterns import Strength
from lakehouse.pii.scan.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How many values look like one kind of personal data.

    Args:
        entity: The kind.
        strength: How much the look alone says; see `lakehouse.pii.scan.patterns.Pattern`.
        looks: Share of the values that look like it.
        share: Share that also passes the check; the same as ``looks`` where there is none.
        distinct: Different values that pass.
        checksum: Whether that is a checksum.
    """

    entity: str
    strength: Strength
    looks: float
    share: float
    distinct: int
    checksum: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFacts:
    """How many values are phone numbers, by what says so.

    Args:
        looks: Share with digits and signs that a number to dial can have.
        international: Share that begins with ``+`` or ``00`` and is valid by the rules of its country.
        national: Share that is written in groups and valid in the one country that fits most.
        behind: Share with one that is valid, and begins with ``+``, behind words.
    """

    looks: float = 0.0
    international: float = 0.0
    national: float = 0.0
    behind: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DateFacts:
    """How values look as dates.

    Args:
        share: Share that is a date, or a year.
        past: Share of these that can be the birth of a living person: at most 115 years ago, not to come.
        median_age: The middle of their ages in years.
        spread: Years between the tenth that is oldest and the tenth that is youngest.
    """

    share: float = 0.0
    past: float = 0.0
    median_age: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFacts:
    """Shares of values by their words.

    Args:
        shape: Written as names are: words that begin with a capital, no digits.
        person: With a word that is a frequent first or last name.
        full: With a first name and another word.
        place: With the name of a city.
        group: That name a nationality, religion or the like.
        street: With a word that streets are called by, and a number.
        address: A number and words, or words and a number.
        postcode: That can be a postal code.
        words: Words in a value, in the mean.
        chars: Characters in a value, in the mean.
        long: With at least four words.
        technical: That are UUIDs or hashes.
    """

    shape: float = 0.0
    person: float = 0.0
    full: float = 0.0
    place: float = 0.0
    group: float = 0.0
    street: float = 0.0
    address: float = 0.0
    postcode: float = 0.0
    words: float = 0.0
    chars: float = 0.0
    long: float = 0.0
    technical: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEntity:
    """A kind of personal data inside free texts.

    Args:
        entity: The kind.
        share: Share of the texts with it.
        texts: How many of the texts that were looked at.
        by_model: Whether only a model says so.
        corroborated: Share of the texts in which something else agrees with the model: a list of names, or
            words nearby. The same as ``share`` where no model is needed.
        distinct: How many different ones, where hardly anything else looks like it; else 0.
    """

    entity: str
    share: float
    texts: int
    by_model: bool
    corroborated: float
    distinct: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMatch:
    """How many values a recognizer of the config finds.

    Args:
        entity: Its entity.
        share: Share of the values that are found as a whole.
        score: The recognizer's.
        context: Whether the name has one of its context words.
    """

    entity: str
    share: float
    score: float
    context: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFacts:
    """All of it.

    Args:
        path: Where the values are.
        kind: What they are.
        rows: Values that were looked at, nulls included.
        filled: How many were neither null nor blank.
        distinct: How many different ones.
        name: What the name says.
        matches: By pattern.
        phones: As phone numbers.
        dates: As dates.
        words: By their words.
        small_parts: Share whose four parts, as of an IP address, are all below 30, as in versions.
        in_degrees: Share of numbers with decimals that can be a latitude or longitude.
        model: By entity the share of a few values that a model takes for it as a whole; None where it was
            not asked.
        texts: What is inside free texts; None where they are none, or were not looked into yet.
        own: What the config's recognizers find.
        inside: What hardly anything else looks like, inside values that are no free texts.
    """

    path: ColumnPath
    kind: Kind
    rows: int
    filled: int
    distinct: int
    name: NameFacts
    matches: tuple[Match, ...] = ()
    phones: PhoneFacts = field(default_factory=PhoneFacts)
    dates: DateFacts = field(default_factory=DateFacts)
    words: WordFacts = field(default_factory=WordFacts)
    small_parts: float = 0.0
    in_degrees: float = 0.0
    model: Mapping[str, float] | None = None
    texts: tuple[TextEntity, ...] | None = None
    own: tuple[OwnMatch, ...] = ()
    inside: tuple[TextEntity, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the values are free texts: several words each, and neither names nor addresses."""
        words = self.words
        return (
            self.kind == "text"
            and words.long >= 0.5
            and words.chars >= 24
            and words.shape < 0.6
            and words.street < 0.5
            and words.technical < 0.1
            and self.phones.behind < 0.5
            and not (self.name.says("LOCATION") and words.address >= 0.5)
        )
