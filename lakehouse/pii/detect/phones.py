"""Where phone numbers are in a text, as Presidio's ``PhoneRecognizer`` finds them, without trying in vain.

``PhoneRecognizer`` lets the phonenumbers library look through each text once for each of eight regions, and
the library parses every row of digits each time. What it would parse is the same for all regions, so it is
asked once. A region's look through the text is left out where none of these pieces can be a valid number of
it, by the library's own metadata:

- A piece of digits and plain separators, without the region's prefix for calls abroad, is parsed as a number
  of the region's calling code. Its national part is the digits, perhaps without that code and without the
  region's national prefix, each taken off as the library does.
- It is valid only if some region of that calling code has a kind of number of that length and pattern.
  Presidio asks for valid numbers; where possible ones are enough, no look is left out.
- Where a country writes such numbers with its national prefix alone, as Germany, it has to be there.

A piece with a plus and a calling code is read the same in all regions, so one look does for them all. Other
pieces (with letters, an extension) are left to the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import phonenumbers
from phonenumbers import phonenumbermatcher, phonenumberutil
from phonenumbers.phonemetadata import PhoneMetadata

_SIGN_OR_DIGIT: Final = re.compile(rf"[{phonenumberutil._PLUS_CHARS}\d]")
_PLAIN: Final = re.compile(r"[\d\-./()\[\] \u00a0]*")


@dataclass(frozen=True, slots=True)
class _Region:
    """How a region reads digits.

    Args:
        name: As ``US``.
        code: Its calling code.
        abroad: What calls abroad begin with.
        national: What calls within the country can begin with; None for nothing.
        transform: What the library makes of that beginning, where it does not just take it off.
        kinds: The metadata of all regions of the calling code.
        main: That of the region which stands for the calling code.
        lengths: All lengths that any number of them has.
        shortest: From how many digits on a piece can be one.
        general: What every number of them matches.
    """

    name: str
    code: str
    abroad: re.Pattern[str] | None
    national: re.Pattern[str] | None
    transform: str | None
    kinds: tuple[Any, ...]
    main: Any
    lengths: frozenset[int]
    shortest: int
    general: re.Pattern[str]

    @classmethod
    def of(cls, name: str, own: Any) -> _Region:
        """Reads the library's metadata."""
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(own.country_code, ())
        kinds = [PhoneMetadata.metadata_for_region(region, None) for region in regions]
        known = tuple(kind for kind in kinds if kind is not None)
        descriptions: list[Any] = [kind.general_desc for kind in known]
        general = (each.national_number_pattern for each in descriptions)
        lengths = frozenset(length for each in descriptions for length in each.possible_length)
        return cls(
            name=name,
            code=str(own.country_code),
            abroad=re.compile(own.international_prefix) if own.international_prefix else None,
            national=re.compile(own.national_prefix_for_parsing) if own.national_prefix_for_parsing else None,
            transform=own.national_prefix_transform_rule or None,
            kinds=known,
            main=kinds[0] if kinds else None,
            lengths=lengths,
            # Only what is put in the place of a prefix can make a number longer than its digits.
            shortest=0 if own.national_prefix_transform_rule else min(lengths, default=0),
            general=re.compile("|".join(f"(?:{pattern})" for pattern in general)),
        )

    def could_be(self, digits: str) -> bool:
        """Whether a plain piece could be a valid number when it is read in this region."""
        if self.abroad is not None and self.abroad.match(digits):
            return True
        if len(digits) < self.shortest:
            return False
        if self._valid(digits) and not self._lacks_prefix(digits):
            return True
        return any(self._valid(number) for number in self._shorter(digits))

    def _valid(self, number: str) -> bool:
        return (
            len(number) in self.lengths
            and self.general.fullmatch(number) is not None
            and any(
                phonenumberutil._number_type_helper(number, kind) != phonenumbers.PhoneNumberType.UNKNOWN
                for kind in self.kinds
            )
        )

    def _lacks_prefix(self, number: str) -> bool:
        """Whether the library refuses a number that is written without the national prefix."""
        if self.main is None:
            return False
        form = phonenumberutil._choose_formatting_pattern_for_number(self.main.number_format, number)
        if form is None or form.national_prefix_optional_when_formatting:
            return False
        if phonenumberutil._formatting_rule_has_first_group_only(
            form.national_prefix_formatting_rule or None
        ):
            return False
        return not phonenumberutil._maybe_strip_national_prefix_carrier_code(number, self.main)[2]

    def _shorter(self, digits: str) -> Iterator[str]:
        """What else the national part can be: the library takes a prefix off twice at most."""
        readings = [digits]
        if digits.startswith(self.code):
            readings.append(digits[len(self.code) :])
            yield readings[-1]
        for _ in range(2):
            readings = [shorter for number in readings for shorter in self._without_prefix(number)]
            yield from readings

    def _without_prefix(self, number: str) -> Iterator[str]:
        match = self.national.match(number) if self.national is not None else None
        if match is not None and self.national is not None:
            yield number[match.end() :]
            if self.transform is not None and match.lastindex:
                yield re.sub(self.national, self.transform, number, count=1)


class Phones:
    """Finds phone numbers.

    Args:
        regions: As ``US``: whose numbers are found when they are written without calling code.
        leniency: How the library is to check them, from 0 to 3.
    """

    def __init__(self, regions: Iterable[str], *, leniency: int) -> None:
        self._leniency = leniency
        self._regions: list[_Region] = []
        self._others: list[str] = []
        read: set[tuple[Any, ...]] = set()
        for name in regions:
            own = PhoneMetadata.metadata_for_region(name, None)
            if own is None or leniency < phonenumbers.Leniency.VALID:
                self._others.append(name)
            elif (how := _reads(own)) not in read:
                # The United States and Canada, say, read the same numbers out of the same digits.
                read.add(how)
                self._regions.append(_Region.of(name, own))

    def find(self, text: str) -> list[tuple[int, int]]:
        """Looks through a text.

        Args:
            text: The text.

        Returns:
            Start and end of what any region takes for a number, each once.
        """
        pieces = _Pieces(text, leniency=self._leniency).all()
        if not pieces:
            return []
        plain = {
            piece: phonenumbers.normalize_digits_only(piece) for piece in pieces if _PLAIN.fullmatch(piece)
        }
        looks: dict[str | None, frozenset[str]] = dict.fromkeys(self._others, frozenset())
        alike = len(plain) < len(pieces) and all(
            piece in plain or _is_international(piece) for piece in pieces
        )
        for region in self._regions:
            vain = frozenset(piece for piece, digits in plain.items() if not region.could_be(digits))
            if len(vain) == len(plain) and alike:
                # What is left is read the same in every region, and in none.
                looks[None] = vain
            elif len(vain) < len(pieces):
                looks[region.name] = vain
        found: dict[tuple[int, int], None] = {}
        for name, vain in looks.items():
            matches = _Matcher(text, name, leniency=self._leniency, vain=vain)
            found.update(((match.start, match.end), None) for match in matches)
        return list(found)


def _is_international(piece: str) -> bool:
    """Whether a piece begins with a plus and a calling code, so that all regions read it alike."""
    first = _SIGN_OR_DIGIT.search(piece)
    if first is None or first.group() not in phonenumberutil._PLUS_CHARS:
        return False
    try:
        phonenumbers.parse(piece, None)
    except phonenumbers.NumberParseException:
        return False
    return True


def _reads(own: Any) -> tuple[Any, ...]:
    """All of a region's metadata that decides how digits are read."""
    general = own.general_desc
    return (
        own.country_code,
        own.international_prefix,
        own.national_prefix_for_parsing,
        own.national_prefix_transform_rule,
        general.national_number_pattern,
        tuple(general.possible_length),
        tuple(general.possible_length_local_only),
    )


class _Matcher(phonenumbers.PhoneNumberMatcher):
    """The library's own search, without the parsing that is in vain."""

    def __init__(self, text: str, region: str | None, *, leniency: int, vain: frozenset[str]) -> None:
        super().__init__(text, region, leniency=leniency)
        self._vain = vain

    def _parse_and_verify(self, candidate: str, offset: int) -> Any:
        return None if candidate in self._vain else super()._parse_and_verify(candidate, offset)


class _Pieces(phonenumbers.PhoneNumberMatcher):
    """The library's own search, which notes what it would parse as long as it finds nothing."""

    def __init__(self, text: str, *, leniency: int) -> None:
        super().__init__(text, None, leniency=leniency)
        self._seen: dict[str, None] = {}

    def all(self) -> tuple[str, ...]:
        """What would be parsed, each once."""
        self.has_next()
        return tuple(self._seen)

    def _parse_and_verify(self, candidate: str, offset: int) -> None:
        if candidate and not self._in_a_word(candidate, offset):
            self._seen[candidate] = None

    def _in_a_word(self, candidate: str, offset: int) -> bool:
        """Whether the library would refuse it for the letters or signs around it."""
        if self.leniency < phonenumbers.Leniency.VALID:
            return False
        end = offset + len(candidate)
        before = offset > 0 and not phonenumbermatcher._LEAD_PATTERN.match(candidate)
        return (before and self._joins(self.text[offset - 1])) or (
            end < len(self.text) and self._joins(self.text[end])
        )

    def _joins(self, character: str) -> bool:
        return bool(self._is_invalid_punctuation_symbol(character) or self._is_latin_letter(character))
