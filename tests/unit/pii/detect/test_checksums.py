"""Check digits, against numbers that were published with their standards."""

from __future__ import annotations

import pytest

from lakehouse.pii.detect.checksums import CHECKSUMS

GOOD = [
    ("luhn", "4111 1111 1111 1111"),
    ("luhn", "79927398713"),
    ("luhn", "3782-822463-10005"),
    ("mod97", "DE89 3704 0044 0532 0130 00"),
    ("mod97", "gb82west12345698765432"),
    ("mod11", "0-306-40615-2"),
    ("mod11", "0-8044-2957-X"),
    ("verhoeff", "2363"),
    ("verhoeff", "84736430954837284567892"),
]


@pytest.mark.parametrize(("name", "number"), GOOD)
def test_a_right_number_passes_and_every_slip_of_one_digit_is_seen(name: str, number: str) -> None:
    check = CHECKSUMS[name]
    assert check(number)
    for place, digit in enumerate(number):
        if digit.isdigit():
            others = (
                number[:place] + other + number[place + 1 :] for other in "0123456789" if other != digit
            )
            assert not any(check(other) for other in others), place


@pytest.mark.parametrize("name", CHECKSUMS)
@pytest.mark.parametrize("text", ["", " ", "-", "abc", "X", "12a4", "٤١١١", "1", "DE"])
def test_what_is_no_number_does_not_pass(name: str, text: str) -> None:
    assert not CHECKSUMS[name](text)


def test_swapped_neighbours_are_seen_by_verhoeff() -> None:
    assert not CHECKSUMS["verhoeff"]("2633")
